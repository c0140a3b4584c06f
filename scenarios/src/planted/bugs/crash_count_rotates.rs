//! Crashes are counted anew with each delivery.

use crate::planted::{Bug, Memory};
use outlive::job::Wait;
use outlive::store::Change;

/// See the module.
pub struct CrashCountRotates;

impl Bug for CrashCountRotates {
    fn name(&self) -> &'static str {
        "crash-count-rotates"
    }

    fn breaks(&self) -> &'static str {
        "I3"
    }

    fn about(&self) -> &'static str {
        "crashes are counted anew with each delivery"
    }

    fn changes(&self, _: &Memory, mut changes: Vec<Change>) -> Vec<Change> {
        for change in &mut changes {
            if let Change::UpdateJob(job) = change
                && job.wait == Wait::CrashBackoff
                && !job.state.is_terminal()
            {
                job.crashes = 0;
            }
        }
        changes
    }
}
