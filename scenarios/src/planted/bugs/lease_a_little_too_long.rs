//! An expired lease is accepted for another fortieth of its length.

use crate::planted::{Bug, Memory, leases};
use outlive::protocol::{Call, CallError, Reply};

/// See the module.
pub struct LeaseALittleTooLong;

impl Bug for LeaseALittleTooLong {
    fn name(&self) -> &'static str {
        "lease-a-little-too-long"
    }

    fn breaks(&self) -> &'static str {
        "I2"
    }

    fn about(&self) -> &'static str {
        "an expired lease is accepted for another fortieth of its length"
    }

    fn call(&self, _: &Memory, call: Call) -> Call {
        leases::ask_for(call, |lease_ms| lease_ms * 41 / 40)
    }

    fn answer(&self, _: &Memory, call: &Call, answer: Result<Reply, CallError>) -> Result<Reply, CallError> {
        leases::say_as_asked(call, answer)
    }
}
