//! Runs scenario files: their workload, their faults at their moments, and what must come of it.
//!
//! A file is played by the programs of a cluster, and judged by the same checkers as a run of a seed,
//! and by its own expectations. A moment that never came makes it stale: it no longer tests what it says.

mod cast;
mod director;
mod expect;
mod fault;
mod files;
mod improvised;
mod lapses;
mod moment;
mod print;
mod programs;
mod stage;
#[cfg(test)]
mod tests;

pub use fault::kind_of;
pub use improvised::scenario_of;

pub use files::{Files, REGRESSIONS, all_files, read};

use crate::archive::Archive;
use crate::checkers::Violation;
use crate::drive::{Evidence, Watch, live};
use crate::event::Recorder;
use crate::runner::Judged;
use crate::scn::{Anchor, Invariant, Name, Rest, Scenario, Turn};
use crate::workload::{Outside, Plan, Program};
use cast::Cast;
use director::Director;
use fault::line_of;
use outlive_sim::timeline::Seen;
use outlive_sim::{Fault, Nemesis, Options, Recording, Seed, Task, Trigger, World, run, sleep_true, true_time};
use serde::{Deserialize, Serialize};
use stage::Stage;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// What came of a file.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Replay {
    /// Moments that never came, and faults that struck nothing.
    pub stale: Vec<String>,
    /// Expectations that were not met, with what was so instead.
    pub unmet: Vec<String>,
    /// What the checkers found.
    pub violations: Vec<Violation>,
    /// A panic, or a run without an end.
    pub broken: Option<String>,
    /// What happened, a line each.
    pub story: Vec<String>,
    /// What could be the moment of a block, and when it was.
    #[serde(skip)]
    pub moments: Vec<(Duration, Anchor)>,
    /// What the file calls each job of the store.
    #[serde(skip)]
    pub jobs: BTreeMap<i64, Name>,
    /// When each line took its turn, in the order of the file.
    #[serde(skip)]
    pub taken: Vec<Taken>,
    /// The hash over all events.
    pub hash: u64,
    /// Simulated time.
    pub simulated: Duration,
    /// Real time.
    pub wall: Duration,
}

/// How long a moment may let wait for itself, and everything may take in the end, if a file says nothing.
const SETTLE: Duration = Duration::from_secs(600);
const LOOK: Duration = Duration::from_millis(20);
/// The seed of a file that says `rest calm`.
const CALM: u64 = 1;

impl Replay {
    /// Whether everything was as the file says.
    pub fn passed(&self) -> bool {
        self.stale.is_empty() && self.unmet.is_empty() && self.violations.is_empty() && self.broken.is_none()
    }

    /// Whether something was caught that a file with these guards is about: an expectation of its own, or one of
    /// the invariants that it guards.
    pub fn caught(&self, guards: &[Invariant]) -> bool {
        let guarded = |violation: &Violation| {
            guards.iter().any(|guard| violation.clause.split('.').next() == Some(guard.as_str()))
        };
        !self.unmet.is_empty() || self.violations.iter().any(guarded)
    }
}

/// Plays a file.
pub fn replay(scenario: &Scenario, recording: Recording) -> Replay {
    watch(scenario, recording, Watch::Off).0
}

/// Plays a file, and keeps what there is to see of it.
pub fn watch(scenario: &Scenario, recording: Recording, watch: Watch) -> (Replay, Option<Judged>) {
    let started = std::time::Instant::now();
    let (seed, turn) = match scenario.rest {
        Rest::Calm {} => (CALM, 0),
        Rest::Seed { seed, turn: None } => (seed, 0),
        Rest::Seed { seed, turn: Some(Turn::Turn { turn }) } => (seed, turn),
    };
    let settle = scenario.settle.unwrap_or(SETTLE);
    let time_limit = (settle + SETTLE) * (scenario.blocks.len() as u32 + 2);
    let options = Options { time_limit, recording, turn, ..Options::default() };
    let script = Arc::new(scenario.clone());
    let outcome = run(Seed(seed), options, async move |world| play(world, script, settle, watch).await);
    let mut replay = Replay {
        stale: Vec::new(),
        unmet: Vec::new(),
        violations: Vec::new(),
        broken: None,
        story: Vec::new(),
        moments: Vec::new(),
        jobs: BTreeMap::new(),
        taken: Vec::new(),
        hash: outcome.hash,
        simulated: outcome.simulated,
        wall: Duration::ZERO,
    };
    let judged = match outcome.result {
        Ok(Played { stale, unmet, judged, story, moments, jobs, taken }) => {
            (replay.stale, replay.unmet, replay.story) = (stale, unmet, story);
            (replay.moments, replay.jobs, replay.taken) = (moments, jobs, taken);
            replay.violations = judged.report.violations.clone();
            Some(judged)
        }
        Err(failure) => {
            replay.broken = Some(format!("it did not come to its end: {failure:?}"));
            None
        }
    };
    if let (None, Some(panic)) = (&replay.broken, outcome.panics.first()) {
        let (task, message, location) = (&panic.task, &panic.message, &panic.location);
        replay.broken = Some(format!("task {task} panicked at {location}: {message}"));
    }
    replay.wall = started.elapsed();
    (replay, judged)
}

/// When a line of a block took its turn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// When its block was played.
    pub played: Option<Duration>,
    /// When what it armed struck, or the same if it did something at once.
    pub fired: Option<Duration>,
}

