//! What is said in a transaction of the caller's, and what is heard.

use super::{CallError, Reply, Request};
use crate::job::RequestId;
use crate::sql::{Rows, Statement};
use serde::{Deserialize, Serialize};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

/// A wish for a transaction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Begin {
    /// The client's name for it: what is committed is remembered under it.
    pub id: RequestId,
    /// What it may do.
    pub access: Access,
    /// For how long it may be open, in milliseconds: nobody else is served meanwhile.
    pub limit_ms: u64,
}

/// What a transaction may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Access {
    /// Ask the caller's tables.
    Read,
    /// Change them, and command the queue.
    Write,
}

/// What is said in a transaction.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Said {
    /// Run this on the caller's tables.
    Statement(Statement),
    /// Do this with the queue. What may be asked: all that changes one job, and nothing that waits.
    Command(Request),
    /// Make it all true.
    Commit,
}

/// What is heard.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Heard {
    /// What a statement answers.
    Rows(Rows),
    /// What the queue answers. It becomes true with the commit.
    Reply(Reply),
    /// All of it is in the file.
    Committed,
}

/// An open transaction. Dropped before its commit, nothing of it has happened.
///
/// Refusals of a statement leave it open; a lease that does not hold ends it.
pub trait Conversation: Send + Sync + 'static {
    /// Says something and waits for the answer.
    fn say(&self, said: Said) -> Hearing;
}

/// An answer that is on its way.
pub type Hearing = Pin<Box<dyn Future<Output = Result<Heard, CallError>> + Send>>;

/// A transaction that is about to be open.
pub type Beginning = Pin<Box<dyn Future<Output = Result<Arc<dyn Conversation>, CallError>> + Send>>;

impl Request {
    /// Whether it may be said in a transaction: it changes one job, at once.
    pub const fn is_for_transactions(&self) -> bool {
        match self {
            Self::Enqueue(_)
            | Self::EnqueueAll { .. }
            | Self::Step { .. }
            | Self::Progress { .. }
            | Self::Complete { .. }
            | Self::Fail { .. }
            | Self::Release { .. }
            | Self::Snooze { .. }
            | Self::Signal(_)
            | Self::Cancel { .. } => true,
            Self::Claim(_)
            | Self::Heartbeat { .. }
            | Self::Start { .. }
            | Self::Log { .. }
            | Self::Wait { .. }
            | Self::Obey { .. }
            | Self::Retry { .. }
            | Self::Bulk { .. }
            | Self::List(_)
            | Self::Limit(_)
            | Self::Policy(_)
            | Self::Schedule(_)
            | Self::Unschedule { .. }
            | Self::Schedules
            | Self::Pause { .. }
            | Self::Resume { .. }
            | Self::Gates
            | Self::Settle
            | Self::Explain { .. }
            | Self::Look { .. }
            | Self::Await { .. } => false,
        }
    }

    /// The lease that it shows, if it is about one attempt.
    pub const fn lease(&self) -> Option<crate::job::Lease> {
        match self {
            Self::Start { lease }
            | Self::Step { lease, .. }
            | Self::Progress { lease, .. }
            | Self::Log { lease, .. }
            | Self::Complete { lease, .. }
            | Self::Fail { lease, .. }
            | Self::Release { lease, .. }
            | Self::Snooze { lease, .. }
            | Self::Wait { lease, .. }
            | Self::Obey { lease } => Some(*lease),
            _ => None,
        }
    }
}
