//! Slots that are skipped are not recorded.

use crate::planted::{Bug, Memory};
use outlive::store::Change;

/// See the module.
pub struct SkipsUnsaid;

impl Bug for SkipsUnsaid {
    fn name(&self) -> &'static str {
        "skips-unsaid"
    }

    fn breaks(&self) -> &'static str {
        "I1"
    }

    fn about(&self) -> &'static str {
        "slots that are skipped are not recorded"
    }

    fn changes(&self, _: &Memory, mut changes: Vec<Change>) -> Vec<Change> {
        changes.retain(|change| !matches!(change, Change::InsertSkip(_)));
        changes
    }
}
