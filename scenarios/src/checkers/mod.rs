//! The five checkers, and liveness. Each is a fold over what clients saw and what the file says at
//! the end, in true time. They share no code with the queue but its wire types.
//!
//! A new checker is one file and one line in [`ALL`].

mod facts;
mod finding;
mod i1_work_exists;
mod i2_claims_expire;
mod i3_failure_is_state;
mod i4_waiting_is_visible;
mod i5_idempotent_progress;
mod illegal;
mod liveness;
mod policies;
mod schedules;

pub use facts::{CallFact, Facts, Grant, number_of};
pub use finding::{Finding, Subject};
pub use i1_work_exists::forgotten_after;

use crate::damage;
use crate::drive::Evidence;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A checker: its clauses, and the fold.
pub struct Checker {
    /// The invariant: `I1` to `I5`, `L`, or `X`.
    pub invariant: &'static str,
    /// What it says, in a few words.
    pub title: &'static str,
    /// Its clauses: id and sentence.
    pub clauses: &'static [(&'static str, &'static str)],
    /// Judges a run.
    pub check: fn(&Evidence, &Facts, &mut Report),
}

/// All checkers, in order.
pub const ALL: &[Checker] = &[
    i1_work_exists::CHECKER,
    i2_claims_expire::CHECKER,
    i3_failure_is_state::CHECKER,
    i4_waiting_is_visible::CHECKER,
    i5_idempotent_progress::CHECKER,
    liveness::CHECKER,
];

/// What judges a run in which a disk did what no disk may do.
pub const ILLEGAL: &[Checker] = &[illegal::CHECKER];

/// The clauses that runs with these counts were judged by: id and sentence. Those of the five invariants, unless one was
/// judged by X.
pub fn clauses_of(counts: &BTreeMap<String, u64>) -> impl Iterator<Item = &'static (&'static str, &'static str)> {
    let by_x = counts.keys().any(|clause| clause.starts_with('X'));
    let all = ALL.iter().chain(ILLEGAL).flat_map(|checker| checker.clauses);
    all.filter(move |(clause, _)| if by_x { counts.contains_key(*clause) } else { !clause.starts_with('X') })
}

/// What the checkers found in one run.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Report {
    /// How often each clause was put to the test.
    pub counts: BTreeMap<String, u64>,
    /// What broke.
    pub violations: Vec<Violation>,
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Violation {
    /// The clause.
    pub clause: String,
    /// What happened, in one sentence.
    pub sentence: String,
    /// Which transition broke, in words that are the same in every run and name no id: with the clause, what two
    /// failures have in common that have the same cause.
    pub transition: String,
    /// What it is about.
    pub subject: Subject,
}

impl Report {
    /// Puts a clause to the test once.
    pub fn expect(&mut self, clause: &'static str, holds: bool, found: impl FnOnce() -> Finding) {
        *self.counts.entry(clause.to_owned()).or_default() += 1;
        if !holds {
            self.violations.push(found().of(clause));
        }
    }
}

/// Lets all checkers judge a run: those of the five invariants, unless a disk did what no disk may do.
pub fn judge(evidence: &Evidence, facts: &Facts) -> Report {
    judge_as(if damage::is_possible(evidence) { ILLEGAL } else { ALL }, evidence, facts)
}

/// Lets these checkers judge a run.
pub fn judge_as(checkers: &[Checker], evidence: &Evidence, facts: &Facts) -> Report {
    let mut report = Report::default();
    for checker in checkers {
        for (clause, _) in checker.clauses {
            report.counts.insert((*clause).to_owned(), 0);
        }
        (checker.check)(evidence, facts, &mut report);
    }
    report
}
