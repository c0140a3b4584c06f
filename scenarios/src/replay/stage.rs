//! Where a file is played: the programs that run, and what its actions do to them.

use super::cast::Cast;
use super::expect::placed;
use super::programs::{self, Errand, Known, Stop};
use crate::checkers::number_of;
use crate::event::Event;
use crate::image::{JobRow, Rows};
use crate::scn::{
    Action, AtOperation, DiskFile, For, JobName, Keep, Message, Nth, OnFile, Process as Who, Scenario, Sent, Within,
    WorkerName,
};
use crate::workload::{Cluster, PATH, Program};
use outlive_sim::{
    Action as FaultAction, Entry, Exit, Fault, LinkFault, LinkFaultId, MachineId, MessageFault, Nemesis, OperationKind,
    Process, ProcessId, Task, Trigger, View, sleep_true, true_time,
};
use std::collections::BTreeMap;
use std::future::Future;
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
    kept: Vec<Task<()>>,
}

/// What is wrong with a link, and the line of the file that says so.
struct StruckLink {
    id: LinkFaultId,
    ends: (MachineId, MachineId),
    line: String,
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
        let (world, cast, nemesis) = (&self.0.cluster.program.world, &self.0.cast, &self.0.nemesis);
        let store = cast.machines.store;
        if let Some(machine) = self.struck_by_hand(action) {
            nemesis.done_by_hand(machine, action.to_string());
        }
        match action {
            Action::Pause { process, lasting } => {
                let paused = self.living(process);
                self.note(action, paused.iter().any(|it| !world.process(*it).is_paused()));
                for paused in paused {
                    world.pause(paused);
                    if let Some(For::For { lasting }) = lasting {
                        let (world, lasting) = (world.clone(), *lasting);
                        self.later(async move {
                            sleep_true(lasting).await;
                            world.resume(paused);
                        });
                    }
                }
            }
            Action::Resume { process } => {
                let resumed = self.living(process).into_iter().filter(|it| world.resume(*it)).count();
                self.note(action, resumed > 0);
            }
            Action::PowerLoss { at, keep: Keep::Keep { survivors } } => match at {
                Some(at) => {
                    self.arm(action, store, operation(at), FaultAction::PowerLoss(*survivors));
                }
                None => {
                    world.power_loss(store, *survivors);
                }
            },
            Action::Crash { process, at } => match at {
                Some(at) => {
                    self.arm(action, cast.machine(process), operation(at), FaultAction::Crash);
                }
                None => {
                    let crashed = self.living(process).into_iter().filter(|it| world.crash(*it)).count();
                    self.note(action, crashed > 0);
                }
            },
            Action::Start { process } => self.note(action, self.boot(cast.machine(process))),
            Action::Stop { worker, within } => {
                let within = within.as_ref().map_or(Duration::ZERO, |Within::Within { lasting }| *lasting);
                self.tell_worker(worker, within);
            }
            Action::OpenRival {} => {
                let rival = self.0.cluster.program.clone();
                world.boot(store, "rival", |process| rival.run_as_rival(process));
            }
            Action::Enqueue { job } => self.enqueue(job),
            Action::Cancel { job: JobName(job) } => {
                let number = cast.number(job);
                let place = cast.client_of(&cast.jobs[number as usize - 1]);
                self.tell_client(place, Errand::Cancel(number));
            }
            Action::Partition { from, to, one_way } => {
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
                self.heal(|link| [(from, to), (to, from)].contains(&link.ends));
            }
            Action::Heal {} => self.heal(|_| true),
            Action::Lose { message: Message::Request { request, process } } => {
                self.arm_message(action, &request.to_string(), process, MessageFault::Lose);
            }
            Action::Lose { message: Message::Answer { request, process } } => {
                self.arm_message(action, &request.to_string(), process, MessageFault::LoseAnswer);
            }
            Action::Duplicate { message: Sent::Next { request, process } } => {
                self.arm_message(action, &request.to_string(), process, MessageFault::Duplicate);
            }
            Action::Late { message: Sent::Next { request, process }, by } => {
                self.arm_message(action, &request.to_string(), process, MessageFault::Withhold(*by));
            }
            Action::Replay { message: Sent::Next { request, process }, after } => {
                self.arm_message(action, &request.to_string(), process, MessageFault::Replay(*after));
            }
            Action::SyncError { on } => {
                self.arm(action, store, on_file(on, OperationKind::Sync), FaultAction::SyncError);
            }
            Action::WriteError { on } => {
                self.arm(action, store, on_file(on, OperationKind::Write), FaultAction::WriteError);
            }
            Action::FullDisk { lasting: For::For { lasting } } => {
                nemesis.add(vec![Fault { machine: store, trigger: now(), action: FaultAction::FullDisk(*lasting) }]);
            }
            Action::SlowDisk { least, most, lasting: For::For { lasting } } => {
                let action = FaultAction::SlowDisk { least: *least, most: *most, lasting: *lasting };
                nemesis.add(vec![Fault { machine: store, trigger: now(), action }]);
            }
            Action::JumpClock { process, by } => {
                let ms = i64::try_from(by.by.as_millis()).unwrap_or(i64::MAX);
                world.clock(cast.machine(process)).jump_wall(if by.back { -ms } else { ms });
            }
        }
    }

    /// The machine to which an action does something at once; what waits for its moment, the nemesis does.
    fn struck_by_hand(&self, action: &Action) -> Option<MachineId> {
        let cast = &self.0.cast;
        match action {
            Action::Pause { process, .. } | Action::Resume { process } | Action::Start { process } => {
                Some(cast.machine(process))
            }
            Action::Crash { process, at: None } | Action::JumpClock { process, .. } => Some(cast.machine(process)),
            Action::Stop { worker, .. } => Some(cast.machine(&Who::Worker(worker.clone()))),
            Action::PowerLoss { at: None, .. } | Action::OpenRival {} | Action::Heal {} => Some(cast.machines.store),
            Action::Partition { from, .. }
            | Action::Clog { from, .. }
            | Action::Reset { from, .. }
            | Action::HealLink { from, .. } => Some(cast.end_of_link(from)),
            Action::Crash { at: Some(_), .. }
            | Action::PowerLoss { at: Some(_), .. }
            | Action::Enqueue { .. }
            | Action::Cancel { .. }
            | Action::Lose { .. }
            | Action::Duplicate { .. }
            | Action::Late { .. }
            | Action::Replay { .. }
            | Action::SyncError { .. }
            | Action::WriteError { .. }
            | Action::FullDisk { .. }
            | Action::SlowDisk { .. } => None,
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
        let idle = state.idle.iter().map(|line| format!("`{line}` changed nothing"));
        let counts = self.0.nemesis.counts();
        let counts = counts.iter().filter(|(_, count)| count.fired > count.effective);
        let spent = counts.map(|(kind, count)| {
            format!("{} of {} faults of the kind {kind:?} changed nothing", count.fired - count.effective, count.fired)
        });
        waiting.chain(idle).chain(spent).collect()
    }

    /// What everybody saw so far, and where.
    pub fn entries(&self) -> Vec<(MachineId, Entry<Event>)> {
        let Program { world, recorder, .. } = &self.0.cluster.program;
        let machines = world.times().into_iter().map(|times| (times.process, times.machine)).collect();
        placed(recorder.history().entries(), &machines)
    }

    /// What the file says.
    pub fn rows(&self) -> Result<Rows, String> {
        let disk = self.0.cluster.program.world.disk(self.0.cast.machines.store);
        Rows::read(&disk.image(View::Cache), PATH)
    }

    /// The processes of somebody that have died since then.
    pub fn deaths(&self, who: &Who, since: Duration) -> Vec<i64> {
        let machine = self.0.cast.machine(who);
        let world = &self.0.cluster.program.world;
        let died = |times: &outlive_sim::Times| times.ended.is_some_and(|ended| ended >= since);
        let crashed = |process: ProcessId| world.exit(process) != Some(Exit::Finished);
        let times = world.times().into_iter().filter(|times| times.machine == machine && died(times));
        times.filter(|times| crashed(times.process)).map(|times| i64::from(times.process.0)).collect()
    }

    /// The tokens of leases that have expired: the file says so.
    pub fn expired_leases(&self, job: Option<&JobName>) -> Vec<i64> {
        let Ok(rows) = self.rows() else { return Vec::new() };
        let expired = |ended: Option<&str>| matches!(ended, Some("expired" | "crashed"));
        let attempts = rows.attempts.iter().filter(|(_, attempt)| self.is(&rows, attempt.job, job));
        let attempts = attempts.filter(|(_, attempt)| expired(attempt.ended.as_deref()));
        attempts.map(|(token, _)| *token).collect()
    }

    /// The rests that are over, by the wall clock of the store: a job, and when its rest was to end.
    pub fn ended_rests(&self, job: Option<&JobName>) -> Vec<i64> {
        let Ok(rows) = self.rows() else { return Vec::new() };
        let wall = self.0.cluster.program.world.clock(self.0.cast.machines.store).wall();
        let wall_ms = i64::try_from(wall.as_millis()).expect("a date of our time");
        let rested = |row: &JobRow| {
            matches!(row.wait.as_str(), "delay" | "backoff" | "crash-backoff" | "snooze") && row.due_wall_ms <= wall_ms
        };
        let jobs = rows.jobs.iter().filter(|(id, row)| self.is(&rows, **id, job) && rested(row));
        jobs.map(|(id, row)| id * 1_000_000_000_000_000 + row.due_wall_ms).collect()
    }

    fn is(&self, rows: &Rows, id: i64, job: Option<&JobName>) -> bool {
        let number = rows.jobs.get(&id).and_then(|row| number_of(&row.payload));
        job.is_none_or(|JobName(name)| number == Some(self.0.cast.number(name)))
    }

    fn living(&self, who: &Who) -> Vec<ProcessId> {
        self.0.cluster.program.world.living(self.0.cast.machine(who))
    }

    fn link(&self, from: &Who, to: &Who) -> (MachineId, MachineId) {
        (self.0.cast.end_of_link(from), self.0.cast.end_of_link(to))
    }

    fn cut(&self, line: &Action, from: MachineId, to: MachineId, fault: LinkFault) -> LinkFaultId {
        let id = self.0.cluster.program.world.network().begin(from, to, fault);
        let struck = StruckLink { id, ends: (from, to), line: line.to_string() };
        self.0.state.lock().unwrap().links.push(struck);
        id
    }

    /// Ends what is wrong with these links. A line that withheld nothing in any direction changed nothing.
    fn heal(&self, which: impl Fn(&StruckLink) -> bool) {
        let mut state = self.0.state.lock().unwrap();
        let healed: Vec<StruckLink> = state.links.extract_if(.., |link| which(link)).collect();
        let mut withheld: BTreeMap<String, u64> = BTreeMap::new();
        for StruckLink { id, line, .. } in healed {
            *withheld.entry(line).or_default() += self.0.cluster.program.world.network().end(id);
        }
        state.idle.extend(withheld.into_iter().filter(|(_, count)| *count == 0).map(|(line, _)| line));
    }

    /// Remembers a line that changed nothing.
    fn note(&self, line: &Action, changed: bool) {
        if !changed {
            self.0.state.lock().unwrap().idle.push(line.to_string());
        }
    }

    /// A fault that waits for its moment: the file is stale if that never comes.
    fn arm(&self, line: &Action, machine: MachineId, trigger: Trigger, action: FaultAction) -> usize {
        let place = self.0.nemesis.add(vec![Fault { machine, trigger, action }]).start;
        let mut state = self.0.state.lock().unwrap();
        state.armed.resize(place, String::new());
        state.armed.push(line.to_string());
        place
    }

    fn arm_message(&self, line: &Action, request: &str, who: &Who, fault: MessageFault) {
        let (machine, name) = (self.0.cast.machine(who), format!("request {request}"));
        // The next one that nothing is to be done to yet.
        let waiting = self.0.nemesis.waiting();
        let mut state = self.0.state.lock().unwrap();
        state.messages.retain(|(place, _, _)| waiting.contains(place));
        let before = state.messages.iter().filter(|(_, at, it)| (*at, it) == (machine, &name)).count() as u64;
        drop(state);
        let trigger = Trigger::AtEvent { name: name.clone(), nth: 1 + before };
        let place = self.arm(line, machine, trigger, FaultAction::Message(fault));
        self.0.state.lock().unwrap().messages.push((place, machine, name));
    }

    fn enqueue(&self, JobName(job): &JobName) {
        let cast = &self.0.cast;
        let number = cast.number(job);
        let intent = &self.0.cluster.program.plan.intents[number as usize - 1];
        let place = cast.client_of(&cast.jobs[number as usize - 1]);
        self.tell_client(place, Errand::Enqueue(number, intent.enqueue.clone()));
    }

    fn tell_client(&self, place: usize, errand: Errand) {
        let machine = self.0.cast.machines.clients[place];
        let state = self.0.state.lock().unwrap();
        if let Some((_, ear)) = state.clients.iter().rev().find(|(at, _)| *at == machine) {
            // Who is down hears nothing.
            let _ = ear.send(errand);
        }
    }

    fn tell_worker(&self, worker: &WorkerName, within: Duration) {
        let machine = self.0.cast.machine(&Who::Worker(worker.clone()));
        let state = self.0.state.lock().unwrap();
        if let Some((_, ear)) = state.workers.iter().rev().find(|(at, _)| *at == machine) {
            let _ = ear.send(Stop { within });
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

fn now() -> Trigger {
    Trigger::At(true_time())
}

fn suffix(file: DiskFile) -> String {
    match file {
        DiskFile::Log => "-wal".into(),
        DiskFile::Database => ".db".into(),
    }
}

fn nth(nth: Nth) -> u64 {
    nth.0.get().cast_unsigned()
}

fn operation(at: &AtOperation) -> Trigger {
    let AtOperation::At { file, operation, nth: which } = at;
    Trigger::AtMatching { suffix: suffix(*file), kind: *operation, nth: nth(*which) }
}

fn on_file(on: &Option<OnFile>, kind: OperationKind) -> Trigger {
    match on {
        Some(OnFile::On { file, nth: which }) => Trigger::AtMatching { suffix: suffix(*file), kind, nth: nth(*which) },
        None => now(),
    }
}
