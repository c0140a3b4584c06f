//! Limits of queues, and pauses.

use super::calls::{Caller, unexpected};
use crate::error::Error;
use crate::job::{Rate, milliseconds};
use crate::protocol::{QueueLimits, Reply, Request};
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

/// The limits of a queue, about to be set: choose them, then await it.
#[must_use = "limits are set when this is awaited"]
pub struct LimitQueue {
    caller: Arc<Caller>,
    limits: QueueLimits,
}

impl LimitQueue {
    pub(super) fn new(caller: Arc<Caller>, queue: String) -> Self {
        Self { caller, limits: QueueLimits { queue, at_once: None, at_once_per_key: None, rate: None } }
    }

    /// No more of its jobs are leased at once, by all workers together.
    pub fn at_once(mut self, jobs: u32) -> Self {
        self.limits.at_once = Some(jobs);
        self
    }

    /// No more of its jobs with the same [`concurrency_key`](crate::EnqueueJob::concurrency_key) are leased at once, by all
    /// workers together.
    pub fn at_once_per_key(mut self, jobs: u32) -> Self {
        self.limits.at_once_per_key = Some(jobs);
        self
    }

    /// So many of its attempts begin in any such time, evenly spaced; after a rest a tenth of a second's worth at once, which
    /// comes on top. A service with a hard quota needs [`rate_with_burst`](Self::rate_with_burst) with 1. Every attempt
    /// counts: retries, and those that go on after a snooze or a wait. Only time in which the file is open counts.
    pub fn rate(self, jobs: u32, per: Duration) -> Self {
        let per_ms = milliseconds(per).cast_unsigned();
        let in_a_tenth = u64::from(jobs).saturating_mul(100).checked_div(per_ms).unwrap_or(0).min(u64::from(jobs));
        self.rate_with_burst(jobs, per, u32::try_from(in_a_tenth).unwrap_or(jobs).max(1))
    }

    /// As [`rate`](Self::rate), with so many at once after a rest. In any time no more begin than the rate says and so many on
    /// top. With 1 they are always evenly spaced.
    pub fn rate_with_burst(mut self, jobs: u32, per: Duration, burst: u32) -> Self {
        self.limits.rate = Some(Rate { jobs, per_ms: milliseconds(per).cast_unsigned(), burst });
        self
    }
}

impl IntoFuture for LimitQueue {
    type Output = Result<(), Error>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            match self.caller.call(Request::Limit(self.limits)).await? {
                Reply::Done => Ok(()),
                other => Err(unexpected("limit", &other)),
            }
        })
    }
}
