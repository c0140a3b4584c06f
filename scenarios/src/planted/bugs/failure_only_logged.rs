//! A failure of a handler leaves no row.

use crate::planted::{Bug, Memory};
use outlive::job::How;
use outlive::store::Change;

/// See the module.
pub struct FailureOnlyLogged;

impl Bug for FailureOnlyLogged {
    fn name(&self) -> &'static str {
        "failure-only-logged"
    }

    fn breaks(&self) -> &'static str {
        "I3"
    }

    fn about(&self) -> &'static str {
        "a failure of a handler leaves no row"
    }

    fn changes(&self, _: &Memory, mut changes: Vec<Change>) -> Vec<Change> {
        changes.retain(|change| !matches!(change, Change::InsertFailure(failure) if failure.how == How::Error));
        changes
    }
}
