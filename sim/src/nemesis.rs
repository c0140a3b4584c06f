//! What applies faults: a schedule of them, each with a trigger, and counts of what came of them.
//!
//! A fault *fires* when its trigger comes, and *takes effect* if it changed something: a byte was
//! lost, a sync with pending changes failed, a write was refused, a message was withheld. Only those that took effect say
//! that a run tested anything. The nemesis draws nothing but what a trigger by chance asks for: who
//! makes the schedule chooses.

mod fault;
mod fired;
mod links;
mod operations;

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Mutex};
use std::time::Duration;

pub use self::fault::{Action, Count, Fault, FaultKind, MessageFault, Trigger};
pub use self::fired::Fired;

use self::links::Links;
use self::operations::{strikes, verdict};
use crate::clock::{sleep_true, true_time};
use crate::disk::{Loss, OperationInfo, OperationKind, RotAt, Speed, Verdict};
use crate::process::{Process, ProcessId};
use crate::seed::Fork;
use crate::world::{MachineId, World};

/// The nemesis of a world. Clones are the same one.
///
/// ```
/// use std::time::Duration;
///
/// use outlive_sim::{Action, Fault, FaultKind, Nemesis, Options, Seed, Trigger, run};
///
/// let outcome = run(Seed(1), Options::default(), async |world| {
///     let machine = world.add_machine("one");
///     let crash = Fault { machine, trigger: Trigger::At(Duration::from_secs(5)), action: Action::Crash };
///     let nemesis = Nemesis::start(&world, vec![crash]);
///     let process = world.boot(machine, "idle", async |_| std::future::pending().await);
///     world.exited(process).await;
///     (outlive_sim::true_time().as_secs(), nemesis.counts()[&FaultKind::Crash].effective)
/// });
/// assert_eq!(outcome.result.unwrap(), (5, 1));
/// ```
#[derive(Clone)]
pub struct Nemesis(Arc<Inner>);

struct Inner {
    world: World,
    fork: Fork,
    calm: BTreeMap<MachineId, Calm>,
    state: Mutex<State>,
}

/// What a machine's disk was like before any fault.
struct Calm {
    capacity_bytes: Option<u64>,
    speed: Speed,
}

#[derive(Default)]
struct State {
    stopped: bool,
    schedule: Vec<Fault>,
    /// Faults that wait for an operation, by their place in the schedule, and how many operations
    /// that match each has seen.
    at_operations: Vec<(usize, u64)>,
    /// The same for faults that wait for an event.
    at_events: Vec<(usize, u64)>,
    /// Errors that wait for the next operation they can strike.
    armed: Vec<Armed>,
    /// Faults that last.
    ongoing: BTreeMap<u64, Ongoing>,
    started: u64,
    counts: BTreeMap<FaultKind, Count>,
    anchors: BTreeMap<String, Count>,
    loss: Loss,
    /// Every fault that came, in order.
    fired: Vec<Fired>,
}

/// An error that waits for an operation.
#[derive(Clone, Copy)]
struct Armed {
    machine: MachineId,
    action: Action,
    /// Its place among the faults that came.
    fired: usize,
}

/// A fault that lasts, and what shows later whether it changed anything.
#[derive(Clone, Copy)]
struct Ongoing {
    kind: FaultKind,
    machine: MachineId,
    /// Who is paused.
    process: ProcessId,
    /// What the disk had counted when it began.
    counted: u64,
    /// What is wrong with links, and counts for itself.
    links: Links,
    /// Its place among the faults that came.
    fired: usize,
}

impl Nemesis {
    /// Puts a schedule into effect, on the machines that the world has now.
    ///
    /// # Panics
    /// If a fault between two machines names one machine twice, or one that the world has not.
    pub fn start(world: &World, schedule: Vec<Fault>) -> Self {
        let calm = world.machines().into_iter().map(|machine| {
            let disk = world.disk(machine);
            (machine, Calm { capacity_bytes: disk.capacity(), speed: disk.speed() })
        });
        let calm = calm.collect();
        let fork = world.fork("nemesis");
        let nemesis = Self(Arc::new(Inner { world: world.clone(), fork, calm, state: Mutex::default() }));
        for machine in world.machines() {
            world.disk(machine).set_faults(Some(Arc::new(nemesis.clone())));
        }
        nemesis.add(schedule);
        nemesis
    }

