//! Every fifth attempt is written down for a worker that there is not.

use crate::planted::{Bug, Memory};
use crate::workload::Profile;
use outlive::store::Change;

/// See the module.
pub struct WorkerMisnamed;

impl Bug for WorkerMisnamed {
    fn name(&self) -> &'static str {
        "worker-misnamed"
    }

    fn breaks(&self) -> &'static str {
        "X"
    }

    fn about(&self) -> &'static str {
        "every fifth attempt is written down for a worker that there is not"
    }

    fn profile(&self) -> Profile {
        Profile::Illegal
    }

    fn changes(&self, memory: &Memory, mut changes: Vec<Change>) -> Vec<Change> {
        for change in &mut changes {
            if let Change::InsertAttempt(row) = change
                && memory.next().is_multiple_of(5)
            {
                row.worker = "nobody".into();
            }
        }
        changes
    }
}
