//! Only the first attempt of a job is told in which trace it was enqueued.

use crate::planted::{Bug, Memory};
use outlive::protocol::{Call, CallError, Reply};

/// See the module.
pub struct TraceLostOnRetry;

impl Bug for TraceLostOnRetry {
    fn name(&self) -> &'static str {
        "trace-lost-on-retry"
    }

    fn breaks(&self) -> &'static str {
        "I1"
    }

    fn about(&self) -> &'static str {
        "only the first attempt of a job is told in which trace it was enqueued"
    }

    fn answer(&self, _: &Memory, _: &Call, mut answer: Result<Reply, CallError>) -> Result<Reply, CallError> {
        if let Ok(Reply::Claimed { grants }) = &mut answer {
            for granted in grants.iter_mut().filter(|granted| granted.attempt > 1) {
                granted.trace_parent = None;
            }
        }
        answer
    }
}
