//! A worker on another machine trusts its leases for a tenth longer than they last.

use crate::planted::{Bug, Memory};
use std::time::Duration;

/// See the module.
pub struct TrustTooLong;

impl Bug for TrustTooLong {
    fn name(&self) -> &'static str {
        "trust-too-long"
    }

    fn breaks(&self) -> &'static str {
        "I2"
    }

    fn about(&self) -> &'static str {
        "a worker on another machine trusts its leases for a tenth longer than they last"
    }

    fn boot(&self, memory: &Memory, real: Duration) -> Duration {
        // Its clock is slow, and timers do not ask it.
        if memory.process.name() == "worker" { real * 9 / 10 } else { real }
    }
}
