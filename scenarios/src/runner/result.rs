//! One seed, and what came of it.

use super::Verdict;
use super::case::{Case, Variation};
use super::judged::Judged;
use super::qualify;
use crate::checkers::Violation;
use crate::coverage::{self, Met, StateSet};
use crate::damage::Damage;
use crate::drive::{Evidence, Watch, drive};
use crate::stopwatch::Work;
use crate::workload::{Profile, Setting, Workload};
use outlive_sim::{Count, Failure, FaultKind, Loss, Options, Recording, Seed, run};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// Simulated time that a run may take: many times what the longest one does.
const TIME_LIMIT: Duration = Duration::from_secs(2_000);

/// What came of one seed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SeedResult {
    /// The seed.
    pub seed: u64,
    /// The hash over all events.
    pub hash: u64,
    /// How it ended.
    pub ending: Ending,
    /// How often each clause was put to the test.
    pub clauses: BTreeMap<String, u64>,
    /// What came of the faults.
    pub faults: BTreeMap<FaultKind, Count>,
    /// At which kinds of moment faults came.
    pub anchors: BTreeMap<String, Count>,
    /// What power losses took.
    pub loss: Loss,
    /// What was chosen, in a few words.
    pub chosen: Vec<(String, String)>,
    /// How many there were of each: calls, disk operations, and the like.
    pub counts: BTreeMap<String, u64>,
    /// Jobs that became terminal.
    pub terminal: u64,
    /// Crashes while a lease was live or a commit unanswered.
    pub crashes_that_hurt: u64,
    /// Attempts whose worker slept beyond its lease, and was heard of afterwards.
    pub zombies: u64,
    /// The states that it reached.
    pub states: StateSet,
    /// What it met, by name.
    pub met: BTreeSet<Met>,
    /// What came of what no disk may do, if a disk did it.
    pub damage: Option<Damage>,
    /// Simulated time.
    pub simulated: Duration,
    /// Real time.
    pub wall: Duration,
    /// Simulated and real time from the first enqueue to the end of the last job.
    pub work: Option<Work>,
    /// Events of the trace.
    pub events: u64,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ending {
    /// All checkers are content.
    Good,
    /// Some are not.
    Violated(Vec<Violation>),
    /// It did not come to its end.
    Broken(String),
}

impl SeedResult {
    /// Whether it counts as one that tested much: 50 terminal jobs and 5 crashes that hurt.
    pub fn qualifies(&self) -> bool {
        self.terminal >= 50 && self.crashes_that_hurt >= 5
    }

    /// What it comes to.
    pub fn verdict(&self) -> Verdict {
        match &self.ending {
            Ending::Good => Verdict::Good,
            Ending::Broken(_) => Verdict::Broken,
            Ending::Violated(violations) if violations.iter().all(|it| it.clause.starts_with('L')) => Verdict::Liveness,
            Ending::Violated(_) => Verdict::Safety,
        }
    }
}

/// Runs one seed with legal faults, and judges it.
pub fn run_seed(seed: Seed, workload: Workload, recording: Recording) -> SeedResult {
    run_case(Case::of_seed(seed.0), workload, Profile::Legal, recording)
}

/// As [`run_seed`], and keeps what there is to see of it.
pub fn watch_seed(seed: Seed, workload: Workload, recording: Recording, watch: Watch) -> (SeedResult, Option<Judged>) {
    watch_case(Case::of_seed(seed.0), workload, Profile::Legal, recording, watch)
}

/// Runs one case and judges it.
pub fn run_case(case: Case, workload: Workload, profile: Profile, recording: Recording) -> SeedResult {
    watch_case(case, workload, profile, recording, Watch::Off).0
}

