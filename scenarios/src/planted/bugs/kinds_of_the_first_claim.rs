//! Whoever claims again is served as if it asked for the same kinds as at first.

use crate::planted::{Bug, Memory};
use outlive::protocol::{Call, Request};

/// See the module.
pub struct KindsOfTheFirstClaim;

impl Bug for KindsOfTheFirstClaim {
    fn name(&self) -> &'static str {
        "kinds-of-the-first-claim"
    }

    fn breaks(&self) -> &'static str {
        "I4"
    }

    fn about(&self) -> &'static str {
        "whoever claims again is served as if it asked for the same kinds as at first"
    }

    fn call(&self, memory: &Memory, mut call: Call) -> Call {
        if let Request::Claim(claim) = &mut call.request {
            let mut kinds = memory.kinds.lock().unwrap();
            claim.kinds = kinds.entry(claim.worker.clone()).or_insert_with(|| claim.kinds.clone()).clone();
        }
        call
    }
}
