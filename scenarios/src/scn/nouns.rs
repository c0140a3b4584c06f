//! Every name of the language, by kind. A new one is one line; docs/SCENARIO_FILES.md must have it too.

use super::cursor::{Cursor, Read};
use super::error::Expected;
use super::grammar::{Noun, Piece, canonical, nouns};
use crate::{checkers, coverage};
use outlive::Retention;
use outlive::job::{CatchUp, State};
use outlive_sim::{OperationKind, Survivors};
use std::time::Duration;

nouns! {
    /// Why a job waits, as `explain` says it.
    pub enum WaitReason ("a wait reason", "REASON") {
        /// It was enqueued with a delay.
        Delay = "delay",
        /// It was enqueued for a time.
        Schedule = "schedule",
        /// It rests after a failure.
        Backoff = "backoff",
        /// It rests after a crash.
        CrashBackoff = "crash-backoff",
        /// Its handler asked to be continued later.
        Snooze = "snooze",
        /// Something outside is not as its handler needs it.
        Condition = "condition",
        /// Its handler waits for a signal.
        Signal = "signal",
        /// It waits for other jobs to end.
        Jobs = "jobs",
        /// Somebody has paused its queue or its kind.
        Paused = "paused",
        /// A service is down that its kind needs.
        ServiceDown = "service-down",
        /// Its worker's lease has expired.
        LeaseExpired = "lease-expired" | "lease lost",
        /// It could run at once: it waits for its turn.
        Line = "line",
    }

    /// What a job carries, if it is not what its handler asks for.
    pub enum Payload ("a payload", "PAYLOAD") {
        /// It does not decode.
        Garbage = "garbage",
    }

    /// How a job has ended.
    pub enum Outcome ("a terminal state", "OUTCOME") {
        /// Its result is stored.
        Completed = "completed" | "done",
        /// Its attempts are spent, or a failure was not retryable.
        Discarded = "discarded",
        /// Somebody asked for it to stop.
        Cancelled = "cancelled",
        /// It keeps killing its workers.
        Quarantined = "quarantined",
    }

    /// Why a request was refused.
    pub enum Rejection ("a reason of a refusal", "REFUSAL") {
        /// There is no such job.
        UnknownJob = "unknown-job",
        /// The job has ended, and was forgotten after its time.
        Forgotten = "forgotten",
        /// The lease is an older one, or was never granted.
        StaleLease = "stale-lease",
        /// The lease was the latest, and its time has passed.
        LeaseExpired = "lease-expired",
        /// The attempt has ended already.
        AttemptEnded = "attempt-ended",
        /// The job is terminal.
        Finished = "finished",
        /// The key stands for a job with another payload.
        KeyConflict = "key-conflict",
        /// The request id was used for another request.
        RequestIdReused = "request-id-reused",
        /// Something is beyond its limit.
        Limit = "limit",
        /// The disk is nearly full.
        StorageFull = "storage-full",
    }

    /// What somebody who asked was told.
    pub enum Answer ("an answer", "ANSWER") {
        /// It has taken effect.
        Accepted = "accepted",
        /// It may have taken effect, or may not.
        Unknown = "unknown",
        /// It did not reach the file: nothing was changed.
        Unavailable = "unavailable",
    }

    /// What can be asked of the queue.
    pub enum RequestKind ("a request", "REQUEST") {
        /// A client wants a job in the file.
        Enqueue = "enqueue",
        /// A worker wants jobs.
        Claim = "claim",
        /// A worker renews its leases.
        Heartbeat = "heartbeat",
        /// A worker confirms that a handler is about to run.
        Start = "start",
        /// A worker reports the end.
        Complete = "complete",
        /// A worker reports a failure.
        Fail = "fail",
        /// A worker gives an attempt back.
        Release = "release",
        /// A worker puts a job off.
        Snooze = "snooze",
        /// A worker reports that it has stopped a job, as it was asked to.
        Obey = "obey",
        /// A client wants a job to stop.
        Cancel = "cancel",
        /// Somebody wants a transaction.
        Begin = "begin",
        /// Somebody says something in a transaction.
        Say = "say",
        /// Somebody wants what was said in a transaction to be so.
        Commit = "commit",
        /// Somebody asks what became of a transaction.
        Settle = "settle",
    }

    /// What is counted of one job.
    pub enum Count ("a count", "COUNT") {
        /// Executions begun.
        Attempts = "attempts",
        /// Failures of the handler.
        Failures = "failures",
        /// Workers that were never heard of again.
        Crashes = "crashes",
        /// Requests to go on later.
        Snoozes = "snoozes",
        /// Attempts given back.
        Releases = "releases",
        /// Rows in the table of jobs: an unanswered enqueue is there once or not at all.
        Rows = "rows",
    }

    /// How a count compares with a number.
    pub enum Comparison ("a comparison", "COMPARISON") {
        /// The same.
        Equal = "=",
        /// The number or less.
        AtMost = "<=",
        /// The number or more.
        AtLeast = ">=",
    }

    /// When a schedule has its slots.
    pub enum RhythmWord ("a rhythm", "RHYTHM") {
        /// So often.
        Every = "every",
        /// So often, said by a cron expression.
        Cron = "cron",
    }

    /// What becomes of slots that were missed.
    pub enum CatchUpWord ("a catch-up", "CATCHUP") {
        /// They are skipped.
        Skip = "skip",
        /// The last one has its job.
        Latest = "latest",
        /// Each has its job.
        All = "all",
    }

    /// A file of the store.
    pub enum DiskFile ("a file of the store", "FILE") {
        /// The write-ahead log, to which every commit goes.
        Log = "wal",
        /// The database, to which checkpoints go.
        Database = "db",
        /// A copy that is being made.
        Copy = "copy",
    }
}

