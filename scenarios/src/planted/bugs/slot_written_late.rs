//! A slot is recorded with the next commit, and not with that of its job.

use crate::planted::{Bug, Memory};
use outlive::store::Change;

/// See the module.
pub struct SlotWrittenLate;

impl Bug for SlotWrittenLate {
    fn name(&self) -> &'static str {
        "slot-written-late"
    }

    fn breaks(&self) -> &'static str {
        "I5"
    }

    fn about(&self) -> &'static str {
        "a slot is recorded with the next commit, and not with that of its job"
    }

    fn changes(&self, memory: &Memory, changes: Vec<Change>) -> Vec<Change> {
        let records = |change: &Change| matches!(change, Change::UpdateSchedule(_) | Change::InsertSlot(_));
        let (late, now): (Vec<Change>, Vec<Change>) = changes.into_iter().partition(records);
        let earlier = std::mem::replace(&mut *memory.held_back.lock().unwrap(), late);
        earlier.into_iter().chain(now).collect()
    }
}
