//! What is answered.

use super::{Enqueued, GatesView, JobSummary, JobView, ScheduleView};
use crate::job::{Explanation, JobId, Lease, Next, Refusal, Slot, TraceParent, Wall};
use serde::{Deserialize, Serialize};

/// What is answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "reply", rename_all = "kebab-case")]
pub enum Reply {
    /// The job is in the file.
    Enqueued {
        /// Its number.
        job: JobId,
        /// Whether it is new; otherwise its key stood for it already.
        fresh: bool,
    },
    /// The jobs are in the file.
    EnqueuedAll {
        /// In the order of the request.
        jobs: Vec<Enqueued>,
    },
    /// These jobs are yours.
    Claimed {
        /// Possibly none.
        grants: Vec<Granted>,
    },
    /// An answer for each lease, in order.
    Renewed {
        /// In the order of the request.
        leases: Vec<Renewal>,
    },
    /// The step has a result.
    Stepped {
        /// The first one that was stored, as JSON.
        result: String,
    },
    /// The attempt has ended, and the job waits.
    Suspended,
    /// The signal is in the file.
    Signalled {
        /// Whether it is new; otherwise it had been sent under its key before.
        fresh: bool,
    },
    /// It is written down.
    Done,
    /// The failure is written down.
    Failed {
        /// What follows.
        next: Next,
    },
    /// The request to stop is written down.
    Cancelled {
        /// Whether it took effect at once; otherwise its worker hears of it.
        at_once: bool,
    },
    /// It is done for so many of the jobs that were asked for.
    Changed {
        /// How many.
        jobs: u64,
        /// Behind which one there may be more; none if that were all.
        next: Option<JobId>,
    },
    /// Some of the jobs in a state.
    Listed {
        /// By rising number.
        jobs: Vec<JobSummary>,
        /// Behind which one there may be more; none if that were all.
        next: Option<JobId>,
    },
    /// The schedule is in the file.
    Scheduled {
        /// When its next slot is.
        next: Wall,
    },
    /// The schedule is not there any more.
    Unscheduled {
        /// Whether it was.
        was_scheduled: bool,
    },
    /// The schedules that are there.
    Schedules {
        /// By name.
        schedules: Vec<ScheduleView>,
    },
    /// It goes on.
    Resumed {
        /// Whether it was paused.
        was_paused: bool,
    },
    /// What became of a transaction, for good.
    Settled {
        /// Whether it is in the file; otherwise nothing of it has happened, nor ever will.
        committed: bool,
    },
    /// Why a job is not running.
    Explained(Explanation),
    /// All that is kept of a job.
    Looked(Box<JobView>),
    /// The limits and pauses that are there, and the workers that were seen.
    Gated(GatesView),
    /// The job has ended, or the time to wait for that is over.
    Awaited {
        /// The job's result, as JSON, if it has completed with one.
        result: Option<String>,
        /// How it ended, or what it is doing.
        explanation: Explanation,
    },
}

/// One job, granted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Granted {
    /// What must be shown with everything said of the attempt.
    pub lease: Lease,
    /// Which execution of the job this is: 1, 2, …
    pub attempt: u32,
    /// The name of its handler.
    pub kind: String,
    /// The lane.
    pub queue: String,
    /// Its arguments, as JSON.
    pub payload: String,
    /// A name for the job that no other job has, in this file or another: what idempotency keys begin with.
    pub identity: String,
    /// For how long it is granted, from before the claim was sent.
    pub lease_ms: u64,
    /// Failures so far.
    pub failures: u32,
    /// Failures after which it is discarded.
    pub max_attempts: u32,
    /// How long the attempt may take from its start, in milliseconds.
    pub timeout_ms: Option<u64>,
    /// The slot of a schedule that the job is there for.
    pub slot: Option<Slot>,
    /// In which span of a distributed trace the job was enqueued.
    pub trace_parent: Option<TraceParent>,
}

/// What became of one lease in a heartbeat.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "lease", rename_all = "kebab-case")]
pub enum Renewal {
    /// It holds for its whole length from now.
    Renewed {
        /// Somebody asked for the job to stop.
        cancel: bool,
    },
    /// It does not hold.
    Lost {
        /// Why.
        why: Refusal,
    },
}
