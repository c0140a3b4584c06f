//! A lease is granted for a day, whatever was asked for.

use crate::planted::{Bug, Memory};
use outlive::protocol::{Call, CallError, Claim, Reply, Request};

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
        match call.request {
            Request::Claim(claim) => {
                let lease_ms = 24 * 3_600_000;
                Call { request: Request::Claim(Claim { lease_ms, ..claim }), ..call }
            }
            _ => call,
        }
    }

    fn answer(&self, _: &Memory, call: &Call, answer: Result<Reply, CallError>) -> Result<Reply, CallError> {
        let mut answer = answer;
        if let (Request::Claim(asked), Ok(Reply::Claimed { grants })) = (&call.request, &mut answer) {
            grants.iter_mut().for_each(|grant| grant.lease_ms = asked.lease_ms);
        }
        answer
    }
}
