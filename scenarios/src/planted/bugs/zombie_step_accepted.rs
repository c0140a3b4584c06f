//! A step counts for whoever has the job now, whichever lease it shows.

use crate::planted::{Bug, Memory};
use outlive::protocol::{Call, Request};

/// See the module.
pub struct ZombieStepAccepted;

impl Bug for ZombieStepAccepted {
    fn name(&self) -> &'static str {
        "zombie-step-accepted"
    }

    fn breaks(&self) -> &'static str {
        "I2"
    }

    fn about(&self) -> &'static str {
        "a step counts for whoever has the job now, whichever lease it shows"
    }

    fn call(&self, memory: &Memory, call: Call) -> Call {
        match call.request {
            Request::Step { lease, name, result } => {
                let latest = memory.leases.lock().unwrap().get(&lease.job).copied().unwrap_or(lease);
                Call { request: Request::Step { lease: latest, name, result }, ..call }
            }
            _ => call,
        }
    }
}