/// As [`run_case`], and keeps what there is to see of it.
pub fn watch_case(
    case: Case,
    workload: Workload,
    profile: Profile,
    recording: Recording,
    watch: Watch,
) -> (SeedResult, Option<Judged>) {
    let started = std::time::Instant::now();
    let seed = Seed(case.seed);
    let plan = Arc::new(case.plan(workload, profile));
    let turn = case.variation.turn;
    let options = Options { time_limit: TIME_LIMIT, recording, turn, ..Options::default() };
    let outcome = run(seed, options, async move |world| drive(world, plan, watch).await);
    let mut result = SeedResult {
        seed: seed.0,
        hash: outcome.hash,
        ending: Ending::Good,
        clauses: BTreeMap::new(),
        faults: BTreeMap::new(),
        anchors: BTreeMap::new(),
        loss: Loss::default(),
        chosen: Vec::new(),
        counts: outcome.events.iter().map(|(kind, count)| ((*kind).to_owned(), *count)).collect(),
        terminal: 0,
        crashes_that_hurt: 0,
        zombies: 0,
        states: StateSet::default(),
        met: BTreeSet::new(),
        damage: None,
        simulated: outcome.simulated,
        wall: Duration::ZERO,
        work: None,
        events: outcome.events.values().sum(),
    };
    let judged = match outcome.result {
        Err(Failure::TimeLimit) => {
            result.ending = Ending::Broken(format!("no end within {TIME_LIMIT:?} of simulated time"));
            None
        }
        Err(Failure::Panicked { message, location }) => {
            result.ending = Ending::Broken(format!("the driver panicked at {location}: {message}"));
            None
        }
        Ok(evidence) => {
            let judged = Judged::of(evidence);
            fill(&mut result, &judged);
            if case.variation != Variation::default() {
                result.chosen.insert(0, ("run".to_owned(), case.to_string()));
            }
            Some(judged)
        }
    };
    if let (Ending::Good, Some(panic)) = (&result.ending, outcome.panics.first()) {
        let (task, message, location) = (&panic.task, &panic.message, &panic.location);
        result.ending = Ending::Broken(format!("task {task} panicked at {location}: {message}"));
    }
    result.wall = started.elapsed();
    (result, judged)
}

fn fill(result: &mut SeedResult, judged: &Judged) {
    let Judged { evidence, facts, report, coverage } = judged;
    result.clauses = report.counts.clone();
    if !report.violations.is_empty() {
        result.ending = Ending::Violated(report.violations.clone());
    }
    result.faults = evidence.faults.clone();
    result.anchors = evidence.anchors.clone();
    result.loss = evidence.loss;
    result.chosen = chosen(evidence);
    result.counts.insert("disk operations".into(), evidence.disk_operations);
    result.counts.insert("boots".into(), evidence.times.len() as u64);
    result.terminal =
        evidence.rows.as_ref().map_or(0, |rows| rows.jobs.values().filter(|job| job.finished).count() as u64);
    result.work = evidence.work;
    result.crashes_that_hurt = qualify::crashes_that_hurt(evidence, facts);
    result.zombies = qualify::zombies(evidence, facts);
    if coverage.left_out > 0 {
        result.counts.insert("jobs left out of the states".into(), coverage.left_out as u64);
    }
    result.states = coverage.reached.clone();
    result.met = coverage::met(evidence, facts);
    result.damage = Damage::of(evidence, facts);
}

fn chosen(evidence: &Evidence) -> Vec<(String, String)> {
    let plan = &evidence.plan;
    let features = serde_json::to_value(plan.features).expect("features are JSON");
    let on = features.as_object().into_iter().flatten().filter(|(_, on)| **on == true).map(|(name, _)| name.as_str());
    let workers: Vec<String> =
        plan.workers.iter().map(|worker| format!("{} × {:?}", worker.concurrency, worker.lease)).collect();
    let setting = match &plan.setting {
        Setting::Embedded(_) => "one program that embeds the queue".to_owned(),
        Setting::Cluster(machines) => {
            let (workers, clients, here) = (machines.workers.len(), machines.clients.len(), plan.workers_here.len());
            format!("a server with {here} worker(s) in it, {workers} worker(s) and {clients} client(s) elsewhere")
        }
    };
    let drifts = evidence.drift_ppm.values().filter(|ppm| **ppm != 0).count();
    [
        ("setting", setting),
        ("clocks that drift", drifts.to_string()),
        ("features", on.collect::<Vec<_>>().join(", ")),
        ("jobs wanted", plan.intents.len().to_string()),
        ("workers (jobs at once × lease)", workers.join(", ")),
        ("claimers by hand", format!("{} × {:?}", plan.raw_claimers, plan.raw_lease)),
        ("checkpoint at", format!("{} frames", plan.options.checkpoint_frames)),
        ("page", format!("{} bytes", plan.options.page_bytes)),
        ("faults scheduled", plan.faults.len().to_string()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .to_vec()
}
