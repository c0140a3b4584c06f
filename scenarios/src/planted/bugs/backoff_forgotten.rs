//! The rest after a failure is not written down: the next process runs the job at once.

use crate::planted::{Bug, Memory};
use outlive::job::{Due, Steady, Wait, Wall};
use outlive::store::Change;

/// See the module.
pub struct BackoffForgotten;

impl Bug for BackoffForgotten {
    fn name(&self) -> &'static str {
        "backoff-forgotten"
    }

    fn breaks(&self) -> &'static str {
        "I3"
    }

    fn about(&self) -> &'static str {
        "the rest after a failure is not written down: the next process runs the job at once"
    }

    fn changes(&self, _: &Memory, mut changes: Vec<Change>) -> Vec<Change> {
        for change in &mut changes {
            if let Change::UpdateJob(job) = change
                && job.wait == Wait::Backoff
            {
                job.due = Due { steady: Some(Steady(0)), wall: Wall(0) };
            }
        }
        changes
    }
}