    /// Adds faults to the schedule. Their triggers count from now. Which places they have in it, in the order of
    /// the faults.
    ///
    /// # Panics
    /// As [`start`](Nemesis::start).
    pub fn add(&self, faults: Vec<Fault>) -> Range<usize> {
        let first = self.0.state.lock().unwrap().schedule.len();
        let places = first..first + faults.len();
        let machines = self.0.world.machines();
        for fault in &faults {
            if let Some(peer) = links::peer(fault.action) {
                let two = peer != fault.machine && machines.contains(&peer) && machines.contains(&fault.machine);
                assert!(two, "{:?} on {:?} is between two machines", fault.action, fault.machine);
            }
        }
        let mut at_times = Vec::new();
        {
            let mut state = self.0.state.lock().unwrap();
            for fault in faults {
                let place = state.schedule.len();
                state.counts.entry(fault.action.kind()).or_default().scheduled += 1;
                state.anchors.entry(fault.trigger.anchor()).or_default().scheduled += 1;
                match fault.trigger {
                    Trigger::At(time) => at_times.push((time, place)),
                    Trigger::AtEvent { .. } => state.at_events.push((place, 0)),
                    Trigger::AtOperation { .. } | Trigger::AtMatching { .. } | Trigger::AtChance { .. } => {
                        state.at_operations.push((place, 0));
                    }
                }
                state.schedule.push(fault);
            }
        }
        at_times.sort_unstable();
        if !at_times.is_empty() {
            let timed = self.clone();
            self.0.world.spawn(async move { timed.keep_time(at_times).await }).detach();
        }
        places
    }

    /// The places of faults whose operation or event has not come yet.
    pub fn waiting(&self) -> Vec<usize> {
        let state = self.0.state.lock().unwrap();
        state.at_operations.iter().chain(&state.at_events).map(|(place, _)| *place).collect()
    }

    async fn keep_time(self, at_times: Vec<(Duration, usize)>) {
        for (time, place) in at_times {
            sleep_true(time.saturating_sub(true_time())).await;
            let machine = {
                let state = self.0.state.lock().unwrap();
                if state.stopped {
                    return;
                }
                state.schedule[place].machine
            };
            self.fire(place, &self.0.world.living(machine), None);
        }
    }

    /// Says that something happened to a process, which a fault may wait for.
    pub fn event(&self, process: &Process, name: &str) {
        if process.is_alive() {
            for place in self.due_at_event(process.machine(), name) {
                self.fire(place, &[process.id()], None);
            }
        }
    }

    /// Says that a message of a machine is on its way, which a fault may wait for as for an event: what is to
    /// be done to it. Who carries the message does it, and says so with [`took_effect`](Nemesis::took_effect).
    pub fn message(&self, machine: MachineId, name: &str) -> Vec<MessageFault> {
        let mut faults = Vec::new();
        for place in self.due_at_event(machine, name) {
            self.fire(place, &self.0.world.living(machine), None);
            if let Action::Message(fault) = self.0.state.lock().unwrap().schedule[place].action {
                faults.push(fault);
            }
        }
        faults
    }

    /// The faults that waited for this event, which then wait no more.
    fn due_at_event(&self, machine: MachineId, name: &str) -> Vec<usize> {
        let mut due = Vec::new();
        let mut state = self.0.state.lock().unwrap();
        if state.stopped {
            return due;
        }
        {
            let State { at_events, schedule, .. } = &mut *state;
            at_events.retain_mut(|(place, seen)| {
                let fault = &schedule[*place];
                let Trigger::AtEvent { name: awaited, nth } = &fault.trigger else {
                    unreachable!("it waits for an event")
                };
                *seen += u64::from(fault.machine == machine && awaited == name);
                let fires = *seen == *nth;
                if fires {
                    due.push(*place);
                }
                !fires
            });
        }
        due
    }

    /// Ends all faults for good: none fires any more, the paused resume, disks are as fast and as
    /// large as they were, wall clocks show the right time, links carry what they withheld. What
    /// crashed stays so, for its owner to boot, and connections that were cut stay cut.
    pub fn stop(&self) {
        let ongoing: Vec<u64> = {
            let mut state = self.0.state.lock().unwrap();
            state.stopped = true;
            state.ongoing.keys().copied().collect()
        };
        self.0.world.event("nemesis.stop", &[ongoing.len() as u64], &[]);
        for started in ongoing {
            self.settle(started);
        }
        for machine in self.0.world.machines() {
            self.0.world.clock(machine).set_wall_right();
        }
    }

    /// Whether faults have ended for good.
    pub fn is_stopped(&self) -> bool {
        self.0.state.lock().unwrap().stopped
    }

    /// Which faults fired, by their places in the schedule, and when: in this order.
    pub fn moments(&self) -> Vec<(usize, Duration)> {
        let state = self.0.state.lock().unwrap();
        state.fired.iter().filter_map(|fired| Some((fired.place?, fired.at))).collect()
    }

    /// What came of the faults so far, by kind.
    pub fn counts(&self) -> BTreeMap<FaultKind, Count> {
        self.0.state.lock().unwrap().counts.clone()
    }

