//! Simpler values for what can't be left out.

use super::parts::{Line, lines, nth_of, with_lines};
use crate::scn::{Action, Anchor, AttemptScript, For, JobOption, Nth, Number, Process, Scenario, World, WorldItem};
use std::time::Duration;

/// Scenarios that are a little simpler than this one, the simplest first.
pub fn simpler(scenario: &Scenario) -> Vec<Scenario> {
    [machines(scenario), items(scenario), jobs(scenario), faults(scenario)].concat()
}

/// Fewer machines: without a worker, or a client, of which no line speaks.
fn machines(scenario: &Scenario) -> Vec<Scenario> {
    let spoken_of = |name: &str| {
        let lines = lines(scenario);
        lines.iter().any(|line| {
            let text = format!("{} {}", line.anchor, line.action);
            text.split(' ').any(|word| word == name)
        })
    };
    let mut all = Vec::new();
    for (place, item) in scenario.world.items.iter().enumerate() {
        let (WorldItem::Workers { names } | WorldItem::Clients { names }) = item else { continue };
        for name in names.iter().filter(|name| names.len() > 1 && !spoken_of(name.as_str())) {
            let names = names.iter().filter(|other| *other != name).cloned().collect();
            let mut items = scenario.world.items.clone();
            items[place] = match item {
                WorldItem::Workers { .. } => WorldItem::Workers { names },
                _ => WorldItem::Clients { names },
            };
            // One for all, because one for each would be one too many now.
            for item in &mut items {
                if let WorldItem::Concurrency { jobs } = item {
                    jobs.truncate(1);
                }
            }
            all.push(with_items(scenario, items));
        }
    }
    all
}

fn items(scenario: &Scenario) -> Vec<Scenario> {
    let mut all = Vec::new();
    for (place, item) in scenario.world.items.iter().enumerate() {
        let simpler: Vec<WorldItem> = match item {
            WorldItem::Improvised { end } => {
                shorter(*end).into_iter().map(|end| WorldItem::Improvised { end }).collect()
            }
            WorldItem::Concurrency { jobs } => {
                let first = jobs.first().copied();
                let fewer = fewer(first.map_or(1, |jobs: Number<1, 1_000>| jobs.get()));
                let whole = (jobs.len() > 1).then(|| first.into_iter().collect());
                let fewer = fewer.into_iter().filter_map(|jobs| Some(vec![Number::new(jobs)?]));
                fewer.chain(whole).map(|jobs| WorldItem::Concurrency { jobs }).collect()
            }
            WorldItem::Producers { count, pause, burst } => {
                let counts = fewer(count.get()).into_iter().filter_map(Number::new);
                let counts = counts.map(|count| WorldItem::Producers { count, pause: *pause, burst: *burst });
                let bursts = fewer(burst.get()).into_iter().filter_map(Number::new);
                let bursts = bursts.map(|burst| WorldItem::Producers { count: *count, pause: *pause, burst });
                counts.chain(bursts).collect()
            }
            WorldItem::Claimers { count, lease } => {
                let counts = fewer(count.get()).into_iter().filter_map(Number::new);
                counts.map(|count| WorldItem::Claimers { count, lease: *lease }).collect()
            }
            _ => Vec::new(),
        };
        for item in simpler {
            let mut items = scenario.world.items.clone();
            items[place] = item;
            all.push(with_items(scenario, items));
        }
    }
    all
}

