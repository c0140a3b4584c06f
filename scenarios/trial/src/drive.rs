//! One run: the program, killed and booted again, until every job has ended; then the check.

use crate::host::SimHost;
use crate::trial::Trial;
use crate::watch::{Noted, Watch, is_foreign};
use outlive::host::{Clock, Host};
use outlive::job::State;
use outlive::store::turso::TursoStorage;
use outlive::{Error, Filter, Local, Outlive};
use outlive_sim::timeline::Seen;
use outlive_sim::{
    Entry, Fault, MachineId, Nemesis, Options, Outcome, Process, Seed, World, run, sleep_true, true_time,
};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// The queue's file.
const PATH: &str = "/queue.db";
const SYNC: Duration = Duration::from_millis(1);
/// From look to look whether all is done: the first ones, and the last ones of a run that takes hours.
const LOOK: Duration = Duration::from_millis(250);
const LOOK_MAX: Duration = Duration::from_secs(30);
/// How long the program is down when it has died, at the most.
const DOWN_MS: u64 = 2_000;

/// What was wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// The check said so.
    Promise(String),
    /// A job does not end.
    Stuck(String),
    /// The client never got through.
    Client(String),
    /// The program panicked, outside of its handlers.
    Panic(String),
    /// Something asked for tokio's reactor: whose code, and what it was told.
    Foreign(String, String),
    /// The same seed was another run.
    NotRepeatable,
}

impl Flaw {
    /// Whether another run has the same flaw, in other words perhaps.
    pub fn is_like(&self, other: &Self) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }
}

/// What a run came to.
pub struct Run {
    pub flaw: Option<Flaw>,
    pub seen: Seen,
    pub noted: Vec<Entry<Noted>>,
}

/// Runs a trial with these faults.
pub fn try_with(seed: Seed, faults: Vec<Fault>, make: &(impl Fn(Seed) -> Trial + Sync)) -> Outcome<Run> {
    let options = Options { time_limit: Duration::from_secs(40 * 24 * 3600), ..Options::default() };
    run(seed, options, async move |world| drive(world, make(seed), faults).await)
}

/// What the parts of a run know of each other. It is outside of every process.
#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Known>>);

#[derive(Default)]
struct Known {
    is_asked: bool,
    is_settled: bool,
    is_calm: bool,
    is_checked: bool,
    is_over: bool,
    /// Why it goes on.
    waits: String,
    flaw: Option<Flaw>,
}

impl Shared {
    fn with<T>(&self, look: impl FnOnce(&mut Known) -> T) -> T {
        look(&mut self.0.lock().unwrap())
    }

    fn end(&self, flaw: Option<Flaw>) {
        self.with(|state| {
            if !state.is_over {
                (state.is_over, state.flaw) = (true, flaw);
            }
        });
    }
}

async fn drive(world: World, trial: Trial, faults: Vec<Fault>) -> Run {
    let machine = world.add_machine("program");
    let nemesis = Nemesis::start(&world, faults);
    let (watch, shared) = (Watch::new(nemesis.clone()), Shared::default());
    let keeper = world.spawn(keep(world.clone(), machine, trial.clone(), watch.clone(), shared.clone()));
    let is_over = || {
        if let Some((kind, told)) = watch.foreign() {
            shared.end(Some(Flaw::Foreign(format!("the handler of {kind:?}"), told)));
        }
        // Of a task, or of the program itself. Those of handlers are failures of their attempts.
        if let Some(panic) = world.panics().first() {
            shared.end(Some(panicked(&panic.message, &panic.location, shared.with(|state| state.is_checked))));
        }
        shared.with(|state| state.is_over)
    };
    while !is_over() && !shared.with(|state| state.is_settled) && true_time() < trial.faults_for {
        sleep_true(LOOK).await;
    }
    nemesis.stop();
    shared.with(|state| state.is_calm = true);
    let (until, mut rest) = (true_time() + trial.settles_within, LOOK);
    while !is_over() {
        if true_time() >= until {
            let late = |state: &mut Known| match (state.is_checked, state.is_asked) {
                (true, _) => Flaw::Promise("the check does not return".into()),
                (false, true) => Flaw::Stuck(state.waits.clone()),
                (false, false) => Flaw::Client(state.waits.clone()),
            };
            let flaw = shared.with(late);
            shared.end(Some(flaw));
        }
        sleep_true(rest).await;
        rest = (2 * rest).min(LOOK_MAX);
    }
    let seen = Seen::of(&world, &nemesis);
    for process in world.living(machine) {
        world.crash(process);
    }
    keeper.await;
    Run { flaw: shared.with(|state| state.flaw.clone()), seen, noted: watch.noted.entries() }
}

