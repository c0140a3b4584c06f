//! All that the kernels and links of a network know, and how messages get on their way.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::task::Waker;
use std::time::Duration;

use super::address::Address;
use super::connection::{Connection, ConnectionId, End, EndId, Phase, Side, Wakers};
use super::link::{Link, LinkFaultId};
use super::timers::{Alarm, Timers};
use super::wire::{Flight, Message, Wire};
use crate::clock::true_time;
use crate::process::ProcessId;
use crate::seed::Fork;
use crate::trace::Trace;
use crate::world::MachineId;

/// The first port of those who connect; the others follow, and then come round.
const EPHEMERAL_PORT_FIRST: u64 = 32_768;
/// How many ports there are for those who connect.
const EPHEMERAL_PORTS: u64 = 28_232;

/// Who listens, and who waits to be accepted.
pub(super) struct Listening {
    pub(super) owner: ProcessId,
    pub(super) backlog: VecDeque<ConnectionId>,
    pub(super) accepting: Vec<Waker>,
}

pub(super) struct Fabric {
    fork: Fork,
    pub(super) trace: Trace,
    /// By [`MachineId`].
    pub(super) names: Vec<&'static str>,
    /// Machines without power.
    pub(super) off: BTreeSet<MachineId>,
    pub(super) links: BTreeMap<(MachineId, MachineId), Link>,
    /// Which link each fault that lasts is one of.
    pub(super) struck: BTreeMap<LinkFaultId, (MachineId, MachineId)>,
    pub(super) faults_begun: u64,
    pub(super) listening: BTreeMap<Address, Listening>,
    pub(super) connections: BTreeMap<ConnectionId, Connection>,
    connected: u64,
    /// How many connections each machine opened to each.
    opened: BTreeMap<(MachineId, MachineId), u64>,
    /// How many connections each machine opened.
    ports_used: BTreeMap<MachineId, u64>,
    pub(super) timers: Timers,
    pub(super) wakers: Wakers,
}

impl Fabric {
    pub(super) fn new(fork: Fork, trace: Trace) -> Self {
        Self {
            fork,
            trace,
            names: Vec::new(),
            off: BTreeSet::new(),
            links: BTreeMap::new(),
            struck: BTreeMap::new(),
            faults_begun: 0,
            listening: BTreeMap::new(),
            connections: BTreeMap::new(),
            connected: 0,
            opened: BTreeMap::new(),
            ports_used: BTreeMap::new(),
            timers: Timers::default(),
            wakers: Wakers::default(),
        }
    }

    /// Takes everything out that may hold a waker.
    pub(super) fn clear(&mut self) -> impl Sized + use<> {
        (std::mem::take(&mut self.listening), std::mem::take(&mut self.connections), std::mem::take(&mut self.timers))
    }

    pub(super) fn link(&mut self, from: MachineId, to: MachineId) -> &mut Link {
        self.links.entry((from, to)).or_insert_with(|| Link::new(from == to))
    }

    pub(super) fn event(&self, kind: &'static str, process: Option<ProcessId>, numbers: &[u64], bytes: &[u8]) {
        self.trace.event(kind, process.unwrap_or(ProcessId::WORLD).0, numbers, bytes);
    }

    /// A new connection, which neither kernel knows yet.
    pub(super) fn add_connection(&mut self, from: MachineId, to: Address) -> ConnectionId {
        self.connected += 1;
        let id = ConnectionId(self.connected);
        let of_pair = self.opened.entry((from, to.machine)).or_default();
        let nth = *of_pair;
        *of_pair += 1;
        let used = self.ports_used.entry(from).or_default();
        let port = EPHEMERAL_PORT_FIRST + *used % EPHEMERAL_PORTS;
        *used += 1;
        let port = u16::try_from(port).expect("the range of ports ends below 65,536");
        // Keyed by who talks to whom, so that a connection elsewhere leaves this one as it was.
        let fork = self.fork.key(u64::from(from.0)).key(u64::from(to.machine.0)).key(nth);
        let wire = |side, from, to| Wire::new(from, to, fork.key(side as u64));
        let wires = [wire(Side::Opener, from, to.machine), wire(Side::Acceptor, to.machine, from)];
        let ends = [End::new(Address { machine: from, port }), End::new(to)];
        self.connections.insert(id, Connection { ends, wires });
        id
    }

    pub(super) fn end_mut(&mut self, end: EndId) -> &mut End {
        &mut self.connection(end.connection).ends[end.side as usize]
    }

    pub(super) fn connection(&mut self, id: ConnectionId) -> &mut Connection {
        self.connections.get_mut(&id).expect("a connection stays while somebody has an end of it")
    }

    /// All ends, in the order of connections.
    pub(super) fn ends(&self) -> impl Iterator<Item = (EndId, &End)> {
        self.connections.iter().flat_map(|(id, connection)| {
            Side::BOTH.map(|side| (EndId { connection: *id, side }, &connection.ends[side as usize]))
        })
    }

    /// Sends a message from this end.
    pub(super) fn send(&mut self, end: EndId, message: Message) {
        let now = true_time();
        let connection = self.connections.get_mut(&end.connection).expect("who sends has an end of it");
        let wire = &mut connection.wires[end.side as usize];
        let ordinal = wire.sent;
        wire.sent += 1;
        let fork = wire.fork.key(ordinal);
        let within = wire.from == wire.to;
        let link = self.links.entry((wire.from, wire.to)).or_insert_with(|| Link::new(within));
        let calm = now + fork.fork("latency").duration(link.latency.clone());
        let due = calm + link.delay(&message, fork);
        wire.flights.push_back(Flight { ordinal, message, due, calm });
        self.arm(end);
    }

    /// Sees to it that the first message of what this end sent arrives in time.
    pub(super) fn arm(&mut self, end: EndId) {
        let Some(connection) = self.connections.get_mut(&end.connection) else { return };
        let wire = &mut connection.wires[end.side as usize];
        let Some(due) = wire.next_due() else { return };
        if wire.armed.is_none_or(|armed| due < armed) {
            wire.armed = Some(due);
            self.set_alarm(due, Alarm::Arrival(end));
        }
    }

    pub(super) fn set_alarm(&mut self, due: Duration, alarm: Alarm) {
        let first = self.timers.set(due, alarm);
        self.wakers.woken.extend(first);
    }

    /// Tells the other end that there is no connection, once.
    pub(super) fn send_reset(&mut self, end: EndId) {
        let own = self.end_mut(end);
        own.phase = Phase::Absent;
        if !std::mem::replace(&mut own.reset_sent, true) {
            self.send(end, Message::Reset);
        }
    }

    /// Forgets a connection that is over.
    pub(super) fn tidy(&mut self, id: ConnectionId) {
        if self.connections.get(&id).is_some_and(Connection::is_over) {
            self.connections.remove(&id);
        }
    }
}
