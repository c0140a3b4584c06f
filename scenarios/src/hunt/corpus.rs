//! Seeds that are kept because they reached something new, and what is made of them.

use crate::coverage::{State, StateSet};
use crate::runner::{Case, Variation};
use anyhow::Context;
use serde::{Deserialize, Serialize};
use std::cmp::Reverse;
use std::path::Path;

/// Seeds kept at the most: those that promise most.
const KEPT_MAX: usize = 10_000;

/// How a case came to be run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// A seed that nobody has run before.
    Fresh,
    /// A kept one in another order of tasks.
    OtherTurn,
    /// A kept one with the faults of another seed.
    OtherFaults,
}

impl Origin {
    /// Every origin, in order.
    pub const ALL: [Self; 3] = [Self::Fresh, Self::OtherTurn, Self::OtherFaults];

    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Fresh => "fresh seeds",
            Self::OtherTurn => "kept seeds, in another order of tasks",
            Self::OtherFaults => "kept seeds, with other faults",
        }
    }

    /// Of a case that a hunt runs.
    pub fn of(case: Case) -> Self {
        match case.variation {
            Variation { faults_of: Some(_), .. } => Self::OtherFaults,
            Variation { turn: 0, .. } => Self::Fresh,
            Variation { .. } => Self::OtherTurn,
        }
    }
}

/// A seed that reached something new.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Kept {
    seed: u64,
    /// How often it was run, in whatever variation.
    runs: u64,
    /// States that it was the first to reach, in whatever variation.
    new: u64,
}

impl Kept {
    /// What a run more promises: new states for each run so far, in thousandths.
    fn promise(&self) -> u64 {
        1_000 * self.new / self.runs
    }
}

/// What a hunt leaves for the next one.
#[derive(Debug, Serialize, Deserialize)]
pub struct Corpus {
    /// How many states there are: others than now, and the numbers below mean other states.
    space: usize,
    /// The states that were ever reached.
    pub reached: StateSet,
    kept: Vec<Kept>,
}

impl Default for Corpus {
    fn default() -> Self {
        Self { space: State::COUNT, reached: StateSet::default(), kept: Vec::new() }
    }
}

