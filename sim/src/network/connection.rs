//! A connection: what the kernels at its two ends know of it.

use std::collections::VecDeque;
use std::io;
use std::task::Waker;

use super::address::Address;
use super::wire::Wire;
use crate::process::ProcessId;

/// Most bytes of a direction that were sent and that the other end has not read.
pub(super) const WINDOW_BYTES: usize = 64 << 10;

/// A connection, by its ordinal in the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ConnectionId(pub(super) u64);

/// Which end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Side {
    /// Who connected.
    Opener = 0,
    /// Who listened.
    Acceptor = 1,
}

impl Side {
    pub(super) const BOTH: [Side; 2] = [Side::Opener, Side::Acceptor];

    pub(super) fn other(self) -> Side {
        match self {
            Side::Opener => Side::Acceptor,
            Side::Acceptor => Side::Opener,
        }
    }
}

/// One end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct EndId {
    pub(super) connection: ConnectionId,
    pub(super) side: Side,
}

/// What a kernel knows of its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Nothing: there never was a connection, or it is forgotten.
    Absent,
    /// It was asked for and nobody has answered.
    Opening,
    /// It is established.
    Open,
    /// Its process closed it; the kernel still sends what it was given.
    Orphan,
}

pub(super) struct End {
    pub(super) address: Address,
    pub(super) phase: Phase,
    /// Who has it, or had it when it failed.
    pub(super) owner: Option<ProcessId>,
    /// The process has a stream for it.
    pub(super) taken: bool,
    /// Bytes that have arrived and were not read.
    pub(super) received: VecDeque<u8>,
    /// Bytes that were read and that the other end has not been told of.
    pub(super) read: usize,
    /// The other end's last byte has arrived.
    pub(super) ended: bool,
    /// Bytes that were sent and of which the other end has not said that they were read.
    pub(super) unread: usize,
    pub(super) fin_sent: bool,
    /// The other end was told that there is no connection.
    pub(super) reset_sent: bool,
    /// What its process hears.
    pub(super) failed: Option<io::ErrorKind>,
    pub(super) reader: Option<Waker>,
    pub(super) writer: Option<Waker>,
}

impl End {
    pub(super) fn new(address: Address) -> Self {
        Self {
            address,
            phase: Phase::Absent,
            owner: None,
            taken: false,
            received: VecDeque::new(),
            read: 0,
            ended: false,
            unread: 0,
            fin_sent: false,
            reset_sent: false,
            failed: None,
            reader: None,
            writer: None,
        }
    }

    /// The kernel forgets the connection, and its process hears why.
    pub(super) fn fail(&mut self, error: io::ErrorKind, wakers: &mut Wakers) {
        self.phase = Phase::Absent;
        self.failed = Some(error);
        self.received.clear();
        wakers.wake(&mut self.reader);
        wakers.wake(&mut self.writer);
    }

    /// Its process has it no more.
    pub(super) fn disown(&mut self, wakers: &mut Wakers) {
        self.owner = None;
        self.received.clear();
        wakers.released.extend(self.reader.take());
        wakers.released.extend(self.writer.take());
    }
}

pub(super) struct Connection {
    /// By [`Side`].
    pub(super) ends: [End; 2],
    /// What each side sends.
    pub(super) wires: [Wire; 2],
}

impl Connection {
    /// Whether nobody can learn anything from it any more.
    pub(super) fn is_over(&self) -> bool {
        self.ends.iter().all(|end| end.owner.is_none()) && self.wires.iter().all(|wire| wire.flights.is_empty())
    }
}

/// Wakers that wait for the fabric's lock to be free.
#[derive(Default)]
pub(super) struct Wakers {
    /// To be woken, in this order.
    pub(super) woken: Vec<Waker>,
    /// To be dropped.
    pub(super) released: Vec<Waker>,
}

impl Wakers {
    pub(super) fn wake(&mut self, waiting: &mut Option<Waker>) {
        self.woken.extend(waiting.take());
    }

    /// Lets `waker` wait, in place of who waited there.
    pub(super) fn register(&mut self, waiting: &mut Option<Waker>, waker: &Waker) {
        if !waiting.as_ref().is_some_and(|before| before.will_wake(waker)) {
            self.released.extend(waiting.replace(waker.clone()));
        }
    }
}
