//! The end of a job that is cancelled is not written down where forgetting looks: it is kept for ever.

use crate::planted::{Bug, Memory};
use outlive::job::State;
use outlive::store::Change;

/// See the module.
pub struct EndUnwritten;

impl Bug for EndUnwritten {
    fn name(&self) -> &'static str {
        "end-unwritten"
    }

    fn breaks(&self) -> &'static str {
        "I1"
    }

    fn about(&self) -> &'static str {
        "a job that is cancelled is kept for ever"
    }

    fn changes(&self, _: &Memory, mut changes: Vec<Change>) -> Vec<Change> {
        changes.retain(|change| !matches!(change, Change::InsertEnd(end) if end.state == State::Cancelled));
        changes
    }
}
