//! An expired lease is accepted for another fortieth of its length.

use crate::planted::{Bug, Memory};
use outlive::protocol::{Call, CallError, Claim, Reply, Request};

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
        match call.request {
            Request::Claim(claim) => {
                let lease_ms = claim.lease_ms * 41 / 40;
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
