//! Jobs and all that is kept of them, as people see them.

use crate::job::explain::LastFailure;
use crate::job::{AttemptEnd, How, JobId, LogLine, Next, Slot, State, TraceParent, Wall};
use serde::{Deserialize, Serialize};

/// All that is kept of a job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobView {
    /// Its number.
    pub id: JobId,
    /// The name of its handler.
    pub kind: String,
    /// The lane.
    pub queue: String,
    /// With which others of its queue it shares slots.
    pub concurrency_key: Option<String>,
    /// Where it is in its life.
    pub state: State,
    /// Higher goes first.
    pub priority: i16,
    /// Attempts begun.
    pub attempts: u32,
    /// Failures after which it is discarded.
    pub max_attempts: u32,
    /// Attempts that ended in a failure of the handler.
    pub failures: u32,
    /// Started attempts whose worker was never heard of again.
    pub crashes: u32,
    /// Attempts that asked to be continued later.
    pub snoozes: u32,
    /// Attempts that were given back, and leases that expired before their attempt had started.
    pub releases: u32,
    /// Somebody asked for it to stop.
    pub cancel_requested: bool,
    /// Until when an attempt of it may begin.
    pub begins_by: Option<Wall>,
    /// When somebody retried it last.
    pub retried_at: Option<Wall>,
    /// The slot of a schedule that it is there for.
    pub slot: Option<Slot>,
    /// In which span of a distributed trace it was enqueued.
    pub trace_parent: Option<TraceParent>,
    /// When it was enqueued.
    pub enqueued_at: Wall,
    /// When it became terminal.
    pub finished_at: Option<Wall>,
    /// Its arguments, as JSON.
    pub payload: String,
    /// Its result, as JSON.
    pub result: Option<String>,
    /// Its steps, by name.
    pub steps: Vec<StepView>,
    /// How far it has come, if an attempt has said so.
    pub progress: Option<ProgressView>,
    /// Its attempts, oldest first.
    pub history: Vec<AttemptView>,
}

/// What a list shows of a job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobSummary {
    /// Its number.
    pub id: JobId,
    /// The name of its handler.
    pub kind: String,
    /// The lane.
    pub queue: String,
    /// Where it is in its life.
    pub state: State,
    /// Attempts begun.
    pub attempts: u32,
    /// Failures after which it is discarded.
    pub max_attempts: u32,
    /// Attempts that ended in a failure of the handler.
    pub failures: u32,
    /// Started attempts whose worker was never heard of again.
    pub crashes: u32,
    /// When it was enqueued.
    pub enqueued_at: Wall,
    /// When it became terminal.
    pub finished_at: Option<Wall>,
    /// Why its latest attempt did not complete, if it did not.
    pub last_failure: Option<LastFailure>,
}

/// All that is kept of a step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepView {
    /// Its name.
    pub name: String,
    /// What it resulted in, as JSON.
    pub result: String,
    /// The attempt that came to it.
    pub attempt: u32,
    /// When it was stored.
    pub at: Wall,
}

/// How far a job has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProgressView {
    /// The attempt that said so last.
    pub attempt: u32,
    /// The place of its report among those of the attempt.
    pub number: u64,
    /// When.
    pub at: Wall,
    /// How much is done, in parts in a million.
    pub parts_per_million: Option<u32>,
    /// What it is about, for people.
    pub message: Option<String>,
    /// Where a later attempt should go on, as JSON.
    pub checkpoint: Option<String>,
}

/// All that is kept of an attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptView {
    /// Which execution of the job this is: 1, 2, …
    pub number: u32,
    /// Who had it.
    pub worker: String,
    /// When it was claimed.
    pub claimed_at: Wall,
    /// When the worker confirmed that it started.
    pub started_at: Option<Wall>,
    /// When and how it ended.
    pub ended: Option<(Wall, AttemptEnd)>,
    /// What went wrong, if something did.
    pub failure: Option<FailureView>,
    /// What its handler said.
    #[serde(default, skip_serializing_if = "LogView::is_empty")]
    pub log: LogView,
}

/// What the handler of an attempt said: the last lines.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogView {
    /// How many earlier lines are not kept: there were too many after them, or the queue could not be told of them before
    /// there were.
    #[serde(default)]
    pub dropped: u64,
    /// The others, oldest first.
    pub lines: Vec<LogLine>,
}

impl LogView {
    /// Whether nothing was said.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }
}

/// All that is kept of a failure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailureView {
    /// The kind of failure.
    pub how: How,
    /// What was said.
    pub message: String,
    /// The causes behind it, outermost first.
    pub causes: Vec<String>,
    /// Whether another attempt could help.
    pub retryable: bool,
    /// What was decided.
    pub next: Next,
}
