//! A job of one kind that was put back by its handler says that it was enqueued so.

use crate::planted::{Bug, Memory};
use outlive::job::Wait;
use outlive::store::Change;

/// See the module.
pub struct SnoozeCalledADelay;

impl Bug for SnoozeCalledADelay {
    fn name(&self) -> &'static str {
        "snooze-called-a-delay"
    }

    fn breaks(&self) -> &'static str {
        "I4"
    }

    fn about(&self) -> &'static str {
        "a job of one kind that was put back by its handler says that it was enqueued so"
    }

    fn changes(&self, _: &Memory, mut changes: Vec<Change>) -> Vec<Change> {
        for change in &mut changes {
            if let Change::UpdateJob(job) = change
                && job.wait == Wait::Snooze
                && &*job.new.kind == "alpha"
            {
                job.wait = Wait::Delay;
            }
        }
        changes
    }
}
