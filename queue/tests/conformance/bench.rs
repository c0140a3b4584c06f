//! A queue on the workbench: one store, time moved by hand, and a word for each request.

use crate::host::{HandClock, HandHost};
use outlive::host::Host;
use outlive::job::{Holder, How, JobId, Lease, Next, Refusal, RequestId};
use outlive::protocol::{
    Answering, Call, CallError, Claim, Enqueue, Granted, JobView, Renewal, Reply, Reported, Request, Service,
};
use outlive::store::memory::Memory;
use outlive::store::turso::TursoStorage;
use outlive::{Explanation, Local, Options, Outlive};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tempfile::TempDir;

/// The stores that the suite runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Memory,
    Turso,
}

pub const KINDS: [Kind; 2] = [Kind::Memory, Kind::Turso];

/// A queue, open unless it is being reopened.
pub struct Bench {
    pub host: HandHost,
    kind: Kind,
    rows: Memory,
    directory: TempDir,
    local: Option<Local>,
    options: Options,
    requests: u64,
}

/// Runs a test on every store.
#[track_caller]
pub fn on_every_store(test: impl AsyncFn(&mut Bench)) {
    on_every_store_with(Options::default(), test);
}

/// Runs a test on every store, with options.
#[track_caller]
pub fn on_every_store_with(options: Options, test: impl AsyncFn(&mut Bench)) {
    for kind in KINDS {
        println!("on {kind:?}");
        block_on(async { test(&mut Bench::open(kind, 1, options.clone()).await).await });
    }
}

/// Runs async code of a test.
pub fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(work)
}

impl Bench {
    pub async fn open(kind: Kind, seed: u64, options: Options) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let (host, rows) = (HandHost::new(seed), Memory::default());
        let mut bench = Self { host, kind, rows, directory, local: None, options, requests: 0 };
        bench.open_again().await;
        bench
    }

    async fn open_again(&mut self) {
        let (host, options) = (self.host.clone(), self.options.clone());
        let opened = match self.kind {
            Kind::Memory => Local::open(host, self.rows.clone(), options).await,
            Kind::Turso => {
                // The database draws random numbers too, and memory does not.
                let storage = TursoStorage::new(host.with_own_randomness(7), self.directory.path().join("queue.db"));
                Local::open(host, storage, options).await
            }
        };
        self.local = Some(opened.expect("the queue opens"));
    }

    /// Closes the queue, lets `closed` happen, and opens it again.
    pub async fn reopen_after(&mut self, closed: impl FnOnce(&HandClock)) {
        self.local = None;
        self.host.no_engine().await;
        closed(self.host.clock());
        self.open_again().await;
    }

    pub async fn reopen(&mut self) {
        self.reopen_after(|_| ()).await;
    }

    /// Opens the queue again with other options.
    pub async fn reopen_with(&mut self, options: Options) {
        self.options = options;
        self.reopen().await;
    }

    fn local(&self) -> &Local {
        self.local.as_ref().expect("the queue is open")
    }

    /// The handle that programs hold.
    pub fn outlive(&self) -> Outlive<HandHost> {
        Outlive::on(self.host.clone(), Arc::new(self.local().clone()))
    }

    // Time.

    /// Lets time pass, and the engine see it.
    pub async fn pass(&mut self, duration: Duration) {
        self.host.clock().pass(duration);
        self.engine_looks().await;
    }

    /// Lets time pass by steady time alone, and the engine see it.
    pub async fn pass_steady(&mut self, duration: Duration) {
        self.host.clock().pass_steady(duration);
        self.engine_looks().await;
    }

    /// Sets the wall clock, and lets the engine see it.
    pub async fn set_wall(&mut self, wall: Duration) {
        self.host.clock().set_wall(wall);
        self.engine_looks().await;
    }

    /// Waits until the engine has looked at the clock, and has sent what it had to say before.
    pub async fn engine_looks(&mut self) {
        let job = JobId(0);
        // A group answers its claims last: the first question may be of a group with some.
        for _ in 0..2 {
            assert_eq!(self.call(Request::Look { job }).await, Err(CallError::Refused(Refusal::UnknownJob { job })));
        }
    }

    // Calls.

    /// A name that no other request of this bench has.
    pub fn request_id(&mut self) -> RequestId {
        self.requests += 1;
        RequestId(u128::from(self.requests).to_be_bytes())
    }

    pub async fn call(&mut self, request: Request) -> Result<Reply, CallError> {
        let id = self.request_id();
        self.call_as(id, request).await
    }

    pub async fn call_as(&self, id: RequestId, request: Request) -> Result<Reply, CallError> {
        self.local().call(Call { id, request }).await
    }

    /// Sends a call whose answer is waited for later.
    pub fn send(&mut self, request: Request) -> Answering {
        let id = self.request_id();
        self.send_as(id, request)
    }

    pub fn send_as(&self, id: RequestId, request: Request) -> Answering {
        let mut answering = self.local().call(Call { id, request });
        match answered(&mut answering) {
            Some(answer) => Box::pin(std::future::ready(answer)),
            None => answering,
        }
    }

    pub async fn refused(&mut self, request: Request) -> Refusal {
        match self.call(request).await {
            Err(CallError::Refused(refusal)) => refusal,
            other => panic!("not refused: {other:?}"),
        }
    }

    pub async fn done(&mut self, request: Request) {
        assert_eq!(self.call(request).await, Ok(Reply::Done));
    }

    pub async fn enqueue(&mut self, enqueue: Enqueue) -> JobId {
        match self.call(Request::Enqueue(enqueue)).await {
            Ok(Reply::Enqueued { job, fresh: true }) => job,
            other => panic!("not enqueued: {other:?}"),
        }
    }

    pub async fn claim(&mut self, claim: Claim) -> Vec<Granted> {
        grants(self.call(Request::Claim(claim)).await)
    }

    /// Claims the one job that is runnable.
    pub async fn claim_one(&mut self) -> Granted {
        let mut grants = self.claim(claim()).await;
        assert_eq!(grants.len(), 1, "{grants:?}");
        grants.remove(0)
    }

    /// Enqueues a job and claims it.
    pub async fn running(&mut self) -> Granted {
        self.running_as(job("a")).await
    }

    pub async fn running_as(&mut self, enqueue: Enqueue) -> Granted {
        let job = self.enqueue(enqueue).await;
        let granted = self.claim_one().await;
        assert_eq!(granted.lease.job, job);
        granted
    }

    /// Enqueues a job, claims it and confirms its start.
    pub async fn started(&mut self) -> Granted {
        let granted = self.running().await;
        self.done(Request::Start { lease: granted.lease }).await;
        granted
    }

    pub async fn fail(&mut self, lease: Lease, failure: Reported) -> Next {
        match self.call(Request::Fail { lease, failure }).await {
            Ok(Reply::Failed { next }) => next,
            other => panic!("not failed: {other:?}"),
        }
    }

    pub async fn heartbeat(&mut self, leases: &[Lease]) -> Vec<Renewal> {
        match self.call(Request::Heartbeat { leases: leases.to_vec() }).await {
            Ok(Reply::Renewed { leases }) => leases,
            other => panic!("no heartbeat: {other:?}"),
        }
    }

    pub async fn cancel(&mut self, job: JobId) -> bool {
        match self.call(Request::Cancel { job }).await {
            Ok(Reply::Cancelled { at_once }) => at_once,
            other => panic!("not cancelled: {other:?}"),
        }
    }

    pub async fn look(&mut self, job: JobId) -> JobView {
        match self.call(Request::Look { job }).await {
            Ok(Reply::Looked(view)) => *view,
            other => panic!("not looked: {other:?}"),
        }
    }

    pub async fn explain(&mut self, job: JobId) -> Explanation {
        match self.call(Request::Explain { job }).await {
            Ok(Reply::Explained(explanation)) => explanation,
            other => panic!("not explained: {other:?}"),
        }
    }
}

