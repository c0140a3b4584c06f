//! What can be asked.

use super::{Bulk, Claim, Enqueue, KindPolicy, ListJobs, On, Progress, QueueLimits, Reported, Schedule, Signal};
use crate::job::{Gate, JobId, Lease, LogLine, RequestId};
use serde::{Deserialize, Serialize};

/// One request under its client's name for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    /// A repeat under the same name gets the first answer.
    pub id: RequestId,
    /// What is asked.
    pub request: Request,
}

/// What can be asked. Durations are in milliseconds, payloads and results are JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "kebab-case")]
pub enum Request {
    /// Insert a job.
    Enqueue(Enqueue),
    /// Insert jobs: all of them, or none.
    EnqueueAll {
        /// Which ones.
        jobs: Vec<Enqueue>,
    },
    /// Take runnable jobs.
    Claim(Claim),
    /// Renew leases.
    Heartbeat {
        /// Which ones.
        leases: Vec<Lease>,
    },
    /// Confirm that the handler is about to run, and renew the lease.
    Start {
        /// The attempt.
        lease: Lease,
    },
    /// Store the result of a named part of the job, unless it has one.
    Step {
        /// The attempt.
        lease: Lease,
        /// Which part.
        name: String,
        /// Its result, as JSON.
        result: String,
    },
    /// Say how far the attempt has come, and where a later one should go on.
    Progress {
        /// The attempt.
        lease: Lease,
        /// How far.
        progress: Progress,
    },
    /// Keep what the handler said, with its attempt. It is kept also when the attempt is over: it is about that one alone.
    Log {
        /// The attempt.
        lease: Lease,
        /// The number of the first of these lines among all that the attempt said, from 1 on: those that are known
        /// already are not kept twice.
        first: u64,
        /// What it said, oldest first.
        lines: Vec<LogLine>,
    },
    /// Store the result.
    Complete {
        /// The attempt.
        lease: Lease,
        /// The result, as JSON.
        result: Option<String>,
    },
    /// Record a failure.
    Fail {
        /// The attempt.
        lease: Lease,
        /// What happened.
        failure: Reported,
    },
    /// Give the attempt back.
    Release {
        /// The attempt.
        lease: Lease,
        /// Why, for people.
        why: String,
    },
    /// Put the job back for later.
    Snooze {
        /// The attempt.
        lease: Lease,
        /// For how long.
        delay_ms: u64,
    },
    /// Wait for something, and give up the attempt unless it is there already.
    Wait {
        /// The attempt.
        lease: Lease,
        /// For what.
        on: On,
    },
    /// Send a signal.
    Signal(Signal),
    /// Confirm that the attempt was stopped as requested.
    Obey {
        /// The attempt.
        lease: Lease,
    },
    /// Ask for a job to stop.
    Cancel {
        /// The job.
        job: JobId,
    },
    /// Let a job that has ended without a result be tried once more.
    Retry {
        /// The job.
        job: JobId,
    },
    /// Ask for something for some of the jobs in a state.
    Bulk {
        /// For what.
        act: Bulk,
        /// For which ones.
        list: ListJobs,
    },
    /// Set the limits of a queue, instead of those that it had.
    Limit(QueueLimits),
    /// Set the policy of a kind, instead of the one that it had.
    Policy(KindPolicy),
    /// Let a job be there for each slot of a schedule, instead of what was said of the schedule of that name before.
    Schedule(Schedule),
    /// Let a schedule have no slots any more. The jobs of those that it had stay.
    Unschedule {
        /// The schedule's name.
        name: String,
    },
    /// Let no job of a queue or of a kind begin any more, until somebody resumes it.
    Pause {
        /// What.
        gate: Gate,
        /// Who says so, for people.
        by: String,
        /// Why, for people.
        why: String,
    },
    /// Let jobs of a queue or of a kind begin again, whoever paused it.
    Resume {
        /// What.
        gate: Gate,
    },
    /// What became of the transaction of this name? If nothing did, nothing ever will: its name is taken.
    Settle,
    /// Why is this job not running?
    Explain {
        /// The job.
        job: JobId,
    },
    /// All that is kept of a job.
    Look {
        /// The job.
        job: JobId,
    },
    /// Which limits and pauses are there, and which workers were seen?
    Gates,
    /// Which schedules are there, and what became of their last slots?
    Schedules,
    /// Which jobs are in a state?
    List(ListJobs),
    /// What the job results in, as soon as it has ended.
    Await {
        /// The job.
        job: JobId,
        /// How long to wait for its end.
        wait_ms: u64,
    },
}

impl Request {
    /// Its name, for people and traces.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Enqueue(_) => "enqueue",
            Self::EnqueueAll { .. } => "enqueue-all",
            Self::Claim(_) => "claim",
            Self::Heartbeat { .. } => "heartbeat",
            Self::Start { .. } => "start",
            Self::Step { .. } => "step",
            Self::Progress { .. } => "progress",
            Self::Log { .. } => "log",
            Self::Complete { .. } => "complete",
            Self::Fail { .. } => "fail",
            Self::Release { .. } => "release",
            Self::Snooze { .. } => "snooze",
            Self::Wait { .. } => "wait",
            Self::Signal(_) => "signal",
            Self::Obey { .. } => "obey",
            Self::Cancel { .. } => "cancel",
            Self::Retry { .. } => "retry",
            Self::Bulk { .. } => "bulk",
            Self::List(_) => "list",
            Self::Limit(_) => "limit",
            Self::Policy(_) => "policy",
            Self::Schedule(_) => "schedule",
            Self::Unschedule { .. } => "unschedule",
            Self::Schedules => "schedules",
            Self::Pause { .. } => "pause",
            Self::Resume { .. } => "resume",
            Self::Settle => "settle",
            Self::Explain { .. } => "explain",
            Self::Look { .. } => "look",
            Self::Gates => "gates",
            Self::Await { .. } => "await",
        }
    }

    /// Whether it changes nothing.
    pub const fn is_read(&self) -> bool {
        matches!(
            self,
            Self::Explain { .. }
                | Self::Look { .. }
                | Self::Gates
                | Self::Schedules
                | Self::List(_)
                | Self::Await { .. }
        )
    }

    /// Whether its answer is remembered for repeats. A heartbeat, a start, a step, a report of progress and what a handler
    /// said need not be: doing them twice is doing them once. What settles a transaction is remembered as the transaction's own end.
    pub(crate) const fn is_remembered(&self) -> bool {
        !self.is_read()
            && !matches!(
                self,
                Self::Heartbeat { .. }
                    | Self::Start { .. }
                    | Self::Step { .. }
                    | Self::Progress { .. }
                    | Self::Log { .. }
                    | Self::Settle
            )
    }
}
