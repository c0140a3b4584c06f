//! One run: faults first, then calm, then the evidence.

use crate::archive::Archive;
use crate::checkers::forgotten_after;
use crate::damage::{DamageWatch, whole_rows};
use crate::event::{Event, Recorder};
use crate::image::Rows;
use crate::stopwatch::Work;
use crate::tagging::{Deed, Deeds};
use crate::workload::{Act, Cluster, Intent, Machines, Outside, PATH, Plan, Profile, Program, Setting};
use outlive_sim::timeline::Seen;
use outlive_sim::{
    Entry, FaultKind, Loss, MachineId, Nemesis, Process, ProcessId, Task, Times, View, World, sleep_true, true_time,
};
use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// What checkers judge.
pub struct Evidence {
    /// What was planned.
    pub plan: Arc<Plan>,
    /// What clients saw, in order.
    pub entries: Vec<Entry<Event>>,
    /// When and where each process lived.
    pub times: Vec<Times>,
    /// What the clock of each machine gains, in parts in a million.
    pub drift_ppm: BTreeMap<MachineId, i32>,
    /// When the wall clock of the machine with the file was set, in true time, and what it showed from then on.
    pub wall_history: Vec<(Duration, Duration)>,
    /// The rows of the file at the end.
    pub rows: Result<Rows, String>,
    /// What came of the faults.
    pub faults: BTreeMap<FaultKind, outlive_sim::Count>,
    /// At which kinds of moment faults came.
    pub anchors: BTreeMap<String, outlive_sim::Count>,
    /// What power losses took.
    pub loss: Loss,
    /// When the run ended.
    pub ended: Duration,
    /// When faults ended.
    pub calm_since: Duration,
    /// When every job had ended, and nobody wanted another one, if the run went on until then.
    pub settled: Option<Settled>,
    /// What the work took by a real clock.
    pub work: Option<Work>,
    /// Disk operations of all processes on the machine with the file.
    pub disk_operations: u64,
    /// What the simulator itself knows, for people; with the disk's record if the run was watched.
    pub seen: Seen,
    /// What stores did, if the run was watched.
    pub deeds: Vec<Deed>,
    /// Copies of the file that were made.
    pub copies: Vec<Copied>,
}

/// A time at which every job had ended, and nobody wanted another one.
#[derive(Clone, Copy, Debug)]
pub struct Settled {
    /// In true time.
    pub at: Duration,
    /// The number of the last end in the file.
    pub last_end: i64,
}

/// A copy of the file, as it was at the end.
pub struct Copied {
    /// Where it is.
    pub path: String,
    /// When it was asked for.
    pub asked: Duration,
    /// When it was said to be made.
    pub made: Duration,
    /// Its rows, if it is whole.
    pub rows: Result<Rows, String>,
}

/// The copies that were made, as they are on the disk now.
fn copies(world: &World, plan: &Plan, entries: &[Entry<Event>]) -> Vec<Copied> {
    let mut asked: BTreeMap<&str, Duration> = BTreeMap::new();
    let mut copies = Vec::new();
    for entry in entries {
        match &entry.event {
            Event::CopyAsked { path } => drop(asked.insert(path, entry.at)),
            Event::CopyMade { path, failed: None } => {
                let rows = Rows::read_whole(&world.disk(plan.setting.store()).image(View::Cache), path);
                copies.push(Copied { path: path.clone(), asked: asked[&**path], made: entry.at, rows });
            }
            _ => {}
        }
    }
    copies
}

/// Whether what only people need is kept as well: what the disk did, and what for. It changes nothing that happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Watch {
    /// Nobody will look at it.
    Off,
    /// Somebody may.
    On,
}

impl Watch {
    /// Begins to watch a world in which the file will be on this machine. What stores do goes there.
    pub(crate) fn begin(self, world: &World, machine: MachineId) -> Deeds {
        match self {
            Self::Off => Deeds::default(),
            Self::On => {
                world.disk(machine).begin_record();
                Deeds::watched()
            }
        }
    }
}

/// Simulated time for everything to become terminal once faults have ended: the longest leases and
/// backoffs of a run, several times over. What a job takes that kills its workers comes on top.
const SETTLE: Duration = Duration::from_secs(400);
/// Simulated time that a run goes on once a person knows that the file is damaged: nobody may hang or panic.
const AFTER_DAMAGE: Duration = Duration::from_secs(5);
const LOOK: Duration = Duration::from_millis(100);
const LOOK_AT_ROWS: Duration = Duration::from_secs(5);

