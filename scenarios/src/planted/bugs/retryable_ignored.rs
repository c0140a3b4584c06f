//! A failure that is not retryable is retried.

use crate::planted::{Bug, Memory};
use outlive::protocol::{Call, Request};

/// See the module.
pub struct RetryableIgnored;

impl Bug for RetryableIgnored {
    fn name(&self) -> &'static str {
        "retryable-ignored"
    }

    fn breaks(&self) -> &'static str {
        "I3"
    }

    fn about(&self) -> &'static str {
        "a failure that is not retryable is retried"
    }

    fn call(&self, _: &Memory, mut call: Call) -> Call {
        if let Request::Fail { failure, .. } = &mut call.request {
            failure.retryable = true;
        }
        call
    }
}
