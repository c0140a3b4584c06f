//! A lease counts by its job and token alone, whichever opening of the file granted it.

use crate::planted::{Bug, Memory};
use crate::workload::Profile;
use outlive::job::Lease;
use outlive::protocol::{Call, Request};

/// See the module.
pub struct LeaseNonceIgnored;

impl Bug for LeaseNonceIgnored {
    fn name(&self) -> &'static str {
        "lease-nonce-ignored"
    }

    fn breaks(&self) -> &'static str {
        "X"
    }

    fn about(&self) -> &'static str {
        "a lease counts by its job and token alone, whichever opening of the file granted it"
    }

    fn profile(&self) -> Profile {
        Profile::Illegal
    }

    fn call(&self, memory: &Memory, call: Call) -> Call {
        let leases = memory.leases.lock().unwrap();
        let ours = |lease: Lease| {
            let latest = leases.get(&lease.job).filter(|latest| latest.token == lease.token);
            latest.copied().unwrap_or(lease)
        };
        let request = match call.request {
            Request::Start { lease } => Request::Start { lease: ours(lease) },
            Request::Complete { lease, result } => Request::Complete { lease: ours(lease), result },
            Request::Fail { lease, failure } => Request::Fail { lease: ours(lease), failure },
            Request::Heartbeat { leases } => Request::Heartbeat { leases: leases.into_iter().map(ours).collect() },
            other => other,
        };
        Call { request, ..call }
    }
}
