//! How messages arrive, and what the receiving kernel makes of them.

use std::io;
use std::task::Waker;
use std::time::Duration;

use super::connection::{ConnectionId, EndId, Phase, Side};
use super::fabric::Fabric;
use super::timers::Alarm;
use super::wire::{Flight, Message};

/// Most connections that wait to be accepted by a listener.
const BACKLOG_MAX: usize = 128;
/// When a connect that found no room is sent again.
const CONNECT_AGAIN: Duration = Duration::from_secs(1);

impl Fabric {
    /// Delivers all that is due. When there is more to do; `waker` is woken if that changes.
    pub(super) fn carry(&mut self, now: Duration, waker: &Waker) -> Option<Duration> {
        let before = self.timers.awake();
        self.wakers.released.extend(before);
        while let Some((due, alarm)) = self.timers.take_due(now) {
            match alarm {
                Alarm::Arrival(sender) => self.arrive(sender, due, now),
                Alarm::ConnectTimeout(connection) => self.time_out(connection),
            }
        }
        self.timers.sleep(waker.clone());
        self.timers.next()
    }

    /// Delivers what this end has sent and is due.
    fn arrive(&mut self, sender: EndId, alarm: Duration, now: Duration) {
        let Some(connection) = self.connections.get_mut(&sender.connection) else { return };
        let wire = &mut connection.wires[sender.side as usize];
        if wire.armed != Some(alarm) {
            // Another alarm took its place.
            return;
        }
        wire.armed = None;
        while self.next_due(sender).is_some_and(|due| due <= now)
            && !self.withhold(sender)
            && self.has_room(sender, now)
        {
            let flight = self.connection(sender.connection).wires[sender.side as usize].flights.pop_front();
            self.deliver(sender, flight.expect("one is due"));
        }
        self.arm(sender);
        self.tidy(sender.connection);
    }

    fn next_due(&mut self, sender: EndId) -> Option<Duration> {
        self.connection(sender.connection).wires[sender.side as usize].next_due()
    }

    /// Whether the first message does not arrive, and waits for the end of a fault.
    fn withhold(&mut self, sender: EndId) -> bool {
        let connection = self.connections.get_mut(&sender.connection).expect("a message of it is due");
        let wire = &mut connection.wires[sender.side as usize];
        let flight = wire.flights.front().expect("one is due");
        let link = self.links.get_mut(&(wire.from, wire.to)).expect("something was sent over it");
        // Both are asked: each fault counts what it withholds.
        let (struck, off) = (link.withholds(&flight.message), self.off.contains(&wire.to));
        if !struck && !off {
            return false;
        }
        let numbers = [sender.connection.0, sender.side as u64, flight.ordinal];
        wire.withheld = true;
        if connection.ends[sender.side as usize].phase == Phase::Absent {
            // A kernel that has forgotten a connection sends nothing again. But who still sends to
            // it does so again, and then is answered again.
            wire.flights.retain(|flight| matches!(flight.message, Message::Reset));
            wire.withheld = !wire.flights.is_empty();
        }
        self.event("network.withhold", None, &numbers, &[]);
        true
    }

    /// Whether the receiving kernel has room for the first message. It has none only for a connect
    /// to a listener that accepts too slowly, and that one is sent again later.
    fn has_room(&mut self, sender: EndId, now: Duration) -> bool {
        let connection = self.connections.get_mut(&sender.connection).expect("a message of it is due");
        let to = connection.ends[sender.side.other() as usize].address;
        let flight = connection.wires[sender.side as usize].flights.front_mut().expect("one is due");
        let is_full = self.listening.get(&to).is_some_and(|listening| listening.backlog.len() >= BACKLOG_MAX);
        let room = !is_full || !matches!(flight.message, Message::Connect);
        if !room {
            flight.due = now + CONNECT_AGAIN;
            flight.calm = flight.due;
        }
        room
    }

    fn deliver(&mut self, sender: EndId, flight: Flight) {
        let receiver = EndId { connection: sender.connection, side: sender.side.other() };
        let Flight { ordinal, message, .. } = flight;
        let owner = self.end_mut(receiver).owner;
        let numbers = [receiver.connection.0, receiver.side as u64, ordinal];
        self.event(message.event(), owner, &numbers, message.bytes());
        let connection = self.connections.get_mut(&receiver.connection).expect("a message of it arrives");
        let (end, wakers) = (&mut connection.ends[receiver.side as usize], &mut self.wakers);
        match (end.phase, message) {
            (Phase::Absent, Message::Connect) => self.admit(receiver),
            (Phase::Opening, Message::Accept) => {
                end.phase = Phase::Open;
                wakers.wake(&mut end.writer);
            }
            (Phase::Open, Message::Chunk(bytes)) => {
                end.received.extend(bytes);
                wakers.wake(&mut end.reader);
            }
            (Phase::Open, Message::Window(bytes)) => {
                end.unread -= bytes;
                wakers.wake(&mut end.writer);
            }
            (Phase::Open, Message::Fin) => {
                end.ended = true;
                wakers.wake(&mut end.reader);
            }
            (Phase::Opening, Message::Reset) => end.fail(io::ErrorKind::ConnectionRefused, wakers),
            (Phase::Open | Phase::Orphan, Message::Reset) => end.fail(io::ErrorKind::ConnectionReset, wakers),
            // Nobody reads this any more, or ever did.
            (Phase::Orphan, Message::Chunk(_)) => self.send_reset(receiver),
            (Phase::Absent, Message::Accept | Message::Chunk(_) | Message::Window(_) | Message::Fin) => {
                self.send_reset(receiver);
            }
            (Phase::Orphan, Message::Window(_) | Message::Fin) | (Phase::Absent, Message::Reset) => {}
            (phase, message) => unreachable!("{message:?} arrives in order, and not at an end that is {phase:?}"),
        }
    }

    /// A connect arrives: it waits to be accepted, or is refused.
    fn admit(&mut self, receiver: EndId) {
        let address = self.end_mut(receiver).address;
        let Some(listening) = self.listening.get_mut(&address) else { return self.send_reset(receiver) };
        listening.backlog.push_back(receiver.connection);
        self.wakers.woken.append(&mut listening.accepting);
        let owner = Some(listening.owner);
        let end = self.end_mut(receiver);
        end.owner = owner;
        end.phase = Phase::Open;
        self.send(receiver, Message::Accept);
    }

    /// The kernel gives up a connect that nobody has answered.
    fn time_out(&mut self, id: ConnectionId) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        let opener = Side::Opener as usize;
        let end = &mut connection.ends[opener];
        if end.phase == Phase::Opening {
            let owner = end.owner;
            end.fail(io::ErrorKind::TimedOut, &mut self.wakers);
            connection.wires[opener].stop_sending();
            self.event("network.timeout", owner, &[id.0], &[]);
        }
    }
}
