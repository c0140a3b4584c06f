//! Where a file is played: the programs that run, and what its actions do to them.

mod links;
mod signs;

use super::cast::Cast;
use super::fault::fault_of;
use super::programs::{self, Errand, Known, Stop, Wish};
use crate::scn::{Action, For, JobName, Keep, Process as Who, Scenario, Within, WorkerName};
use crate::workload::{Cluster, Program};
use links::StruckLink;
use outlive_sim::{
    Action as FaultAction, Fault, LinkFault, MachineId, Nemesis, Process, ProcessId, Task, Trigger, sleep_true,
    true_time,
};
use std::collections::BTreeMap;
use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::mpsc;

/// Where a file is played. Clones are the same stage.
#[derive(Clone)]
pub struct Stage(Arc<Inner>);

struct Inner {
    cluster: Cluster,
    cast: Arc<Cast>,
    nemesis: Nemesis,
    known: Known,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    over: bool,
    /// Who can be told something, by machine.
    workers: Vec<(MachineId, mpsc::UnboundedSender<Stop>)>,
    clients: Vec<(MachineId, mpsc::UnboundedSender<Errand>)>,
    links: Vec<StruckLink>,
    /// Faults that wait for their moment, as they stand in the file, by their place in the nemesis's schedule.
    armed: Vec<String>,
    /// Messages to which something is to be done: their names, by that place.
    messages: Vec<(usize, MachineId, String)>,
    /// Lines that changed nothing.
    idle: Vec<String>,
    /// What clients were told to do, and whether they did something.
    errands: Vec<(String, Arc<AtomicBool>)>,
    /// How often each process was paused: a pause that ends by itself ends no later one.
    pauses: BTreeMap<ProcessId, u64>,
    kept: Vec<Task<()>>,
}

/// Between two who come on.
const ENTRANCE: Duration = Duration::from_millis(100);
/// A clogged link delays each message by so much.
const CLOG: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(5));

impl Stage {
    /// A stage on which nobody is yet.
    pub fn new(program: Program, cast: Arc<Cast>, nemesis: Nemesis) -> Self {
        let cluster = Cluster { program, nemesis: nemesis.clone() };
        Self(Arc::new(Inner { cluster, cast, nemesis, known: Known::default(), state: Mutex::default() }))
    }

    /// Everybody who is there from the beginning comes on, in the order of the file: the first worker waits for
    /// work before the second does. Then the first jobs are enqueued.
    pub async fn raise(self, script: Arc<Scenario>) {
        let machines = self.0.cast.machines.clone();
        let store = self.0.cluster.clone();
        self.keep(machines.store, "store", move |process| store.clone().run_store(process));
        if let Some(machine) = machines.middlebox {
            let middlebox = self.0.cluster.clone();
            self.keep(machine, "middlebox", move |process| middlebox.clone().run_middlebox(process));
        }
        let running = machines.workers.iter().enumerate().filter(|(place, _)| self.0.cast.runs(*place));
        for machine in running.map(|(_, machine)| machine).chain(&machines.clients) {
            sleep_true(ENTRANCE).await;
            self.boot(*machine);
        }
        for job in script.jobs.iter().filter(|job| !script.is_enqueued_by_a_block(&job.name)) {
            self.enqueue(&JobName(job.name.clone()));
        }
    }

