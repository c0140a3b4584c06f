//! How far a schedule has come is written one slot ahead of its jobs: whoever opens the file next takes that one for done.

use crate::planted::{Bug, Memory};
use outlive::job::Slots;
use outlive::store::Change;

/// See the module.
pub struct SlotLostInACrash;

impl Bug for SlotLostInACrash {
    fn name(&self) -> &'static str {
        "slot-lost-in-a-crash"
    }

    fn breaks(&self) -> &'static str {
        "I1"
    }

    fn about(&self) -> &'static str {
        "how far a schedule has come is written one slot ahead of its jobs"
    }

    fn changes(&self, _: &Memory, mut changes: Vec<Change>) -> Vec<Change> {
        for change in &mut changes {
            if let Change::UpdateSchedule(row) = change
                && let Ok(slots) = Slots::of(&row.rhythm)
            {
                row.done = slots.after(row.done).unwrap_or(row.done);
            }
        }
        changes
    }
}
