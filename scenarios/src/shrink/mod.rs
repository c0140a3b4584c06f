//! From a failing run to the smallest story that fails in the same way.
//!
//! Everything is a scenario: the run of a seed is one (`replay::scenario_of`), every candidate is one that is played,
//! and the smallest is what is written. What counts as the same failure is its clause and the transition that broke.
//!
//! The order is that of what costs a person most to understand: faults, then jobs, then the world, then values.
//! Between faults and jobs, faults get moments that mean something ([`anchoring`]). Delta debugging itself is
//! `outlive_sim::Shrinker`.

mod anchoring;
mod command;
mod failure;
mod parts;
mod simpler;

pub use command::{Shrink, Sizes};
pub use failure::Failure;

use crate::checkers::Violation;
use crate::replay::{Replay, replay, scenario_of};
use crate::runner::{Case, SeedResult, run_case};
use crate::scn::{Invariant, Name, Rest, Scenario, Turn};
use crate::workload::Workload;
use outlive_sim::{Budget, FaultKind, Recording, Seed, Shrinker};
use parts::{Line, choices, lines, options, with_choices, with_jobs, with_lines, with_options};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// Orders of tasks in which a candidate is tried before it is given up: few for a large one, which takes its time,
/// more for a small one, which has fewer occasions to fail.
fn turns(scenario: &Scenario) -> u64 {
    let (faults, jobs) = size(scenario);
    (40 / (faults + jobs).max(1) as u64).clamp(1, 10)
}

/// Rounds over all parts: a round that changes nothing is the last.
const ROUNDS_MAX: usize = 6;

/// Faults that a person takes in at once: with more than these, other choices of so many are tried.
const FEW: usize = 3;

/// What shrinking came to.
#[derive(Clone, Debug)]
pub struct Shrunk {
    /// The failure.
    pub failure: Failure,
    /// The scenario that the seed's run is.
    pub whole: Scenario,
    /// The smallest one that fails in the same way.
    pub smallest: Scenario,
    /// What it says when it is played.
    pub violation: Option<Violation>,
    /// For each fault of the smallest one, its kind, and whether nothing fails without it.
    pub necessary: Vec<(FaultKind, bool)>,
    /// Candidates that were played, each in several orders of tasks.
    pub tries: u64,
    /// Whether the budget was used up: then it may not be the smallest.
    pub exhausted: bool,
    /// Real time.
    pub wall: Duration,
}

/// How many faults and jobs a scenario has.
pub fn size(scenario: &Scenario) -> (usize, usize) {
    (lines(scenario).len(), scenario.jobs.len())
}

/// Plays candidates, and remembers in which order of tasks each failed.
struct Stagehand {
    failure: Failure,
    /// By the text of a scenario without its turn.
    turns: RefCell<BTreeMap<String, u64>>,
    latest: RefCell<u64>,
}

impl Stagehand {
    /// Plays a candidate in several orders of tasks, the one that last failed first: whether it fails so.
    fn still_fails(&self, scenario: &Scenario) -> bool {
        self.failing(scenario).is_some()
    }

    fn failing(&self, scenario: &Scenario) -> Option<Replay> {
        if scenario.jobs.is_empty() {
            return None;
        }
        let latest = *self.latest.borrow();
        for turn in [latest].into_iter().chain((0..turns(scenario)).filter(|turn| *turn != latest)) {
            let played = replay(&with_turn(scenario, turn), Recording::Off);
            if Failure::of_replay(&played).contains(&self.failure) {
                *self.latest.borrow_mut() = turn;
                self.turns.borrow_mut().insert(key(scenario), turn);
                return Some(played);
            }
        }
        None
    }

    /// The job that the failure is about.
    fn subject(&self, played: &Replay) -> Option<Name> {
        let Failure::Violation { clause, transition } = &self.failure else { return None };
        let same = |it: &&Violation| (&it.clause, &it.transition) == (clause, transition);
        let job = played.violations.iter().find(same)?.subject.job?;
        played.jobs.get(&job).cloned()
    }

