//! A job is forgotten, and its attempts are not.

use crate::planted::{Bug, Memory};
use outlive::store::Change;

/// See the module.
pub struct ForgottenInPart;

impl Bug for ForgottenInPart {
    fn name(&self) -> &'static str {
        "forgotten-in-part"
    }

    fn breaks(&self) -> &'static str {
        "I1"
    }

    fn about(&self) -> &'static str {
        "a job is forgotten, and its attempts are not"
    }

    fn changes(&self, _: &Memory, mut changes: Vec<Change>) -> Vec<Change> {
        changes.retain(|change| !matches!(change, Change::DeleteAttempt { .. }));
        changes
    }
}
