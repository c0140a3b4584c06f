//! A step that was said in a transaction is stored after it, with what the worker says of it next.

use crate::planted::{Bug, Memory};
use outlive::store::Change;

/// See the module.
pub struct TxStepApart;

impl Bug for TxStepApart {
    fn name(&self) -> &'static str {
        "tx-step-apart"
    }

    fn breaks(&self) -> &'static str {
        "I5"
    }

    fn about(&self) -> &'static str {
        "a step that was said in a transaction is stored after it, with what the worker says of it next"
    }

    fn changes(&self, _: &Memory, mut changes: Vec<Change>) -> Vec<Change> {
        let ends = |change: &Change| matches!(change, Change::InsertRequest(row) if &*row.answer == "\"committed\"");
        if changes.iter().any(ends) {
            changes.retain(|change| !matches!(change, Change::InsertStep(_)));
        }
        changes
    }
}
