//! Every third step is acknowledged and never written.

use crate::planted::{Bug, Memory};
use outlive::store::Change;

/// See the module.
pub struct StepKeptInMemory;

impl Bug for StepKeptInMemory {
    fn name(&self) -> &'static str {
        "step-kept-in-memory"
    }

    fn breaks(&self) -> &'static str {
        "I5"
    }

    fn about(&self) -> &'static str {
        "every third step is acknowledged and never written"
    }

    fn changes(&self, memory: &Memory, mut changes: Vec<Change>) -> Vec<Change> {
        changes.retain(|change| !matches!(change, Change::InsertStep(_)) || !memory.next().is_multiple_of(3));
        changes
    }
}
