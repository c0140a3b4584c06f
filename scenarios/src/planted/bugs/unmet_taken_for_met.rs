//! A job runs although one that it waits for has ended without a result.

use crate::planted::{Bug, Memory};
use outlive::job::Unmet;
use outlive::protocol::{Call, Enqueue, Request};

/// See the module.
pub struct UnmetTakenForMet;

impl Bug for UnmetTakenForMet {
    fn name(&self) -> &'static str {
        "unmet-taken-for-met"
    }

    fn breaks(&self) -> &'static str {
        "I4"
    }

    fn about(&self) -> &'static str {
        "a job runs although one that it waits for has ended without a result"
    }

    fn call(&self, _: &Memory, mut call: Call) -> Call {
        if let Request::Enqueue(Enqueue { after: Some(after), .. }) = &mut call.request {
            after.unmet = Unmet::Run;
        }
        call
    }
}
