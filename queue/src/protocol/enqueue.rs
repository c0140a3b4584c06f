//! A job to insert, and what came of it.

use super::Reply;
use crate::job::{JobId, TraceParent, Unmet, Wall};
use serde::{Deserialize, Serialize};

/// A job to insert.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Enqueue {
    /// The name of its handler.
    pub kind: String,
    /// The named lane.
    pub queue: String,
    /// Higher goes first.
    pub priority: i16,
    /// Failures after which it is discarded; without it, as the policy of its kind says.
    pub max_attempts: Option<u32>,
    /// The time after which no attempt of it begins any more; without it, as the policy of its kind says.
    pub max_age_ms: Option<u64>,
    /// Its arguments, as JSON.
    pub payload: String,
    /// When it may run.
    pub when: When,
    /// The caller's name for this enqueue: while it stands, a repeat returns the first job.
    pub key: Option<Key>,
    /// For which jobs it waits.
    pub after: Option<After>,
    /// With which others of its queue it shares slots, if the queue has so many for each such key.
    pub concurrency_key: Option<String>,
    /// In which span of a distributed trace it is enqueued. In a box, since most are in none, and requests are moved about. In none, it is
    /// as what earlier versions sent: an answer that they gave is remembered by what was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace_parent: Option<Box<TraceParent>>,
}

impl Enqueue {
    /// A job that is like most.
    pub fn new(kind: impl Into<String>, payload: impl Into<String>) -> Self {
        Self {
            kind: kind.into(),
            queue: "default".to_owned(),
            priority: 0,
            max_attempts: None,
            max_age_ms: None,
            payload: payload.into(),
            when: When::Now,
            key: None,
            after: None,
            concurrency_key: None,
            trace_parent: None,
        }
    }
}

/// A job that is in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Enqueued {
    /// Its number.
    pub job: JobId,
    /// Whether it is new; otherwise its key stood for it already.
    pub fresh: bool,
}

impl From<Enqueued> for Reply {
    fn from(Enqueued { job, fresh }: Enqueued) -> Self {
        Self::Enqueued { job, fresh }
    }
}

/// Jobs that must have ended before another one may run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct After {
    /// Which ones.
    pub jobs: Vec<JobId>,
    /// What becomes of the job if one of them ends without a result.
    pub unmet: Unmet,
}

/// A caller's name for an enqueue, unique within its kind for as long as its scope lasts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Key {
    /// The name.
    pub name: String,
    /// For how long it stands for the first job that was enqueued with it.
    pub scope: Scope,
}

impl From<&str> for Key {
    /// A key that stands for ever.
    fn from(name: &str) -> Self {
        name.to_owned().into()
    }
}

impl From<String> for Key {
    /// A key that stands for ever.
    fn from(name: String) -> Self {
        Self { name, scope: Scope::Forever }
    }
}

/// For how long a key stands for the first job that was enqueued with it. The first enqueue says so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    /// For ever, whether the job is still kept or not.
    #[default]
    Forever,
    /// Until the job has ended.
    WhilePending,
    /// For this many milliseconds, by the wall clock or by steady time.
    PeriodMs(u64),
}

/// When a job may run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum When {
    /// As soon as its turn comes.
    Now,
    /// After this many milliseconds.
    After(u64),
    /// At a time of the calendar.
    At(Wall),
}