impl Corpus {
    /// What an earlier hunt left, or an empty one if there was none, or if it knew other states.
    ///
    /// # Errors
    /// If the file is there and does not read.
    pub fn read(file: &Path) -> anyhow::Result<Self> {
        let text = match std::fs::read_to_string(file) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Self::default()),
            text => text.with_context(|| format!("can't read {}", file.display()))?,
        };
        let corpus: Self = serde_json::from_str(&text)
            .with_context(|| format!("{} is no corpus of a hunt; remove it to begin anew", file.display()))?;
        Ok(if corpus.space == State::COUNT { corpus } else { Self::default() })
    }

    /// Leaves it for the next hunt.
    ///
    /// # Errors
    /// If the file can't be written.
    pub fn write(&self, file: &Path) -> anyhow::Result<()> {
        if let Some(folder) = file.parent() {
            std::fs::create_dir_all(folder).with_context(|| format!("can't make the folder {}", folder.display()))?;
        }
        // A hunt that is stopped leaves the old one or the new one.
        let draft = file.with_extension("draft");
        std::fs::write(&draft, serde_json::to_string(self)?)
            .and_then(|()| std::fs::rename(&draft, file))
            .with_context(|| format!("can't write {}", file.display()))
    }

    /// How many seeds are kept.
    pub fn len(&self) -> usize {
        self.kept.len()
    }

    /// Cases made of the seeds that promise most, in turn in another order of tasks and with the faults of a seed
    /// that `fresh` gives.
    pub fn vary(&mut self, cases: usize, mut fresh: impl FnMut() -> u64) -> Vec<Case> {
        self.kept.sort_by_key(|kept| (Reverse(kept.promise()), kept.seed));
        self.kept.truncate(KEPT_MAX);
        let vary = |kept: &Kept| {
            let variation = if kept.runs % 2 == 1 {
                Variation { turn: 0, faults_of: Some(fresh()) }
            } else {
                Variation { turn: kept.runs / 2, faults_of: None }
            };
            Case { seed: kept.seed, variation }
        };
        self.kept.iter().take(cases).map(vary).collect()
    }

    /// Takes in what a case reached; how many states were new.
    pub fn learn(&mut self, case: Case, states: &StateSet) -> usize {
        let new = self.reached.add(states);
        match self.kept.iter_mut().find(|kept| kept.seed == case.seed) {
            Some(kept) => {
                kept.runs += 1;
                kept.new += new as u64;
            }
            None if new > 0 => self.kept.push(Kept { seed: case.seed, runs: 1, new: new as u64 }),
            None => {}
        }
        new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn states(numbers: std::ops::Range<u32>) -> StateSet {
        numbers.filter_map(State::of_number).collect()
    }

    #[test]
    fn a_seed_is_kept_if_it_reached_something_new_and_preferred_by_how_much() {
        let mut corpus = Corpus::default();
        assert_eq!(corpus.learn(Case::of_seed(1), &states(0..10)), 10);
        assert_eq!(corpus.learn(Case::of_seed(2), &states(0..10)), 0);
        assert_eq!(corpus.learn(Case::of_seed(3), &states(0..40)), 30);
        assert_eq!(corpus.len(), 2);
        let cases = corpus.vary(5, || 77);
        assert_eq!(cases.iter().map(|case| case.seed).collect::<Vec<_>>(), [3, 1]);
        assert!(cases.iter().all(|case| Origin::of(*case) == Origin::OtherFaults));
    }

    #[test]
    fn a_kept_seed_that_brings_nothing_more_falls_behind() {
        let mut corpus = Corpus::default();
        corpus.learn(Case::of_seed(1), &states(0..10));
        corpus.learn(Case::of_seed(3), &states(0..40));
        for _ in 0..2 {
            let first = corpus.vary(1, || 77)[0];
            corpus.learn(first, &states(0..40));
        }
        assert_eq!(corpus.vary(1, || 77)[0].seed, 1, "30 new states in three runs promise no more than 10 in one");
    }

    #[test]
    fn no_case_comes_twice() {
        let mut corpus = Corpus::default();
        corpus.learn(Case::of_seed(1), &states(0..10));
        let (mut fresh, mut seen) = (100, vec![Case::of_seed(1)]);
        for _ in 0..6 {
            let case = corpus.vary(1, || {
                fresh += 1;
                fresh
            })[0];
            assert!(!seen.contains(&case), "{case}");
            corpus.learn(case, &StateSet::default());
            seen.push(case);
        }
        let origins: Vec<Origin> = seen.iter().map(|case| Origin::of(*case)).collect();
        assert_eq!(origins.iter().filter(|origin| **origin == Origin::OtherTurn).count(), 3);
    }

    #[test]
    fn a_corpus_reads_back_and_one_of_other_states_does_not_count() {
        let folder = std::env::temp_dir().join(format!("outlive-corpus-{}", std::process::id()));
        let file = folder.join("corpus.json");
        assert_eq!(Corpus::read(&file).unwrap().len(), 0, "there is none yet");
        let mut corpus = Corpus::default();
        corpus.learn(Case::of_seed(1), &states(3..9));
        corpus.write(&file).unwrap();
        let read = Corpus::read(&file).unwrap();
        assert_eq!((read.reached, read.kept), (corpus.reached.clone(), corpus.kept.clone()));
        Corpus { space: 5, ..corpus }.write(&file).unwrap();
        assert_eq!(Corpus::read(&file).unwrap().len(), 0);
        std::fs::write(&file, "{}").unwrap();
        assert!(format!("{:#}", Corpus::read(&file).unwrap_err()).contains("remove it to begin anew"));
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
