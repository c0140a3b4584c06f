//! A handler that runs again hears of no step of an earlier attempt.

use crate::planted::{Bug, Memory};
use outlive::protocol::{Call, CallError, JobView, Reply};

/// See the module.
pub struct StepsNotRecalled;

impl Bug for StepsNotRecalled {
    fn name(&self) -> &'static str {
        "steps-not-recalled"
    }

    fn breaks(&self) -> &'static str {
        "I5"
    }

    fn about(&self) -> &'static str {
        "a handler that runs again hears of no step of an earlier attempt"
    }

    fn answer(&self, _: &Memory, _: &Call, answer: Result<Reply, CallError>) -> Result<Reply, CallError> {
        match answer {
            Ok(Reply::Looked(view)) => Ok(Reply::Looked(Box::new(JobView { steps: Vec::new(), ..*view }))),
            answer => answer,
        }
    }
}