/// A job of this kind with nothing particular about it.
pub fn job(kind: &str) -> Enqueue {
    Enqueue { max_attempts: Some(3), ..Enqueue::new(kind, "{}") }
}

pub const LEASE: Duration = Duration::from_secs(30);
pub const MILLISECOND: Duration = Duration::from_millis(1);

/// A claim for up to ten jobs of the kinds that the suite uses, without waiting.
pub fn claim() -> Claim {
    Claim {
        worker: "w1".into(),
        holder: Holder::Here,
        queues: vec!["default".into()],
        kinds: vec!["a".into(), "b".into()],
        most: 10,
        lease_ms: 30_000,
        wait_ms: 0,
    }
}

/// A failure that another attempt could mend.
pub fn error(message: &str) -> Reported {
    Reported { how: How::Error, message: message.into(), causes: vec![], retryable: true, retry_after_ms: None }
}

pub fn grants(answer: Result<Reply, CallError>) -> Vec<Granted> {
    match answer {
        Ok(Reply::Claimed { grants }) => grants,
        other => panic!("not claimed: {other:?}"),
    }
}

/// The answer, if it is there already.
pub fn answered(answering: &mut Answering) -> Option<Result<Reply, CallError>> {
    // A task that has awaited much without ever waiting has used up its budget: then tokio calls pending what is there.
    let polled = std::pin::pin!(tokio::task::unconstrained(answering.as_mut()));
    match polled.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => Some(answer),
        Poll::Pending => None,
    }
}

/// No jobs: what [`ids`] of no grants is.
pub const NOTHING: [i64; 0] = [];

pub fn ids(grants: &[Granted]) -> Vec<i64> {
    grants.iter().map(|granted| granted.lease.job.0).collect()
}
