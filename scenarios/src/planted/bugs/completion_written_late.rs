//! A completion is written with the next commit, and acknowledged with its own.

use crate::planted::{Bug, Memory};
use outlive::job::{AttemptEnd, State};
use outlive::store::Change;

/// See the module.
pub struct CompletionWrittenLate;

impl Bug for CompletionWrittenLate {
    fn name(&self) -> &'static str {
        "completion-written-late"
    }

    fn breaks(&self) -> &'static str {
        "I5"
    }

    fn about(&self) -> &'static str {
        "a completion is written with the next commit, and acknowledged with its own"
    }

    fn changes(&self, memory: &Memory, changes: Vec<Change>) -> Vec<Change> {
        let completes = |change: &Change| match change {
            Change::UpdateJob(job) => job.state == State::Completed,
            Change::UpdateAttempt(attempt) => attempt.end.is_some_and(|(_, end)| end == AttemptEnd::Completed),
            _ => false,
        };
        let (late, now): (Vec<Change>, Vec<Change>) = changes.into_iter().partition(completes);
        let earlier = std::mem::replace(&mut *memory.held_back.lock().unwrap(), late);
        earlier.into_iter().chain(now).collect()
    }
}
