//! A payload that does not decode leaves no failure.

use crate::planted::{Bug, Memory};
use outlive::job::How;
use outlive::store::Change;

/// See the module.
pub struct UndecodableOnlyLogged;

impl Bug for UndecodableOnlyLogged {
    fn name(&self) -> &'static str {
        "undecodable-only-logged"
    }

    fn breaks(&self) -> &'static str {
        "I3"
    }

    fn about(&self) -> &'static str {
        "a payload that does not decode leaves no failure"
    }

    fn changes(&self, _: &Memory, mut changes: Vec<Change>) -> Vec<Change> {
        changes.retain(|change| !matches!(change, Change::InsertFailure(failure) if failure.how == How::Undecodable));
        changes
    }
}
