//! Runs jobs: claims them, keeps their leases, calls their handlers, and says what became of them.
//!
//! A worker holds nothing that must be cleaned up. Killed at any instant, it leaves leases that
//! expire by themselves; its graceful stop only makes that quicker.

mod attempt;
mod claimer;
mod context;
mod handler;
mod heartbeat;
#[cfg(feature = "tracing")]
mod layer;
mod log;
#[cfg(feature = "tower")]
pub mod middleware;
mod outcome;
mod steps;
mod waits;
mod watched;

pub use context::Context;
#[cfg(feature = "tracing")]
pub use layer::LogLayer;
pub use outcome::{Done, Failed, Failure};
pub(crate) use steps::json as step_json;
pub use waits::{Ended, WaitForSignal};

use crate::engine::{First, check_claim, first_of};
use crate::error::Error;
use crate::figures::{self, Raised};
use crate::handle::{HandleCaller, Job, Outlive};
use crate::host::{Clock, Host, Os, Role, Task};
use crate::job::{Holder, Token, milliseconds};
use crate::limits;
use crate::protocol::{Claim, Granted};
use attempt::Held;
use handler::{AsyncHandler, BlockingHandler, Handler};
use std::any::Any;
use std::collections::BTreeMap;
use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use watched::Watched;

/// A worker about to be started: choose its particulars, add handlers, then start or run it.
#[must_use = "a worker does nothing before it is started"]
pub struct WorkerBuilder<H: Host = Os> {
    outlive: Outlive<H>,
    handlers: BTreeMap<&'static str, Arc<dyn Handler>>,
    judges: BTreeMap<&'static str, Judge>,
    state: Option<Arc<dyn Any + Send + Sync>>,
    settings: Settings,
    #[cfg(feature = "tower")]
    layers: middleware::Layers,
}

/// Decides what follows when an attempt of a kind fails.
pub(crate) type Judge = Arc<dyn Fn(&Failed, Failure) -> Failure + Send + Sync>;

#[derive(Clone)]
pub(crate) struct Settings {
    pub name: String,
    pub queues: Vec<String>,
    pub concurrency: usize,
    pub lease: Duration,
    pub claim_wait: Duration,
}

/// A running worker. Dropping it is as good as killing it; [`stop`](Worker::stop) is kinder.
#[must_use = "dropping a worker stops it at once"]
pub struct Worker<H: Host = Os> {
    shared: Arc<Shared<H>>,
}

/// What the tasks of one worker share.
pub(crate) struct Shared<H: Host> {
    pub host: H,
    pub caller: Arc<HandleCaller>,
    pub handlers: BTreeMap<&'static str, Arc<dyn Handler>>,
    pub judges: BTreeMap<&'static str, Judge>,
    pub state: Option<Arc<dyn Any + Send + Sync>>,
    pub settings: Settings,
    pub slots: Arc<Semaphore>,
    pub phase: Watched<Phase>,
    /// A handler has said something.
    pub said: Arc<Notify>,
    held: Mutex<BTreeMap<Token, Arc<Held>>>,
    tasks: Mutex<BTreeMap<u64, Task>>,
    tasks_started: AtomicU64,
    attempts: Watched<usize>,
    claims_no_more: Notify,
    #[cfg(feature = "tower")]
    pub stack: Option<middleware::Stack>,
    _shown: Raised,
}

/// How far a worker is on its way to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    /// It takes jobs.
    Working,
    /// It takes no more jobs, and lets those that run finish.
    Finishing,
    /// It gives back what still runs.
    Releasing,
}

impl<H: Host> WorkerBuilder<H> {
    pub(crate) fn new(outlive: Outlive<H>) -> Self {
        let settings = Settings {
            name: outlive.host().process(),
            queues: vec!["default".into()],
            concurrency: 10,
            lease: limits::LEASE_DEFAULT,
            claim_wait: Duration::from_secs(20),
        };
        Self {
            outlive,
            handlers: BTreeMap::new(),
            judges: BTreeMap::new(),
            state: None,
            settings,
            #[cfg(feature = "tower")]
            layers: middleware::Layers::default(),
        }
    }

