//! Every third report of progress is acknowledged, and what is kept is the one before.

use crate::planted::{Bug, Memory};
use outlive::store::Change;

/// See the module.
pub struct ProgressRunsBack;

impl Bug for ProgressRunsBack {
    fn name(&self) -> &'static str {
        "progress-runs-back"
    }

    fn breaks(&self) -> &'static str {
        "I5"
    }

    fn about(&self) -> &'static str {
        "every third report of progress is acknowledged, and what is kept is the one before"
    }

    fn changes(&self, memory: &Memory, mut changes: Vec<Change>) -> Vec<Change> {
        changes.retain(|change| !matches!(change, Change::UpdateProgress(_)) || !memory.next().is_multiple_of(3));
        changes
    }
}
