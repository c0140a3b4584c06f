//! Every fifth signal is written with something else in it.

use crate::planted::{Bug, Memory};
use crate::workload::Profile;
use outlive::store::Change;

/// See the module.
pub struct SignalGarbled;

impl Bug for SignalGarbled {
    fn name(&self) -> &'static str {
        "signal-garbled"
    }

    fn breaks(&self) -> &'static str {
        "X"
    }

    fn about(&self) -> &'static str {
        "every fifth signal is written with something else in it"
    }

    fn profile(&self) -> Profile {
        Profile::Illegal
    }

    fn changes(&self, memory: &Memory, mut changes: Vec<Change>) -> Vec<Change> {
        for change in &mut changes {
            if let Change::InsertSignal(row) = change
                && memory.next().is_multiple_of(5)
            {
                row.payload = "null".into();
            }
        }
        changes
    }
}
