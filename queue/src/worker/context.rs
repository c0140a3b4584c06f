//! What a handler knows of its attempt.

use super::attempt::Standing;
use super::watched::Watched;
use crate::job::JobId;
use std::any::Any;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

/// What a handler knows of its attempt.
#[derive(Clone)]
pub struct Context {
    pub(super) job: JobId,
    pub(super) attempt: u32,
    pub(super) failures: u32,
    pub(super) max_attempts: u32,
    pub(super) queue: Arc<str>,
    pub(super) state: Option<Arc<dyn Any + Send + Sync>>,
    pub(super) standing: Arc<Watched<Standing>>,
    pub(super) sleep: Arc<dyn Fn(Duration) -> Sleep + Send + Sync>,
}

/// A wait.
pub(super) type Sleep = Pin<Box<dyn Future<Output = ()> + Send>>;

impl Context {
    /// The job's number.
    pub fn job(&self) -> JobId {
        self.job
    }

    /// Which execution of the job this is: 1, 2, …
    pub fn attempt(&self) -> u32 {
        self.attempt
    }

    /// Whether a failure now is the last that the job is allowed.
    pub fn is_last_attempt(&self) -> bool {
        self.failures + 1 >= self.max_attempts
    }

    /// The queue that the job waited in.
    pub fn queue(&self) -> &str {
        &self.queue
    }

    /// The value that the worker was given by [`state`](super::WorkerBuilder::state).
    ///
    /// # Panics
    /// If it was given none, or one of another type: a mistake of the program.
    pub fn state<T: Send + Sync + 'static>(&self) -> Arc<T> {
        let state = self.state.clone().expect("the worker was started without a state");
        state.downcast().unwrap_or_else(|_| panic!("the worker's state is not a {}", std::any::type_name::<T>()))
    }

    /// Waits. Prefer it to other timers: it also works where time is simulated.
    pub fn sleep(&self, duration: Duration) -> impl Future<Output = ()> + Send + 'static {
        (self.sleep)(duration)
    }

    /// Whether to stop: the lease was lost, or somebody cancelled the job. What the handler results
    /// in will not be stored. An `async` handler need not ask: it is dropped.
    pub fn is_stopped(&self) -> bool {
        let standing = self.standing.get();
        standing.cancel || standing.lost
    }
}
