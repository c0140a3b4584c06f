//! What can be asked of a queue, and what it answers: the same in the process and over a wire.

mod schedule;
mod transaction;

pub use schedule::{Schedule, ScheduleView, SlotView};
pub use transaction::{Access, Begin, Beginning, Conversation, Heard, Hearing, Said};

use crate::Effect;
use crate::engine::{Compacting, HeldSnapshot};
use crate::job::explain::LastFailure;
use crate::job::{
    Explanation, Gate, Holder, JobId, Lease, LogLine, Next, Policy, Rate, Refusal, RequestId, Slot, State, TraceParent,
    Unmet, Wall, text_enum,
};
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

text_enum! {
    /// What can be asked for many jobs.
    pub enum Bulk {
        /// To try them once more.
        Retry = "retry",
        /// To stop.
        Cancel = "cancel",
    }
}

/// Some of the jobs in a state, by rising number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListJobs {
    /// Which ones.
    pub filter: Filter,
    /// Behind this one.
    pub after: JobId,
    /// How many at the most. There may be fewer, and more behind them.
    pub most: u32,
}

/// Which jobs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Filter {
    /// In this state.
    pub state: State,
    /// Of this kind, or of any.
    pub kind: Option<String>,
    /// In this queue, or in any.
    pub queue: Option<String>,
}

/// The limits of a queue. What is left out has no limit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QueueLimits {
    /// Which queue.
    pub queue: String,
    /// How many of its jobs may be leased at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_once: Option<u32>,
    /// How many of its jobs with the same concurrency key may be leased at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_once_per_key: Option<u32>,
    /// How many attempts may begin in some time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<Rate>,
}

/// The policy of a kind. What is left out is as it is for all.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KindPolicy {
    /// Which kind.
    pub kind: String,
    /// What is decided for its jobs.
    #[serde(flatten)]
    pub policy: Policy,
}

/// The policy of a kind, as people see it.
pub type PolicyView = KindPolicy;

/// Jobs that must have ended before another one may run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct After {
    /// Which ones.
    pub jobs: Vec<JobId>,
    /// What becomes of the job if one of them ends without a result.
    pub unmet: Unmet,
}

/// For what an attempt waits. Its job goes on as another attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "for", rename_all = "kebab-case", deny_unknown_fields)]
pub enum On {
    /// The oldest signal of a name that nobody has taken. It becomes the result of a step.
    Signal {
        /// The signal's name.
        name: String,
        /// The step that has it: `{"sent": …}`, or `null` if the time was over.
        step: String,
        /// For how long, in milliseconds; without it, for ever.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        limit_ms: Option<u64>,
    },
    /// The ends of other jobs. What became of each is the result of a step.
    Jobs {
        /// Which ones.
        jobs: Vec<JobId>,
        /// The step that has their ends.
        step: String,
    },
    /// Something outside, of which the queue can't tell: the handler looks again after some time.
    Condition {
        /// What is not as it must be, for people.
        what: String,
        /// After how many milliseconds.
        again_ms: u64,
    },
    /// A service that all jobs of the kind need. None of them begins until it is back: every now and then one is let
    /// through, and if that completes, it is.
    Service {
        /// What is wrong with it, for people.
        why: String,
        /// The rest before one is let through, in milliseconds.
        probe_ms: u64,
    },
}

/// A signal to be sent: it is there from then on, until a job takes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signal {
    /// What those who wait for it call it.
    pub name: String,
    /// The sender's name for it, unique among signals of its name: a repeat changes nothing.
    pub key: Option<String>,
    /// What it carries, as JSON.
    pub payload: String,
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

/// How far an attempt has come. What is not said stays as it was said before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// The place of this report among those of its attempt, from 1 on: one that is overtaken changes nothing.
    pub number: u64,
    /// How much is done, in parts in a million.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parts_per_million: Option<u32>,
    /// What it is about, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Where a later attempt should go on, as JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkpoint: Option<String>,
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
    pub ended: Option<(Wall, crate::job::AttemptEnd)>,
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
