//! From a failing run to the smallest story that fails in the same way.
//!
//! Everything is a scenario: the run of a seed is one (`replay::scenario_of`), every candidate is one that is played,
//! and the smallest is what is written. What counts as the same failure is its clause and the transition that broke.
//!
//! First it is tried whether a few of its jobs and a few of its faults at other moments are enough ([`probing`]).
//! Then parts are left out ([`passes`]), in the order of what costs a person most to understand: faults, then jobs, then
//! the world, then values. Between faults and jobs, faults get moments that mean something ([`anchoring`]). Delta
//! debugging itself is `outlive_sim::Shrinker`.

mod anchoring;
mod command;
mod failure;
mod parts;
mod passes;
mod probing;
mod simpler;
mod stagehand;

pub use command::{Shrink, Sizes};
pub use failure::Failure;

use crate::checkers::Violation;
use crate::replay::{replay, scenario_of};
use crate::runner::{Case, SeedResult, run_case};
use crate::scn::{Invariant, Name, Scenario};
use crate::workload::{Profile, Workload};
use outlive_sim::{Budget, FaultKind, Recording, Seed, Shrinker};
use parts::{lines, with_lines};
use probing::{Probing, struck};
use stagehand::{Stagehand, key};
use std::time::{Duration, Instant};

/// Rounds over all parts: a round that changes nothing is the last.
const ROUNDS_MAX: u64 = 6;

/// What a person takes in at once: most faults and jobs of a story that needs no further search for another one.
const SHORT: (usize, usize) = (probing::FAULTS_MAX, 2);
/// Of the time that is left, what the search for another one may take: one part of so many.
const PROBING: u32 = 3;
/// And so long at the most.
const PROBING_MAX: Duration = Duration::from_secs(20);

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
    /// For each fault of the smallest one, its kind, and whether nothing fails without it; `None` if there was no time
    /// to try.
    pub necessary: Vec<(FaultKind, Option<bool>)>,
    /// Candidates that were played, most of them in several orders of tasks.
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

/// Whether a person takes in at once a story of so many faults and jobs.
pub fn is_short((faults, jobs): (usize, usize)) -> bool {
    faults <= SHORT.0 && jobs <= SHORT.1
}

fn total(scenario: &Scenario) -> usize {
    let (faults, jobs) = size(scenario);
    faults + jobs
}

/// Shrinks the run of a seed, which fails: by a violation of the invariant `about`, or by whatever it is if none is
/// given. Short stories are looked for in one of many ways. `progress` hears of each smaller scenario.
///
/// # Errors
/// If the run does not fail so, or does not fail when it is played as a file: then what was seen instead.
pub fn shrink(
    case: Case,
    workload: Workload,
    about: Option<&str>,
    limit: Duration,
    way: u64,
    progress: &dyn Fn(&Scenario),
) -> Result<Shrunk, String> {
    let started = Instant::now();
    let result: SeedResult = run_case(case, workload, Profile::Legal, Recording::Off);
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
    let whole = scenario_of(&case.plan(workload, Profile::Legal), Seed(case.seed), case.variation.turn, name, guards);
    let stagehand = Stagehand::of(failure.clone(), case.variation.turn);
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
    let subject = stagehand.subject(&seen);
    let struck = struck(&whole, &seen);
    let timed = anchoring::timed(&whole, &seen);
    let mut smallest = if shrinker.fails(&timed) == Some(true) { timed } else { whole.clone() };
    let (mut probes, mut exhausted) = (0, false);
    for number in 0..ROUNDS_MAX {
        let before = key(&smallest);
        let left = || limit.saturating_sub(started.elapsed());
        if !is_short(size(&smallest)) {
            let subject = subject.as_ref().filter(|name| smallest.jobs.iter().any(|job| job.name == **name));
            let fork = Seed(case.seed).fork("probing").key(way).key(number);
            let mut probing = Probing::new(&stagehand, &smallest, subject, &struck, fork);
            let short = probing.search(Instant::now() + (left() / PROBING).min(PROBING_MAX));
            probes += probing.plays();
            match (short.filter(|short| shrinker.fails(short) == Some(true)), subject) {
                (Some(short), _) if total(&short) < total(&smallest) => smallest = short,
                (None, Some(subject)) if number == 0 => smallest = passes::leap(&mut shrinker, smallest, subject),
                _ => {}
            }
        }
        // A long one may get stuck: then there is time for another search.
        let share = if is_short(size(&smallest)) { left() } else { left() / 2 };
        shrinker.set_budget(Budget::UNLIMITED.within(share));
        smallest = passes::round(&mut shrinker, &stagehand, smallest);
        exhausted = shrinker.is_exhausted();
        if left().is_zero() || key(&smallest) == before && is_short(size(&smallest)) {
            break;
        }
    }
    let left = lines(&smallest);
    if is_short(size(&smallest)) {
        shrinker.set_budget(Budget::UNLIMITED);
    }
    let needed = shrinker.necessary(&left, |kept| with_lines(&smallest, kept));
    let tries = probes + shrinker.tries();
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
    let necessary = kinds.zip(needed).filter_map(|(kind, needed)| Some((kind?, needed))).collect();
    Ok(Shrunk { failure, whole, smallest, violation, necessary, tries, exhausted, wall: started.elapsed() })
}
