//! Each claim is taken for one of another worker, so that jobs that may kill their workers run beside each other.

use crate::planted::{Bug, Memory};
use outlive::protocol::{Call, Request};

/// See the module.
pub struct WorkersUntold;

impl Bug for WorkersUntold {
    fn name(&self) -> &'static str {
        "workers-untold"
    }

    fn breaks(&self) -> &'static str {
        "I3"
    }

    fn about(&self) -> &'static str {
        "each claim is taken for one of another worker, so that jobs that may kill their workers run beside each other"
    }

    fn call(&self, _: &Memory, mut call: Call) -> Call {
        if let Request::Claim(claim) = &mut call.request {
            claim.worker = format!("{} {}", claim.worker, call.id);
            claim.holder = outlive::job::Holder::Elsewhere;
        }
        call
    }
}
