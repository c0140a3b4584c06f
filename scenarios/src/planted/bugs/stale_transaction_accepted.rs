//! A completion in a transaction counts for whoever has the job now, whichever lease it shows.

use crate::planted::{Bug, Memory};
use outlive::protocol::{Request, Said};

/// See the module.
pub struct StaleTransactionAccepted;

impl Bug for StaleTransactionAccepted {
    fn name(&self) -> &'static str {
        "stale-transaction-accepted"
    }

    fn breaks(&self) -> &'static str {
        "I2"
    }

    fn about(&self) -> &'static str {
        "a completion in a transaction counts for whoever has the job now, whichever lease it shows"
    }

    fn said(&self, memory: &Memory, said: Said) -> Said {
        match said {
            Said::Command(Request::Complete { lease, result }) => {
                let latest = memory.leases.lock().unwrap().get(&lease.job).copied().unwrap_or(lease);
                Said::Command(Request::Complete { lease: latest, result })
            }
            said => said,
        }
    }
}
