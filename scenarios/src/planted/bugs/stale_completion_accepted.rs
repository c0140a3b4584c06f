//! A completion counts for whoever has the job now, whichever lease it shows.

use crate::planted::{Bug, Memory};
use outlive::protocol::{Call, Request};

/// See the module.
pub struct StaleCompletionAccepted;

impl Bug for StaleCompletionAccepted {
    fn name(&self) -> &'static str {
        "stale-completion-accepted"
    }

    fn breaks(&self) -> &'static str {
        "I2"
    }

    fn about(&self) -> &'static str {
        "a completion counts for whoever has the job now, whichever lease it shows"
    }

    fn call(&self, memory: &Memory, call: Call) -> Call {
        match call.request {
            Request::Complete { lease, result } => {
                let latest = memory.leases.lock().unwrap().get(&lease.job).copied().unwrap_or(lease);
                Call { request: Request::Complete { lease: latest, result }, ..call }
            }
            _ => call,
        }
    }
}
