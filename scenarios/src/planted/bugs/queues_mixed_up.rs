//! A claim gets jobs of any queue.

use crate::planted::{Bug, Memory};
use crate::workload::QUEUES;
use outlive::protocol::{Call, Request};

/// See the module.
pub struct QueuesMixedUp;

impl Bug for QueuesMixedUp {
    fn name(&self) -> &'static str {
        "queues-mixed-up"
    }

    fn breaks(&self) -> &'static str {
        "I4"
    }

    fn about(&self) -> &'static str {
        "a claim gets jobs of any queue"
    }

    fn call(&self, _: &Memory, mut call: Call) -> Call {
        if let Request::Claim(claim) = &mut call.request {
            claim.queues = QUEUES.map(str::to_owned).to_vec();
        }
        call
    }
}
