//! A job that is due and has no slot says that it waits for its turn, and nothing of slots.

use crate::planted::{Bug, Memory};
use outlive::job::explain::{Doing, Reason};
use outlive::protocol::{Call, CallError, Reply};

/// See the module.
pub struct SlotsUnsaid;

impl Bug for SlotsUnsaid {
    fn name(&self) -> &'static str {
        "slots-unsaid"
    }

    fn breaks(&self) -> &'static str {
        "I4"
    }

    fn about(&self) -> &'static str {
        "a job that is due and has no slot says that it waits for its turn, and nothing of slots"
    }

    fn answer(&self, _: &Memory, _: &Call, mut answer: Result<Reply, CallError>) -> Result<Reply, CallError> {
        if let Ok(Reply::Explained(explanation)) = &mut answer
            && let Doing::Waiting { blockers } = &mut explanation.doing
        {
            blockers.retain(|it| !matches!(it.reason, Reason::Slots { .. }));
        }
        answer
    }
}
