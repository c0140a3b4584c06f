//! A start is acknowledged and not written.

use crate::planted::{Bug, Memory};
use outlive::store::Change;

/// See the module.
pub struct StartNotWritten;

impl Bug for StartNotWritten {
    fn name(&self) -> &'static str {
        "start-not-written"
    }

    fn breaks(&self) -> &'static str {
        "I3"
    }

    fn about(&self) -> &'static str {
        "a start is acknowledged and not written"
    }

    fn changes(&self, _: &Memory, mut changes: Vec<Change>) -> Vec<Change> {
        for change in &mut changes {
            if let Change::UpdateAttempt(attempt) = change
                && attempt.end.is_none()
            {
                attempt.started_at = None;
            }
        }
        changes
    }
}
