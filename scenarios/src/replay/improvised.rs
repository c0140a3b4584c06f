//! A run of a seed as a file: all that was chosen for it, in the words of the language.
//!
//! Such a world is *improvised*: producers, claimers and workers do as they do in a run of a seed. Played, the file
//! is that run, event for event. It is what a shrinker begins with.

use super::cast::Cast;
use super::fault::line_of;
use crate::scn::{
    Anchor, AttemptScript, Block, CatchUpWord, Expectation, Invariant, Job, JobName, JobOption, KeyFor, Name, Number,
    Outcome, Payload, Rest, RhythmWord, Scenario, Step, Times, Turn, Unmet, World, WorldItem,
};
use crate::workload::{Act, Deploy, Intent, Plan, SchedulePlan, Script, WorkerPlan};
use outlive::job::{self, Backoff, Policy, Rate};
use outlive::protocol::{KindPolicy, Scope, When};
use outlive_sim::Seed;
use std::time::Duration;

/// The file of a run of `seed` with this plan, in this order of tasks, that guards `guards`.
///
/// # Panics
/// If the plan has what no file can say: no seed's plan does.
pub fn scenario_of(plan: &Plan, seed: Seed, turn: u64, name: Name, guards: Vec<Invariant>) -> Scenario {
    let cast = Cast::of_plan(plan);
    Scenario {
        name,
        guards,
        bites: None,
        why: Vec::new(),
        world: World { items: items(plan, &cast) },
        jobs: plan.intents.iter().map(job).collect(),
        rest: Rest::Seed { seed: seed.0, turn: (turn > 0).then_some(Turn::Turn { turn }) },
        blocks: blocks(plan, &cast),
        settle: None,
        expect: vec![Expectation::InvariantsHold {}],
    }
}

fn items(plan: &Plan, cast: &Cast) -> Vec<WorldItem> {
    let machines = plan.setting.cluster();
    let first = if machines.is_some() { WorldItem::Store {} } else { WorldItem::Program {} };
    let mut items = vec![first, WorldItem::Workers { names: cast.workers().to_vec() }];
    let mut add = |wanted: bool, item: WorldItem| items.extend(wanted.then_some(item));
    add(machines.is_some(), WorldItem::Clients { names: cast.clients().to_vec() });
    add(machines.is_some_and(|machines| machines.middlebox.is_some()), WorldItem::Middlebox {});
    add(true, WorldItem::Improvised { end: plan.faults_end });
    if let Some(WorkerPlan { lease, .. }) = plan.workers.first() {
        add(true, WorldItem::Lease { lease: *lease });
    }
    add(true, WorldItem::Concurrency { jobs: plan.workers.iter().map(|worker| count(worker.concurrency)).collect() });
    for worker in &plan.workers_here {
        add(true, WorldItem::StoreWorker { jobs: count(worker.concurrency) });
    }
    let (pause, burst) = (plan.enqueue_pause, count(plan.burst));
    add(true, WorldItem::Producers { count: count(plan.producers as usize), pause, burst });
    if plan.raw_claimers > 0 {
        let claimers = WorldItem::Claimers { count: count(plan.raw_claimers as usize), lease: plan.raw_lease };
        add(true, claimers);
    }
    add(machines.is_some(), WorldItem::Patience { patience: plan.patience });
    let drifts = plan.drift_ppm.iter().map(|ppm| Number::new(i64::from(*ppm)).expect("a drift is within the model"));
    add(plan.drift_ppm.iter().any(|ppm| *ppm != 0), WorldItem::Drifts { ppm: drifts.collect() });
    add(plan.features.repeats, WorldItem::Repeats {});
    add(plan.features.cancels, WorldItem::Cancels {});
    add(plan.features.judges, WorldItem::Judges {});
    add(plan.features.batches, WorldItem::Batches {});
    add(plan.features.copies, WorldItem::Copies {});
    add(plan.features.compactions, WorldItem::Compactions {});
    add(plan.features.awaits, WorldItem::Awaits {});
    add(plan.features.waits, WorldItem::Waits {});
    add(plan.features.mischief, WorldItem::Mischief {});
    add(plan.features.pauses, WorldItem::Pauses {});
    add(plan.features.retries, WorldItem::Retries {});
    for limits in &plan.limits {
        let queue = || Name::new(&limits.queue).expect("what a plan names is a name");
        if let Some(jobs) = limits.at_once {
            add(true, WorldItem::AtOnce { jobs: count(jobs as usize), queue: queue() });
        }
        if let Some(jobs) = limits.at_once_per_key {
            add(true, WorldItem::AtOncePerKey { jobs: count(jobs as usize), queue: queue() });
        }
        if let Some(Rate { jobs, per_ms, burst }) = limits.rate {
            let (jobs, burst) = (count(jobs as usize), count(burst as usize));
            add(true, WorldItem::Rate { jobs, period: Duration::from_millis(per_ms), burst, queue: queue() });
        }
    }
    for KindPolicy { kind, policy } in &plan.policies {
        let kind = || Name::new(kind).expect("what a plan names is a name");
        let Policy { backoff, max_attempts, max_age_ms, timeout_ms, crashes_max } = *policy;
        match backoff {
            Some(Backoff::Fixed { rest }) => add(true, WorldItem::FixedBackoff { rest, kind: kind() }),
            Some(Backoff::Exponential { first, longest }) => {
                add(true, WorldItem::KindBackoff { first, longest, kind: kind() });
            }
            None => {}
        }
        if let Some(attempts) = max_attempts {
            add(true, WorldItem::MaxAttempts { attempts: count(attempts as usize), kind: kind() });
        }
        if let Some(ms) = max_age_ms {
            add(true, WorldItem::MaxAge { age: Duration::from_millis(ms), kind: kind() });
        }
        if let Some(ms) = timeout_ms {
            add(true, WorldItem::Timeout { longest: Duration::from_millis(ms), kind: kind() });
        }
        if let Some(crashes) = crashes_max {
            add(true, WorldItem::KindCrashes { crashes: count(crashes as usize), kind: kind() });
        }
    }
    for SchedulePlan { name, interval, by_cron, catch_up, late, kind } in &plan.schedules {
        let named = |text: &str| Name::new(text).expect("what a plan names is a name");
        let rhythm = if *by_cron { RhythmWord::Cron } else { RhythmWord::Every };
        let (name, kind, catch_up) = (named(name), named(kind), CatchUpWord::of(*catch_up));
        add(true, WorldItem::Schedule { name, rhythm, interval: *interval, catch_up, late: *late, kind });
    }
    if let Some(Deploy { kind, changes }) = &plan.deploy {
        let kind = Name::new(kind).expect("what a plan names is a name");
        add(true, WorldItem::Deploy { kind, changes: changes.clone() });
    }
    add(plan.features.restarts, WorldItem::Restarts {});
    add(plan.features.rivals, WorldItem::Rivals {});
    let limits = &plan.options.limits;
    add(true, WorldItem::Checkpoint { frames: count(plan.options.checkpoint_frames as usize) });
    if let Some(step) = plan.options.ageing {
        add(true, WorldItem::Ageing { step });
    }
    add(plan.options.page_checksums, WorldItem::Checksums {});
    for state in Outcome::ALL {
        if let Some(kept) = *state.kept(&mut plan.options.retention.clone()) {
            add(true, WorldItem::Keep { state, kept });
        }
    }
    add(true, WorldItem::Page { bytes: count(plan.options.page_bytes as usize) });
    add(plan.sync_latency > Duration::ZERO, WorldItem::Sync { takes: plan.sync_latency });
    add(true, WorldItem::Downtime { lasting: plan.downtime });
    let exponential = |backoff| match backoff {
        Backoff::Exponential { first, longest } => (first, longest),
        Backoff::Fixed { .. } => unreachable!("what is decided for all kinds is exponential in a plan"),
    };
    let (first, longest) = exponential(limits.backoff);
    add(true, WorldItem::Backoff { first, longest });
    let (first, longest) = exponential(limits.crash_backoff);
    add(true, WorldItem::CrashBackoff { first, longest });
    add(true, WorldItem::CrashesMax { crashes: count(limits.crashes_max as usize) });
    items
}

