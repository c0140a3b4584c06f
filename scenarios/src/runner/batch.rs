//! Many seeds over all cores.

use super::Verdict;
use super::result::{Ending, SeedResult};
use indicatif::{ProgressBar, ProgressStyle};
use outlive_sim::{Answer, Batch, FaultKind, Seed};
use std::collections::BTreeMap;
use std::io;
use std::time::{Duration, Instant};

/// What came of many seeds.
#[derive(Debug)]
pub struct Summary {
    /// By seed.
    pub results: BTreeMap<u64, SeedResult>,
    /// Seeds whose child died, and how.
    pub died: BTreeMap<u64, String>,
    /// How often each clause was put to the test.
    pub clauses: BTreeMap<String, u64>,
    /// Faults that took effect, and those that were scheduled.
    pub faults: BTreeMap<FaultKind, (u64, u64)>,
    /// Real time for all.
    pub wall: Duration,
    /// Children that worked at a time.
    pub children: usize,
}

/// Every kind of fault that a batch must see take effect.
const KINDS: [FaultKind; 8] = [
    FaultKind::Crash,
    FaultKind::PowerLoss,
    FaultKind::Pause,
    FaultKind::SyncError,
    FaultKind::WriteError,
    FaultKind::FullDisk,
    FaultKind::SlowDisk,
    FaultKind::WallJump,
];
/// From this many seeds on, a batch must have reached everything.
const ALL_REACHED_FROM: usize = 200;

/// Runs all seeds in child processes, which are called with `arguments`.
///
/// # Errors
/// If no child can be started.
pub fn run_many(
    seeds: impl DoubleEndedIterator<Item = u64> + Clone + Send,
    children: Option<usize>,
    arguments: &[String],
    show_progress: bool,
) -> io::Result<Summary> {
    let mut batch = Batch::of_this_program(arguments.iter().cloned())?;
    batch.children = children.unwrap_or(batch.children);
    let bar = if show_progress { progress_bar(seeds.clone().count()) } else { ProgressBar::hidden() };
    let started = Instant::now();
    let mut bad = 0;
    let answers = batch.run(seeds.map(Seed), |_, answer: &Answer<SeedResult>| {
        let good = matches!(answer, Answer::Result(result) if result.ending == Ending::Good);
        if !good {
            bad += 1;
            bar.set_message(format!("{bad} failed"));
        }
        bar.inc(1);
    })?;
    let wall = started.elapsed();
    bar.finish_and_clear();
    let mut summary = Summary {
        results: BTreeMap::new(),
        died: BTreeMap::new(),
        clauses: BTreeMap::new(),
        faults: BTreeMap::new(),
        wall,
        children: batch.children,
    };
    for (seed, answer) in answers {
        match answer {
            Answer::Result(result) => summary.add(result),
            Answer::Died(how) => drop(summary.died.insert(seed.0, how)),
        }
    }
    Ok(summary)
}

fn progress_bar(seeds: usize) -> ProgressBar {
    let bar = ProgressBar::new(seeds as u64);
    let style = "{bar:40} {pos}/{len} seeds, {per_sec}, {eta} left {msg}";
    bar.with_style(ProgressStyle::with_template(style).expect("the template is right"))
}

impl Summary {
    fn add(&mut self, result: SeedResult) {
        for (clause, count) in &result.clauses {
            *self.clauses.entry(clause.clone()).or_default() += count;
        }
        for (kind, count) in &result.faults {
            let (effective, scheduled) = self.faults.entry(*kind).or_default();
            *effective += count.effective;
            *scheduled += count.scheduled;
        }
        self.results.insert(result.seed, result);
    }

    /// Seeds run.
    pub fn seeds(&self) -> usize {
        self.results.len() + self.died.len()
    }

    /// Seeds that tested much.
    pub fn qualifying(&self) -> usize {
        self.results.values().filter(|result| result.qualifies()).count()
    }

    /// What a batch of this size must have reached, and did not.
    pub fn not_reached(&self) -> Vec<String> {
        if self.seeds() < ALL_REACHED_FROM {
            return Vec::new();
        }
        let clauses = self.clauses.iter().filter(|(_, count)| **count == 0).map(|(clause, _)| clause.clone());
        let faults = KINDS.iter().filter(|kind| self.faults.get(kind).is_none_or(|(effective, _)| *effective == 0));
        clauses.chain(faults.map(|kind| format!("{kind:?}"))).collect()
    }

    /// The worst of it.
    pub fn verdict(&self) -> Verdict {
        let verdicts: Vec<Verdict> = self.results.values().map(SeedResult::verdict).collect();
        let has = |verdict| verdicts.contains(&verdict);
        if has(Verdict::Safety) {
            Verdict::Safety
        } else if has(Verdict::Broken) || !self.died.is_empty() {
            Verdict::Broken
        } else if has(Verdict::Liveness) {
            Verdict::Liveness
        } else if !self.not_reached().is_empty() {
            Verdict::NotReached
        } else {
            Verdict::Good
        }
    }
}