fn taken_by_plan(plan: &Plan, nemesis: &Nemesis) -> Vec<Taken> {
    let moments = nemesis.moments();
    let fired = |place: usize| moments.iter().find(|(it, _)| *it == place).map(|(_, at)| *at);
    let played = |fault: &Fault| if let Trigger::At(time) = fault.trigger { time } else { Duration::ZERO };
    let faults = plan.faults.iter().enumerate();
    faults.map(|(place, fault)| Taken { played: Some(played(fault)), fired: fired(place) }).collect()
}

/// What the programs of a file are to do, without its faults.
pub fn plan_of(scenario: &Scenario) -> Plan {
    Cast::of(scenario).plan(scenario)
}

struct Played {
    stale: Vec<String>,
    unmet: Vec<String>,
    judged: Judged,
    story: Vec<String>,
    moments: Vec<(Duration, Anchor)>,
    jobs: BTreeMap<i64, Name>,
    taken: Vec<Taken>,
}

async fn play(world: World, script: Arc<Scenario>, settle: Duration, watch: Watch) -> Played {
    let cast = Arc::new(Cast::of(&script));
    let plan = Arc::new(cast.plan(&script));
    plan.setting.build(&world, &plan.drift_ppm);
    let nemesis =
        Nemesis::start(&world, if script.world.improvised().is_some() { plan.faults.clone() } else { vec![] });
    let director = Arc::new(Director::new(script.clone(), cast.clone()));
    let deeds = watch.begin(&world, cast.machines.store);
    let recorder = Recorder::new(nemesis.clone()).with_onlooker(director.clone()).with_deeds(deeds);
    let outside =
        Outside::new(if script.world.improvised().is_some() { &plan.intents } else { &[] }, world.fork("outside"));
    let program = Program { world: world.clone(), plan: plan.clone(), outside, recorder };
    let stage = Stage::new(program.clone(), cast.clone(), nemesis.clone());
    let play = Play { script, cast, director, nemesis, program, stage };
    match play.script.world.improvised() {
        Some(_) => play.improvised().await,
        None => play.told(settle).await,
    }
}

/// All that a play has.
struct Play {
    script: Arc<Scenario>,
    cast: Arc<Cast>,
    director: Arc<Director>,
    nemesis: Nemesis,
    program: Program,
    stage: Stage,
}

impl Play {
    /// Everybody does as a run of a seed does.
    async fn improvised(self) -> Played {
        // Where everything comes at a time the nemesis has it all, and nobody need watch.
        let clock = cast::schedule_of(&self.script, &self.cast).is_none().then(|| self.watch());
        let evidence = live(self.program.clone(), self.nemesis.clone()).await;
        drop(clock);
        let waiting = self.nemesis.waiting().into_iter();
        let lines = waiting.filter_map(|place| line_of(self.program.plan.faults.get(place)?, &self.cast));
        let never = lines.map(|(_, line)| format!("`{line}` struck nothing: its moment never came")).collect();
        self.conclude(evidence, never)
    }

    /// Everybody does as the file tells them.
    async fn told(self, settle: Duration) -> Played {
        let Self { director, stage, nemesis, program, .. } = &self;
        program.world.spawn(stage.clone().raise(self.script.clone())).detach();
        let clock = self.watch();
        let (archive, looking) = Archive::begin(&program.world, &program.plan);
        // Each block has its time, and a file whose moment does not come is stale.
        let mut since = (0, true_time());
        while !director.is_done() && true_time() < since.1 + settle {
            sleep_true(LOOK).await;
            if director.done() > since.0 {
                since = (director.done(), true_time());
            }
        }
        director.end_blocks();
        stage.calm_down();
        nemesis.stop();
        let calm_since = true_time();
        sleep_true(settle).await;
        drop(clock);
        let ended = true_time();
        let seen = Seen::of(&program.world, nemesis);
        stage.strike();
        let rows = stage.rows().map(|rows| archive.complete(rows));
        drop(looking);
        let evidence = Evidence::gather(program, nemesis, rows, seen, (calm_since, ended));
        self.conclude(evidence, Vec::new())
    }

    /// From here on blocks happen.
    fn watch(&self) -> Task<()> {
        self.director.begin(self.stage.clone());
        self.program.world.spawn(lapses::keep_time(self.director.clone(), self.stage.clone()))
    }

    /// What it comes to. `never` is what never came, beside what the stage knows of.
    fn conclude(self, evidence: Evidence, never: Vec<String>) -> Played {
        let judged = Judged::of(evidence);
        let (moments, jobs) = (self.director.moments(), self.director.jobs());
        let mut taken = self.director.taken(&self.nemesis.moments());
        if taken.is_empty() {
            // Nobody watched: each line is the fault of its place.
            taken = taken_by_plan(&self.program.plan, &self.nemesis);
        }
        let (mut stale, mut unmet, story) = self.director.end();
        stale.extend(self.stage.faults_without_effect());
        stale.extend(never);
        let entries = self.stage.entries();
        let scene = {
            let Evidence { rows, ended, .. } = &judged.evidence;
            expect::Scene::new(&self.cast, &entries, rows.as_ref().ok(), *ended)
        };
        let at_the_end = self.script.expect.iter().filter_map(|expectation| {
            let why = scene.judge(expectation, Some(&judged.report))?;
            Some(format!("at the end: expect {expectation}, but {why}"))
        });
        unmet.extend(at_the_end);
        self.stage.forget();
        Played { stale, unmet, judged, story, moments, jobs, taken }
    }
}
