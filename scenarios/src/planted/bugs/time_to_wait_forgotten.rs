//! Whoever waits for a signal waits for ever, whatever limit was set.

use crate::planted::{Bug, Memory};
use outlive::protocol::{Call, On, Request};

/// See the module.
pub struct TimeToWaitForgotten;

impl Bug for TimeToWaitForgotten {
    fn name(&self) -> &'static str {
        "time-to-wait-forgotten"
    }

    fn breaks(&self) -> &'static str {
        "L"
    }

    fn about(&self) -> &'static str {
        "whoever waits for a signal waits for ever, whatever limit was set"
    }

    fn call(&self, _: &Memory, mut call: Call) -> Call {
        if let Request::Wait { on: On::Signal { limit_ms, .. }, .. } = &mut call.request {
            *limit_ms = None;
        }
        call
    }
}