    /// Runs jobs of kind `J::KIND` with an `async fn(Context, J) -> Result<Done<J::Output>, Failure>`.
    ///
    /// If the lease is lost, or somebody cancels the job, the handler is dropped at its next `await`.
    ///
    /// # Panics
    /// If that kind has a handler already.
    pub fn handle<J, F, Fut>(self, handler: F) -> Self
    where
        J: Job,
        F: Fn(Context, J) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Done<J::Output>, Failure>> + Send + 'static,
    {
        self.with(J::KIND, Arc::new(AsyncHandler::new(handler)))
    }

    /// As [`handle`](WorkerBuilder::handle), with a plain function that may block its thread. It
    /// can't be dropped half-way: it should look at [`Context::is_stopped`] now and then.
    ///
    /// # Panics
    /// If that kind has a handler already.
    pub fn handle_blocking<J, F>(self, handler: F) -> Self
    where
        J: Job,
        F: Fn(Context, J) -> Result<Done<J::Output>, Failure> + Send + Sync + 'static,
    {
        self.with(J::KIND, Arc::new(BlockingHandler::new(handler)))
    }

    /// Decides what follows when an attempt of kind `J::KIND` fails on this worker, where what the
    /// [policy](crate::Outlive::policy) of the kind can say is not enough: it gets what the handler returned, or what became of
    /// it instead, and returns that, or the same to be tried [after](Failure::after) some time, or not at
    /// [all](Failure::for_good). What the handler has given up stays given up. What it decides is in the file with the failure. If it panics, the policy decides.
    ///
    /// ```
    /// # use serde::{Deserialize, Serialize};
    /// # #[derive(Serialize, Deserialize)] struct Charge {}
    /// # impl outlive::Job for Charge { const KIND: &'static str = "charge"; type Output = (); }
    /// # fn example(outlive: &outlive::Outlive) {
    /// use std::time::Duration;
    /// let worker = outlive.worker().on_failure::<Charge>(|failed, failure| match failed.failures {
    ///     1 => failure.after(Duration::from_secs(5)),
    ///     2 => failure.after(Duration::from_secs(3600)),
    ///     _ => failure.for_good(),
    /// });
    /// # drop(worker); }
    /// ```
    ///
    /// # Panics
    /// If that has been said of the kind already.
    pub fn on_failure<J: Job>(mut self, judge: impl Fn(&Failed, Failure) -> Failure + Send + Sync + 'static) -> Self {
        let earlier = self.judges.insert(J::KIND, Arc::new(judge));
        assert!(earlier.is_none(), "what follows failures of the kind {:?} is said twice", J::KIND);
        self
    }

    /// Lets the handlers of this worker be called through a layer of the crate `tower`: middleware around every
    /// attempt, of every kind. The layer that is given first is the outermost, as with `tower`'s `ServiceBuilder`,
    /// which is a layer too.
    ///
    /// The layer makes one service, and each attempt goes through a clone of it: a limit of concurrency is one of the
    /// worker's. It is asked with an [`Attempt`](middleware::Attempt) once the payload has been decoded, and answers
    /// with what the handler has said, or with any error: that is a [`Failure`] of the attempt, with the error's
    /// sources as its causes, and is tried again. It runs in the attempt: while it waits the attempt has its slot and
    /// its lease, and the time-out of the kind goes on. If the attempt is over before it returns (its lease is lost,
    /// its time is over, somebody cancels the job, or it waits for a signal) it is dropped, with the handler in it.
    ///
    /// A handler that [blocks](WorkerBuilder::handle_blocking) runs on its thread all the same, and the middleware
    /// waits for it without blocking one. It can't be dropped half-way: middleware that gives up on it, as a time-out
    /// does, has its error recorded, and the handler keeps the slot until it returns.
    ///
    /// Middleware can't try again, can't complete a job by itself, and knows no lease: it wraps the call.
    #[cfg(feature = "tower")]
    pub fn layer<L>(mut self, layer: L) -> Self
    where
        L: tower_layer::Layer<middleware::Handling> + Send + Sync + 'static,
        L::Service:
            tower_service::Service<middleware::Attempt, Response = middleware::Handled> + Clone + Send + 'static,
        <L::Service as tower_service::Service<middleware::Attempt>>::Error: Into<middleware::MiddlewareError>,
        <L::Service as tower_service::Service<middleware::Attempt>>::Future: Send + 'static,
    {
        self.layers.add(layer);
        self
    }

