//! Every third time that an attempt first says something it is acknowledged, and written nowhere.

use crate::planted::{Bug, Memory};
use outlive::store::Change;

/// See the module.
pub struct LogNotWritten;

impl Bug for LogNotWritten {
    fn name(&self) -> &'static str {
        "log-not-written"
    }

    fn breaks(&self) -> &'static str {
        "I3"
    }

    fn about(&self) -> &'static str {
        "every third time that an attempt first says something it is acknowledged, and written nowhere"
    }

    fn changes(&self, memory: &Memory, mut changes: Vec<Change>) -> Vec<Change> {
        changes.retain(|change| !matches!(change, Change::InsertLog(_)) || !memory.next().is_multiple_of(3));
        changes
    }
}
