//! A lease is granted for a day, whatever was asked for.

use crate::planted::{Bug, Memory, leases};
use outlive::protocol::{Call, CallError, Reply};

/// See the module.
pub struct LeaseNeverExpires;

impl Bug for LeaseNeverExpires {
    fn name(&self) -> &'static str {
        "lease-never-expires"
    }

    fn breaks(&self) -> &'static str {
        "I2"
    }

    fn about(&self) -> &'static str {
        "a lease is granted for a day, whatever was asked for"
    }

    fn call(&self, _: &Memory, call: Call) -> Call {
        leases::ask_for(call, |_| 24 * 3_600_000)
    }

    fn answer(&self, _: &Memory, call: &Call, answer: Result<Reply, CallError>) -> Result<Reply, CallError> {
        leases::say_as_asked(call, answer)
    }
}