/// Simulated time for everything to become terminal. A job that kills its workers keeps its slot for a lease with each
/// of its crashes, and others that are suspected wait for that.
fn time_to_settle(plan: &Plan) -> Duration {
    let kills = plan.intents.iter().filter_map(Intent::script).filter(|script| script.acts == [Act::Kill]).count();
    let of_kinds = plan.policies.iter().filter_map(|it| it.policy.crashes_max);
    let crashes = of_kinds.chain([plan.options.limits.crashes_max]).max().unwrap_or(0);
    SETTLE + plan.longest_lease() * crashes * u32::try_from(kills).expect("jobs can be counted")
}

/// Drives one run.
pub async fn drive(world: World, plan: Arc<Plan>, watch: Watch) -> Evidence {
    plan.setting.build(&world, &plan.drift_ppm);
    let deeds = watch.begin(&world, plan.setting.store());
    let nemesis = Nemesis::start(&world, plan.faults.clone());
    let outside = Outside::new(&plan.intents, world.fork("outside"));
    let mut recorder = Recorder::new(nemesis.clone()).with_deeds(deeds);
    if plan.profile == Profile::Illegal {
        recorder = recorder.with_onlooker(Arc::new(DamageWatch(outside.clone())));
    }
    live(Program { world, plan, outside, recorder }, nemesis).await
}

/// Lets everybody do as the plan says: first with the faults of the nemesis, then without, until all is settled.
pub async fn live(program: Program, nemesis: Nemesis) -> Evidence {
    let Program { world, plan, outside, .. } = program.clone();
    let stopped = Arc::new(AtomicBool::new(false));
    let house = House { program: program.clone(), stopped: stopped.clone() };
    let machine = plan.setting.store();
    let (archive, looking) = Archive::begin(&world, &plan);
    let supervisors = match &plan.setting {
        Setting::Embedded(machine) => {
            let program = program.clone();
            vec![house.keep(*machine, "program", move |process| program.clone().run(process))]
        }
        Setting::Cluster(machines) => house.keep_cluster(machines, nemesis.clone()),
    };
    if plan.features.rivals {
        world.spawn(house.clone().send_rivals(machine)).detach();
    }
    // Faults: until they have had their time and clients have what they wanted.
    let is_over = || outside.damage_heard().is_some_and(|heard| true_time() >= heard + AFTER_DAMAGE);
    while !is_over() && (true_time() < plan.faults_end || (!outside.is_content() && true_time() < plan.faults_end * 2))
    {
        sleep_true(LOOK).await;
    }
    nemesis.stop();
    outside.calm_down();
    let calm_since = true_time();
    let read = if plan.profile == Profile::Illegal { whole_rows } else { Rows::read_whole };
    let rows = || read(&world.disk(machine).image(View::Cache), PATH);
    let mut settled = None;
    let rows = loop {
        let is_late = is_over() || true_time() >= calm_since + time_to_settle(&plan);
        if is_late || (outside.is_content() && outside.pending().is_empty() && outside.scheduled().is_empty()) {
            // Somebody may have given up an enqueue that was made all the same, or set a schedule when another had ended it.
            let rows = rows();
            let is_settled = rows.as_ref().map_or(true, Rows::is_settled);
            let last_end = rows.as_ref().ok().and_then(|rows| rows.ends.keys().next_back().copied()).unwrap_or(0);
            settled = is_settled.then(|| settled.unwrap_or_else(|| Settled { at: true_time(), last_end }));
            // What has ended is to be forgotten, too, if its time has an end.
            let is_over = |since: Settled| rows.as_ref().map_or(true, |rows| !is_forgetting(rows, &plan, since));
            if is_late || settled.is_some_and(is_over) {
                break rows;
            }
            rows.iter().flat_map(|rows| rows.schedules.keys()).for_each(|name| outside.schedules(name));
            sleep_true(LOOK_AT_ROWS).await;
        } else {
            settled = None;
        }
        sleep_true(LOOK).await;
    };
    let rows = rows.map(|rows| archive.complete(rows));
    drop(looking);
    let ended = true_time();
    let seen = Seen::of(&world, &nemesis);
    stopped.store(true, Ordering::Relaxed);
    for process in world.machines().into_iter().flat_map(|machine| world.living(machine)) {
        world.crash(process);
    }
    for supervisor in supervisors {
        supervisor.await;
    }
    Evidence { settled, ..Evidence::gather(&program, &nemesis, rows, seen, (calm_since, ended)) }
}

