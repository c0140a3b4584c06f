//! What a sweep has done, in numbers, and what it found.

use super::question::{Looked, Place};
use crate::checkers::Violation;
use crate::runner::Verdict;
use std::time::Duration;

/// Crashes at one depth.
#[derive(Clone, Debug, Default)]
pub struct Depth {
    pub points: u64,
    /// Images made, equal ones included.
    pub made: u64,
    /// Without equal ones.
    pub distinct: u64,
    /// Recovered from, and judged.
    pub judged: u64,
    /// Opened by stock SQLite; the others have no file yet.
    pub stock: u64,
    /// Of those judged, how many were let go on until everything had ended.
    pub settled: u64,
    /// Recoveries whose crashes were enumerated, of how many there are.
    pub recoveries: Option<(u64, u64)>,
}

/// A crash, and one in the recovery from it.
pub type Way = (Place, Option<Place>);

/// What a sweep has done.
#[derive(Debug, Default)]
pub struct Tally {
    pub name: String,
    pub jobs: usize,
    pub commits: usize,
    pub changes: usize,
    pub first: Depth,
    pub second: Option<Depth>,
    pub findings: Vec<(Way, Violation)>,
    pub broken: Vec<(Way, String)>,
    pub wall: Duration,
}

impl Tally {
    /// Adds what came of one crash.
    pub fn add(&mut self, way: Way, looked: Looked, settle: bool, again: bool) {
        let depth = match (&mut self.second, way.1) {
            (Some(second), Some(_)) => second,
            _ => &mut self.first,
        };
        // Whoever is looked at again, to the end, was counted.
        depth.judged += u64::from(!again);
        depth.stock += u64::from(!again && looked.stock);
        depth.settled += u64::from(settle);
        self.findings.extend(looked.violations.into_iter().map(|violation| (way, violation)));
        self.broken.extend(looked.broken.map(|why| (way, why)));
    }

    /// What it comes to.
    pub fn verdict(&self) -> Verdict {
        let is_safety = |(_, violation): &(Way, Violation)| !violation.clause.starts_with('L');
        if self.findings.iter().any(is_safety) {
            Verdict::Safety
        } else if !self.broken.is_empty() {
            Verdict::Broken
        } else if !self.findings.is_empty() {
            Verdict::Liveness
        } else {
            Verdict::Good
        }
    }
}
