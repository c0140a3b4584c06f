//! Where calls go, and why one has no answer.

use super::{Begin, Beginning, Call, Reply};
use crate::Effect;
use crate::engine::{Compacting, HeldSnapshot};
use crate::job::Refusal;
use serde::{Deserialize, Serialize};
use std::future::Future;
use std::pin::Pin;

/// Why a call has no answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "error", rename_all = "kebab-case")]
pub enum CallError {
    /// The queue said no. Nothing was changed.
    #[error(transparent)]
    Refused(Refusal),
    /// The call was turned away at the door: what it says, or who makes it, is not as it must be.
    /// Nothing was changed, and the same call will be turned away again.
    #[error("nothing was changed, because the request was turned away: {why}")]
    Rejected {
        /// Why, and what to do.
        why: String,
    },
    /// The call did not reach the file. Nothing was changed.
    #[error("the queue is not available, and nothing was changed: {why}")]
    Unavailable {
        /// Why.
        why: String,
    },
    /// The call may have taken effect, or may not. Repeat it under the same request id.
    #[error("it is unknown whether this took effect; repeat it under the same request id: {why}")]
    Unknown {
        /// Why.
        why: String,
    },
}

impl CallError {
    /// Whether it may have happened all the same.
    pub const fn effect(&self) -> Effect {
        match self {
            Self::Refused(_) | Self::Rejected { .. } | Self::Unavailable { .. } => Effect::Impossible,
            Self::Unknown { .. } => Effect::Unknown,
        }
    }
}

/// Where calls go: the engine in this process, or one behind a wire.
pub trait Service: Send + Sync + 'static {
    /// Makes the call and waits for its answer.
    fn call(&self, call: Call) -> Answering;

    /// Opens a transaction of the caller's, when its turn comes.
    fn begin(&self, begin: Begin) -> Beginning;

    /// What is committed, to be read while the queue goes on; only where its file is.
    fn snapshot(&self) -> Snapshotting {
        let why = "the file of this queue is in another process, and is copied there".to_owned();
        Box::pin(std::future::ready(Err(CallError::Rejected { why })))
    }

    /// Makes the file smaller, for a while; only where it is.
    fn compact(&self) -> Shrinking {
        let why = "the file of this queue is in another process, and is made smaller there".to_owned();
        Box::pin(std::future::ready(Err(CallError::Rejected { why })))
    }
}

/// What is committed, on its way.
pub type Snapshotting = Pin<Box<dyn Future<Output = Result<HeldSnapshot, CallError>> + Send>>;

/// How far a compaction has come, on its way.
pub type Shrinking = Pin<Box<dyn Future<Output = Result<Compacting, CallError>> + Send>>;

/// An answer that is on its way.
pub type Answering = Pin<Box<dyn Future<Output = Result<Reply, CallError>> + Send>>;
