//! A service whose calls and answers may have a bug.

use super::{BuggyHost, Memory, chosen};
use outlive::protocol::{Answering, Call, Reply, Service};
use std::sync::Arc;

struct BuggyService {
    inner: Arc<dyn Service>,
    memory: Arc<Memory>,
}

/// The service that callers get to see.
pub fn service(host: &BuggyHost, inner: Arc<dyn Service>) -> Arc<dyn Service> {
    Arc::new(BuggyService { inner, memory: host.memory() })
}

impl Service for BuggyService {
    fn call(&self, call: Call) -> Answering {
        let Some(bug) = chosen() else { return self.inner.call(call) };
        let answering = self.inner.call(bug.call(&self.memory, call.clone()));
        let memory = self.memory.clone();
        Box::pin(async move {
            let answer = answering.await;
            if let Ok(Reply::Claimed { grants }) = &answer {
                let mut leases = memory.leases.lock().unwrap();
                leases.extend(grants.iter().map(|grant| (grant.lease.job, grant.lease)));
            }
            bug.answer(&memory, &call, answer)
        })
    }
}