    /// A value that handlers get by [`Context::state`].
    pub fn state<T: Send + Sync + 'static>(mut self, state: T) -> Self {
        self.state = Some(Arc::new(state));
        self
    }

    /// Jobs at once; 10 if none is chosen.
    pub fn concurrency(mut self, jobs: usize) -> Self {
        self.settings.concurrency = jobs.clamp(1, limits::CLAIM_JOBS_MAX as usize);
        self
    }

    /// The queues to take jobs from; `default` if none is chosen.
    pub fn queues<Q: Into<String>>(mut self, queues: impl IntoIterator<Item = Q>) -> Self {
        self.settings.queues = queues.into_iter().map(Into::into).collect();
        self
    }

    /// After how long the job of a dead worker goes to another one; 30 s if none is chosen. A live
    /// worker renews it for as long as the work takes.
    pub fn lease(mut self, lease: Duration) -> Self {
        self.settings.lease = lease;
        self
    }

    /// Its name, for people; the process if none is chosen.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.settings.name = name.into();
        self
    }

    /// Starts it.
    ///
    /// # Errors
    /// [`Error::Refused`] if it has no handler, or if one of its particulars is beyond its limit.
    pub fn start(self) -> Result<Worker<H>, Error> {
        let Self { outlive, handlers, judges, state, settings, .. } = self;
        let shared = Arc::new(Shared {
            host: outlive.host().clone(),
            caller: outlive.caller().clone(),
            handlers,
            judges,
            state,
            slots: Arc::new(Semaphore::new(settings.concurrency)),
            _shown: figures::slots(settings.concurrency),
            settings,
            phase: Watched::new(Phase::Working),
            said: Arc::default(),
            held: Mutex::default(),
            tasks: Mutex::default(),
            tasks_started: AtomicU64::new(0),
            attempts: Watched::new(0),
            claims_no_more: Notify::new(),
            #[cfg(feature = "tower")]
            stack: self.layers.stack(),
        });
        check_claim(&shared.claim(1)).map_err(Error::Refused)?;
        shared.spawn("outlive-claimer", claimer::run);
        shared.spawn("outlive-heartbeat", heartbeat::run);
        shared.spawn("outlive-log", log::run);
        Ok(Worker { shared })
    }

    /// Starts it and lets it run until the process ends: killing it is a fine way to stop.
    ///
    /// # Errors
    /// As [`start`](WorkerBuilder::start).
    pub async fn run(self) -> Result<(), Error> {
        let _worker = self.start()?;
        std::future::pending().await
    }

    fn with(mut self, kind: &'static str, handler: Arc<dyn Handler>) -> Self {
        let earlier = self.handlers.insert(kind, handler);
        assert!(earlier.is_none(), "the kind {kind:?} has two handlers");
        self
    }
}

