//! What is kept of a job: the rows of the file, as values.

use super::{Due, JobId, Lease, Nonce, Slot, State, Steady, Token, TraceParent, Wall, text_enum};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// One job, as its row has it. The open attempt, if there is one, is a row of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// Its number.
    pub id: JobId,
    /// What it is, and how it was asked for.
    pub new: NewJob,
    /// When it was enqueued.
    pub enqueued_at: Wall,
    /// Where it is in its life.
    pub state: State,
    /// For what it waits, while it waits; why it waited last, afterwards.
    pub wait: Wait,
    /// What else there is to know of why it waits, or of why it ended without having run.
    pub wait_on: Option<WaitOn>,
    /// Until when it waits; for what has no end of its own, for ever.
    pub due: Due,
    /// The fencing token of its latest attempt.
    pub token: Option<Token>,
    /// Attempts begun: the number of the latest one.
    pub attempts: u32,
    /// Attempts that ended in a failure of the handler. Only these count towards the maximum.
    pub failures: u32,
    /// Started attempts whose worker was never heard of again.
    pub crashes: u32,
    /// Attempts that asked to be continued later.
    pub snoozes: u32,
    /// Attempts that were given back, and leases that expired before their attempt had started.
    pub releases: u32,
    /// Somebody asked for it to stop while it ran.
    pub cancel_requested: bool,
    /// From when on no attempt of it begins any more.
    pub deadline: Option<Due>,
    /// When somebody asked for another try of it last, after it had ended without a result.
    pub retried_at: Option<Wall>,
    /// When it became terminal.
    pub finished_at: Option<Wall>,
    /// Its result, as JSON.
    pub result: Option<Arc<str>>,
}

/// What a job is, and how it was asked for: never changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewJob {
    /// The named lane it waits in.
    pub queue: Arc<str>,
    /// The name of its handler.
    pub kind: Arc<str>,
    /// Higher runs first.
    pub priority: i16,
    /// Failures after which it is discarded.
    pub max_attempts: u32,
    /// With which others of its queue it shares slots, if the queue has so many for each such key.
    pub concurrency_key: Option<Arc<str>>,
    /// The slot of a schedule that it is there for.
    pub slot: Option<Slot>,
    /// In which span of a distributed trace it was enqueued.
    pub trace_parent: Option<TraceParent>,
    /// Its arguments, as canonical JSON.
    pub payload: Arc<str>,
}

text_enum! {
    /// For what a job waits.
    pub enum Wait {
        /// Only for its turn.
        Line = "line",
        /// For the delay it was enqueued with.
        Delay = "delay",
        /// For the time it was enqueued for.
        Schedule = "schedule",
        /// For the pause after a failure.
        Backoff = "backoff",
        /// For the pause after a crash.
        CrashBackoff = "crash-backoff",
        /// For the time its handler asked for.
        Snooze = "snooze",
        /// For something outside, at which its handler looks again after some time.
        Condition = "condition",
        /// For a signal.
        Signal = "signal",
        /// For other jobs to end.
        Jobs = "jobs",
    }
}

/// What there is to know of a wait beside its time. In the file it is JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "on", rename_all = "kebab-case")]
pub enum WaitOn {
    /// Something outside.
    Condition {
        /// What is not as it must be.
        what: String,
    },
    /// A signal.
    Signal {
        /// Its name.
        name: String,
        /// The step that will have it.
        step: String,
    },
    /// Other jobs, before it may run.
    Before {
        /// What becomes of it if one of them ends without a result.
        unmet: Unmet,
    },
    /// Other jobs, for which its handler waits.
    Jobs {
        /// The step that will have their ends.
        step: String,
    },
    /// None any more: it has ended because another job ended without a result.
    Unmet {
        /// Which one.
        job: JobId,
        /// How that one ended.
        state: State,
    },
    /// Nothing any more: it has ended because no attempt of it could begin before its deadline.
    TooLate {},
}

/// A job has ended: what forgets it after its time goes by these, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EndRow {
    /// Its number among all ends of the file.
    pub id: i64,
    /// The job.
    pub job: JobId,
    /// The state in which it ended.
    pub state: State,
    /// When, in steady time: a wall clock that is wrong for a moment forgets nothing.
    pub at: Steady,
    /// When its row says that it ended. If that says otherwise by now, the job was retried since.
    pub finished_at: Wall,
}

