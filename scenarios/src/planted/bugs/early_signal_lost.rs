//! A signal for which nobody waits yet is acknowledged and never written.

use crate::planted::{Bug, Memory};
use outlive::store::Change;

/// See the module.
pub struct EarlySignalLost;

impl Bug for EarlySignalLost {
    fn name(&self) -> &'static str {
        "early-signal-lost"
    }

    fn breaks(&self) -> &'static str {
        "I5"
    }

    fn about(&self) -> &'static str {
        "a signal for which nobody waits yet is acknowledged and never written"
    }

    fn changes(&self, _: &Memory, mut changes: Vec<Change>) -> Vec<Change> {
        changes.retain(|change| !matches!(change, Change::InsertSignal(row) if row.taken.is_none()));
        changes
    }
}