    /// Does what a line of a block says.
    pub fn act(&self, action: &Action) {
        let (world, cast) = (&self.0.cluster.program.world, &self.0.cast);
        let store = cast.machines.store;
        if let Some(machine) = self.struck_by_hand(action) {
            self.0.nemesis.done_by_hand(machine, action.to_string());
        }
        match action {
            Action::Pause { process, lasting, at: None, polls: None } => {
                let paused: Vec<ProcessId> = self.living(process).into_iter().filter(|it| world.pause(*it)).collect();
                self.note(action, !paused.is_empty());
                for paused in paused {
                    let pause = self.count_pause(paused);
                    if let Some(For::For { lasting }) = lasting {
                        let (stage, lasting) = (self.clone(), *lasting);
                        self.later(async move {
                            sleep_true(lasting).await;
                            stage.end_pause(paused, pause);
                        });
                    }
                }
            }
            Action::Resume { process } => {
                let resumed = self.living(process).into_iter().filter(|it| world.resume(*it)).count();
                self.note(action, resumed > 0);
            }
            Action::PowerLoss { process, at: None, keep: Keep::Keep { survivors } } => {
                let died = !self.living(process).is_empty();
                let loss = world.power_loss(cast.machine(process), *survivors);
                self.note(action, died || loss.changed_something());
            }
            Action::Crash { process, at: None } => {
                let crashed = self.living(process).into_iter().filter(|it| world.crash(*it)).count();
                self.note(action, crashed > 0);
            }
            Action::Start { process } => self.note(action, self.boot(cast.machine(process))),
            Action::Stop { worker, within } => {
                let within = within.as_ref().map_or(Duration::ZERO, |Within::Within { lasting }| *lasting);
                self.note(action, self.tell_worker(worker, within));
            }
            Action::OpenRival {} => {
                let rival = self.0.cluster.program.clone();
                world.boot(store, "rival", |process| rival.run_as_rival(process));
            }
            Action::Enqueue { job } => {
                let asked = self.enqueue(job);
                self.note_errand(action, asked);
            }
            Action::Cancel { job: JobName(job) } => {
                let number = cast.number(job);
                let place = cast.client_of(&cast.jobs[number as usize - 1]);
                let asked = self.tell_client(place, Wish::Cancel(number));
                self.note_errand(action, asked);
            }
            Action::Partition { from, to, one_way, lasting: None } => {
                let (from, to) = self.link(from, to);
                self.cut(action, from, to, LinkFault::Cut);
                if one_way.is_none() {
                    self.cut(action, to, from, LinkFault::Cut);
                }
            }
            Action::Clog { from, to, lasting } => {
                let (from, to) = self.link(from, to);
                let clog = LinkFault::Clog { least: CLOG.0, most: CLOG.1 };
                let ids = [self.cut(action, from, to, clog), self.cut(action, to, from, clog)];
                if let Some(For::For { lasting }) = lasting {
                    let (stage, lasting) = (self.clone(), *lasting);
                    self.later(async move {
                        sleep_true(lasting).await;
                        stage.heal(|link| ids.contains(&link.id));
                    });
                }
            }
            Action::Reset { from, to } => {
                let (from, to) = self.link(from, to);
                self.note(action, world.network().reset_connections(from, to) > 0);
            }
            Action::HealLink { from, to } => {
                let (from, to) = self.link(from, to);
                self.heal(|link| link.is_between(from, to));
            }
            Action::Heal {} => self.heal(|_| true),
            Action::JumpClock { process, by } => {
                let ms = i64::try_from(by.by.as_millis()).unwrap_or(i64::MAX);
                world.clock(cast.machine(process)).jump_wall(if by.back { -ms } else { ms });
            }
            _ => {
                let fault = fault_of(action, cast, true_time()).expect("all that is left are faults");
                match fault.action {
                    FaultAction::Message(_) => self.arm_message(action, fault),
                    _ => self.arm(action, fault),
                };
            }
        }
    }

    /// The machine to which an action does something at once; what waits for its moment, the nemesis does.
    fn struck_by_hand(&self, action: &Action) -> Option<MachineId> {
        let cast = &self.0.cast;
        match action {
            Action::Pause { process, at: None, polls: None, .. }
            | Action::Resume { process }
            | Action::Start { process }
            | Action::Crash { process, at: None }
            | Action::PowerLoss { process, at: None, .. }
            | Action::JumpClock { process, .. } => Some(cast.machine(process)),
            Action::Stop { worker, .. } => Some(cast.machine(&Who::Worker(worker.clone()))),
            Action::OpenRival {} | Action::Heal {} => Some(cast.machines.store),
            Action::Partition { from, to, lasting: None, .. }
            | Action::Clog { from, to, .. }
            | Action::Reset { from, to }
            | Action::HealLink { from, to } => Some(cast.end_of_link(from, to)),
            _ => None,
        }
    }

