//! How long an attempt of a kind may take is not kept.

use crate::planted::{Bug, Memory};
use outlive::protocol::{Call, Request};

/// See the module.
pub struct TimeOutUnheard;

impl Bug for TimeOutUnheard {
    fn name(&self) -> &'static str {
        "time-out-unheard"
    }

    fn breaks(&self) -> &'static str {
        "I2"
    }

    fn about(&self) -> &'static str {
        "how long an attempt of a kind may take is not kept"
    }

    fn call(&self, _: &Memory, mut call: Call) -> Call {
        if let Request::Policy(asked) = &mut call.request {
            asked.policy.timeout_ms = None;
        }
        call
    }
}
