//! A service whose calls and answers may have a bug.

use super::{BuggyHost, Memory, chosen};
use outlive::host::{Clock, Host};
use outlive::job::RequestId;
use outlive::protocol::{
    Answering, Begin, Beginning, Call, Conversation, Enqueue, Enqueued, Hearing, Reply, Request, Said, Service,
    Shrinking, Snapshotting,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

struct BuggyService {
    inner: Arc<dyn Service>,
    memory: Arc<Memory>,
    host: BuggyHost,
}

/// The service that callers get to see.
pub fn service(host: &BuggyHost, inner: Arc<dyn Service>) -> Arc<dyn Service> {
    Arc::new(BuggyService { inner, memory: host.memory(), host: host.clone() })
}

struct BuggyRemote {
    inner: Arc<dyn Service>,
    calls: AtomicU64,
}

/// The way to the server that callers on other machines get to see.
pub fn remote(inner: Arc<dyn Service>) -> Arc<dyn Service> {
    Arc::new(BuggyRemote { inner, calls: AtomicU64::new(0) })
}

impl Service for BuggyRemote {
    fn call(&self, call: Call) -> Answering {
        let Some(bug) = chosen() else { return self.inner.call(call) };
        let number = self.calls.fetch_add(1, Ordering::Relaxed) + 1;
        let answering = self.inner.call(bug.sent(number, call.clone()));
        Box::pin(async move { bug.told(&call, answering.await) })
    }

    fn begin(&self, begin: Begin) -> Beginning {
        self.inner.begin(begin)
    }
}

impl BuggyService {
    /// Enqueues one job after another, until one can't be.
    fn enqueue_apart(&self, id: RequestId, jobs: Vec<Enqueue>) -> Answering {
        let inner = self.inner.clone();
        Box::pin(async move {
            let mut enqueued = Vec::new();
            for (place, job) in (0..).zip(jobs) {
                let RequestId(mut name) = id;
                name[9] ^= place;
                let call = Call { id: RequestId(name), request: Request::Enqueue(job) };
                if let Reply::Enqueued { job, fresh } = inner.call(call).await? {
                    enqueued.push(Enqueued { job, fresh });
                }
            }
            Ok(Reply::EnqueuedAll { jobs: enqueued })
        })
    }
}

impl Service for BuggyService {
    fn call(&self, call: Call) -> Answering {
        let Some(bug) = chosen() else { return self.inner.call(call) };
        let answering = match bug.call(&self.memory, call.clone()) {
            Call { id, request: Request::EnqueueAll { jobs } } if bug.enqueues_apart() => self.enqueue_apart(id, jobs),
            call => self.inner.call(call),
        };
        let (memory, clock) = (self.memory.clone(), self.host.clock().clone());
        Box::pin(async move {
            let (asked, lingers) = (clock.boot(), bug.lingers(&call));
            let answer = answering.await;
            if !lingers.is_zero() {
                clock.sleep((asked + lingers).saturating_sub(clock.boot())).await;
            }
            if let Ok(Reply::Claimed { grants }) = &answer {
                let mut leases = memory.leases.lock().unwrap();
                leases.extend(grants.iter().map(|grant| (grant.lease.job, grant.lease)));
            }
            bug.answer(&memory, &call, answer)
        })
    }

    fn begin(&self, begin: Begin) -> Beginning {
        let (beginning, memory) = (self.inner.begin(begin), self.memory.clone());
        Box::pin(async move {
            let inner = beginning.await?;
            Ok(Arc::new(BuggyConversation { inner, memory }) as Arc<dyn Conversation>)
        })
    }

    fn snapshot(&self) -> Snapshotting {
        self.inner.snapshot()
    }

    fn compact(&self) -> Shrinking {
        self.inner.compact()
    }
}

struct BuggyConversation {
    inner: Arc<dyn Conversation>,
    memory: Arc<Memory>,
}

impl Conversation for BuggyConversation {
    fn say(&self, said: Said) -> Hearing {
        let Some(bug) = chosen() else { return self.inner.say(said) };
        let said = bug.said(&self.memory, said);
        if !bug.runs_twice(&self.memory, &said) {
            return self.inner.say(said);
        }
        let inner = self.inner.clone();
        Box::pin(async move {
            inner.say(said.clone()).await?;
            inner.say(said).await
        })
    }
}
