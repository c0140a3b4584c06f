//! A decision depends on the real time.

use crate::planted::{Bug, Memory};
use outlive::protocol::{Call, CallError, Reply};
use std::sync::OnceLock;
use std::time::{SystemTime, UNIX_EPOCH};

static STARTED: OnceLock<SystemTime> = OnceLock::new();

/// See the module.
pub struct RealClock;

impl Bug for RealClock {
    fn name(&self) -> &'static str {
        "real-clock"
    }

    fn breaks(&self) -> &'static str {
        "determinism"
    }

    fn about(&self) -> &'static str {
        "a decision depends on the real time"
    }

    fn prepare(&self) {
        STARTED.get_or_init(SystemTime::now);
    }

    fn answer(&self, memory: &Memory, _: &Call, answer: Result<Reply, CallError>) -> Result<Reply, CallError> {
        // Inside a run the clock is simulated; this one was read before it.
        let started = STARTED.get().expect("it was prepared").duration_since(UNIX_EPOCH).unwrap_or_default();
        memory.process.event("planted", &[u64::from(started.subsec_micros())], &[]);
        answer
    }
}