/// Boots the program again whenever it has died.
async fn keep(world: World, machine: MachineId, trial: Trial, watch: Watch, shared: Shared) {
    let mut rng = world.fork("keeper").rng();
    while !shared.with(|state| state.is_over) {
        let (trial, watch, own) = (trial.clone(), watch.clone(), shared.clone());
        let process = world.boot(machine, "program", move |process| program(process, trial, watch, own));
        world.exited(process).await;
        sleep_true(Duration::from_millis(rng.between(10..=DOWN_MS))).await;
    }
}

fn panicked(message: &str, location: &str, is_checked: bool) -> Flaw {
    let said = format!("{message} ({location})");
    match is_checked {
        _ if is_foreign(message) => Flaw::Foreign("the program".into(), said),
        true => Flaw::Promise(said),
        false => Flaw::Panic(said),
    }
}

async fn program(process: Process, trial: Trial, watch: Watch, shared: Shared) {
    let host = SimHost::new(&process, SYNC);
    let storage = TursoStorage::new(host.clone(), PATH);
    // A disk that fails is a fault: the program ends, and is started again.
    let Ok(local) = Local::open(host.clone(), storage, trial.options.clone()).await else { return };
    let local = Arc::new(local);
    let outlive = Outlive::on(host.clone(), watch.service(&process, local.clone()));
    let worker = (trial.worker)(outlive.worker()).start();
    let _worker = worker.unwrap_or_else(|error| panic!("the worker can't be started: {error}"));
    let unwatched = Outlive::on(host.clone(), local);
    process.spawn("warden", watch_over(host.clone(), unwatched, trial.clone(), shared.clone())).detach();
    while !shared.with(|state| state.is_asked) {
        match (trial.client)(outlive.clone()).await {
            Ok(()) => shared.with(|state| state.is_asked = true),
            Err(error) => shared.with(|state| state.waits = error.to_string()),
        }
        host.clock().sleep(LOOK).await;
    }
    std::future::pending().await
}

/// Looks whether every job has ended, and checks what was promised once faults have ended, too.
async fn watch_over(host: SimHost, outlive: Outlive<SimHost>, trial: Trial, shared: Shared) {
    let mut rest = LOOK;
    loop {
        host.clock().sleep(rest).await;
        if shared.with(|state| state.is_calm) {
            rest = (2 * rest).min(LOOK_MAX);
        }
        if !shared.with(|state| state.is_asked) {
            continue;
        }
        match open_job(&outlive).await {
            Ok(None) => shared.with(|state| state.is_settled = true),
            Ok(Some(waits)) => {
                shared.with(|state| state.waits = waits);
                continue;
            }
            Err(_) => continue,
        }
        if shared.with(|state| state.is_calm) {
            shared.with(|state| state.is_checked = true);
            return shared.end((trial.check)(outlive).await.err().map(Flaw::Promise));
        }
    }
}

/// Why a job has not ended, if there is one.
async fn open_job(outlive: &Outlive<SimHost>) -> Result<Option<String>, Error> {
    for state in [State::Waiting, State::Running] {
        let first =
            outlive.list(Filter::state(state)).next_page().await?.and_then(|page| page.first().map(|job| job.id));
        if let Some(job) = first {
            return Ok(Some(outlive.explain(job).await?.to_string()));
        }
    }
    Ok(None)
}