impl CatchUpWord {
    /// The word for it.
    pub fn of(catch_up: CatchUp) -> Self {
        match catch_up {
            CatchUp::Skip => Self::Skip,
            CatchUp::Latest => Self::Latest,
            CatchUp::All => Self::All,
        }
    }

    /// What it stands for.
    pub fn value(self) -> CatchUp {
        match self {
            Self::Skip => CatchUp::Skip,
            Self::Latest => CatchUp::Latest,
            Self::All => CatchUp::All,
        }
    }
}

impl Outcome {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Completed, Self::Discarded, Self::Cancelled, Self::Quarantined];

    /// For how long jobs that ended so are kept.
    pub fn kept(self, retention: &mut Retention) -> &mut Option<Duration> {
        let state = match self {
            Self::Completed => State::Completed,
            Self::Discarded => State::Discarded,
            Self::Cancelled => State::Cancelled,
            Self::Quarantined => State::Quarantined,
        };
        retention.kept_mut(state).expect("jobs end in it")
    }
}

impl RequestKind {
    /// The one of this name.
    pub fn named(name: &str) -> Option<Self> {
        canonical::<Self>().find(|(_, word)| *word == name).map(|(kind, _)| kind)
    }
}

/// Which pending writes survive a power loss.
impl Noun for Survivors {
    const WHAT: &'static str = "a choice of what survives";
    const SHAPE: &'static str = "SURVIVORS";
    const NAMES: &'static [(Self, &'static str)] = &[
        (Self::None, "none"),
        (Self::All, "all"),
        (Self::Prefix, "prefix"),
        (Self::Subset, "subset"),
        (Self::SubsetTorn, "torn"),
    ];
}

/// An operation on a file. Those on directories are not of one file.
impl Noun for OperationKind {
    const WHAT: &'static str = "a disk operation";
    const SHAPE: &'static str = "OPERATION";
    const NAMES: &'static [(Self, &'static str)] = &[
        (Self::Open, "open"),
        (Self::Read, "read"),
        (Self::Write, "write"),
        (Self::Sync, "sync"),
        (Self::Truncate, "truncate"),
        (Self::Rename, "rename"),
        (Self::Remove, "remove"),
    ];
}

/// An invariant, by its checker's name for it: `I1` to `I5`, `L` for liveness, and `S` for states that can't be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Invariant(&'static str);

impl Invariant {
    /// Every invariant that has a checker.
    pub fn all() -> impl Iterator<Item = Self> {
        checkers::ALL.iter().map(|checker| checker.invariant).chain([coverage::INVARIANT]).map(Self)
    }

    /// The checker's name for it.
    pub const fn as_str(self) -> &'static str {
        self.0
    }
}

impl Piece for Invariant {
    fn shape() -> String {
        "INVARIANT".into()
    }

    fn read(cursor: &mut Cursor<'_>) -> Read<Self> {
        let hope = || Expected::one_of("an invariant", Self::all().map(Self::as_str));
        cursor.find(hope, |word| Self::all().find(|invariant| invariant.0 == word))
    }

    fn write(&self, words: &mut Vec<String>) {
        words.push(self.0.into());
    }
}

/// A clause of a checker, by its id: `I2.b`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clause(&'static str);

impl Clause {
    /// Every clause of every checker.
    pub fn all() -> impl Iterator<Item = Self> {
        checkers::ALL.iter().flat_map(|checker| checker.clauses).map(|(id, _)| Self(id))
    }

    /// Its id.
    pub const fn as_str(self) -> &'static str {
        self.0
    }
}

impl Piece for Clause {
    fn shape() -> String {
        "CLAUSE".into()
    }

    fn read(cursor: &mut Cursor<'_>) -> Read<Self> {
        let hope = || Expected::one_of("a clause of a checker", Self::all().map(Self::as_str));
        cursor.find(hope, |word| Self::all().find(|clause| clause.0 == word))
    }

    fn write(&self, words: &mut Vec<String>) {
        words.push(self.0.into());
    }
}
