//! A completion after the lease expired unstarted is told that it was the one.

use crate::planted::{Bug, Memory};
use outlive::job::{AttemptEnd, Refusal};
use outlive::protocol::{Call, CallError, Reply, Request};

/// See the module.
pub struct ZombieToldDone;

impl Bug for ZombieToldDone {
    fn name(&self) -> &'static str {
        "zombie-told-done"
    }

    fn breaks(&self) -> &'static str {
        "I5"
    }

    fn about(&self) -> &'static str {
        "a completion after the lease expired unstarted is told that it was the one"
    }

    fn answer(&self, _: &Memory, call: &Call, answer: Result<Reply, CallError>) -> Result<Reply, CallError> {
        match (&call.request, answer) {
            (
                Request::Complete { .. },
                Err(CallError::Refused(Refusal::AttemptEnded { end: AttemptEnd::Expired, .. })),
            ) => Ok(Reply::Done),
            (_, answer) => answer,
        }
    }
}
