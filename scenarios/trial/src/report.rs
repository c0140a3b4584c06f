//! Many seeds, and the first that breaks the promise: with as few faults as it takes.

use crate::drive::{Flaw, Run, try_with};
use crate::faults;
use crate::story::story;
use crate::trial::Trial;
use outlive_sim::{Budget, Failure, Fault, Outcome, Seed, Shrinker};
use std::fmt;

/// Runs one seed alone, instead of all.
const VARIABLE: &str = "OUTLIVE_SEED";
/// What finding the fewest faults may cost.
const TRIES: u64 = 200;

/// A seed that breaks the promise. Its text is the story.
#[derive(Debug)]
pub struct Broken {
    /// The seed.
    pub seed: Seed,
    /// What was wrong, in a sentence or two.
    pub what: String,
    /// How many faults it takes, and how many the seed has.
    pub faults: (usize, usize),
    /// What happened, a line each.
    pub story: Vec<String>,
}

/// Tries all seeds, or the one in the variable `OUTLIVE_SEED` alone.
///
/// # Panics
/// If one of them breaks the promise: with its story.
pub fn simulate(seeds: impl IntoIterator<Item = u64>, make: impl Fn(Seed) -> Trial + Sync) {
    if let Some(broken) = find(seeds, make) {
        panic!("{broken}");
    }
}

/// The first of these seeds that breaks the promise, if there is one; or the one in the variable `OUTLIVE_SEED`, if it does.
///
/// # Panics
/// If that is no number.
pub fn find(seeds: impl IntoIterator<Item = u64>, make: impl Fn(Seed) -> Trial + Sync) -> Option<Broken> {
    let chosen = std::env::var(VARIABLE).ok().map(|text| {
        text.parse::<u64>()
            .unwrap_or_else(|_| panic!("{VARIABLE} is {text:?}, and a seed is a number from 0 to 2^64 - 1"))
    });
    match chosen {
        Some(seed) => first_of([seed], make),
        None => first_of(seeds, make),
    }
}

fn first_of(seeds: impl IntoIterator<Item = u64>, make: impl Fn(Seed) -> Trial + Sync) -> Option<Broken> {
    seeds.into_iter().enumerate().find_map(|(place, seed)| {
        let (seed, faults) = (Seed(seed), faults::draw(Seed(seed)));
        let outcome = try_with(seed, faults.clone(), &make);
        // The first one twice: what is not the same each time can't be looked at again.
        if place == 0 && try_with(seed, faults.clone(), &make).hash != outcome.hash {
            let what = said(&Flaw::NotRepeatable);
            return Some(Broken { seed, what, faults: (faults.len(), faults.len()), story: Vec::new() });
        }
        let flaw = flaw(&outcome)?;
        Some(shrink(seed, &faults, &flaw, &make))
    })
}

fn flaw(outcome: &Outcome<Run>) -> Option<Flaw> {
    match &outcome.result {
        Ok(run) => run.flaw.clone(),
        Err(Failure::TimeLimit) => Some(Flaw::Stuck("the run did not end within its time".into())),
        Err(Failure::Panicked { message, location }) => Some(Flaw::Panic(format!("{message} ({location})"))),
    }
}

/// The same flaw with as few faults as it takes.
fn shrink(seed: Seed, drawn: &[Fault], found: &Flaw, make: &(impl Fn(Seed) -> Trial + Sync)) -> Broken {
    let of = |faults: &[Fault]| faults.to_vec();
    let fails =
        |faults: &Vec<Fault>| flaw(&try_with(seed, faults.clone(), make)).is_some_and(|other| other.is_like(found));
    let key = |faults: &Vec<Fault>| format!("{faults:?}");
    let faults = Shrinker::new(Budget::tries(TRIES), key, fails).minimise(drawn, of);
    let outcome = try_with(seed, faults.clone(), make);
    // What does not break the promise any more has no story to tell.
    let (what, story) = match flaw(&outcome) {
        Some(flaw) => (said(&flaw), outcome.result.as_ref().map(story).unwrap_or_default()),
        None => (format!("{} ({})", said(found), said(&Flaw::NotRepeatable)), Vec::new()),
    };
    Broken { seed, what, faults: (faults.len(), drawn.len()), story }
}

fn said(flaw: &Flaw) -> String {
    match flaw {
        Flaw::Promise(what) => what.clone(),
        Flaw::Stuck(why) => format!("a job does not end: {why}"),
        Flaw::Client(why) => format!("the client never got through: {why}"),
        Flaw::Panic(message) => format!("the program panicked: {message}"),
        Flaw::Foreign(who, told) => format!(
            "{who} asked for tokio's own reactor, and there is none in a simulation ({told}). Instead of \
             tokio::time::sleep use ctx.sleep, instead of tokio::time::timeout the policy's time-out, instead of \
             tokio::spawn another job; give what needs a network or a thread to the handler as state (ctx.state), so that \
             a trial can give it something else"
        ),
        Flaw::NotRepeatable => {
            "the same seed was another run: something asks the machine for its time, for randomness, \
                                or for the order of a hash map. Use ctx.now, ctx.idempotency_key, and ordered maps"
                .into()
        }
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (needed, drawn) = self.faults;
        let faults = match (needed, drawn) {
            (0, _) => "without any fault".to_owned(),
            (1, 1) => "with its one fault".to_owned(),
            (needed, drawn) => format!("with {needed} of its {drawn} faults"),
        };
        writeln!(f, "seed {} breaks the promise, {faults}:\n\n  {}\n", self.seed.0, self.what)?;
        self.story.iter().try_for_each(|line| writeln!(f, "{line}"))?;
        write!(f, "\nit alone: {VARIABLE}={}", self.seed.0)
    }
}
