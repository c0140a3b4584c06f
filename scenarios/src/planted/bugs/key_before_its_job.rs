//! A delayed job with a key is written with the commit after the one that writes the key.

use crate::planted::{Bug, Memory};
use outlive::job::Wait;
use outlive::store::Change;

/// See the module.
pub struct KeyBeforeItsJob;

impl Bug for KeyBeforeItsJob {
    fn name(&self) -> &'static str {
        "key-before-its-job"
    }

    fn breaks(&self) -> &'static str {
        "I1"
    }

    fn about(&self) -> &'static str {
        "a delayed job with a key is written with the commit after the one that writes the key"
    }

    fn changes(&self, memory: &Memory, changes: Vec<Change>) -> Vec<Change> {
        let has_key = |id| changes.iter().any(|change| matches!(change, Change::InsertKey(row) if row.job == id));
        let is_late = |change: &Change| match change {
            Change::InsertJob(job) => job.wait == Wait::Delay && has_key(job.id),
            _ => false,
        };
        let late: Vec<bool> = changes.iter().map(is_late).collect();
        let (late, now): (Vec<_>, Vec<_>) = changes.into_iter().zip(late).partition(|(_, is_late)| *is_late);
        let change = |(change, _)| change;
        let held_back = std::mem::take(&mut *memory.held_back.lock().unwrap());
        memory.held_back.lock().unwrap().extend(late.into_iter().map(change));
        held_back.into_iter().chain(now.into_iter().map(change)).collect()
    }
}
