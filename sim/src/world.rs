//! The machines of a simulation, and the one place that boots, crashes, pauses and resumes
//! processes.
//!
//! Every incarnation is a fresh node of the runtime: restarting one reuses addresses and names
//! before the old incarnation is gone. The runtime's kill is lazy and runs destructors later, so a
//! crash ends the process's [`Life`](crate::Life) first, and only then kills its node: whatever a
//! destructor does then goes nowhere.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::task::{Poll, Waker};
use std::time::Duration;

use madsim::runtime::{Handle, NodeHandle};
use serde::{Deserialize, Serialize};

use crate::clock::{MachineClock, true_time};
use crate::disk::{Loss, SimDisk, Survivors};
use crate::network::SimNetwork;
use crate::panics::{CatchPanics, Caught, Panic, Work};
use crate::polls::{Countdown, Counted};
use crate::process::{Incarnation, Life, Process, ProcessId, Task};
use crate::seed::{Fork, Seed};
use crate::trace::Trace;

/// A machine, by the order in which it was added, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct MachineId(pub u32);

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Exit {
    /// Its main future returned.
    Finished,
    /// It was crashed, or lost its power.
    Crashed,
    /// Its main future panicked.
    Panicked,
}

impl Exit {
    fn event(self) -> &'static str {
        match self {
            Exit::Finished => "process.finish",
            Exit::Crashed => "process.crash",
            Exit::Panicked => "process.panic",
        }
    }
}

/// Everything that is simulated. Clones are the same world.
#[derive(Clone)]
pub struct World(Arc<State>);

struct State {
    seed: Seed,
    trace: Trace,
    /// Where tasks of the world itself run: the nemesis, and the driver's helpers.
    node: NodeHandle,
    network: SimNetwork,
    machines: Mutex<Vec<Machine>>,
    /// By [`ProcessId`], which counts from 1.
    processes: Mutex<Vec<Record>>,
    panics: Mutex<Vec<Panic>>,
    fatal: Mutex<Fatal>,
}

#[derive(Clone)]
struct Machine {
    name: &'static str,
    disk: SimDisk,
    clock: MachineClock,
}

struct Record {
    process: Process,
    exit: Option<Exit>,
    times: Times,
    waiting: Vec<Waker>,
}

/// When a process lived, in true time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Times {
    /// Who.
    pub process: ProcessId,
    /// Where.
    pub machine: MachineId,
    /// When it booted.
    pub booted: Duration,
    /// When it ended; `None` while it lives.
    pub ended: Option<Duration>,
    /// From when to when it was paused; a pause may have no end.
    pub pauses: Vec<(Duration, Option<Duration>)>,
}

/// A panic of a task of the world itself, which ends the run.
#[derive(Default)]
struct Fatal {
    caught: Option<Caught>,
    driver: Option<Waker>,
}

impl World {
    /// An empty world, inside the running simulation.
    pub(crate) fn new(seed: Seed, trace: Trace) -> Self {
        let node = Handle::current().create_node().name("world").build();
        let network = SimNetwork::new(seed.fork("network"), trace.clone());
        let state = Arc::new(State {
            seed,
            trace,
            node,
            network,
            machines: Mutex::default(),
            processes: Mutex::default(),
            panics: Mutex::default(),
            fatal: Mutex::default(),
        });
        let world = Arc::downgrade(&state);
        state.network.set_start_hook(Arc::new(move |carrier| {
            if let Some(world) = Weak::upgrade(&world) {
                World(world).spawn(carrier).detach();
            }
        }));
        Self(state)
    }

    /// The seed of this run.
    pub fn seed(&self) -> Seed {
        self.0.seed
    }

    /// The fork called `name` of this run's seed.
    ///
    /// # Panics
    /// If `name` is longer than 64 bytes.
    pub fn fork(&self, name: &str) -> Fork {
        self.0.seed.fork(name)
    }

    /// The trace of this run.
    pub fn trace(&self) -> &Trace {
        &self.0.trace
    }

    /// Adds an event of the world itself to the trace.
    ///
    /// # Panics
    /// As [`Trace::event`].
    pub fn event(&self, kind: &'static str, numbers: &[u64], bytes: &[u8]) {
        self.0.trace.event(kind, ProcessId::WORLD.0, numbers, bytes);
    }