    /// Ends what is wrong: links are whole, and whoever is paused goes on. Who is down stays down.
    pub fn calm_down(&self) {
        self.heal(|_| true);
        let world = &self.0.cluster.program.world;
        for process in world.machines().into_iter().flat_map(|machine| world.living(machine)) {
            world.resume(process);
        }
    }

    /// Everybody leaves.
    pub fn strike(&self) {
        let world = &self.0.cluster.program.world;
        self.0.state.lock().unwrap().over = true;
        for process in world.machines().into_iter().flat_map(|machine| world.living(machine)) {
            world.crash(process);
        }
    }

    /// How many faults the nemesis was given so far.
    pub fn armed(&self) -> usize {
        self.0.state.lock().unwrap().armed.len()
    }

    /// Whether faults are over.
    pub fn is_calm(&self) -> bool {
        self.0.nemesis.is_stopped()
    }

    /// Drops what would keep the stage in memory.
    pub fn forget(&self) {
        *self.0.state.lock().unwrap() = State { over: true, ..State::default() };
    }

    /// Lines whose moment never came, or that changed nothing.
    pub fn faults_without_effect(&self) -> Vec<String> {
        let waiting = self.0.nemesis.waiting();
        let state = self.0.state.lock().unwrap();
        let waiting = waiting.into_iter().filter_map(|place| state.armed.get(place));
        let waiting = waiting.map(|line| format!("`{line}` struck nothing: its moment never came"));
        let errands = state.errands.iter().filter(|(_, did_something)| !did_something.load(Ordering::Relaxed));
        let idle = state.idle.iter().chain(errands.map(|(line, _)| line));
        let idle = idle.map(|line| format!("`{line}` changed nothing"));
        let counts = self.0.nemesis.counts();
        let counts = counts.iter().filter(|(_, count)| count.fired > count.effective);
        let spent = counts.map(|(kind, count)| {
            format!("{} of {} faults of the kind {kind:?} changed nothing", count.fired - count.effective, count.fired)
        });
        waiting.chain(idle).chain(spent).collect()
    }

    fn living(&self, who: &Who) -> Vec<ProcessId> {
        self.0.cluster.program.world.living(self.0.cast.machine(who))
    }

    /// Remembers a line that changed nothing.
    fn note(&self, line: &Action, changed: bool) {
        if !changed {
            self.0.state.lock().unwrap().idle.push(line.to_string());
        }
    }

    /// A fault that waits for its moment: the file is stale if that never comes.
    fn arm(&self, line: &Action, fault: Fault) -> usize {
        let place = self.0.nemesis.add(vec![fault]).start;
        let mut state = self.0.state.lock().unwrap();
        state.armed.resize(place, String::new());
        state.armed.push(line.to_string());
        place
    }

    /// The next message that nothing is to be done to yet.
    fn arm_message(&self, line: &Action, mut fault: Fault) -> usize {
        let Trigger::AtEvent { name, nth } = &mut fault.trigger else { unreachable!("a message is an event") };
        let waiting = self.0.nemesis.waiting();
        let mut state = self.0.state.lock().unwrap();
        state.messages.retain(|(place, _, _)| waiting.contains(place));
        let before = state.messages.iter().filter(|(_, at, it)| *at == fault.machine && it == name).count() as u64;
        drop(state);
        *nth += before;
        let (machine, name) = (fault.machine, name.clone());
        let place = self.arm(line, fault);
        self.0.state.lock().unwrap().messages.push((place, machine, name));
        place
    }

