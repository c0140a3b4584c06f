//! Who enqueues jobs together is told their numbers in another order.

use crate::planted::{Bug, Memory};
use outlive::protocol::{Call, CallError, Reply};

/// See the module.
pub struct BatchAnsweredBackwards;

impl Bug for BatchAnsweredBackwards {
    fn name(&self) -> &'static str {
        "batch-answered-backwards"
    }

    fn breaks(&self) -> &'static str {
        "I1"
    }

    fn about(&self) -> &'static str {
        "who enqueues jobs together is told their numbers in another order"
    }

    fn answer(&self, _: &Memory, _: &Call, answer: Result<Reply, CallError>) -> Result<Reply, CallError> {
        answer.map(|reply| match reply {
            Reply::EnqueuedAll { jobs } => Reply::EnqueuedAll { jobs: jobs.into_iter().rev().collect() },
            reply => reply,
        })
    }
}
