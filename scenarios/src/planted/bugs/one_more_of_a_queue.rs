//! One job more of each queue may be leased at once than was asked for.

use crate::planted::{Bug, Memory};
use outlive::protocol::{Call, Request};

/// See the module.
pub struct OneMoreOfAQueue;

impl Bug for OneMoreOfAQueue {
    fn name(&self) -> &'static str {
        "one-more-of-a-queue"
    }

    fn breaks(&self) -> &'static str {
        "I2"
    }

    fn about(&self) -> &'static str {
        "one job more of each queue may be leased at once than was asked for"
    }

    fn call(&self, _: &Memory, mut call: Call) -> Call {
        if let Request::Limit(limits) = &mut call.request {
            limits.at_once = limits.at_once.map(|jobs| jobs + 1);
        }
        call
    }
}
