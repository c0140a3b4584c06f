//! Inserting a job, with its particulars.

use super::calls::{Caller, unexpected};
use super::transaction::Open;
use crate::canonical;
use crate::error::Error;
use crate::job::{JobId, Refusal, RequestId, TraceParent, Unmet, Wall, milliseconds};
use crate::protocol::{After, Enqueue, Enqueued, Key, Reply, Request, Scope, When};
use serde_json::Value;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A job about to be inserted: choose its particulars, then await it.
#[must_use = "a job is inserted when this is awaited"]
pub struct EnqueueJob {
    target: Target,
    payload: Result<Value, serde_json::Error>,
    enqueue: Enqueue,
}

/// Where it is inserted.
pub(super) enum Target {
    /// At once, under this name.
    Queue(Arc<Caller>, RequestId),
    /// With a transaction.
    Transaction(Arc<Open>),
}

impl Target {
    /// Whether it is the same queue, or the same transaction.
    fn is(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Queue(one, _), Self::Queue(other, _)) => Arc::ptr_eq(one, other),
            (Self::Transaction(one), Self::Transaction(other)) => Arc::ptr_eq(one, other),
            _ => false,
        }
    }

    /// What is asked for there goes by this name, unless it is part of something that has one.
    pub fn name(&mut self, id: RequestId) {
        if let Self::Queue(_, chosen) = self {
            *chosen = id;
        }
    }

    /// Asks for a change there.
    pub async fn make(self, request: Request) -> Result<Reply, Error> {
        match self {
            Self::Queue(caller, request_id) => caller.call_as(request_id, request).await,
            Self::Transaction(open) => open.command(request).await,
        }
    }
}

/// Jobs about to be inserted: all of them, or none. A [name](EnqueueJob::request_id) that one of them was given has no
/// meaning: all of it has one.
#[must_use = "jobs are inserted when this is awaited"]
pub struct EnqueueAll {
    target: Target,
    jobs: Vec<EnqueueJob>,
}

impl EnqueueJob {
    pub(super) fn new(target: Target, kind: &str, payload: Result<Value, serde_json::Error>) -> Self {
        Self { target, payload, enqueue: Enqueue::new(kind, "") }
    }

    /// The named lane it waits in; `default` if none is chosen.
    pub fn queue(mut self, queue: impl Into<String>) -> Self {
        self.enqueue.queue = queue.into();
        self
    }

    /// Higher goes first within its queue; 0 if none is chosen, from
    /// [`PRIORITY_MIN`](crate::limits::PRIORITY_MIN) to [`PRIORITY_MAX`](crate::limits::PRIORITY_MAX).
    pub fn priority(mut self, priority: i16) -> Self {
        self.enqueue.priority = priority;
        self
    }

    /// Does not run before `delay` has passed, by the wall clock or by steady time.
    pub fn delay(mut self, delay: Duration) -> Self {
        self.enqueue.when = When::After(milliseconds(delay).cast_unsigned());
        self
    }

    /// Does not run before this time of the calendar.
    pub fn at(mut self, time: SystemTime) -> Self {
        let since = time.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        self.enqueue.when = When::At(Wall(milliseconds(since)));
        self
    }

    /// Names this enqueue: whoever enqueues a job of this kind under the same key again gets the first job, whether
    /// it has run or not; with another payload, an error.
    pub fn key(self, key: impl Into<String>) -> Self {
        self.key_in(key, Scope::Forever)
    }

    /// As [`key`](Self::key), until the job has ended: then the same key stands for a new one.
    pub fn key_while_pending(self, key: impl Into<String>) -> Self {
        self.key_in(key, Scope::WhilePending)
    }

    /// As [`key`](Self::key), for `period` from the first enqueue on, by the wall clock or by steady time, whether the
    /// job has ended by then or not. The first enqueue decides: a repeat neither prolongs it nor cuts it short.
    pub fn key_for(self, period: Duration, key: impl Into<String>) -> Self {
        self.key_in(key, Scope::PeriodMs(milliseconds(period).cast_unsigned()))
    }

    fn key_in(mut self, key: impl Into<String>, scope: Scope) -> Self {
        self.enqueue.key = Some(Key { name: key.into(), scope });
        self
    }

    /// Does not run before these jobs have ended. `unmet` says what becomes of it if one of them ends without a result.
    /// One that has ended so already is refused, unless it runs all the same.
    ///
    /// ```
    /// # use serde::{Deserialize, Serialize};
    /// # #[derive(Serialize, Deserialize)] struct Page { number: u32 }
    /// # impl outlive::Job for Page { const KIND: &'static str = "page"; type Output = (); }
    /// # #[derive(Serialize, Deserialize)] struct Bind {}
    /// # impl outlive::Job for Bind { const KIND: &'static str = "bind"; type Output = (); }
    /// # async fn example(outlive: outlive::Outlive) -> Result<(), outlive::Error> {
    /// use outlive::job::Unmet;
    /// let mut pages = Vec::new();
    /// for number in 1..=3 {
    ///     pages.push(outlive.enqueue(Page { number }).await?.job);
    /// }
    /// outlive.enqueue(Bind {}).after(pages, Unmet::Cancel).await?;
    /// # Ok(()) }
    /// ```
    pub fn after(mut self, jobs: impl IntoIterator<Item = JobId>, unmet: Unmet) -> Self {
        self.enqueue.after = Some(After { jobs: jobs.into_iter().collect(), unmet });
        self
    }

