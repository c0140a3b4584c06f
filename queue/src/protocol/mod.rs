//! What can be asked of a queue, and what it answers: the same in the process and over a wire.

mod transaction;

pub use transaction::{Access, Begin, Beginning, Conversation, Heard, Hearing, Said};

use crate::Effect;
use crate::job::{Explanation, Holder, JobId, Lease, Next, Refusal, RequestId, State, Wall};
use serde::{Deserialize, Serialize};
use std::future::Future;
use std::pin::Pin;

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
}

/// A job to insert.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Enqueue {
    /// The name of its handler.
    pub kind: String,
    /// The named lane.
    pub queue: String,
    /// Higher goes first.
    pub priority: i16,
    /// Failures after which it is discarded.
    pub max_attempts: u32,
    /// Its arguments, as JSON.
    pub payload: String,
    /// When it may run.
    pub when: When,
    /// The caller's name for this enqueue: a repeat returns the first job.
    pub key: Option<String>,
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

/// A wish for work.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// Who asks, for people.
    pub worker: String,
    /// Where the worker is: what comes over a wire is from elsewhere, whatever it says.
    pub holder: Holder,
    /// From which queues.
    pub queues: Vec<String>,
    /// Of which kinds.
    pub kinds: Vec<String>,
    /// How many jobs at the most.
    pub most: u32,
    /// For how long each is granted.
    pub lease_ms: u64,
    /// How long to wait if there is nothing to do.
    pub wait_ms: u64,
}

/// A failure, as its worker reports it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reported {
    /// The kind of failure.
    pub how: crate::job::How,
    /// What was said.
    pub message: String,
    /// The causes behind it, outermost first.
    pub causes: Vec<String>,
    /// Whether another attempt could help.
    pub retryable: bool,
    /// When to try again, if not by the policy.
    pub retry_after_ms: Option<u64>,
}

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
    /// What became of a transaction, for good.
    Settled {
        /// Whether it is in the file; otherwise nothing of it has happened, nor ever will.
        committed: bool,
    },
    /// Why a job is not running.
    Explained(Explanation),
    /// All that is kept of a job.
    Looked(Box<JobView>),
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
    /// For how long it is granted, from before the claim was sent.
    pub lease_ms: u64,
    /// Failures so far.
    pub failures: u32,
    /// Failures after which it is discarded.
    pub max_attempts: u32,
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

/// All that is kept of a job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobView {
    /// Its number.
    pub id: JobId,
    /// The name of its handler.
    pub kind: String,
    /// The lane.
    pub queue: String,
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
    /// Its attempts, oldest first.
    pub history: Vec<AttemptView>,
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
    pub ended: Option<(Wall, crate::job::AttemptEnd)>,
    /// What went wrong, if something did.
    pub failure: Option<FailureView>,
}

/// All that is kept of a failure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailureView {
    /// The kind of failure.
    pub how: crate::job::How,
    /// What was said.
    pub message: String,
    /// The causes behind it, outermost first.
    pub causes: Vec<String>,
    /// Whether another attempt could help.
    pub retryable: bool,
    /// What was decided.
    pub next: Next,
}

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
}

/// An answer that is on its way.
pub type Answering = Pin<Box<dyn Future<Output = Result<Reply, CallError>> + Send>>;

impl Request {
    /// Its name, for people and traces.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Enqueue(_) => "enqueue",
            Self::Claim(_) => "claim",
            Self::Heartbeat { .. } => "heartbeat",
            Self::Start { .. } => "start",
            Self::Step { .. } => "step",
            Self::Complete { .. } => "complete",
            Self::Fail { .. } => "fail",
            Self::Release { .. } => "release",
            Self::Snooze { .. } => "snooze",
            Self::Obey { .. } => "obey",
            Self::Cancel { .. } => "cancel",
            Self::Settle => "settle",
            Self::Explain { .. } => "explain",
            Self::Look { .. } => "look",
        }
    }

    /// Whether it changes nothing.
    pub const fn is_read(&self) -> bool {
        matches!(self, Self::Explain { .. } | Self::Look { .. })
    }

    /// Whether its answer is remembered for repeats. A heartbeat, a start and a step need not be: doing
    /// them twice is doing them once. What settles a transaction is remembered as the transaction's own end.
    pub(crate) const fn is_remembered(&self) -> bool {
        !self.is_read()
            && !matches!(self, Self::Heartbeat { .. } | Self::Start { .. } | Self::Step { .. } | Self::Settle)
    }
}
