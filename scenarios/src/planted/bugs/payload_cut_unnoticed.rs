//! A payload of more than eighty bytes is cut, on a disk that may be blamed for it.

use super::payload_cut::PayloadCut;
use crate::planted::{Bug, Memory};
use crate::workload::Profile;
use outlive::store::Change;

/// See the module.
pub struct PayloadCutUnnoticed;

impl Bug for PayloadCutUnnoticed {
    fn name(&self) -> &'static str {
        "payload-cut-unnoticed"
    }

    fn breaks(&self) -> &'static str {
        "X"
    }

    fn about(&self) -> &'static str {
        "a payload of more than eighty bytes is cut, on a disk that may be blamed for it"
    }

    fn profile(&self) -> Profile {
        Profile::Illegal
    }

    fn changes(&self, memory: &Memory, changes: Vec<Change>) -> Vec<Change> {
        PayloadCut.changes(memory, changes)
    }
}