/// Whether something is left that had ended by then, and has yet some time to be forgotten.
fn is_forgetting(rows: &Rows, plan: &Plan, settled: Settled) -> bool {
    let kept = plan.options.retention.by_state().map(|(state, kept)| (state.as_str(), kept));
    let kept = |state: &str| kept.iter().find(|(it, _)| *it == state).and_then(|(_, kept)| *kept);
    let ends = rows.ends.range(..=settled.last_end).map(|(_, end)| &*end.state);
    ends.filter_map(kept).any(|kept| true_time() <= settled.at + forgotten_after(kept))
}

impl Evidence {
    /// What a run leaves, which was calm from one time on and ended at another. `seen` is what could be seen then.
    pub fn gather(
        program: &Program,
        nemesis: &Nemesis,
        rows: Result<Rows, String>,
        seen: Seen,
        (calm_since, ended): (Duration, Duration),
    ) -> Self {
        let Program { world, plan, recorder, .. } = program;
        let entries = recorder.history().entries();
        Self {
            rows,
            copies: copies(world, plan, &entries),
            entries,
            times: world.times(),
            drift_ppm: world.machines().into_iter().map(|it| (it, world.clock(it).drift_ppm())).collect(),
            wall_history: world.clock(plan.setting.store()).wall_history(),
            faults: nemesis.counts(),
            anchors: nemesis.anchors(),
            loss: nemesis.loss(),
            disk_operations: world.disk(plan.setting.store()).operations(),
            seen,
            deeds: recorder.deeds().all(),
            work: recorder.work(),
            plan: plan.clone(),
            ended,
            calm_since,
            settled: None,
        }
    }
}

/// Who boots programs again whenever they have died.
#[derive(Clone)]
struct House {
    program: Program,
    stopped: Arc<AtomicBool>,
}

impl House {
    /// Keeps every program of a cluster running.
    fn keep_cluster(&self, machines: &Machines, nemesis: Nemesis) -> Vec<Task<()>> {
        let cluster = Cluster { program: self.program.clone(), nemesis };
        let store = cluster.clone();
        let mut kept = vec![self.keep(machines.store, "store", move |process| store.clone().run_store(process))];
        for (number, machine) in machines.workers.iter().enumerate() {
            let worker = cluster.clone();
            kept.push(self.keep(*machine, "worker", move |process| worker.clone().run_worker(process, number)));
        }
        for (number, machine) in machines.clients.iter().enumerate() {
            let client = cluster.clone();
            kept.push(self.keep(*machine, "client", move |process| client.clone().run_client(process, number)));
        }
        if let Some(machine) = machines.middlebox {
            kept.push(self.keep(machine, "middlebox", move |process| cluster.clone().run_middlebox(process)));
        }
        kept
    }

    /// Boots a program again whenever it has died.
    fn keep<F: Future<Output = ()> + Send + 'static>(
        &self,
        machine: MachineId,
        name: &'static str,
        main: impl Fn(Process) -> F + Clone + Send + 'static,
    ) -> Task<()> {
        let Self { program: Program { world, plan, outside, .. }, stopped } = self.clone();
        let mut rng = world.fork("supervisor").fork(name).key(u64::from(machine.0)).rng();
        let kept = world.clone();
        world.spawn(async move {
            while !stopped.load(Ordering::Relaxed) {
                let process: ProcessId = kept.boot(machine, name, main.clone());
                kept.exited(process).await;
                outside.process_died(process);
                let longest = u64::try_from(plan.downtime.as_millis()).expect("downtime is short");
                sleep_true(Duration::from_millis(rng.between(1..=longest))).await;
            }
        })
    }

    /// Boots a second process that wants the file, now and then.
    async fn send_rivals(self, machine: MachineId) {
        let Self { program, stopped } = self;
        let mut rng = program.world.fork("rivals").rng();
        loop {
            sleep_true(Duration::from_millis(rng.between(1_000..=10_000))).await;
            if stopped.load(Ordering::Relaxed) || program.outside.is_calm() {
                return;
            }
            let rival = program.clone();
            let process = program.world.boot(machine, "rival", |process| rival.run_as_rival(process));
            program.world.exited(process).await;
        }
    }
}
