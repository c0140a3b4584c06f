//! An idempotency key is not written down.

use crate::planted::{Bug, Memory};
use outlive::store::Change;

/// See the module.
pub struct KeyForgotten;

impl Bug for KeyForgotten {
    fn name(&self) -> &'static str {
        "key-forgotten"
    }

    fn breaks(&self) -> &'static str {
        "I5"
    }

    fn about(&self) -> &'static str {
        "an idempotency key is not written down"
    }

    fn changes(&self, _: &Memory, mut changes: Vec<Change>) -> Vec<Change> {
        changes.retain(|change| !matches!(change, Change::InsertKey(_)));
        changes
    }
}
