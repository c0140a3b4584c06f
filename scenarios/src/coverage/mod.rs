//! Which states a run reached: a job's own, and those of its lease, its worker, the disk and the faults around it.
//!
//! The rows of the file at the end tell each job's life; what clients saw tells the rest. Nothing is recorded for it
//! while a run goes on. [Decision 0023](../../../docs/decisions/0023-coverage-of-states.md) says why these six axes.

mod demanded;
mod durability;
mod faults;
mod holder;
mod life;
mod met;
mod rules;
mod said;
mod sample;
mod set;
mod state;
mod table;

pub use demanded::{DEMANDED, Demanded};
pub use met::{Met, all as all_to_meet, met};
pub use rules::{RULES, Rule, forbidden, possible};
pub use set::StateSet;
pub use state::{Attempts, Durability, FAULTS, JobState, Lease, State, Worker};
pub use table::{in_short, table};

use crate::checkers::{Facts, Finding, Report};
use crate::drive::Evidence;
use outlive::JobId;
use std::time::Duration;

/// What the clause is about, beside the five invariants and liveness.
pub const INVARIANT: &str = "S";
/// The clause that no run reaches a state which can't be.
pub const CLAUSE: &str = "S.a";

/// The states that a run reached.
#[derive(Clone, Debug, Default)]
pub struct Coverage {
    /// All of them.
    pub reached: StateSet,
    /// Those that can't be: when, and of which job.
    pub impossible: Vec<(State, Duration, JobId)>,
    /// Jobs that were left out: the wall clock was set back, and what their rows say happened at one of two times; or somebody
    /// retried them, and their rows tell of their last end alone.
    pub left_out: usize,
}

impl Coverage {
    /// Of a run; nothing if its file does not read at the end.
    pub fn of(evidence: &Evidence, facts: &Facts) -> Self {
        sample::sample(evidence, facts)
    }

    /// Finds each state that can't be, once for each rule that forbids it.
    pub fn judge(&self, evidence: &Evidence, report: &mut Report) {
        let mut told: Vec<&str> = Vec::new();
        for (state, at, job) in &self.impossible {
            let rule = forbidden(state).expect("it is one of those that can't be");
            if !(rule.applies)(evidence) || told.contains(&rule.name) {
                continue;
            }
            told.push(rule.name);
            report.expect(CLAUSE, false, || {
                let says = format!("job {job} was {state} at {at:.3?}, which can't be: {}", rule.why);
                Finding::new(rule.name, says).job(*job).at(*at)
            });
        }
    }
}
