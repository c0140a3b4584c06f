//! A job that a stopping worker gives back has failed once more.

use crate::planted::{Bug, Memory};
use outlive::JobId;
use outlive::job::How;
use outlive::store::Change;
use std::collections::BTreeSet;

/// See the module.
pub struct ReleaseCountedAsFailure;

impl Bug for ReleaseCountedAsFailure {
    fn name(&self) -> &'static str {
        "release-counted-as-failure"
    }

    fn breaks(&self) -> &'static str {
        "I3"
    }

    fn about(&self) -> &'static str {
        "a job that a stopping worker gives back has failed once more"
    }

    fn changes(&self, _: &Memory, mut changes: Vec<Change>) -> Vec<Change> {
        let given_back = |change: &Change| match change {
            Change::InsertFailure(failure) if failure.how == How::Shutdown => Some(failure.job),
            _ => None,
        };
        let given_back: BTreeSet<JobId> = changes.iter().filter_map(given_back).collect();
        for change in &mut changes {
            if let Change::UpdateJob(job) = change
                && given_back.contains(&job.id)
            {
                job.releases -= 1;
                job.failures += 1;
            }
        }
        changes
    }
}
