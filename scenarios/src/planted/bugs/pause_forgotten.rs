//! A pause is kept in memory alone: the next process knows none.

use crate::planted::{Bug, Memory};
use outlive::store::Change;

/// See the module.
pub struct PauseForgotten;

impl Bug for PauseForgotten {
    fn name(&self) -> &'static str {
        "pause-forgotten"
    }

    fn breaks(&self) -> &'static str {
        "I4"
    }

    fn about(&self) -> &'static str {
        "a pause is kept in memory alone: the next process knows none"
    }

    fn changes(&self, _: &Memory, mut changes: Vec<Change>) -> Vec<Change> {
        changes.retain(|change| !matches!(change, Change::InsertPause(row) if row.probe.is_none()));
        changes
    }
}
