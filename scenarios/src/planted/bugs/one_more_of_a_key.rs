//! One job more of each concurrency key may be leased at once than was asked for.

use crate::planted::{Bug, Memory};
use outlive::protocol::{Call, Request};

/// See the module.
pub struct OneMoreOfAKey;

impl Bug for OneMoreOfAKey {
    fn name(&self) -> &'static str {
        "one-more-of-a-key"
    }

    fn breaks(&self) -> &'static str {
        "I2"
    }

    fn about(&self) -> &'static str {
        "one job more of each concurrency key may be leased at once than was asked for"
    }

    fn call(&self, _: &Memory, mut call: Call) -> Call {
        if let Request::Limit(limits) = &mut call.request {
            limits.at_once_per_key = limits.at_once_per_key.map(|jobs| jobs + 1);
        }
        call
    }
}
