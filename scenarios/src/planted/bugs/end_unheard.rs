//! Whoever waits for the end of a job hears of it only when the time to wait is over.

use crate::planted::Bug;
use outlive::protocol::{Call, Request};
use std::time::Duration;

/// See the module.
pub struct EndUnheard;

impl Bug for EndUnheard {
    fn name(&self) -> &'static str {
        "end-unheard"
    }

    fn breaks(&self) -> &'static str {
        "I4"
    }

    fn about(&self) -> &'static str {
        "whoever waits for the end of a job hears of it only when the time to wait is over"
    }

    fn lingers(&self, call: &Call) -> Duration {
        match call.request {
            Request::Await { wait_ms, .. } => Duration::from_millis(wait_ms),
            _ => Duration::ZERO,
        }
    }
}
