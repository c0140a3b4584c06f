//! A crash spends one of the attempts.

use crate::planted::{Bug, Memory};
use outlive::job::Wait;
use outlive::store::Change;

/// See the module.
pub struct CrashCountedAsFailure;

impl Bug for CrashCountedAsFailure {
    fn name(&self) -> &'static str {
        "crash-counted-as-failure"
    }

    fn breaks(&self) -> &'static str {
        "I3"
    }

    fn about(&self) -> &'static str {
        "a crash spends one of the attempts"
    }

    fn changes(&self, _: &Memory, mut changes: Vec<Change>) -> Vec<Change> {
        for change in &mut changes {
            if let Change::UpdateJob(job) = change
                && job.wait == Wait::CrashBackoff
                && job.failures < job.attempts
                && job.crashes > 0
            {
                job.crashes -= 1;
                job.failures += 1;
            }
        }
        changes
    }
}