    /// How many faults were to come at each kind of moment, and how many did so far. Whether they took effect is
    /// counted by kind of fault.
    pub fn anchors(&self) -> BTreeMap<String, Count> {
        self.0.state.lock().unwrap().anchors.clone()
    }

    /// Every fault that came, in order: when, where, what, whether it changed something, and until when it lasted.
    pub fn fired(&self) -> Vec<Fired> {
        self.0.state.lock().unwrap().fired.clone()
    }

    /// Keeps what a driver has done to a machine itself, past the schedule, among the faults that came.
    pub fn done_by_hand(&self, machine: MachineId, what: String) {
        let fired = Fired {
            place: None,
            at: true_time(),
            machine,
            process: None,
            kind: None,
            what,
            took_effect: true,
            until: None,
        };
        self.0.state.lock().unwrap().fired.push(fired);
    }

    /// What all power losses together did.
    pub fn loss(&self) -> Loss {
        self.0.state.lock().unwrap().loss
    }

    /// Applies one fault to its victims. `operation` is the one it strikes, if any.
    fn fire(&self, place: usize, victims: &[ProcessId], operation: Option<&OperationInfo<'_>>) -> Verdict {
        let world = &self.0.world;
        let (machine, action, fired) = {
            let mut state = self.0.state.lock().unwrap();
            let Fault { machine, action, ref trigger } = state.schedule[place];
            let anchor = trigger.anchor();
            state.counts.entry(action.kind()).or_default().fired += 1;
            let what = fired::words(action, &anchor, |machine| world.machine_name(machine));
            state.anchors.entry(anchor).or_default().fired += 1;
            let (kind, process) = (Some(action.kind()), victims.first().copied());
            let fired = Fired {
                place: Some(place),
                at: true_time(),
                machine,
                process,
                kind,
                what,
                took_effect: false,
                until: None,
            };
            state.fired.push(fired);
            (machine, action, state.fired.len() - 1)
        };
        let victim = victims.first().map_or(0, |victim| victim.0);
        let kind = action.kind();
        world.event(
            "nemesis.fire",
            &[place as u64, u64::from(machine.0), u64::from(victim)],
            format!("{kind:?}").as_bytes(),
        );
        let ongoing = Ongoing { kind, machine, process: ProcessId::WORLD, counted: 0, links: Links::default(), fired };
        match action {
            // The disk crashes the process by itself, so that the operation has no effect.
            Action::Crash if operation.is_some() => {
                self.struck(kind, fired);
                return Verdict::CrashBefore;
            }
            Action::Crash => {
                let crashed = victims.iter().filter(|victim| world.crash(**victim)).count();
                if crashed > 0 {
                    self.struck(kind, fired);
                }
            }
            Action::PowerLoss(survivors) => {
                let loss = world.power_loss(machine, survivors);
                if loss.changed_something() {
                    self.struck(kind, fired);
                }
                self.0.state.lock().unwrap().loss += loss;
            }
            Action::Pause(lasting) => {
                for victim in victims.iter().filter(|victim| world.pause(**victim)) {
                    self.begin(Ongoing { process: *victim, ..ongoing }, lasting);
                }
            }
            Action::PauseLater { polls, lasting } => {
                for victim in victims.iter().copied() {
                    let (nemesis, ongoing) = (self.clone(), Ongoing { process: victim, ..ongoing });
                    world.process(victim).inner().countdown.begin(polls, move || {
                        let stopped = nemesis.0.state.lock().unwrap().stopped;
                        if !stopped && nemesis.0.world.pause(victim) {
                            nemesis.begin(ongoing, lasting);
                        }
                    });
                }
            }
            // Whoever carries the message.
            Action::Message(_) => {}
            Action::BitRot => {
                // What is read rots in what is about to be read: elsewhere nobody may ever look.
                let within = |it: &OperationInfo<'_>| it.offset..it.offset + it.bytes;
                let at = operation
                    .map(|it| RotAt { path: it.path, within: (it.kind == OperationKind::Read).then(|| within(it)) });
                let fork = self.0.fork.fork("rot");
                let process = victims.first().copied().unwrap_or(ProcessId::WORLD);
                if world.disk(machine).rot(at, process, fork.key(place as u64)).is_some() {
                    self.struck(kind, fired);
                }
            }
            Action::SyncError(_) | Action::WriteError | Action::LyingSync | Action::MisdirectedWrite => {
                if let Some(operation) = operation
                    && strikes(kind, operation)
                {
                    self.struck(kind, fired);
                    return verdict(action);
                }
                self.0.state.lock().unwrap().armed.push(Armed { machine, action, fired });
            }
            Action::FullDisk(lasting) => {
                let disk = world.disk(machine);
                let counted = disk.refused_full();
                disk.set_capacity(Some(disk.used_bytes()));
                self.begin(Ongoing { counted, ..ongoing }, lasting);
            }
            Action::SlowDisk { least, most, lasting } => {
                let disk = world.disk(machine);
                let counted = disk.slowed();
                disk.set_speed(Speed::Slow { least, most });
                self.begin(Ongoing { counted, ..ongoing }, lasting);
            }
            Action::WallJump(ms) => {
                world.clock(machine).jump_wall(ms);
                if ms != 0 {
                    self.struck(kind, fired);
                }
            }
            Action::Partition { lasting, .. }
            | Action::OneWayPartition { lasting, .. }
            | Action::Clog { lasting, .. }
            | Action::HangingConnects { lasting, .. }
            | Action::DelayedFins { lasting, .. } => {
                let links = Links::begin(world.network(), machine, action);
                self.begin(Ongoing { links, ..ongoing }, lasting);
            }
            Action::ConnectionResets { other } => {
                if world.network().reset_connections(machine, other) > 0 {
                    self.struck(kind, fired);
                }
            }
            Action::HalfOpen { peer } => {
                if world.network().abandon_connections(machine, peer) > 0 {
                    self.struck(kind, fired);
                }
            }
        }
        Verdict::Pass
    }

