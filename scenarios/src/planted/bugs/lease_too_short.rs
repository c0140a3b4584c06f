//! A lease is granted for half of what its holder is told.

use crate::planted::{Bug, Memory};
use outlive::protocol::{Call, CallError, Claim, Reply, Request};

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
        match call.request {
            Request::Claim(claim) => {
                let lease_ms = (claim.lease_ms / 2).max(100);
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
