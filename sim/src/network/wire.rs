//! A wire: what one end of a connection sends, in order, and where it is on its way.

use std::collections::VecDeque;
use std::time::Duration;

use crate::seed::Fork;
use crate::world::MachineId;

/// What one kernel tells the other about a connection.
#[derive(Debug)]
pub(super) enum Message {
    /// Opens the connection.
    Connect,
    /// It is open.
    Accept,
    /// Bytes of the stream.
    Chunk(Vec<u8>),
    /// So many bytes were read, and as many more may come.
    Window(usize),
    /// The last byte was sent.
    Fin,
    /// There is no such connection.
    Reset,
}

impl Message {
    /// The trace's name for its arrival.
    pub(super) fn event(&self) -> &'static str {
        match self {
            Message::Connect => "network.connect",
            Message::Accept => "network.accept",
            Message::Chunk(_) => "network.chunk",
            Message::Window(_) => "network.window",
            Message::Fin => "network.fin",
            Message::Reset => "network.reset",
        }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        if let Message::Chunk(bytes) = self { bytes } else { &[] }
    }
}

/// A message on its way.
pub(super) struct Flight {
    /// Its ordinal on the wire, from 0.
    pub(super) ordinal: u64,
    pub(super) message: Message,
    /// When it arrives, at the earliest: never before the one ahead of it.
    pub(super) due: Duration,
    /// The same without faults.
    pub(super) calm: Duration,
}

/// One direction of a connection.
pub(super) struct Wire {
    pub(super) from: MachineId,
    pub(super) to: MachineId,
    /// For the choices about its messages, keyed by their ordinals.
    pub(super) fork: Fork,
    pub(super) sent: u64,
    pub(super) flights: VecDeque<Flight>,
    /// The first message was due and did not arrive: it waits until a fault ends.
    pub(super) withheld: bool,
    /// For when a timer is set.
    pub(super) armed: Option<Duration>,
}

impl Wire {
    pub(super) fn new(from: MachineId, to: MachineId, fork: Fork) -> Self {
        Self { from, to, fork, sent: 0, flights: VecDeque::new(), withheld: false, armed: None }
    }

    /// When the first message is to arrive; `None` if there is none, or it is withheld.
    pub(super) fn next_due(&self) -> Option<Duration> {
        if self.withheld { None } else { self.flights.front().map(|flight| flight.due) }
    }

    /// Loses everything that is on its way.
    pub(super) fn clear(&mut self) {
        self.flights.clear();
        self.withheld = false;
    }

    /// Its kernel sends nothing again: what is withheld is lost, and the rest arrives.
    pub(super) fn stop_sending(&mut self) {
        if self.withheld {
            self.clear();
        }
    }
}
