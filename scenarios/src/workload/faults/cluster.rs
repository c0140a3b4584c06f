//! Faults of a cluster: of its server, of workers and clients, of the links between, and of single
//! requests.

use super::disk::{self, at, file_between};
use crate::event::{REQUESTS, moments};
use crate::workload::Machines;
use outlive_sim::{Action, Fault, Fork, MachineId, MessageFault, OperationKind, Rng, Survivors, Trigger};
use std::time::Duration;

/// Requests that every run has many of.
const OFTEN: [&str; 4] = ["enqueue", "claim", "start", "complete"];

/// After so many tries that nobody answers a transaction of a handler is over by its limit.
const COMMITS_LOST: u64 = 6;

/// Draws what happens to single requests of transactions, if something is there that could do it.
pub fn draw_for_transactions(fork: Fork, machines: &Machines) -> Vec<Fault> {
    let mut rng = fork.rng();
    let mut faults = Vec::new();
    if machines.middlebox.is_none() {
        return faults;
    }
    for _ in 0..rng.between(0..=8) {
        let machine = *rng.pick(&machines.workers);
        let mut at = |name: &str, nth, fault| {
            let trigger = Trigger::AtEvent { name: format!("request {name}"), nth };
            faults.push(Fault { machine, trigger, action: Action::Message(fault) });
        };
        if rng.chance(0.4) {
            // It is done, and nobody can be told before the transaction's time is over: it must be settled.
            let first = rng.between(1..=5);
            at("commit", first, MessageFault::LoseAnswer);
            (1..=COMMITS_LOST).for_each(|later| at("commit", first + later, MessageFault::Lose));
            continue;
        }
        let name = *rng.pick(&["say", "say", "commit", "commit", "begin", "settle"]);
        let later = Duration::from_millis(rng.between(5..=5_000));
        let fault = *rng.pick(&[
            MessageFault::Lose,
            MessageFault::LoseAnswer,
            MessageFault::Withhold(later),
            MessageFault::Duplicate,
            MessageFault::Replay(later),
        ]);
        at(name, rng.between(1..=if name == "say" { 12 } else { 5 }), fault);
    }
    faults
}

/// Draws a schedule. `lease` is the longest one, which a worker that is paused outsleeps.
pub fn draw(fork: Fork, machines: &Machines, end: Duration, lease: Duration, poison: bool) -> Vec<Fault> {
    let mut draw = Draw { rng: fork.rng(), machines, end, lease, faults: Vec::new() };
    draw.server();
    draw.workers(poison);
    draw.links();
    draw.requests();
    draw.faults
}

struct Draw<'a> {
    rng: Rng,
    machines: &'a Machines,
    end: Duration,
    lease: Duration,
    faults: Vec<Fault>,
}