text_enum! {
    /// What becomes of a job that waits for another one if that ends without a result: if it is cancelled,
    /// discarded or quarantined.
    pub enum Unmet {
        /// It is cancelled.
        Cancel = "cancel",
        /// It is discarded, where it can be inspected.
        Discard = "discard",
        /// It runs all the same.
        Run = "run",
    }
}

/// One execution of a job, as its row has it. While it is open it holds the job's lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// The job.
    pub job: JobId,
    /// Which execution of the job this is: 1, 2, …
    pub number: u32,
    /// The lease's fencing token.
    pub token: Token,
    /// The opening of the file in which it was granted.
    pub nonce: Nonce,
    /// Who has it, for people.
    pub worker: Arc<str>,
    /// Whether its lease ends with the process that has the file.
    pub holder: Holder,
    /// When it was claimed.
    pub claimed_at: Wall,
    /// The lease's length in milliseconds; each heartbeat grants as much again.
    pub lease_ms: i64,
    /// When the lease expires unless it is renewed.
    pub expires: Steady,
    /// When the worker confirmed that it started.
    pub started_at: Option<Wall>,
    /// How long it may take from its start, in milliseconds.
    pub timeout_ms: Option<i64>,
    /// From when on its lease is not renewed any more: it has started, and had all of that time and a lease's length on top.
    pub overdue: Option<Steady>,
    /// How it ended.
    pub end: Option<(Wall, AttemptEnd)>,
}

text_enum! {
    /// Where the worker of an attempt is.
    pub enum Holder {
        /// In the process that has the file: whoever opens the file after it knows that it is gone.
        Here = "here",
        /// In another process, which an opening of the file says nothing about: its lease ends by
        /// time alone.
        Elsewhere = "elsewhere",
    }
}

text_enum! {
    /// How an attempt ended.
    pub enum AttemptEnd {
        /// With the job's result.
        Completed = "completed",
        /// With a failure of the handler.
        Failed = "failed",
        /// Started, and its worker was never heard of again.
        Crashed = "crashed",
        /// Its lease expired before it had started.
        Expired = "expired",
        /// With a request to go on later.
        Snoozed = "snoozed",
        /// With a wait for something: another attempt goes on.
        Suspended = "suspended",
        /// Given back by its worker.
        Released = "released",
        /// Stopped because somebody asked for it.
        Cancelled = "cancelled",
    }
}

/// Why an attempt did not complete, and what follows from it, as its row has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The job.
    pub job: JobId,
    /// Which of its attempts.
    pub attempt: u32,
    /// The attempt's fencing token: a failure ends one attempt, and an attempt fails once.
    pub token: Token,
    /// When.
    pub at: Wall,
    /// What kind of failure it was.
    pub how: How,
    /// What was said.
    pub message: Arc<str>,
    /// The causes behind it, outermost first.
    pub causes: Vec<String>,
    /// Whether another attempt could help.
    pub retryable: bool,
    /// What was decided.
    pub next: Next,
}

text_enum! {
    /// The kind of a failure.
    pub enum How {
        /// The handler returned an error.
        Error = "error",
        /// The handler panicked.
        Panic = "panic",
        /// The attempt took longer than it may.
        Timeout = "timeout",
        /// The payload did not decode as the job's type.
        Undecodable = "undecodable",
        /// The attempt had started, and its worker was never heard of again.
        Crash = "crash",
        /// The lease expired before the attempt had started.
        LeaseExpired = "lease-expired",
        /// The worker gave the attempt back: it is shutting down.
        Shutdown = "shutdown",
        /// Somebody asked for the job to stop.
        Cancelled = "cancelled",
    }
}

/// What follows a failure. Decided when it is recorded, and never again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "decision", rename_all = "kebab-case")]
pub enum Next {
    /// Another attempt.
    Retry {
        /// When.
        due: Due,
    },
    /// None: the attempts are spent, or it would not help.
    Discard,
    /// None: it keeps killing its workers.
    Quarantine,
    /// None: somebody asked for it to stop.
    Cancel,
}

/// An idempotency key, as its row has it. It may outlive its job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRow {
    /// Keys are unique within a kind.
    pub kind: Arc<str>,
    /// The caller's name for the enqueue.
    pub key: Arc<str>,
    /// The first job enqueued with it.
    pub job: JobId,
    /// Hash of that job's canonical payload, for the time when the job itself is gone.
    pub payload_hash: u128,
    /// For how long it stands for that job.
    pub scope: KeyScope,
}

