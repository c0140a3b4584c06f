//! From seeds to a small case: the first seed that fails, shrunk, with the faults that it needs.

use outlive_sim::{Action, Budget, Entry, Fault, Recording, Seed, Shrinker, Survivors, Trigger};
use std::time::Duration;

use crate::checker::{Violation, check};
use crate::store::Bug;
use crate::workload::{Case, Event, MOMENTS, NTH_MAX, Operation, Request, play};

/// Most runs that shrinking may take: some seconds.
const TRIES_MAX: u64 = 3_000;

/// A case that fails, and how.
#[derive(Clone, Debug)]
pub struct Failing {
    /// What was played.
    pub case: Case,
    /// What was seen.
    pub entries: Vec<Entry<Event>>,
    /// The first violation.
    pub violation: Violation,
}

/// What shrinking came to.
#[derive(Debug)]
pub struct Shrunk {
    /// The smallest case that was found.
    pub failing: Failing,
    /// How many runs it took.
    pub tries: u64,
    /// For each fault that is left, whether nothing of the kind happens without it; `None` if that is not known.
    pub necessary: Vec<Option<bool>>,
}

/// Plays a case and judges it.
///
/// # Panics
/// If the run itself fails: a mistake of this example, and not of the store.
pub fn judge(case: &Case, bug: Bug) -> Option<Failing> {
    let outcome = play(case, bug, Recording::Off);
    let entries = outcome.result.unwrap_or_else(|failure| panic!("{:?}: {failure:?}", case.seed));
    assert!(outcome.panics.is_empty(), "{:?}: {:?}", case.seed, outcome.panics);
    let violation = *check(&entries).first()?;
    Some(Failing { case: case.clone(), entries, violation })
}

/// The first of the seeds that fails.
pub fn first_failure(bug: Bug, seeds: impl IntoIterator<Item = u64>) -> Option<Failing> {
    seeds.into_iter().find_map(|seed| judge(&Case::draw(Seed(seed)), bug))
}

/// The smallest case like this one: fewer faults, then fewer operations, then simpler ones of both, as long as a
/// round changes something. It must break the same clause, whatever the key.
pub fn shrink(failing: &Failing, bug: Bug) -> Shrunk {
    let clause = failing.violation.clause;
    let fails = |case: &Case| judge(case, bug).is_some_and(|found| found.violation.clause == clause);
    let mut shrinker = Shrinker::new(Budget::tries(TRIES_MAX), Case::key, fails);
    let mut case = failing.case.clone();
    let with_faults = |case: &Case, faults: &[Fault]| Case { faults: faults.to_vec(), ..case.clone() };
    let with_operations =
        |case: &Case, operations: &[Operation]| Case { operations: operations.to_vec(), ..case.clone() };
    loop {
        let before = case.key();
        case.faults = shrinker.minimise(&case.faults, |faults| with_faults(&case, faults));
        case.operations = shrinker.minimise(&case.operations, |operations| with_operations(&case, operations));
        case = shrinker.lessen(case, simpler);
        if case.key() == before {
            break;
        }
    }
    let necessary = shrinker.necessary(&case.faults, |faults| with_faults(&case, faults));
    let failing = judge(&case, bug).expect("what is left still fails");
    Shrunk { failing, tries: shrinker.tries(), necessary }
}

/// Cases with one thing simpler, the simplest first.
fn simpler(case: &Case) -> Vec<Case> {
    let mut cases = Vec::new();
    for (place, operation) in case.operations.iter().enumerate() {
        // A fault at the third write is one at the second, where a write before it is left out.
        for (moved, fault) in case.faults.iter().enumerate() {
            let Some(trigger) = earlier(&fault.trigger) else { continue };
            let mut fewer = case.clone();
            fewer.operations.remove(place);
            fewer.faults[moved].trigger = trigger;
            cases.push(fewer);
        }
        for operation in simpler_operations(operation) {
            cases.push(case.clone());
            cases.last_mut().expect("one was added").operations[place] = operation;
        }
    }
    for (place, fault) in case.faults.iter().enumerate() {
        for fault in simpler_faults(fault) {
            cases.push(case.clone());
            cases.last_mut().expect("one was added").faults[place] = fault;
        }
    }
    cases
}

fn simpler_operations(operation: &Operation) -> Vec<Operation> {
    let mut simpler = Vec::new();
    if !operation.after.is_zero() {
        simpler.push(Operation { after: Duration::ZERO, ..*operation });
    }
    if let Request::Put { key, bytes } = operation.request {
        let fewer = [8, 600].into_iter().filter(|fewer| *fewer < bytes);
        simpler.extend(fewer.map(|bytes| Operation { request: Request::Put { key, bytes }, ..*operation }));
    }
    simpler
}

fn simpler_faults(fault: &Fault) -> Vec<Fault> {
    let mut simpler = Vec::new();
    if let Action::PowerLoss(survivors) = fault.action {
        let fewer = Survivors::ALL.into_iter().take_while(|fewer| *fewer != survivors);
        simpler.extend(fewer.map(|fewer| Fault { action: Action::PowerLoss(fewer), ..fault.clone() }));
    }
    // A moment that has a name is simpler than a time, and an answer simpler than what a file goes through.
    let moments = MOMENTS.iter().flat_map(|moment| (1..=NTH_MAX).map(|nth| moment.trigger(nth)));
    let moments = moments.take_while(|trigger| *trigger != fault.trigger);
    simpler.extend(moments.map(|trigger| Fault { trigger, ..fault.clone() }));
    simpler
}

/// The moment before one of the same kind.
fn earlier(trigger: &Trigger) -> Option<Trigger> {
    let mut earlier = trigger.clone();
    match &mut earlier {
        Trigger::AtMatching { nth, .. } | Trigger::AtEvent { nth, .. } if *nth > 1 => *nth -= 1,
        _ => return None,
    }
    Some(earlier)
}