impl Draw<'_> {
    fn add(&mut self, machine: MachineId, trigger: Trigger, action: Action) {
        self.faults.push(Fault { machine, trigger, action });
    }

    /// The server dies a few times, and its disk fails as disks do.
    fn server(&mut self) {
        let store = self.machines.store;
        let power = self.rng.chance(0.7);
        for crash in 0..self.rng.between(3..=4) {
            let rng = &mut self.rng;
            let action =
                if power && rng.chance(0.5) { Action::PowerLoss(*rng.pick(&Survivors::ALL)) } else { Action::Crash };
            let kind = if rng.chance(0.5) { OperationKind::Sync } else { OperationKind::Write };
            let trigger = match rng.between(0..=9) {
                0..=7 => file_between(rng, "-wal", kind, 24 * (crash + 1)),
                8 => at(rng, self.end),
                _ => Trigger::AtEvent { name: "after open".into(), nth: 2 + crash / 2 },
            };
            self.add(store, trigger, action);
        }
        for (trigger, action) in disk::draw(&mut self.rng, self.end) {
            self.add(store, trigger, action);
        }
        if self.rng.chance(0.3) {
            let trigger = at(&mut self.rng, self.end);
            let lasting = self.millis(50, 8_000);
            self.add(store, trigger, Action::Pause(lasting));
        }
    }

    /// Workers and clients die, sleep through their leases, and have clocks of their own.
    fn workers(&mut self, poison: bool) {
        let crashes = if poison { self.rng.between(3..=4) } else { self.rng.between(5..=6) };
        for crash in 0..crashes {
            let (machine, trigger) = self.moment(4 * (crash + 1));
            let action = if self.rng.chance(0.2) { Action::PowerLoss(Survivors::None) } else { Action::Crash };
            self.add(machine, trigger, action);
        }
        // The zombie: asleep beyond its lease at any await, and awake again.
        for _ in 0..self.rng.between(0..=4) {
            let (machine, trigger) = self.moment(20);
            let lasting = self.lease + self.millis(1, 6_000);
            let polls = self.rng.between(1..=12) as u32;
            self.add(machine, trigger, Action::PauseLater { polls, lasting });
        }
        if self.rng.chance(0.2) {
            let machine = self.anybody();
            let (trigger, ms) = (at(&mut self.rng, self.end), self.rng.between(100..=600_000).cast_signed());
            self.add(machine, trigger, Action::WallJump(ms));
        }
    }

    /// What goes wrong between the server, or what stands before it, and one of the others.
    fn links(&mut self) {
        let door = self.machines.door();
        for _ in 0..self.rng.between(1..=5) {
            // What stands before the server has a link of its own to it.
            let behind = door != self.machines.store && self.rng.chance(0.2);
            let (machine, server) = if behind { (door, self.machines.store) } else { (self.anybody(), door) };
            let (from, to) = if self.rng.chance(0.5) { (machine, server) } else { (server, machine) };
            let (trigger, lasting) = (at(&mut self.rng, self.end), self.millis(300, 9_000));
            let (least, most) = (self.millis(1, 500), self.millis(500, 4_000));
            let action = match self.rng.between(0..=6) {
                0 => Action::Partition { other: to, lasting },
                1 => Action::OneWayPartition { to, lasting },
                2 => Action::Clog { to, least, most, lasting },
                3 => Action::DelayedFins { to, least, most, lasting },
                4 => Action::ConnectionResets { other: to },
                5 => Action::HalfOpen { peer: to },
                // Connects go to the server alone.
                _ => {
                    self.add(machine, trigger, Action::HangingConnects { to: server, lasting });
                    // Somebody must connect meanwhile.
                    let soon = at(&mut self.rng, self.end);
                    self.add(machine, soon, Action::ConnectionResets { other: server });
                    continue;
                }
            };
            self.add(from, trigger, action);
        }
    }

    /// What happens to single requests, if something is there that could do it.
    fn requests(&mut self) {
        if self.machines.middlebox.is_none() {
            return;
        }
        for _ in 0..self.rng.between(2..=8) {
            let machine = self.anybody();
            let often = self.rng.chance(0.7);
            let name = *self.rng.pick(if often { &OFTEN } else { &REQUESTS[..] });
            let nth = self.rng.between(1..=if often { 10 } else { 1 });
            let trigger = Trigger::AtEvent { name: format!("request {name}"), nth };
            let later = self.millis(5, 20_000);
            let fault = *self.rng.pick(&[
                MessageFault::Lose,
                MessageFault::LoseAnswer,
                MessageFault::Withhold(later),
                MessageFault::Duplicate,
                MessageFault::Replay(later),
            ]);
            self.add(machine, trigger, Action::Message(fault));
        }
    }

    /// A moment of somebody who talks to the server: one of the last of so many. Any moment can be it, and those
    /// at which something is at stake more often.
    fn moment(&mut self, up_to: u64) -> (MachineId, Trigger) {
        let mut up_to = up_to;
        let name = if self.rng.chance(0.5) {
            (*self.rng.pick(&["after claim", "handler starts", "after start", "before complete"])).to_owned()
        } else {
            let name = self.rng.pick(&moments()).clone();
            // What most runs have few of.
            if !OFTEN.iter().any(|often| name.ends_with(often)) {
                up_to = 1;
            }
            name
        };
        let machines = match name.rsplit(' ').next() {
            Some("enqueue" | "cancel") => &self.machines.clients[..],
            Some("open") => std::slice::from_ref(&self.machines.store),
            _ => &self.machines.workers[..],
        };
        let machine = *self.rng.pick(machines);
        (machine, Trigger::AtEvent { name, nth: self.rng.between(up_to.div_ceil(2)..=up_to) })
    }

    fn anybody(&mut self) -> MachineId {
        let machines = if self.rng.chance(0.7) { &self.machines.workers } else { &self.machines.clients };
        *self.rng.pick(machines)
    }

    fn millis(&mut self, least: u64, most: u64) -> Duration {
        Duration::from_millis(self.rng.between(least..=most))
    }
}
