//! A failure that may be retried counts for whoever has the job now, whichever lease it shows.

use crate::planted::{Bug, Memory};
use outlive::protocol::{Call, Request};

/// See the module.
pub struct StaleLeaseAccepted;

impl Bug for StaleLeaseAccepted {
    fn name(&self) -> &'static str {
        "stale-lease-accepted"
    }

    fn breaks(&self) -> &'static str {
        "I2"
    }

    fn about(&self) -> &'static str {
        "a failure that may be retried counts for whoever has the job now, whichever lease it shows"
    }

    fn call(&self, memory: &Memory, call: Call) -> Call {
        match call.request {
            Request::Fail { lease, failure } if failure.retryable => {
                let latest = memory.leases.lock().unwrap().get(&lease.job).copied().unwrap_or(lease);
                Call { request: Request::Fail { lease: latest, failure }, ..call }
            }
            _ => call,
        }
    }
}
