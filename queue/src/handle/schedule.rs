//! Schedules.

use super::Job;
use super::calls::{Caller, unexpected};
use crate::canonical;
use crate::error::Error;
use crate::job::{CatchUp, Rhythm, Template, Wall, milliseconds};
use crate::limits;
use crate::protocol::{Reply, Request, Schedule};
use serde_json::Value;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

/// A schedule, about to be set: choose its particulars, then await it.
#[must_use = "a schedule is set when this is awaited"]
pub struct SetSchedule {
    caller: Arc<Caller>,
    payload: Result<Value, serde_json::Error>,
    schedule: Schedule,
}

impl SetSchedule {
    pub(super) fn new<J: Job>(caller: Arc<Caller>, name: String, rhythm: Rhythm, job: &J) -> Self {
        let template = Template {
            kind: J::KIND.to_owned(),
            queue: "default".to_owned(),
            priority: 0,
            max_attempts: None,
            max_age_ms: None,
            concurrency_key: None,
            payload: String::new(),
        };
        let late_ms = milliseconds(limits::LATE_DEFAULT).cast_unsigned();
        let schedule = Schedule { name, rhythm, catch_up: CatchUp::Latest, late_ms, job: template };
        Self { caller, payload: serde_json::to_value(job), schedule }
    }

    /// What becomes of slots that were missed, because nobody had the file open, or the wall clock jumped ahead;
    /// [`CatchUp::Latest`] if none is chosen.
    pub fn catch_up(mut self, catch_up: CatchUp) -> Self {
        self.schedule.catch_up = catch_up;
        self
    }

    /// Missed slots are skipped, but one that is no later than this has its job.
    pub fn skip_after(mut self, late: Duration) -> Self {
        self.schedule.catch_up = CatchUp::Skip;
        self.schedule.late_ms = milliseconds(late).cast_unsigned();
        self
    }

    /// The named lane that the jobs wait in; `default` if none is chosen.
    pub fn queue(mut self, queue: impl Into<String>) -> Self {
        self.schedule.job.queue = queue.into();
        self
    }

    /// As [`EnqueueJob::priority`](crate::EnqueueJob::priority), of each job.
    pub fn priority(mut self, priority: i16) -> Self {
        self.schedule.job.priority = priority;
        self
    }

    /// As [`EnqueueJob::max_attempts`](crate::EnqueueJob::max_attempts), of each job.
    pub fn max_attempts(mut self, attempts: u32) -> Self {
        self.schedule.job.max_attempts = Some(attempts);
        self
    }

    /// As [`EnqueueJob::max_age`](crate::EnqueueJob::max_age), of each job: it counts from when the job is there, which after an
    /// outage is later than its slot.
    pub fn max_age(mut self, age: Duration) -> Self {
        self.schedule.job.max_age_ms = Some(milliseconds(age).cast_unsigned());
        self
    }

    /// As [`EnqueueJob::concurrency_key`](crate::EnqueueJob::concurrency_key), of each job. In a queue with
    /// [`at_once_per_key`](crate::LimitQueue::at_once_per_key) 1 no slot's job begins before the one before has ended.
    pub fn concurrency_key(mut self, key: impl Into<String>) -> Self {
        self.schedule.job.concurrency_key = Some(key.into());
        self
    }
}

impl IntoFuture for SetSchedule {
    type Output = Result<Wall, Error>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let Self { caller, payload, mut schedule } = self;
            let payload = payload.map_err(|error| Error::Encode { what: "payload", error })?;
            schedule.job.payload = canonical::text(&payload);
            match caller.call(Request::Schedule(schedule)).await? {
                Reply::Scheduled { next } => Ok(next),
                other => Err(unexpected("schedule", &other)),
            }
        })
    }
}