fn jobs(scenario: &Scenario) -> Vec<Scenario> {
    let mut all = Vec::new();
    for (job, place) in scenario.jobs.iter().zip(0..) {
        for (at, option) in job.options.iter().enumerate() {
            let simpler: Vec<JobOption> = match option {
                JobOption::Work { work } => shorter(*work).into_iter().map(|work| JobOption::Work { work }).collect(),
                JobOption::Delay { delay } => {
                    shorter(*delay).into_iter().map(|delay| JobOption::Delay { delay }).collect()
                }
                JobOption::Steps { steps } => {
                    let fewer = fewer(steps.get()).into_iter().filter_map(Number::new);
                    fewer.map(|steps| JobOption::Steps { steps }).collect()
                }
                JobOption::Reports { reports } => {
                    let fewer = fewer(reports.get()).into_iter().filter_map(Number::new);
                    fewer.map(|reports| JobOption::Reports { reports }).collect()
                }
                JobOption::Lines { lines } => {
                    let fewer = fewer(lines.get()).into_iter().filter_map(Number::new);
                    fewer.map(|lines| JobOption::Lines { lines }).collect()
                }
                JobOption::Signals { signals } => {
                    let fewer = fewer(signals.get()).into_iter().filter_map(Number::new);
                    fewer.map(|signals| JobOption::Signals { signals }).collect()
                }
                JobOption::Others { others } => {
                    let fewer = fewer(others.get()).into_iter().filter_map(Number::new);
                    fewer.map(|others| JobOption::Others { others }).collect()
                }
                JobOption::After { jobs } if jobs.len() > 1 => {
                    let without = |place: usize| [&jobs[..place], &jobs[place + 1..]].concat();
                    let mut all: Vec<_> =
                        (0..jobs.len()).map(|place| JobOption::After { jobs: without(place) }).collect();
                    // A name that stands there twice.
                    all.dedup();
                    all
                }
                JobOption::Attempts { ends } => fewer_ends(ends),
                _ => Vec::new(),
            };
            for option in simpler {
                let mut scenario = scenario.clone();
                scenario.jobs[place].options[at] = option;
                all.push(scenario);
            }
        }
    }
    all
}

/// Without one of the ends.
fn fewer_ends(ends: &[AttemptScript]) -> Vec<JobOption> {
    let places = 0..if ends.len() > 1 { ends.len() } else { 0 };
    let without = |place: usize| [&ends[..place], &ends[place + 1..]].concat();
    let mut all: Vec<JobOption> = places.map(|place| JobOption::Attempts { ends: without(place) }).collect();
    // Of two alike that follow each other it does not matter which one goes.
    all.dedup();
    all
}

fn faults(scenario: &Scenario) -> Vec<Scenario> {
    let lines = lines(scenario);
    let mut all = Vec::new();
    for place in 0..lines.len() {
        for line in simpler_lines(&lines[place]) {
            let mut lines = lines.clone();
            lines[place] = line;
            all.push(with_lines(scenario, &lines));
        }
    }
    all
}

fn simpler_lines(line: &Line) -> Vec<Line> {
    let mut all = Vec::new();
    let with = |action: Action| Line { anchor: line.anchor.clone(), action };
    match &line.action {
        // Death alone is simpler than the loss of power.
        Action::PowerLoss { process, at, .. } => {
            all.push(with(Action::Crash { process: process.clone(), at: at.clone() }));
        }
        Action::Pause { process, at, polls: Some(_), lasting } => {
            let (process, at, lasting) = (process.clone(), at.clone(), lasting.clone());
            all.push(with(Action::Pause { process, at, polls: None, lasting }));
        }
        _ => {}
    }
    for nth in earlier(&line.action) {
        let mut action = line.action.clone();
        if let Some(place) = nth_of(&mut action) {
            *place = nth;
            all.push(with(action));
        }
    }
    let mut action = line.action.clone();
    for shorter in lasting_of(&mut action).map(|lasting| shorter(*lasting)).unwrap_or_default() {
        let mut action = line.action.clone();
        if let Some(lasting) = lasting_of(&mut action) {
            *lasting = shorter;
            all.push(with(action));
        }
    }
    if let Anchor::At { time } = line.anchor {
        let sooner = shorter(time).into_iter().filter(|sooner| !sooner.is_zero());
        all.extend(sooner.map(|time| Line { anchor: Anchor::At { time }, action: line.action.clone() }));
    }
    all
}

