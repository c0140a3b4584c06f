//! A job of one kind that rests after its fourth crash can not say so.

use crate::planted::{Bug, Memory};
use outlive::job::explain::{Doing, Reason};
use outlive::protocol::{Call, CallError, Reply};

/// See the module.
pub struct WaitWithoutAReason;

impl Bug for WaitWithoutAReason {
    fn name(&self) -> &'static str {
        "wait-without-a-reason"
    }

    fn breaks(&self) -> &'static str {
        "I4"
    }

    fn about(&self) -> &'static str {
        "a job of one kind that rests after its fourth crash can not say so"
    }

    fn answer(&self, _: &Memory, _: &Call, mut answer: Result<Reply, CallError>) -> Result<Reply, CallError> {
        if let Ok(Reply::Explained(explanation)) = &mut answer
            && let Doing::Waiting { blockers } = &mut explanation.doing
        {
            let kind = explanation.kind.as_str();
            blockers.retain(|it| kind != "alpha" || !matches!(it.reason, Reason::CrashBackoff { crashes: 4, .. }));
        }
        answer
    }
}
