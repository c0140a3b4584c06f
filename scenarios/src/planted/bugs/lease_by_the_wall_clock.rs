//! Whoever has the file measures leases by its wall clock.

use crate::planted::{Bug, Memory};
use std::time::Duration;

/// See the module.
pub struct LeaseByTheWallClock;

impl Bug for LeaseByTheWallClock {
    fn name(&self) -> &'static str {
        "lease-by-the-wall-clock"
    }

    fn breaks(&self) -> &'static str {
        "I2"
    }

    fn about(&self) -> &'static str {
        "whoever has the file measures leases by its wall clock"
    }

    fn boot(&self, memory: &Memory, real: Duration) -> Duration {
        if matches!(memory.process.name(), "store" | "program") {
            memory.not_before(memory.process.clock().wall())
        } else {
            real
        }
    }
}
