//! Which slots have their jobs is not written, and how far a schedule has come is not either: whoever opens the file next has them again.

use crate::planted::{Bug, Memory};
use outlive::store::Change;

/// See the module.
pub struct SlotHadTwice;

impl Bug for SlotHadTwice {
    fn name(&self) -> &'static str {
        "slot-had-twice"
    }

    fn breaks(&self) -> &'static str {
        "I5"
    }

    fn about(&self) -> &'static str {
        "which slots have their jobs is not written, and how far a schedule has come is not either"
    }

    fn changes(&self, memory: &Memory, mut changes: Vec<Change>) -> Vec<Change> {
        let is_lost = |change: &Change| matches!(change, Change::UpdateSchedule(_) | Change::InsertSlot(_));
        changes.retain(|change| !is_lost(change) || !memory.next().is_multiple_of(2));
        changes
    }
}