    /// Lets its client enqueue a job: whether it has asked for it, later on.
    fn enqueue(&self, JobName(job): &JobName) -> Arc<AtomicBool> {
        let cast = &self.0.cast;
        let number = cast.number(job);
        let intent = &self.0.cluster.program.plan.intents[number as usize - 1];
        let place = cast.client_of(&cast.jobs[number as usize - 1]);
        self.tell_client(place, Wish::Enqueue(number, Box::new(intent.enqueue.clone())))
    }

    /// Whether it did something, later on: who is down hears nothing.
    fn tell_client(&self, place: usize, wish: Wish) -> Arc<AtomicBool> {
        let machine = self.0.cast.machines.clients[place];
        let did_something = Arc::<AtomicBool>::default();
        let state = self.0.state.lock().unwrap();
        if let Some((_, ear)) = state.clients.iter().rev().find(|(at, _)| *at == machine) {
            let _ = ear.send(Errand { wish, did_something: did_something.clone() });
        }
        did_something
    }

    fn note_errand(&self, line: &Action, did_something: Arc<AtomicBool>) {
        self.0.state.lock().unwrap().errands.push((line.to_string(), did_something));
    }

    /// Tells a worker to stop, unless it is down or was told before: whether it was told.
    fn tell_worker(&self, worker: &WorkerName, within: Duration) -> bool {
        let who = Who::Worker(worker.clone());
        let machine = self.0.cast.machine(&who);
        let is_up = !self.living(&who).is_empty();
        let mut state = self.0.state.lock().unwrap();
        let ears = state.workers.extract_if(.., |(at, _)| *at == machine).last();
        is_up && ears.is_some_and(|(_, ear)| ear.send(Stop { within }).is_ok())
    }

    /// One more pause of this process: which one it is.
    fn count_pause(&self, process: ProcessId) -> u64 {
        let mut state = self.0.state.lock().unwrap();
        let pauses = state.pauses.entry(process).or_default();
        *pauses += 1;
        *pauses
    }

    /// Ends this pause, unless it has ended and another one began.
    fn end_pause(&self, process: ProcessId, pause: u64) {
        let latest = self.0.state.lock().unwrap().pauses.get(&process).copied();
        if latest == Some(pause) {
            self.0.cluster.program.world.resume(process);
        }
    }

    /// Boots a worker or a client, unless it is up. The store starts again by itself.
    fn boot(&self, machine: MachineId) -> bool {
        let world = &self.0.cluster.program.world;
        let machines = &self.0.cast.machines;
        if !world.living(machine).is_empty() {
            return false;
        }
        let cluster = self.0.cluster.clone();
        if let Some(number) = machines.workers.iter().position(|it| *it == machine) {
            let (sender, ear) = mpsc::unbounded_channel();
            self.0.state.lock().unwrap().workers.push((machine, sender));
            world.boot(machine, "worker", move |process| programs::work(cluster, process, number, ear));
        } else if machines.clients.contains(&machine) {
            let (sender, ear) = mpsc::unbounded_channel();
            self.0.state.lock().unwrap().clients.push((machine, sender));
            let known = self.0.known.clone();
            world.boot(machine, "client", move |process| programs::ask(cluster, process, known, ear));
        }
        true
    }

    /// Keeps a program running: it starts again after its downtime.
    fn keep<F: Future<Output = ()> + Send + 'static>(
        &self,
        machine: MachineId,
        name: &'static str,
        main: impl Fn(Process) -> F + Clone + Send + 'static,
    ) {
        let Program { world, plan, .. } = self.0.cluster.program.clone();
        let inner = Arc::downgrade(&self.0);
        let kept = world.clone().spawn(async move {
            while inner.upgrade().is_some_and(|inner| !inner.state.lock().unwrap().over) {
                let process = world.boot(machine, name, main.clone());
                world.exited(process).await;
                sleep_true(plan.downtime).await;
            }
        });
        self.0.state.lock().unwrap().kept.push(kept);
    }

    fn later(&self, work: impl Future<Output = ()> + Send + 'static) {
        let task = self.0.cluster.program.world.spawn(work);
        self.0.state.lock().unwrap().kept.push(task);
    }
}
