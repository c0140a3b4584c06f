//! Runs scenario files: their workload, their faults at their moments, and what must come of it.
//!
//! A file is played by the programs of a cluster, and judged by the same checkers as a run of a seed,
//! and by its own expectations. A moment that never came makes it stale: it no longer tests what it says.

mod cast;
mod director;
mod expect;
mod files;
mod lapses;
mod moment;
mod print;
mod programs;
mod stage;

pub use files::{Files, REGRESSIONS, all_files, read};

use crate::checkers::{self, Facts, Report, Violation};
use crate::drive::Evidence;
use crate::event::Recorder;
use crate::image::Rows;
use crate::scn::{Invariant, Rest, Scenario};
use crate::workload::{Outside, PATH, Plan, Program};
use cast::Cast;
use director::Director;
use outlive_sim::{Nemesis, Options, Recording, Seed, View, World, run, sleep_true, true_time};
use serde::{Deserialize, Serialize};
use stage::Stage;
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
    let started = std::time::Instant::now();
    let seed = match scenario.rest {
        Rest::Calm {} => CALM,
        Rest::Seed { seed } => seed,
    };
    let settle = scenario.settle.unwrap_or(SETTLE);
    let time_limit = (settle + SETTLE) * (scenario.blocks.len() as u32 + 2);
    let options = Options { time_limit, recording, ..Options::default() };
    let script = Arc::new(scenario.clone());
    let outcome = run(Seed(seed), options, async move |world| play(world, script, settle).await);
    let mut replay = Replay {
        stale: Vec::new(),
        unmet: Vec::new(),
        violations: Vec::new(),
        broken: None,
        story: Vec::new(),
        hash: outcome.hash,
        simulated: outcome.simulated,
        wall: Duration::ZERO,
    };
    match outcome.result {
        Ok(Played { stale, unmet, report, story }) => {
            (replay.stale, replay.unmet, replay.story) = (stale, unmet, story);
            replay.violations = report.violations;
        }
        Err(failure) => replay.broken = Some(format!("it did not come to its end: {failure:?}")),
    }
    if let (None, Some(panic)) = (&replay.broken, outcome.panics.first()) {
        let (task, message, location) = (&panic.task, &panic.message, &panic.location);
        replay.broken = Some(format!("task {task} panicked at {location}: {message}"));
    }
    replay.wall = started.elapsed();
    replay
}

/// What the programs of a file are to do, without its faults.
pub fn plan_of(scenario: &Scenario) -> Plan {
    let script = scenario.clone();
    let outcome = run(Seed(CALM), Options::default(), async move |world| Cast::of(&script, &world).plan(&script));
    outcome.result.expect("nobody runs in it")
}

struct Played {
    stale: Vec<String>,
    unmet: Vec<String>,
    report: Report,
    story: Vec<String>,
}

async fn play(world: World, script: Arc<Scenario>, settle: Duration) -> Played {
    let cast = Arc::new(Cast::of(&script, &world));
    let plan = Arc::new(cast.plan(&script));
    let nemesis = Nemesis::start(&world, Vec::new());
    let director = Arc::new(Director::new(script.clone(), cast.clone()));
    let recorder = Recorder::new(nemesis.clone()).with_onlooker(director.clone());
    let outside = Outside::new(&[], world.fork("outside"));
    let program = Program { world: world.clone(), plan: plan.clone(), outside, recorder: recorder.clone() };
    let stage = Stage::new(program, cast.clone(), nemesis.clone());
    director.begin(stage.clone());
    world.spawn(stage.clone().raise(script.clone())).detach();
    let clock = world.spawn(lapses::keep_time(director.clone(), stage.clone()));
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
    stage.strike();
    let entries = stage.entries();
    let machine = cast.machines.store;
    let disk = world.disk(machine);
    let evidence = Evidence {
        rows: Rows::read(&disk.image(View::Cache), PATH),
        entries: recorder.history().entries(),
        times: world.times(),
        drift_ppm: world.machines().into_iter().map(|it| (it, world.clock(it).drift_ppm())).collect(),
        faults: nemesis.counts(),
        anchors: nemesis.anchors(),
        loss: nemesis.loss(),
        disk_operations: disk.operations(),
        plan,
        ended,
        calm_since,
    };
    let report = checkers::judge(&evidence, &Facts::of(&evidence));
    let (mut stale, mut unmet, story) = director.end();
    stale.extend(stage.faults_without_effect());
    let scene = expect::Scene::new(&cast, &entries, evidence.rows.as_ref().ok(), ended);
    let at_the_end = script.expect.iter().filter_map(|expectation| {
        let why = scene.judge(expectation, Some(&report))?;
        Some(format!("at the end: expect {expectation}, but {why}"))
    });
    unmet.extend(at_the_end);
    stage.forget();
    Played { stale, unmet, report, story }
}
