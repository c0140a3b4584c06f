//! A lease is granted for half of what its holder is told.

use crate::planted::{Bug, Memory, leases};
use outlive::protocol::{Call, CallError, Reply};

/// See the module.
pub struct LeaseTooShort;

impl Bug for LeaseTooShort {
    fn name(&self) -> &'static str {
        "lease-too-short"
    }

    fn breaks(&self) -> &'static str {
        "I2"
    }

    fn about(&self) -> &'static str {
        "a lease is granted for half of what its holder is told"
    }

    fn call(&self, _: &Memory, call: Call) -> Call {
        leases::ask_for(call, |lease_ms| (lease_ms / 2).max(100))
    }

    fn answer(&self, _: &Memory, call: &Call, answer: Result<Reply, CallError>) -> Result<Reply, CallError> {
        leases::say_as_asked(call, answer)
    }
}
