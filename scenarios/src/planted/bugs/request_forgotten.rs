//! A repeated request is done again.

use crate::planted::{Bug, Memory};
use outlive::store::Change;

/// See the module.
pub struct RequestForgotten;

impl Bug for RequestForgotten {
    fn name(&self) -> &'static str {
        "request-forgotten"
    }

    fn breaks(&self) -> &'static str {
        "I5"
    }

    fn about(&self) -> &'static str {
        "a repeated request is done again"
    }

    fn changes(&self, _: &Memory, mut changes: Vec<Change>) -> Vec<Change> {
        changes.retain(|change| !matches!(change, Change::InsertRequest(_)));
        changes
    }
}