impl<H: Host> Worker<H> {
    /// Takes no more jobs, waits up to `grace` for those that run, then gives the rest back: they
    /// run elsewhere at once, and no attempt is spent.
    ///
    /// A blocking handler can't be stopped; its job is given back all the same, and what it returns
    /// is refused.
    pub async fn stop(self, grace: Duration) {
        let shared = &self.shared;
        shared.phase.update(|phase| *phase = Phase::Finishing);
        let grace = shared.host.clock().sleep(grace);
        // First of all, or its claim would take what is given back.
        shared.claims_no_more.notified().await;
        if let First::Right(()) = first_of(shared.no_attempt(), grace).await {
            shared.phase.update(|phase| *phase = Phase::Releasing);
            // An attempt that can't be given back is lost with its lease, so this ends.
            shared.no_attempt().await;
        }
    }
}

impl<H: Host> Shared<H> {
    /// Starts a task of this worker, which ends with it.
    pub(crate) fn spawn<F>(self: &Arc<Self>, name: &'static str, work: impl FnOnce(Arc<Self>) -> F + Send + 'static)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let number = self.tasks_started.fetch_add(1, Ordering::Relaxed);
        let shared = self.clone();
        // Held over the start, so that a task which ends at once finds itself in the list.
        let mut tasks = self.tasks();
        let task = self.host.spawn(Role::Control, name, async move {
            work(shared.clone()).await;
            let done = shared.tasks().remove(&number);
            // It is at its end: there is nothing left to cancel.
            done.into_iter().for_each(Task::detach);
        });
        tasks.insert(number, task);
    }

    /// The claim that this worker makes over and over.
    pub(crate) fn claim(&self, most: u32) -> Claim {
        let Settings { name, queues, lease, claim_wait, .. } = &self.settings;
        Claim {
            worker: name.clone(),
            holder: Holder::Here,
            queues: queues.clone(),
            kinds: self.handlers.keys().map(|&kind| kind.to_owned()).collect(),
            most,
            lease_ms: milliseconds(*lease).cast_unsigned(),
            wait_ms: milliseconds(*claim_wait).cast_unsigned(),
        }
    }

    /// Until when a lease is trusted that was asked for at `sent`: short of its end by a margin for
    /// clocks that run at different speeds.
    pub(crate) fn trusted_until(&self, sent: Duration) -> Duration {
        sent + self.settings.lease * (100 - limits::LEASE_MARGIN_PERCENT) / 100
    }

    pub(crate) fn hold(&self, held: Arc<Held>) {
        self.held().insert(held.lease.token, held);
    }

    pub(crate) fn let_go(&self, token: Token) {
        self.held().remove(&token);
    }

    pub(crate) fn all_held(&self) -> Vec<Arc<Held>> {
        self.held().values().cloned().collect()
    }

    /// Starts an attempt, and counts it until it has said what it had to say, even if its handler
    /// blocks a thread and goes on.
    pub(crate) fn attempt(self: &Arc<Self>, granted: Granted, slot: OwnedSemaphorePermit) {
        self.attempts.update(|count| *count += 1);
        let shown = figures::attempt(&granted.kind);
        self.spawn("outlive-attempt", |shared| async move {
            attempt::run(&shared, granted, slot).await;
            shown.lower();
            shared.attempts.update(|count| *count -= 1);
        });
    }

    /// Waits until the worker is this far on its way to its end.
    pub(crate) async fn reaches(&self, phase: Phase) {
        self.phase.until(|reached| reached >= phase).await;
    }

    async fn no_attempt(&self) {
        self.attempts.until(|count| count == 0).await;
    }

    fn held(&self) -> MutexGuard<'_, BTreeMap<Token, Arc<Held>>> {
        self.held.lock().expect("nothing panics while it holds the list")
    }

    fn tasks(&self) -> MutexGuard<'_, BTreeMap<u64, Task>> {
        self.tasks.lock().expect("nothing panics while it holds the list")
    }
}

impl<H: Host> Drop for Worker<H> {
    fn drop(&mut self) {
        // The tasks hold the shared state, which holds the tasks.
        let tasks = std::mem::take(&mut *self.shared.tasks());
        drop(tasks);
    }
}
