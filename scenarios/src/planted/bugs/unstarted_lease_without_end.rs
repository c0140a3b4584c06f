//! A lease is written without an end until its start is confirmed, which only the next opening reads.

use crate::planted::{Bug, Memory};
use outlive::job::Steady;
use outlive::store::Change;

/// As good as never, in milliseconds.
const NEVER: Steady = Steady(1 << 50);

/// See the module.
pub struct UnstartedLeaseWithoutEnd;

impl Bug for UnstartedLeaseWithoutEnd {
    fn name(&self) -> &'static str {
        "unstarted-lease-without-end"
    }

    fn breaks(&self) -> &'static str {
        "I2"
    }

    fn about(&self) -> &'static str {
        "a lease is written without an end until its start is confirmed, which only the next opening reads"
    }

    fn changes(&self, _: &Memory, mut changes: Vec<Change>) -> Vec<Change> {
        for change in &mut changes {
            if let Change::InsertAttempt(attempt) | Change::UpdateAttempt(attempt) = change
                && attempt.started_at.is_none()
                && attempt.end.is_none()
            {
                attempt.expires = NEVER;
            }
        }
        changes
    }
}