fn job(intent: &Intent) -> Job {
    let enqueue = &intent.enqueue;
    let name = |text: &str| Name::new(text).expect("what a plan names is a name");
    let mut options = vec![JobOption::Kind { kind: name(&enqueue.kind) }];
    let mut add = |wanted: bool, option: JobOption| options.extend(wanted.then_some(option));
    if let Some(key) = &enqueue.key {
        add(true, JobOption::Key { key: name(&key.name) });
    }
    match intent.enqueue.key.as_ref().map(|key| key.scope) {
        Some(Scope::WhilePending) => add(true, JobOption::KeyFor { scope: KeyFor::Pending {} }),
        Some(Scope::PeriodMs(ms)) => {
            add(true, JobOption::KeyFor { scope: KeyFor::Period { period: Duration::from_millis(ms) } });
        }
        Some(Scope::Forever) | None => {}
    }
    if let Some((numbers, unmet)) = &intent.after {
        let job = |number: &u64| JobName(name(&format!("j{number}")));
        add(true, JobOption::After { jobs: numbers.iter().map(job).collect() });
        let unmet = match unmet {
            job::Unmet::Cancel => Unmet::Cancel {},
            job::Unmet::Discard => Unmet::Discard {},
            job::Unmet::Run => Unmet::Run {},
        };
        add(true, JobOption::Unmet { unmet });
    }
    match intent.repeats {
        0 => {}
        1 => add(true, JobOption::Asked { times: Times::Twice {} }),
        _ => add(true, JobOption::Asked { times: Times::Often {} }),
    }
    add(enqueue.queue != "default", JobOption::Queue { queue: name(&enqueue.queue) });
    let priority = Number::new(i64::from(enqueue.priority)).expect("a priority is within its limits");
    add(enqueue.priority != 0, JobOption::Priority { priority });
    if let Some(key) = &enqueue.concurrency_key {
        add(true, JobOption::ConcurrencyKey { key: name(key) });
    }
    if let Some(parent) = &enqueue.trace_parent {
        add(true, JobOption::Trace { trace: count(parent.span_id() as usize) });
    }
    if let Some(attempts) = enqueue.max_attempts {
        add(true, JobOption::MaxAttempts { attempts: count(attempts as usize) });
    }
    if let Some(age) = enqueue.max_age_ms {
        add(true, JobOption::MaxAge { age: Duration::from_millis(age) });
    }
    match enqueue.when {
        When::Now => {}
        When::After(ms) => add(true, JobOption::Delay { delay: Duration::from_millis(ms) }),
        When::At(wall) => add(true, JobOption::RunAt { wall_ms: wall.0.cast_unsigned() }),
    }
    match serde_json::from_str::<Script>(&enqueue.payload) {
        Ok(Script { acts, work_ms, steps, reports, lines, signals, others, .. }) => {
            add(true, JobOption::Work { work: Duration::from_millis(work_ms) });
            if steps > 0 {
                add(true, JobOption::Steps { steps: count(steps as usize) });
            }
            if reports > 0 {
                add(true, JobOption::Reports { reports: count(reports as usize) });
            }
            if lines > 0 {
                add(true, JobOption::Lines { lines: count(lines as usize) });
            }
            if signals > 0 {
                add(true, JobOption::Signals { signals: count(signals as usize) });
            }
            if others > 0 {
                add(true, JobOption::Others { others: count(others as usize) });
            }
            add(acts != [Act::Complete], JobOption::Attempts { ends: acts.iter().map(end).collect() });
        }
        Err(_) => add(true, JobOption::Payload { payload: Payload::Garbage }),
    }
    Job { name: name(&format!("j{}", intent.number)), options }
}

