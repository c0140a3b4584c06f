//! A job that was completed by its sixth attempt or later says that it was discarded.

use crate::planted::{Bug, Memory};
use outlive::job::State;
use outlive::job::explain::Doing;
use outlive::protocol::{Call, CallError, Reply};

/// See the module.
pub struct CompletionCalledDiscard;

impl Bug for CompletionCalledDiscard {
    fn name(&self) -> &'static str {
        "completion-called-discard"
    }

    fn breaks(&self) -> &'static str {
        "I4"
    }

    fn about(&self) -> &'static str {
        "a job that was completed by its sixth attempt or later says that it was discarded"
    }

    fn answer(&self, _: &Memory, _: &Call, mut answer: Result<Reply, CallError>) -> Result<Reply, CallError> {
        if let Ok(Reply::Explained(explanation)) = &mut answer
            && explanation.attempts > 5
            && let Doing::Finished { outcome: outcome @ State::Completed, .. } = &mut explanation.doing
        {
            *outcome = State::Discarded;
        }
        answer
    }
}