/// For how long an idempotency key stands for its job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyScope {
    /// For ever.
    Forever,
    /// Until the job has ended.
    WhilePending,
    /// Until this time.
    Until(Due),
}

/// The result of a named part of a job, as its row has it: stored once, and reused by every later attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepRow {
    /// The job.
    pub job: JobId,
    /// Steps are unique within a job.
    pub name: Arc<str>,
    /// What it resulted in, as JSON.
    pub result: Arc<str>,
    /// The attempt that came to it.
    pub attempt: u32,
    /// When.
    pub at: Wall,
}

/// How far a job has come, as its row has it. What the latest report does not say is as it was before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProgressRow {
    /// The job.
    pub job: JobId,
    /// The attempt that said so last.
    pub attempt: u32,
    /// The place of its report among those of the attempt.
    pub number: u64,
    /// When.
    pub at: Wall,
    /// How much is done, in parts in a million.
    pub parts_per_million: Option<u32>,
    /// What it is about, for people.
    pub message: Option<Arc<str>>,
    /// Where a later attempt should go on, as JSON.
    pub checkpoint: Option<Arc<str>>,
}

/// A signal, as its row has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignalRow {
    /// Its number: signals of a name are taken in this order.
    pub id: i64,
    /// What those who wait for it call it.
    pub name: Arc<str>,
    /// The sender's name for it.
    pub key: Option<Arc<str>>,
    /// What it carries, as JSON.
    pub payload: Arc<str>,
    /// When it was sent.
    pub sent_at: Wall,
    /// Which step of which job has it.
    pub taken: Option<(JobId, Arc<str>)>,
}

/// That a job waits for another one, or has waited, as its row has it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct WaitRow {
    /// Which job.
    pub job: JobId,
    /// The step that has the ends of all that it waits for; empty for what it waits for before it may run.
    pub step: Arc<str>,
    /// For which one.
    pub on: JobId,
}

impl KeyScope {
    /// The word for it in the file.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Forever => "forever",
            Self::WhilePending => "while-pending",
            Self::Until(_) => "until",
        }
    }
}

impl Attempt {
    /// What its worker must show.
    pub fn lease(&self) -> Lease {
        Lease { job: self.job, token: self.token, nonce: self.nonce }
    }
}

impl Next {
    /// The word for the decision in the file.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Retry { .. } => "retry",
            Self::Discard => "discard",
            Self::Quarantine => "quarantine",
            Self::Cancel => "cancel",
        }
    }
}

impl Job {
    /// Whether what it says of its wait is of the same kind.
    fn wait_agrees(&self) -> bool {
        match (self.wait, &self.wait_on) {
            (Wait::Condition, Some(WaitOn::Condition { .. }))
            | (Wait::Signal, Some(WaitOn::Signal { .. }))
            | (Wait::Jobs, Some(WaitOn::Before { .. } | WaitOn::Jobs { .. })) => true,
            (Wait::Condition | Wait::Signal | Wait::Jobs, _) => false,
            (_, on) => on.is_none(),
        }
    }

    /// What must hold of every row, checked before it is written and after it was read.
    ///
    /// # Errors
    /// What does not hold.
    pub fn check(&self) -> Result<(), &'static str> {
        let rules = [
            (self.id.0 > 0, "a job's id is positive"),
            (self.state.is_terminal() == self.finished_at.is_some(), "terminal is when it has finished"),
            (self.result.is_none() || self.state == State::Completed, "only a completed job has a result"),
            (self.state != State::Running || self.attempts > 0, "a running job has an attempt"),
            (self.attempts >= self.failures, "each failure ended an attempt"),
            (self.deadline.is_none_or(|deadline| deadline.steady.is_some()), "a deadline is in steady time too"),
            (self.token.is_some() == (self.attempts > 0), "the latest attempt has a token"),
            (self.state != State::Waiting || self.wait_agrees(), "a job that waits says for what"),
            (!self.new.kind.is_empty() && !self.new.queue.is_empty(), "kind and queue have names"),
        ];
        rules.iter().find(|(holds, _)| !holds).map_or(Ok(()), |(_, rule)| Err(rule))
    }
}
