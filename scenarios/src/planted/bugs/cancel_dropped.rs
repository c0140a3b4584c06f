//! A request to cancel a running job is acknowledged and forgotten.

use crate::planted::{Bug, Memory};
use outlive::store::Change;

/// See the module.
pub struct CancelDropped;

impl Bug for CancelDropped {
    fn name(&self) -> &'static str {
        "cancel-dropped"
    }

    fn breaks(&self) -> &'static str {
        "I4"
    }

    fn about(&self) -> &'static str {
        "a request to cancel a running job is acknowledged and forgotten"
    }

    fn changes(&self, _: &Memory, mut changes: Vec<Change>) -> Vec<Change> {
        for change in &mut changes {
            if let Change::UpdateJob(job) = change {
                job.cancel_requested = false;
            }
        }
        changes
    }
}
