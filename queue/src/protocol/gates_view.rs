//! Limits, pauses and workers, as people see them.

use super::{PolicyView, QueueLimits};
use crate::job::{Gate, JobId, Wall};
use serde::{Deserialize, Serialize};

/// Limits and pauses, and the workers that were seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GatesView {
    /// The queues that have limits, by name.
    pub limits: Vec<LimitView>,
    /// What is paused.
    pub pauses: Vec<PauseView>,
    /// The kinds that have a policy, by name.
    #[serde(default)]
    pub policies: Vec<PolicyView>,
    /// Who has claimed since the file was opened, by name. Nobody keeps that: it is what was seen, and nothing is decided by
    /// it.
    pub workers: Vec<WorkerView>,
}

/// The limits of a queue, and how near it is to them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LimitView {
    /// The limits.
    #[serde(flatten)]
    pub limits: QueueLimits,
    /// How many of its jobs are leased.
    pub leased: u64,
    /// How long until its rate lets one more begin, in milliseconds.
    pub rate_wait_ms: u64,
}

/// Something that is paused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PauseView {
    /// What.
    pub gate: Gate,
    /// Who paused it.
    pub by: String,
    /// Why.
    pub why: String,
    /// Since when.
    pub since: Wall,
    /// How it ends by itself, if it does because a service is down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probe: Option<ProbeView>,
}

/// How a pause ends by itself: one job is let through now and then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProbeView {
    /// How long until one is let through, in milliseconds.
    pub in_ms: u64,
    /// The one that was let through, and has not ended.
    pub job: Option<JobId>,
}

/// A worker that was seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkerView {
    /// Its name.
    pub worker: String,
    /// Of which queues it asked for jobs the last time.
    pub queues: Vec<String>,
    /// Of which kinds.
    pub kinds: Vec<String>,
    /// How long ago, in milliseconds of steady time.
    pub ago_ms: u64,
}