    /// Counts a fault of this kind as one that changed something. The nemesis does so by itself, but for
    /// what is done to messages.
    pub fn took_effect(&self, kind: FaultKind) {
        let mut state = self.0.state.lock().unwrap();
        let earliest = state.fired.iter().position(|fired| fired.kind == Some(kind) && !fired.took_effect);
        state.struck(kind, earliest);
    }

    /// Counts the fault of this place among those that came as one that changed something.
    fn struck(&self, kind: FaultKind, fired: usize) {
        self.0.state.lock().unwrap().struck(kind, Some(fired));
    }

    /// Keeps a fault that lasts, and ends it in time.
    fn begin(&self, ongoing: Ongoing, lasting: Duration) {
        let started = {
            let mut state = self.0.state.lock().unwrap();
            state.started += 1;
            let started = state.started;
            state.ongoing.insert(started, ongoing);
            started
        };
        let nemesis = self.clone();
        let end = async move {
            sleep_true(lasting).await;
            nemesis.settle(started);
        };
        self.0.world.spawn(end).detach();
    }

    /// Ends a fault that lasted, if it has not ended yet, and counts it if it changed something.
    fn settle(&self, started: u64) {
        let (ongoing, last) = {
            let mut state = self.0.state.lock().unwrap();
            let Some(ongoing) = state.ongoing.remove(&started) else { return };
            let same = |other: &Ongoing| (other.kind, other.machine) == (ongoing.kind, ongoing.machine);
            (ongoing, !state.ongoing.values().any(same))
        };
        let Ongoing { kind, machine, process, counted, links, fired } = ongoing;
        let (disk, calm) = (self.0.world.disk(machine), &self.0.calm[&machine]);
        let effective = match kind {
            FaultKind::Pause => self.0.world.resume(process),
            FaultKind::FullDisk => {
                if last {
                    disk.set_capacity(calm.capacity_bytes);
                }
                disk.refused_full() > counted
            }
            FaultKind::SlowDisk => {
                if last {
                    disk.set_speed(calm.speed);
                }
                disk.slowed() > counted
            }
            FaultKind::Partition
            | FaultKind::OneWayPartition
            | FaultKind::Clog
            | FaultKind::HangingConnects
            | FaultKind::DelayedFins => links.end(self.0.world.network()) > 0,
            FaultKind::Crash
            | FaultKind::PowerLoss
            | FaultKind::SyncError
            | FaultKind::WriteError
            | FaultKind::LyingSync
            | FaultKind::BitRot
            | FaultKind::MisdirectedWrite
            | FaultKind::WallJump
            | FaultKind::ConnectionResets
            | FaultKind::HalfOpen
            | FaultKind::LostMessage
            | FaultKind::LostAnswer
            | FaultKind::WithheldMessage
            | FaultKind::DuplicatedMessage
            | FaultKind::ReplayedMessage => unreachable!("{kind:?} does not last"),
        };
        self.0.world.event("nemesis.settle", &[started, u64::from(effective)], &[]);
        self.0.state.lock().unwrap().fired[fired].until = Some(true_time());
        if effective {
            self.struck(kind, fired);
        }
    }
}

impl State {
    fn struck(&mut self, kind: FaultKind, fired: Option<usize>) {
        self.counts.entry(kind).or_default().effective += 1;
        if let Some(fired) = fired {
            self.fired[fired].took_effect = true;
        }
    }
}

#[cfg(test)]
mod network_tests;
#[cfg(test)]
mod tests;
