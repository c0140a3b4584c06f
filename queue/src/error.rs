//! What a caller of the queue can meet.

use crate::job::{Explanation, JobId, Refusal, RequestId};
use crate::protocol::CallError;
use crate::store::OpenError;
use serde::{Deserialize, Serialize};

/// Why something did not succeed. [`effect`](Error::effect) says whether it may have happened all
/// the same.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file could not be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The queue said no.
    #[error(transparent)]
    Refused(Refusal),
    /// The queue's server turned the request away.
    #[error("nothing was changed, because the request was turned away: {why}")]
    Rejected {
        /// Why, and what to do.
        why: String,
    },
    /// The queue could not be reached.
    #[error("the queue is not available, and nothing was changed: {why}")]
    Unavailable {
        /// Why.
        why: String,
    },
    /// Nobody knows whether it happened.
    #[error("it is unknown whether this took effect; repeat it as request {request} to find out: {why}")]
    Unknown {
        /// The request's id: a repeat under the same id does it once.
        request: RequestId,
        /// Why.
        why: String,
    },
    /// A value does not become JSON.
    #[error("the {what} can't be written as JSON: {error}")]
    Encode {
        /// What it was.
        what: &'static str,
        /// Why.
        error: serde_json::Error,
    },
    /// A stored value does not read as the type asked for.
    #[error("the {what} of job {job} does not read as the type asked for: {error}")]
    Decode {
        /// The job.
        job: JobId,
        /// What it was.
        what: &'static str,
        /// Why.
        error: serde_json::Error,
    },
    /// The job ended, and not with a result.
    #[error("job {job} has no result. {explanation}")]
    NotCompleted {
        /// The job.
        job: JobId,
        /// How it ended.
        explanation: Box<Explanation>,
    },
    /// The job has not ended in the time that was given.
    #[error("job {job} has not ended in time. {explanation}")]
    NotEnded {
        /// The job.
        job: JobId,
        /// What it is doing.
        explanation: Box<Explanation>,
    },
    /// A cell does not read as what was asked for.
    #[error("column {column}: {why}")]
    Column {
        /// The column that was asked for.
        column: String,
        /// Why.
        why: String,
    },
    /// A transaction of the same queue is open in this very task, and the queue waits for its end.
    #[error(
        "nothing was changed: {request} was asked for inside a transaction, and the queue waits for the transaction's \
         end; say it to the transaction itself, or after it"
    )]
    InTransaction {
        /// What was asked for.
        request: &'static str,
    },
    /// The answer was of another kind than the question: a bug in Outlive.
    #[error("internal error, please report it: {0}")]
    Internal(String),
}

/// Whether something that failed may have happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Effect {
    /// It has not happened, and never will.
    Impossible,
    /// It has happened, or will, or not.
    Unknown,
}

impl Error {
    /// Whether it may have happened all the same.
    pub const fn effect(&self) -> Effect {
        match self {
            Self::Unknown { .. } | Self::Internal(_) => Effect::Unknown,
            Self::Open(_)
            | Self::Refused(_)
            | Self::Rejected { .. }
            | Self::Unavailable { .. }
            | Self::Encode { .. }
            | Self::Decode { .. }
            | Self::NotCompleted { .. }
            | Self::NotEnded { .. }
            | Self::Column { .. }
            | Self::InTransaction { .. } => Effect::Impossible,
        }
    }

    pub(crate) fn of(error: CallError, request: RequestId) -> Self {
        match error {
            CallError::Refused(refusal) => Self::Refused(refusal),
            CallError::Rejected { why } => Self::Rejected { why },
            CallError::Unavailable { why } => Self::Unavailable { why },
            CallError::Unknown { why } => Self::Unknown { request, why },
        }
    }
}
