//! The rest after a third failure is written without an end: whoever reads it from the file waits for ever.

use crate::planted::{Bug, Memory};
use outlive::job::{Due, Wait, Wall};
use outlive::store::Change;

/// See the module.
pub struct RestWithoutEnd;

impl Bug for RestWithoutEnd {
    fn name(&self) -> &'static str {
        "rest-without-end"
    }

    fn breaks(&self) -> &'static str {
        "L"
    }

    fn about(&self) -> &'static str {
        "the rest after a third failure is written without an end, which only the next opening reads"
    }

    fn changes(&self, _: &Memory, mut changes: Vec<Change>) -> Vec<Change> {
        for change in &mut changes {
            if let Change::UpdateJob(job) = change
                && job.wait == Wait::Backoff
                && job.failures > 2
            {
                job.due = Due::at(Wall(i64::MAX));
            }
        }
        changes
    }
}
