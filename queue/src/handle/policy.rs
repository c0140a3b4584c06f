//! The policy of a kind.

use super::calls::{Caller, unexpected};
use crate::error::Error;
use crate::job::{Backoff, Policy, milliseconds};
use crate::protocol::{KindPolicy, Reply, Request};
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

/// The policy of a kind, about to be set: choose what it decides, then await it.
#[must_use = "a policy is set when this is awaited"]
pub struct SetPolicy {
    caller: Arc<Caller>,
    asked: KindPolicy,
}

impl SetPolicy {
    pub(super) fn new(caller: Arc<Caller>, kind: String) -> Self {
        Self { caller, asked: KindPolicy { kind, policy: Policy::default() } }
    }

    /// How long its jobs rest after a failure that does not say so itself. It counts from the next failure on.
    pub fn backoff(mut self, backoff: Backoff) -> Self {
        self.asked.policy.backoff = Some(backoff);
        self
    }

    /// Failures after which a job is discarded whose enqueue does not say so itself. It counts for jobs that are enqueued
    /// from now on.
    pub fn max_attempts(mut self, attempts: u32) -> Self {
        self.asked.policy.max_attempts = Some(attempts);
        self
    }

    /// The time from its enqueue after which no attempt of a job begins, by the wall clock or by steady time: a job that
    /// waits then is discarded, and so is one that would have to wait for its next attempt until then. It counts for jobs
    /// that are enqueued from now on and whose enqueue does not say so itself.
    pub fn max_age(mut self, age: Duration) -> Self {
        self.asked.policy.max_age_ms = Some(milliseconds(age).cast_unsigned());
        self
    }

    /// The longest time that an attempt may take. Then its worker ends it, and it has failed: an `async` handler is dropped at
    /// its next `await`; one that blocks its thread is told by [`Context::is_stopped`](crate::Context::is_stopped), keeps its
    /// worker's slot until it returns, and what it returns is refused. A worker that only renews its lease does not get it
    /// renewed a lease's length after that. It counts for attempts that are claimed from now on.
    pub fn timeout(mut self, longest: Duration) -> Self {
        self.asked.policy.timeout_ms = Some(milliseconds(longest).cast_unsigned());
        self
    }

    /// Crashes after which a job is quarantined. It counts from the next crash on.
    pub fn crashes_max(mut self, crashes: u32) -> Self {
        self.asked.policy.crashes_max = Some(crashes);
        self
    }
}

impl IntoFuture for SetPolicy {
    type Output = Result<(), Error>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            match self.caller.call(Request::Policy(self.asked)).await? {
                Reply::Done => Ok(()),
                other => Err(unexpected("policy", &other)),
            }
        })
    }
}
