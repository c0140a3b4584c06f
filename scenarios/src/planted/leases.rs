//! Leases of another length than their holders are told.

use outlive::protocol::{Call, CallError, Claim, Reply, Request};

/// A claim that asks for another lease: `change` makes the one of the other, in milliseconds.
pub fn ask_for(call: Call, change: impl FnOnce(u64) -> u64) -> Call {
    match call.request {
        Request::Claim(claim) => {
            let lease_ms = change(claim.lease_ms);
            Call { request: Request::Claim(Claim { lease_ms, ..claim }), ..call }
        }
        _ => call,
    }
}

/// An answer that says what was asked for, whatever was granted.
pub fn say_as_asked(call: &Call, mut answer: Result<Reply, CallError>) -> Result<Reply, CallError> {
    if let (Request::Claim(asked), Ok(Reply::Claimed { grants })) = (&call.request, &mut answer) {
        grants.iter_mut().for_each(|grant| grant.lease_ms = asked.lease_ms);
    }
    answer
}