    /// As it failed.
    fn in_its_turn(&self, scenario: &Scenario) -> Scenario {
        with_turn(scenario, self.turns.borrow().get(&key(scenario)).copied().unwrap_or(0))
    }
}

fn with_turn(scenario: &Scenario, turn: u64) -> Scenario {
    let Rest::Seed { seed, .. } = scenario.rest else { return scenario.clone() };
    let turn = (turn > 0).then_some(Turn::Turn { turn });
    Scenario { rest: Rest::Seed { seed, turn }, ..scenario.clone() }
}

/// A scenario whatever its turn is.
fn key(scenario: &Scenario) -> String {
    with_turn(scenario, 0).to_string()
}

/// Shrinks the run of a seed, which fails: by a violation of the invariant `about`, or by whatever it is if none is
/// given. `progress` hears of each smaller scenario.
///
/// # Errors
/// If the run does not fail so, or does not fail when it is played as a file: then what was seen instead.
pub fn shrink(
    case: Case,
    workload: Workload,
    about: Option<&str>,
    limit: Duration,
    progress: &dyn Fn(&Scenario),
) -> Result<Shrunk, String> {
    let started = Instant::now();
    let result: SeedResult = run_case(case, workload, Recording::Off);
    let failures = Failure::of_run(&result.ending);
    let is_wanted = |failure: &&Failure| about.is_none_or(|about| failure.invariant() == about);
    let Some(failure) = failures.iter().find(is_wanted).cloned() else {
        return Err(match (about, failures.first()) {
            (Some(about), Some(other)) => format!("{case} has no failure of {about}; it fails by {other}"),
            _ => format!("{case} does not fail: there is nothing to shrink"),
        });
    };
    let guards = Invariant::all().filter(|invariant| invariant.as_str() == failure.invariant()).collect();
    let name = Name::new(&case.file_name()).expect("it is a name");
    let whole = scenario_of(&case.plan(workload), Seed(case.seed), case.variation.turn, name, guards);
    let stagehand =
        Stagehand { failure: failure.clone(), turns: RefCell::default(), latest: RefCell::new(case.variation.turn) };
    let mut shrinker = Shrinker::new(Budget::UNLIMITED.within(limit), key, |scenario| stagehand.still_fails(scenario))
        .on_try(|tried| {
            if tried.still_fails {
                progress(tried.case);
            }
        });
    if shrinker.fails(&whole) != Some(true) {
        return Err(format!("{case} fails by {failure}, but its scenario does not when it is played"));
    }
    let seen = replay(&stagehand.in_its_turn(&whole), Recording::Off);
    let timed = anchoring::timed(&whole, &seen);
    let mut smallest = if shrinker.fails(&timed) == Some(true) { timed } else { whole.clone() };
    if let Some(subject) = stagehand.subject(&seen) {
        smallest = leap(&mut shrinker, smallest, &subject);
    }
    for _ in 0..ROUNDS_MAX {
        let before = key(&smallest);
        smallest = round(&mut shrinker, &stagehand, smallest);
        if key(&smallest) == before || shrinker.is_exhausted() {
            break;
        }
    }
    let left = lines(&smallest);
    let needed = shrinker.necessary(&left, |kept| with_lines(&smallest, kept));
    let (tries, exhausted) = (shrinker.tries(), shrinker.is_exhausted());
    drop(shrinker);
    let smallest = stagehand.in_its_turn(&smallest);
    let violation = stagehand.failing(&smallest).and_then(|played| {
        let same = |violation: &Violation| match &failure {
            Failure::Violation { clause, transition } => {
                (&violation.clause, &violation.transition) == (clause, transition)
            }
            Failure::Broken { .. } => false,
        };
        played.violations.into_iter().find(same)
    });
    let kinds = left.iter().map(|line| crate::replay::kind_of(&line.action));
    let necessary = kinds.zip(needed).filter_map(|(kind, needed)| Some((kind?, needed != Some(false)))).collect();
    Ok(Shrunk { failure, whole, smallest, violation, necessary, tries, exhausted, wall: started.elapsed() })
}

