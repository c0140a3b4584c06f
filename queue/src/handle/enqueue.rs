//! Inserting a job, with its particulars.

use super::calls::{Caller, unexpected};
use crate::canonical;
use crate::error::Error;
use crate::job::{JobId, RequestId, Wall, milliseconds};
use crate::limits;
use crate::protocol::{Enqueue, Reply, Request, When};
use serde_json::Value;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A job about to be inserted: choose its particulars, then await it.
#[must_use = "a job is inserted when this is awaited"]
pub struct EnqueueJob {
    caller: Arc<Caller>,
    request_id: RequestId,
    payload: Result<Value, serde_json::Error>,
    enqueue: Enqueue,
}

/// A job that is in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Enqueued {
    /// Its number.
    pub job: JobId,
    /// Whether it is new; otherwise its key stood for it already.
    pub fresh: bool,
}

impl EnqueueJob {
    pub(super) fn new(caller: Arc<Caller>, kind: &str, payload: Result<Value, serde_json::Error>) -> Self {
        let enqueue = Enqueue {
            kind: kind.to_owned(),
            queue: "default".to_owned(),
            priority: 0,
            max_attempts: limits::ATTEMPTS_DEFAULT,
            payload: String::new(),
            when: When::Now,
            key: None,
        };
        let request_id = caller.request_id();
        Self { caller, request_id, payload, enqueue }
    }

    /// The named lane it waits in; `default` if none is chosen.
    pub fn queue(mut self, queue: impl Into<String>) -> Self {
        self.enqueue.queue = queue.into();
        self
    }

    /// Higher goes first within its queue; 0 if none is chosen, from
    /// [`PRIORITY_MIN`](limits::PRIORITY_MIN) to [`PRIORITY_MAX`](limits::PRIORITY_MAX).
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

    /// Names this enqueue: whoever enqueues under the same key again gets the first job, whether
    /// it has run or not.
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.enqueue.key = Some(key.into());
        self
    }

    /// Failures after which it is discarded; [`ATTEMPTS_DEFAULT`](limits::ATTEMPTS_DEFAULT) if none
    /// is chosen. Crashes, snoozes and releases do not count.
    pub fn max_attempts(mut self, attempts: u32) -> Self {
        self.enqueue.max_attempts = attempts;
        self
    }

    /// The name of this request: after [`Error::Unknown`], enqueue again under the same one. After
    /// [`Error::Refused`] it is done with: what is tried again then goes by another.
    pub fn request_id(mut self, id: RequestId) -> Self {
        self.request_id = id;
        self
    }
}

impl IntoFuture for EnqueueJob {
    type Output = Result<Enqueued, Error>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let Self { caller, request_id, payload, mut enqueue } = self;
            let payload = payload.map_err(|error| Error::Encode { what: "payload", error })?;
            enqueue.payload = canonical::text(&payload);
            match caller.call_as(request_id, Request::Enqueue(enqueue)).await? {
                Reply::Enqueued { job, fresh } => Ok(Enqueued { job, fresh }),
                other => Err(unexpected("enqueue", &other)),
            }
        })
    }
}
