//! Why a request was refused. A refused request has changed nothing, and never will.

use super::{AttemptEnd, JobId, State};
use serde::{Deserialize, Serialize};

/// Why a request was refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "refused", rename_all = "kebab-case")]
pub enum Refusal {
    /// There is no such job.
    #[error("there is no job {job} in this file")]
    UnknownJob {
        /// The number asked for.
        job: JobId,
    },
    /// There was such a job. It has ended, and was forgotten after its time.
    #[error(
        "job {job} has ended, and its record was removed since: it is kept for as long as the retention of the queue's \
         options says"
    )]
    Forgotten {
        /// The job.
        job: JobId,
    },
    /// The lease shown is not the one that holds the job: an older one, or a made-up one.
    #[error("the lease on job {job} is stale: the job has been given away since, or the lease was never granted")]
    StaleLease {
        /// The job.
        job: JobId,
    },
    /// The lease shown was the job's latest, and its time has passed.
    #[error("the lease on job {job} expired {late_ms} ms ago; heartbeat more often, or ask for a longer lease")]
    LeaseExpired {
        /// The job.
        job: JobId,
        /// For how long, in milliseconds of steady time.
        late_ms: i64,
    },
    /// The attempt that the lease was for has ended.
    #[error("the attempt on job {job} has already ended: {end}")]
    AttemptEnded {
        /// The job.
        job: JobId,
        /// How it ended.
        end: AttemptEnd,
    },
    /// The attempt has taken longer than it may: its lease is not renewed any more.
    #[error(
        "the attempt on job {job} has taken longer than the {timeout_ms} ms that it may; its lease is not renewed any more"
    )]
    Overdue {
        /// The job.
        job: JobId,
        /// How long it may take, in milliseconds.
        timeout_ms: u64,
    },
    /// The job is terminal.
    #[error("job {job} is already {state}")]
    Finished {
        /// The job.
        job: JobId,
        /// Its state.
        state: State,
    },
    /// The job has a result, or has not ended: there is nothing to try again.
    #[error("job {job} is {state}; only one that was discarded, quarantined or cancelled can be retried")]
    NotRetryable {
        /// The job.
        job: JobId,
        /// Its state.
        state: State,
    },
    /// The idempotency key names another job with another payload.
    #[error(
        "the key {key:?} of kind {kind:?} already stands for job {job}, whose payload differs; \
         use another key for other work"
    )]
    KeyConflict {
        /// The kind.
        kind: String,
        /// The key.
        key: String,
        /// The first job.
        job: JobId,
    },
    /// A job would wait for another one that has ended without a result already.
    #[error(
        "what it waits for can't be any more: job {job} is {state}; leave it out, or say that it runs all the same"
    )]
    NeverMet {
        /// The other job.
        job: JobId,
        /// How it ended.
        state: State,
    },
    /// Jobs would wait for each other.
    #[error("job {job} would wait for itself: it would wait for job {through}, which is the same, or waits for it")]
    WaitsForItself {
        /// The job.
        job: JobId,
        /// For which it would wait.
        through: JobId,
    },
    /// The signal's key names another one with another payload.
    #[error("the key {key:?} already stands for another signal {name:?}, whose payload differs; use another key")]
    SignalConflict {
        /// The signal's name.
        name: String,
        /// The key.
        key: String,
    },
    /// One of some jobs that were to be enqueued together can't be: none of them is.
    #[error("job {number} of the {of} that were to be enqueued together can't be, and so none is: {why}")]
    OneOfMany {
        /// Its place among them, from 1 on.
        number: usize,
        /// How many there were.
        of: usize,
        /// Why it can't be.
        why: Box<Self>,
    },
    /// The request id was used before, for another request.
    #[error("the request id was used before for a different request; make a new one for each mutation")]
    RequestIdReused,
    /// Something is beyond its limit.
    #[error("{what} is {value}, but the limit is {limit}; {remedy}")]
    Limit {
        /// What was measured, with its unit.
        what: String,
        /// What it measured.
        value: String,
        /// What is allowed.
        limit: String,
        /// What to do about it.
        remedy: String,
    },
    /// The disk is nearly full.
    #[error(
        "only {free_bytes} bytes are free, and the last {reserve_bytes} are kept to finish the work that is in the file; \
         free some space, then ask again"
    )]
    StorageFull {
        /// What is left.
        free_bytes: u64,
        /// What is kept back.
        reserve_bytes: u64,
    },
    /// The database would not run a statement of the caller's.
    #[error("the statement was refused: {why}")]
    Statement {
        /// Why, and what to do.
        why: String,
    },
    /// A transaction was ended before its commit: nothing of it has happened.
    #[error("the transaction was rolled back, and nothing of it has happened: {why}")]
    RolledBack {
        /// Why.
        why: String,
    },
    /// A bug in Outlive: the store would not take the rows. Nothing was changed.
    #[error("internal error, please report it: {message}")]
    Internal {
        /// What the store said. Beside it an error's body has a message of its own.
        #[serde(rename = "says")]
        message: String,
    },
}

impl Refusal {
    /// A refusal by limit.
    pub(crate) fn limit(
        what: impl Into<String>,
        value: impl ToString,
        limit: impl ToString,
        remedy: impl Into<String>,
    ) -> Self {
        Self::Limit { what: what.into(), value: value.to_string(), limit: limit.to_string(), remedy: remedy.into() }
    }

    /// Whether it was refused because of what time it was: the store must then never be seen at an
    /// earlier time.
    pub(crate) const fn is_by_time(&self) -> bool {
        matches!(self, Self::LeaseExpired { .. })
    }
}
