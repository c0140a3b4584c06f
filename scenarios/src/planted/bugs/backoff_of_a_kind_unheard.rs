//! How long jobs of a kind rest after a failure is not kept.

use crate::planted::{Bug, Memory};
use outlive::protocol::{Call, Request};

/// See the module.
pub struct BackoffOfAKindUnheard;

impl Bug for BackoffOfAKindUnheard {
    fn name(&self) -> &'static str {
        "backoff-of-a-kind-unheard"
    }

    fn breaks(&self) -> &'static str {
        "I3"
    }

    fn about(&self) -> &'static str {
        "how long jobs of a kind rest after a failure is not kept"
    }

    fn call(&self, _: &Memory, mut call: Call) -> Call {
        if let Request::Policy(asked) = &mut call.request {
            asked.policy.backoff = None;
        }
        call
    }
}