    /// Adds a machine: an empty disk, and a clock without drift. Add all of them before [`Nemesis::start`], which
    /// looks after those that are there.
    ///
    /// # Panics
    /// If there is a machine of this name, or the name is longer than 64 bytes.
    ///
    /// [`Nemesis::start`]: crate::Nemesis::start
    pub fn add_machine(&self, name: &'static str) -> MachineId {
        let mut machines = self.0.machines.lock().unwrap();
        assert!(machines.iter().all(|machine| machine.name != name), "there is a machine {name} already");
        let id = MachineId(u32::try_from(machines.len()).expect("fewer machines than that"));
        let disk = SimDisk::of_machine(id, self.fork("disk").fork(name), self.0.trace.clone());
        let world = Arc::downgrade(&self.0);
        disk.set_crash_hook(Arc::new(move |process| {
            if let Some(world) = Weak::upgrade(&world) {
                World(world).crash(process);
            }
        }));
        machines.push(Machine { name, disk, clock: MachineClock::new(0) });
        self.0.network.add_machine(name);
        self.event("machine.add", &[u64::from(id.0)], name.as_bytes());
        id
    }

    fn machine(&self, machine: MachineId) -> Machine {
        self.0.machines.lock().unwrap()[machine.0 as usize].clone()
    }

    /// All machines, in the order in which they were added.
    pub fn machines(&self) -> Vec<MachineId> {
        (0..self.0.machines.lock().unwrap().len()).map(|index| MachineId(index as u32)).collect()
    }

