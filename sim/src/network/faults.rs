//! What the nemesis does to the network, and what becomes of it when a fault ends.

use std::io;

use super::connection::{End, EndId, Phase, Side};
use super::fabric::Fabric;
use super::link::{LinkFault, LinkFaultId};
use super::wire::Message;
use crate::clock::true_time;
use crate::world::MachineId;

/// How often what a machine had sent is lost when it loses power, as it might have to be sent again.
const LOST_WITH_POWER: f64 = 0.5;

impl Fabric {
    pub(super) fn begin(&mut self, from: MachineId, to: MachineId, fault: LinkFault) -> LinkFaultId {
        assert_ne!(from, to, "a machine's link to itself has no faults");
        self.faults_begun += 1;
        let id = LinkFaultId(self.faults_begun);
        self.struck.insert(id, (from, to));
        self.link(from, to).begin(id, fault);
        let numbers = [id.0, u64::from(from.0), u64::from(to.0)];
        self.event("network.fault", None, &numbers, format!("{fault:?}").as_bytes());
        id
    }

    pub(super) fn end(&mut self, id: LinkFaultId) -> u64 {
        let Some((from, to)) = self.struck.remove(&id) else { return 0 };
        let link = self.link(from, to);
        let changed = link.end(id);
        let delays = link.delays();
        self.event("network.mend", None, &[id.0, changed], &[]);
        // What another fault still withholds is withheld again, and counts for that one.
        self.release(|link| link == (from, to), delays);
        changed
    }

    /// Sends what links withhold on its way again, and what they delayed too, unless it `delays` still.
    fn release(&mut self, links: impl Fn((MachineId, MachineId)) -> bool, delays: bool) {
        let now = true_time();
        let senders: Vec<EndId> = self.ends().map(|(end, _)| end).collect();
        for sender in senders {
            let connection = self.connections.get_mut(&sender.connection).expect("it was listed");
            let wire = &mut connection.wires[sender.side as usize];
            let link = (wire.from, wire.to);
            if !links(link) {
                continue;
            }
            if !delays {
                for flight in &mut wire.flights {
                    flight.due = flight.due.min(flight.calm.max(now));
                }
            }
            if std::mem::take(&mut wire.withheld)
                && let Some(first) = wire.flights.front_mut()
            {
                let latency = self.links.get(&link).expect("something was sent over it").latency.clone();
                first.due = now + wire.fork.key(first.ordinal).fork("again").duration(latency);
                first.calm = first.due;
            }
            self.arm(sender);
        }
    }

    /// The ends at one machine of the connections with another.
    fn ends_between(&self, machine: MachineId, peer: MachineId) -> Vec<EndId> {
        let between = self.connections.iter().flat_map(|(id, connection)| {
            Side::BOTH.map(|side| (EndId { connection: *id, side }, &connection.wires[side as usize]))
        });
        between.filter(|(_, wire)| (wire.from, wire.to) == (machine, peer)).map(|(end, _)| end).collect()
    }

    pub(super) fn reset_between(&mut self, one: MachineId, other: MachineId) -> u64 {
        let mut count = 0;
        for end in self.ends_between(one, other) {
            let connection = self.connections.get_mut(&end.connection).expect("it was listed");
            let mut cut = false;
            for end in &mut connection.ends {
                if end.phase != Phase::Absent {
                    end.fail(io::ErrorKind::ConnectionReset, &mut self.wakers);
                    cut = true;
                }
            }
            if cut {
                count += 1;
                connection.wires.iter_mut().for_each(|wire| wire.clear());
                self.event("network.cut", None, &[end.connection.0], &[]);
                self.tidy(end.connection);
            }
        }
        count
    }

    pub(super) fn abandon(&mut self, machine: MachineId, peer: MachineId) -> u64 {
        let mut count = 0;
        for end in self.ends_between(machine, peer) {
            let connection = self.connections.get_mut(&end.connection).expect("it was listed");
            if connection.ends.iter().any(|end| end.phase != Phase::Open) {
                continue;
            }
            connection.ends[end.side as usize].fail(io::ErrorKind::TimedOut, &mut self.wakers);
            connection.wires[end.side as usize].clear();
            self.event("network.abandon", None, &[end.connection.0, end.side as u64], &[]);
            count += 1;
        }
        count
    }

    pub(super) fn lose_power(&mut self, machine: MachineId) {
        self.off.insert(machine);
        let listened: Vec<_> = self.listening.keys().filter(|address| address.machine == machine).copied().collect();
        for address in listened {
            let listening = self.listening.remove(&address).expect("it was listed");
            self.wakers.released.extend(listening.accepting);
        }
        let lost: Vec<EndId> =
            self.ends().filter(|(_, end)| end.address.machine == machine).map(|(id, _)| id).collect();
        for end in lost {
            self.forget(end);
        }
    }

    /// A kernel that lost its power knows nothing of this end any more.
    fn forget(&mut self, end: EndId) {
        let connection = self.connections.get_mut(&end.connection).expect("it was listed");
        let (own, wire) = (&mut connection.ends[end.side as usize], &mut connection.wires[end.side as usize]);
        own.disown(&mut self.wakers);
        // What a kernel sent for a connection that it did not know comes from no memory of its own.
        if own.phase != Phase::Absent {
            *own = End::new(own.address);
            let is_cut = self.links.get(&(wire.from, wire.to)).is_some_and(|link| link.is_cut());
            if wire.withheld || is_cut || wire.fork.key(wire.sent).fork("power loss").chance(LOST_WITH_POWER) {
                wire.clear();
            }
        }
        let peer = EndId { connection: end.connection, side: end.side.other() };
        let unanswered = connection.wires[end.side as usize].flights.is_empty()
            && connection.ends[peer.side as usize].phase == Phase::Opening
            && connection.wires[peer.side as usize].flights.is_empty();
        if unanswered {
            // Its kernel sends a connect again until it is answered.
            self.send(peer, Message::Connect);
        }
        self.tidy(end.connection);
    }

    pub(super) fn power_on(&mut self, machine: MachineId) {
        if self.off.remove(&machine) {
            self.release(|(_, to)| to == machine, true);
        }
    }
}
