//! The result of a job of one kind that had failed three times is not stored.

use crate::planted::{Bug, Memory};
use outlive::store::Change;

/// See the module.
pub struct ResultOfARetryLost;

impl Bug for ResultOfARetryLost {
    fn name(&self) -> &'static str {
        "result-of-a-retry-lost"
    }

    fn breaks(&self) -> &'static str {
        "I5"
    }

    fn about(&self) -> &'static str {
        "the result of a job of one kind that had failed three times is not stored"
    }

    fn changes(&self, _: &Memory, mut changes: Vec<Change>) -> Vec<Change> {
        for change in &mut changes {
            if let Change::UpdateJob(job) = change
                && job.failures > 2
                && &*job.new.kind == "alpha"
            {
                job.result = None;
            }
        }
        changes
    }
}
