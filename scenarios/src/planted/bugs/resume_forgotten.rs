//! That a pause is over is kept in memory alone: the next process finds it there.

use crate::planted::{Bug, Memory};
use outlive::store::Change;

/// See the module.
pub struct ResumeForgotten;

impl Bug for ResumeForgotten {
    fn name(&self) -> &'static str {
        "resume-forgotten"
    }

    fn breaks(&self) -> &'static str {
        "L"
    }

    fn about(&self) -> &'static str {
        "that a pause is over is kept in memory alone: the next process finds it there"
    }

    fn changes(&self, _: &Memory, mut changes: Vec<Change>) -> Vec<Change> {
        changes.retain(|change| !matches!(change, Change::DeletePause { is_down: false, .. }));
        changes
    }
}