/// The first so many of `lines` with which the scenario still fails: single ones first, then pairs, and so on.
fn few(
    shrinker: &mut Shrinker<'_, Scenario, String>,
    scenario: &Scenario,
    lines: &[Line],
    most: usize,
) -> Option<Vec<Line>> {
    let mut chosen: Vec<Vec<usize>> = vec![Vec::new()];
    for _ in 0..most {
        let longer = |places: &Vec<usize>| {
            let next = places.last().map_or(0, |last| last + 1);
            (next..lines.len()).map(|place| [&places[..], &[place]].concat()).collect::<Vec<_>>()
        };
        chosen = chosen.iter().flat_map(longer).collect();
        let of = |places: &Vec<usize>| places.iter().map(|place| lines[*place].clone()).collect::<Vec<_>>();
        let mut candidates = chosen.iter().map(of);
        if let Some(few) = candidates.find(|few| shrinker.fails(&with_lines(scenario, few)) == Some(true)) {
            return Some(few);
        }
        if shrinker.is_exhausted() {
            return None;
        }
    }
    None
}

/// One fault of those, alone, at any moment of a run without faults: the one that it had may have been the right one
/// only because of the others.
fn alone(shrinker: &mut Shrinker<'_, Scenario, String>, scenario: &Scenario, lines: &[Line]) -> Option<Vec<Line>> {
    let calm = replay(&with_lines(scenario, &[]), Recording::Off);
    let candidates = anchoring::alone(lines, &calm);
    candidates
        .into_iter()
        .find(|line| {
            let scenario = with_lines(scenario, std::slice::from_ref(line));
            shrinker.fails(&scenario) == Some(true)
        })
        .map(|line| vec![line])
}

/// Leaves out most jobs at once: all but the one that the failure is about, and some that came before it.
fn leap(shrinker: &mut Shrinker<'_, Scenario, String>, scenario: Scenario, subject: &Name) -> Scenario {
    let Some(place) = scenario.jobs.iter().position(|job| job.name == *subject) else { return scenario };
    for others in [0, 1, 3, 7, 15] {
        let smaller = with_jobs(&scenario, &scenario.jobs[place.saturating_sub(others)..=place]);
        if shrinker.fails(&smaller) == Some(true) {
            return smaller;
        }
    }
    scenario
}

/// Leaves out and simplifies every part once.
fn round(shrinker: &mut Shrinker<'_, Scenario, String>, stagehand: &Stagehand, scenario: Scenario) -> Scenario {
    let mut now = scenario;
    let all = lines(&now);
    let mut kept = shrinker.minimise(&all, |kept| with_lines(&now, kept));
    // One fault less may be too few where two less are not: each is one crash, and a bug may be in every other process.
    if kept.len() > FEW {
        let fewer = few(shrinker, &now, &kept, FEW).or_else(|| alone(shrinker, &now, &all));
        kept = fewer.unwrap_or(kept);
    }
    now = with_lines(&now, &kept);
    // Each line in turn gets a moment that means something, if it fails with that.
    let mut given_up: BTreeSet<String> = BTreeSet::new();
    while !shrinker.is_exhausted() && given_up.insert(key(&now)) {
        let seen = replay(&stagehand.in_its_turn(&now), Recording::Off);
        let candidates = anchoring::anchored(&now, &seen);
        let Some(better) = candidates.into_iter().find(|it| shrinker.fails(it) == Some(true)) else { break };
        now = better;
    }
    let kept = shrinker.minimise(&now.jobs, |kept| with_jobs(&now, kept));
    now = with_jobs(&now, &kept);
    let kept = shrinker.minimise(&choices(&now), |kept| with_choices(&now, kept));
    now = with_choices(&now, &kept);
    let kept = shrinker.minimise(&options(&now), |kept| with_options(&now, kept));
    now = with_options(&now, &kept);
    shrinker.lessen(now, simpler::simpler)
}