    /// Shares slots with the other jobs of its queue that have the same key: no more of them run at once than
    /// [`LimitQueue::at_once_per_key`](crate::LimitQueue::at_once_per_key) says, if anybody says so of the queue.
    pub fn concurrency_key(mut self, key: impl Into<String>) -> Self {
        self.enqueue.concurrency_key = Some(key.into());
        self
    }

    /// The span of a distributed trace that the job is a part of: each attempt of it is told so, on whatever machine and after
    /// whatever failures. It is what a request's header `traceparent` says. Whoever repeats an enqueue under the same
    /// request id repeats this too.
    ///
    /// ```
    /// # use serde::{Deserialize, Serialize};
    /// # #[derive(Serialize, Deserialize)] struct Greet {}
    /// # impl outlive::Job for Greet { const KIND: &'static str = "greet"; type Output = (); }
    /// # async fn example(outlive: outlive::Outlive) -> Result<(), Box<dyn std::error::Error>> {
    /// let header = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    /// outlive.enqueue(Greet {}).trace_parent(header.parse()?).await?;
    /// # Ok(()) }
    /// ```
    pub fn trace_parent(mut self, parent: TraceParent) -> Self {
        self.enqueue.trace_parent = Some(Box::new(parent));
        self
    }

    /// Failures after which it is discarded; if none is chosen, as the [policy](crate::Outlive::policy) of its kind says, or
    /// [`ATTEMPTS_DEFAULT`](crate::limits::ATTEMPTS_DEFAULT). Crashes, snoozes and releases do not count.
    pub fn max_attempts(mut self, attempts: u32) -> Self {
        self.enqueue.max_attempts = Some(attempts);
        self
    }

    /// After this time no attempt of it begins any more, by the wall clock or by steady time: it is discarded, and says so.
    /// If none is chosen, as the [policy](crate::Outlive::policy) of its kind says, or never.
    pub fn max_age(mut self, age: Duration) -> Self {
        self.enqueue.max_age_ms = Some(milliseconds(age).cast_unsigned());
        self
    }

    /// The name of this request: after [`Error::Unknown`], enqueue again under the same one. After
    /// [`Error::Refused`] it is done with: what is tried again then goes by another. In a transaction it has no
    /// meaning: the whole of it has one name.
    pub fn request_id(mut self, id: RequestId) -> Self {
        self.target.name(id);
        self
    }

    /// What is asked for.
    fn into_request(self) -> Result<(Target, Enqueue), Error> {
        let Self { target, payload, enqueue } = self;
        let payload = payload.map_err(|error| Error::Encode { what: "payload", error })?;
        Ok((target, Enqueue { payload: canonical::text(&payload), ..enqueue }))
    }
}

impl EnqueueAll {
    pub(super) fn new(target: Target, jobs: impl IntoIterator<Item = EnqueueJob>) -> Self {
        Self { target, jobs: jobs.into_iter().collect() }
    }

    /// The name of this request: after [`Error::Unknown`], enqueue the same jobs again under the same one. In a
    /// transaction it has no meaning: the whole of it has one name.
    pub fn request_id(mut self, id: RequestId) -> Self {
        self.target.name(id);
        self
    }
}

impl IntoFuture for EnqueueAll {
    /// In their order.
    type Output = Result<Vec<Enqueued>, Error>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let mut jobs = Vec::with_capacity(self.jobs.len());
            for (place, job) in self.jobs.into_iter().enumerate() {
                let (target, job) = job.into_request()?;
                if !target.is(&self.target) {
                    let (what, value) =
                        ("a job that is enqueued together with others", "of another queue or transaction");
                    let remedy = "make each by the same handle, or by the same transaction";
                    let why = Refusal::limit(what, format!("number {}, {value}", place + 1), "one of the same", remedy);
                    return Err(Error::Refused(why));
                }
                jobs.push(job);
            }
            // None are there as asked.
            if jobs.is_empty() {
                return Ok(Vec::new());
            }
            match self.target.make(Request::EnqueueAll { jobs }).await? {
                Reply::EnqueuedAll { jobs } => Ok(jobs),
                other => Err(unexpected("enqueue-all", &other)),
            }
        })
    }
}

impl IntoFuture for EnqueueJob {
    type Output = Result<Enqueued, Error>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let (target, job) = self.into_request()?;
            match target.make(Request::Enqueue(job)).await? {
                Reply::Enqueued { job, fresh } => Ok(Enqueued { job, fresh }),
                other => Err(unexpected("enqueue", &other)),
            }
        })
    }
}