fn end(act: &Act) -> AttemptScript {
    match act {
        Act::Complete => AttemptScript::Complete {},
        Act::Fail => AttemptScript::Fail {},
        Act::FailAfter(ms) => AttemptScript::FailAfter { after: Duration::from_millis(*ms) },
        Act::Discard => AttemptScript::Discard {},
        Act::Panic => AttemptScript::Panic {},
        Act::ServiceDown(ms) => AttemptScript::ServiceDown { probe: Duration::from_millis(*ms) },
        Act::LookAgain(ms) => AttemptScript::LookAgain { after: Duration::from_millis(*ms) },
        Act::Snooze(ms) => AttemptScript::Snooze { lasting: Duration::from_millis(*ms) },
        Act::Transfer => AttemptScript::Transfer {},
        Act::TakeBack => AttemptScript::TakeBack {},
        Act::Kill => AttemptScript::Crash {},
        Act::Hang => AttemptScript::Hang {},
    }
}

/// A block for each time, in order: what waits for something is there from the beginning.
fn blocks(plan: &Plan, cast: &Cast) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    for fault in &plan.faults {
        let (time, action) = line_of(fault, cast).unwrap_or_else(|| panic!("no file can say {fault:?}"));
        let anchor = Anchor::At { time };
        match blocks.iter_mut().find(|block| block.anchor == anchor) {
            Some(block) => block.steps.push(Step::Do(action)),
            None => blocks.push(Block { anchor, steps: vec![Step::Do(action)] }),
        }
    }
    blocks
}

fn count<const MIN: i64, const MAX: i64>(number: usize) -> Number<MIN, MAX> {
    Number::new(i64::try_from(number).expect("a plan's numbers are small")).expect("a plan is within the limits")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::replay::replay;
    use crate::runner::run_seed;
    use crate::scn::parse;
    use crate::workload::Workload;
    use outlive_sim::Recording;

    fn of_seed(seed: u64) -> Scenario {
        let plan = Plan::of_seed(Seed(seed), Workload::Both);
        let name = Name::new(&format!("seed-{seed}")).unwrap();
        scenario_of(&plan, Seed(seed), 0, name, Invariant::all().take(1).collect())
    }

    #[test]
    fn the_file_of_any_seed_reads_back_as_the_same_plan() {
        for seed in 0..500 {
            let scenario = of_seed(seed);
            let text = scenario.to_string();
            let read = parse(&text).unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(read, scenario, "{text}");
            let plan = Cast::of(&read).plan(&read);
            let again = scenario_of(&plan, Seed(seed), 0, read.name.clone(), read.guards.clone());
            assert_eq!(again.to_string(), text);
            assert_eq!(plan.faults, Plan::of_seed(Seed(seed), Workload::Both).faults, "seed {seed}");
        }
    }

    #[test]
    fn played_the_file_of_a_seed_is_its_run() {
        for seed in [1, 2, 3, 4, 5, 6] {
            let played = replay(&of_seed(seed), Recording::Off);
            assert_eq!(played.broken, None);
            assert_eq!(played.hash, run_seed(Seed(seed), Workload::Both, Recording::Off).hash, "seed {seed}");
        }
    }
}
