//! A worker is not told how often its job has failed before.

use crate::planted::{Bug, Memory};
use outlive::protocol::{Call, CallError, Reply};

/// See the module.
pub struct FailuresUntold;

impl Bug for FailuresUntold {
    fn name(&self) -> &'static str {
        "failures-untold"
    }

    fn breaks(&self) -> &'static str {
        "I3"
    }

    fn about(&self) -> &'static str {
        "a worker is not told how often its job has failed before"
    }

    fn answer(&self, _: &Memory, _: &Call, mut answer: Result<Reply, CallError>) -> Result<Reply, CallError> {
        if let Ok(Reply::Claimed { grants }) = &mut answer {
            grants.iter_mut().for_each(|grant| grant.failures = 0);
        }
        answer
    }
}