    /// What a machine is called.
    pub fn machine_name(&self, machine: MachineId) -> &'static str {
        self.machine(machine).name
    }

    /// A machine's disk.
    ///
    /// # Panics
    /// If the world has no such machine.
    pub fn disk(&self, machine: MachineId) -> SimDisk {
        self.machine(machine).disk
    }

    /// A machine's clock.
    ///
    /// # Panics
    /// If the world has no such machine.
    pub fn clock(&self, machine: MachineId) -> MachineClock {
        self.machine(machine).clock
    }

    /// The network between the machines.
    pub fn network(&self) -> &SimNetwork {
        &self.0.network
    }

    /// Boots a process whose main future is what `main` returns. When that ends, so does the
    /// process, its other tasks included. A panic of it ends the process too, and is kept in
    /// [`panics`](World::panics). To start a program again, boot it again: it finds the disk as it was left.
    ///
    /// # Panics
    /// If the world has no such machine, or the name is longer than 64 bytes.
    pub fn boot<F, M>(&self, machine: MachineId, name: &'static str, main: M) -> ProcessId
    where
        M: FnOnce(Process) -> F + Send + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        let process = self.admit(machine, name);
        process.event("process.boot", &[u64::from(machine.0), u64::from(process.incarnation())], name.as_bytes());
        let (world, own) = (self.clone(), process.clone());
        let report = move |caught: Caught| {
            world.record_panic(&own, "main", caught);
            world.end(own.id(), Exit::Panicked);
        };
        let (world, own) = (self.clone(), process.clone());
        let work: Work<()> = Box::pin(async move {
            main(own.clone()).await;
            world.end(own.id(), Exit::Finished);
        });
        // The process ends with its main future, so nobody waits for this task.
        drop(process.inner().node.spawn(Counted::new(CatchPanics::new(work, report), process.clone())));
        process.id()
    }

    fn admit(&self, machine: MachineId, name: &'static str) -> Process {
        let Machine { name: host, disk, clock } = self.machine(machine);
        let mut processes = self.0.processes.lock().unwrap();
        let id = ProcessId(u32::try_from(processes.len() + 1).expect("fewer processes than that"));
        let of_same_name = |record: &&Record| record.process.machine() == machine && record.process.name() == name;
        let incarnation = processes.iter().filter(of_same_name).count() as u32;
        let life = Life::new(id);
        self.0.network.power_on(machine);
        let process = Process::new(Incarnation {
            name,
            incarnation,
            machine,
            paused: AtomicBool::new(false),
            countdown: Countdown::default(),
            disk: disk.process(Arc::clone(&life)),
            network: self.0.network.process(machine, Arc::clone(&life)),
            clock,
            fork: self.fork("process").fork(host).fork(name).key(u64::from(incarnation)),
            random_draws: AtomicU64::new(0),
            trace: self.0.trace.clone(),
            node: Handle::current().create_node().name(name).build(),
            world: self.clone(),
            life,
        });
        let times = Times { process: id, machine, booted: true_time(), ended: None, pauses: Vec::new() };
        processes.push(Record { process: process.clone(), exit: None, times, waiting: Vec::new() });
        process
    }

    /// A process that was booted, dead or alive.
    ///
    /// # Panics
    /// If there never was one.
    pub fn process(&self, process: ProcessId) -> Process {
        self.0.processes.lock().unwrap()[index(process)].process.clone()
    }

    /// The processes of a machine that live, in the order of their boots.
    pub fn living(&self, machine: MachineId) -> Vec<ProcessId> {
        let processes = self.0.processes.lock().unwrap();
        let living = processes.iter().filter(|record| record.exit.is_none() && record.process.machine() == machine);
        living.map(|record| record.process.id()).collect()
    }

    /// Crashes a process, as `kill -9` does: it is dead at once. `false` if it was already.
    ///
    /// It may be called from within the process, which then runs on to its next await.
    ///
    /// # Panics
    /// If there never was such a process; so do all methods that take one.
    pub fn crash(&self, process: ProcessId) -> bool {
        self.end(process, Exit::Crashed)
    }

    /// Takes a machine's power: its processes die, its disk keeps what is durable and what
    /// survives, its connections vanish without a word, and its boot time starts anew. It is back
    /// when the next process boots on it.
    ///
    /// # Panics
    /// If the world has no such machine.
    pub fn power_loss(&self, machine: MachineId, survivors: Survivors) -> Loss {
        let Machine { disk, clock, .. } = self.machine(machine);
        let dying = self.living(machine);
        let loss = disk.lose_power(survivors);
        // Before its processes end: the kernel has no time to tell anybody.
        self.0.network.lose_power(machine);
        for process in dying {
            self.end(process, Exit::Crashed);
        }
        clock.restart();
        loss
    }

    fn end(&self, id: ProcessId, exit: Exit) -> bool {
        let (process, waiting) = {
            let mut processes = self.0.processes.lock().unwrap();
            let record = &mut processes[index(id)];
            if record.exit.is_some() {
                return false;
            }
            record.exit = Some(exit);
            record.times.ended = Some(true_time());
            (record.process.clone(), std::mem::take(&mut record.waiting))
        };
        self.machine(process.machine()).disk.crash(id);
        assert!(!process.is_alive(), "the disk ended this life");
        self.0.trace.event(exit.event(), id.0, &[], &[]);
        self.0.network.end_process(id);
        let runtime = Handle::current();
        let node = process.inner().node.id();
        if process.inner().paused.swap(false, Ordering::Relaxed) {
            // The runtime drops the futures of a paused node under its own lock, and a destructor
            // that spawns or sleeps would wait for that lock for ever.
            runtime.resume(node);
        }
        runtime.kill(node);
        waiting.into_iter().for_each(Waker::wake);
        true
    }

    /// Pauses a process: none of its tasks runs on after its next await. `false` if it was paused
    /// already, or dead.
    pub fn pause(&self, process: ProcessId) -> bool {
        let process = self.process(process);
        let pausing = process.is_alive() && !process.inner().paused.swap(true, Ordering::Relaxed);
        if pausing {
            self.times_of(process.id(), |times| times.pauses.push((true_time(), None)));
            Handle::current().pause(process.inner().node.id());
            self.0.trace.event("process.pause", process.id().0, &[], &[]);
        }
        pausing
    }

    /// Resumes a process. `false` if it was not paused, or is dead.
    pub fn resume(&self, process: ProcessId) -> bool {
        let process = self.process(process);
        let resuming = process.is_alive() && process.inner().paused.swap(false, Ordering::Relaxed);
        if resuming {
            let end_pause = |times: &mut Times| times.pauses.last_mut().expect("it was paused").1 = Some(true_time());
            self.times_of(process.id(), end_pause);
            self.0.trace.event("process.resume", process.id().0, &[], &[]);
            Handle::current().resume(process.inner().node.id());
        }
        resuming
    }

    /// Waits until a process has ended, and says how. A paused one may never end: the run's
    /// [time limit](crate::Options::time_limit) ends the wait.
    pub fn exited(&self, process: ProcessId) -> impl Future<Output = Exit> + Send + 'static {
        let world = self.clone();
        std::future::poll_fn(move |context| {
            let mut processes = world.0.processes.lock().unwrap();
            let record = &mut processes[index(process)];
            if let Some(exit) = record.exit {
                return Poll::Ready(exit);
            }
            if !record.waiting.iter().any(|waker| waker.will_wake(context.waker())) {
                record.waiting.push(context.waker().clone());
            }
            Poll::Pending
        })
    }

    /// How a process ended; `None` while it lives.
    pub fn exit(&self, process: ProcessId) -> Option<Exit> {
        self.0.processes.lock().unwrap()[index(process)].exit
    }

    /// When each process lived, in the order of boots.
    pub fn times(&self) -> Vec<Times> {
        self.0.processes.lock().unwrap().iter().map(|record| record.times.clone()).collect()
    }

    fn times_of(&self, process: ProcessId, change: impl FnOnce(&mut Times)) {
        change(&mut self.0.processes.lock().unwrap()[index(process)].times);
    }

    /// How many processes were booted, by name.
    pub fn boots(&self) -> BTreeMap<&'static str, u64> {
        let mut boots = BTreeMap::new();
        for record in self.0.processes.lock().unwrap().iter() {
            *boots.entry(record.process.name()).or_default() += 1;
        }
        boots
    }

    /// The panics of living processes that these did not catch themselves.
    pub fn panics(&self) -> Vec<Panic> {
        self.0.panics.lock().unwrap().clone()
    }

    pub(crate) fn record_panic(&self, process: &Process, task: &'static str, caught: Caught) {
        // What a dead process's destructors do is nobody's concern.
        if process.is_alive() {
            process.event("process.task_panic", &[], caught.message.as_bytes());
            let Caught { message, location } = caught;
            let panic = Panic { process: process.id(), task: task.into(), at: true_time(), message, location };
            self.0.panics.lock().unwrap().push(panic);
        }
    }

    /// Starts `work` as a task of the world itself, which no fault touches. A panic of it ends the run.
    pub fn spawn<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> Task<T> {
        let work: Work<T> = Box::pin(work);
        let world = Arc::downgrade(&self.0);
        let report = move |caught| {
            if let Some(world) = Weak::upgrade(&world) {
                let mut fatal = world.fatal.lock().unwrap();
                fatal.caught.get_or_insert(caught);
                if let Some(driver) = fatal.driver.take() {
                    driver.wake();
                }
            }
        };
        Task::new(self.0.node.spawn(CatchPanics::new(work, report)))
    }

    /// The panic of a task of the world, if there was one; else `driver` is woken when there is.
    pub(crate) fn fatal(&self, driver: &Waker) -> Option<Caught> {
        let mut fatal = self.0.fatal.lock().unwrap();
        fatal.driver = Some(driver.clone());
        fatal.caught.take()
    }

    /// Ends everything, so that the runtime drops all futures at its next turn. What is left in its
    /// queues would keep itself in memory for ever.
    pub(crate) fn shut_down(&self) {
        for machine in self.machines() {
            for process in self.living(machine) {
                self.end(process, Exit::Crashed);
            }
            self.disk(machine).set_faults(None);
        }
        Handle::current().kill(self.0.node.id());
        self.0.network.shut_down();
        // Records hold processes, and processes hold the world.
        self.0.processes.lock().unwrap().clear();
    }
}

fn index(process: ProcessId) -> usize {
    assert_ne!(process, ProcessId::WORLD, "the world is no process");
    process.0 as usize - 1
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("World").field("seed", &self.0.seed).field("boots", &self.boots()).finish()
    }
}

#[cfg(test)]
mod tests;