fn earlier(action: &Action) -> Vec<Nth> {
    let mut action = action.clone();
    let now = nth_of(&mut action).map_or(1, |Nth(nth)| nth.get());
    fewer(now).into_iter().filter_map(Number::new).map(Nth).collect()
}

fn lasting_of(action: &mut Action) -> Option<&mut Duration> {
    match action {
        Action::Pause { lasting: Some(For::For { lasting }), .. }
        | Action::Partition { lasting: Some(For::For { lasting }), .. }
        | Action::Clog { lasting: Some(For::For { lasting }), .. }
        | Action::SlowLink { lasting: For::For { lasting }, .. }
        | Action::HangConnects { lasting: For::For { lasting }, .. }
        | Action::LateEnds { lasting: For::For { lasting }, .. }
        | Action::FullDisk { lasting: For::For { lasting } }
        | Action::SlowDisk { lasting: For::For { lasting }, .. } => Some(lasting),
        Action::Late { by, .. } => Some(by),
        Action::Replay { after, .. } => Some(after),
        Action::JumpClock { process: Process::Store | Process::Worker(_) | Process::Client(_), by } => Some(&mut by.by),
        _ => None,
    }
}

/// Smaller numbers from 1 on.
fn fewer(now: i64) -> Vec<i64> {
    let mut fewer: Vec<i64> = [1, 2, now / 2, now - 1].into_iter().filter(|it| (1..now).contains(it)).collect();
    fewer.sort_unstable();
    fewer.dedup();
    fewer
}

/// Shorter times: round ones if there are.
fn shorter(now: Duration) -> Vec<Duration> {
    let round = [0, 1, 10, 100, 1_000, 2_000, 5_000, 10_000, 20_000, 60_000].map(Duration::from_millis);
    let half = Duration::from_millis((now.as_millis() / 2) as u64);
    let whole = Duration::from_secs(now.as_secs());
    let mut all: Vec<Duration> = round.into_iter().chain([half, whole]).filter(|it| *it < now).collect();
    all.sort_unstable();
    all.dedup();
    // Of all that are shorter, a few that are far apart will do.
    all.retain(|it| it.is_zero() || *it >= now / 20);
    all
}

fn with_items(scenario: &Scenario, items: Vec<WorldItem>) -> Scenario {
    Scenario { world: World { items }, ..scenario.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::replay::scenario_of;
    use crate::scn::{Invariant, Name, parse};
    use crate::workload::{Plan, Workload};
    use outlive_sim::Seed;
    use std::collections::BTreeSet;

    #[test]
    fn what_is_simpler_can_be_written_and_is_another_one() {
        for seed in 0..12 {
            let plan = Plan::of_seed(Seed(seed), Workload::Both);
            let name = Name::new("whole").unwrap();
            let scenario = scenario_of(&plan, Seed(seed), 0, name, Invariant::all().take(1).collect());
            let candidates = simpler(&scenario);
            assert!(candidates.len() > 50, "seed {seed} has only {}", candidates.len());
            let mut texts = BTreeSet::from([scenario.to_string()]);
            for candidate in candidates {
                let text = candidate.to_string();
                assert_eq!(parse(&text).as_ref(), Ok(&candidate), "{text}");
                assert!(texts.insert(text), "the same twice");
            }
        }
    }

    #[test]
    fn a_number_comes_down_to_one_and_a_time_to_nothing() {
        let mut number = 59;
        while let Some(next) = fewer(number).first() {
            assert!(*next < number);
            number = *next;
        }
        assert_eq!(number, 1);
        let mut time = Duration::from_micros(7_654_321);
        for _ in 0..20 {
            let Some(next) = shorter(time).first().copied() else { break };
            assert!(next < time);
            time = next;
        }
        assert_eq!(time, Duration::ZERO);
    }
}
