//! What has ended is forgotten after half of its time.

use crate::planted::Bug;
use outlive::{Options, Retention};
use std::time::Duration;

/// See the module.
pub struct ForgottenTooEarly;

impl Bug for ForgottenTooEarly {
    fn name(&self) -> &'static str {
        "forgotten-too-early"
    }

    fn breaks(&self) -> &'static str {
        "I1"
    }

    fn about(&self) -> &'static str {
        "what has ended is forgotten after half of its time"
    }

    fn options(&self, options: Options) -> Options {
        let half = |kept: Option<Duration>| kept.map(|kept| kept / 2);
        let Retention { completed, cancelled, discarded, quarantined } = options.retention;
        let retention = Retention {
            completed: half(completed),
            cancelled: half(cancelled),
            discarded: half(discarded),
            quarantined: half(quarantined),
        };
        Options { retention, ..options }
    }
}
