//! Where rows are kept. A store knows rows and transactions; what may happen to a job is decided
//! before it hears of it.

pub(crate) mod cached;
pub mod memory;
pub mod turso;

use crate::Options;
use crate::job::{
    Attempt, Due, EndRow, Failure, Gate, Job, JobId, KeyRow, LimitRow, LogRow, Nonce, PauseRow, PolicyRow, ProgressRow,
    RequestId, ScheduleRow, SignalRow, SkipRow, Slot, SlotRow, State, Steady, StepRow, Token, Wait, WaitOn, WaitRow,
    Wall,
};
use crate::sql::{Rows, Statement};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

/// Opens a store, again and again: opening is recovery, and there is no other kind.
pub trait Storage: Send + 'static {
    /// What is opened.
    type Store: Store;

    /// Recovers what is durable and makes it so for good: whatever the store answers afterwards
    /// survives any crash.
    ///
    /// The lock taken by the first opening is kept over later ones, until the storage is dropped.
    ///
    /// # Errors
    /// Why the store can't be opened. Nothing was changed that a later opening would miss.
    fn open(&mut self, options: &Options) -> impl Future<Output = Result<Self::Store, OpenError>>;

    /// Begins to make the file smaller; none if there is no file. No store is used any more that was opened before the last
    /// [`round`](Compaction::round), and the log is empty before each. A round writes `options.checkpoint_frames` pages or so.
    ///
    /// # Errors
    /// [`StoreError::Refused`]: the file is not one to do this with, and is left as it is.
    fn compaction(
        &mut self,
        options: &Options,
    ) -> impl Future<Output = Result<Option<Box<dyn Compaction>>, StoreError>>;
}

/// A file, on the way to being smaller.
pub trait Compaction {
    /// How many bytes the file has once the log is in it.
    fn bytes(&self) -> u64;

    /// Goes a part of the way, as one durable commit that the next opening finds in the log; whether there was anything to do.
    ///
    /// # Errors
    /// [`StoreError::Refused`] if there is no room for the log: nothing was written. [`StoreError::Broken`] for whatever the
    /// disk says, and if the file is not as the round before has left it: the next opening finds out what it is.
    fn round(&mut self) -> Pin<Box<dyn Future<Output = Result<bool, StoreError>> + '_>>;
}

/// Rows, in transactions. One engine at a time owns a store.
///
/// After [`StoreError::Broken`] a store is only good for dropping.
pub trait Store: 'static {
    /// The row that is there once.
    fn state(&mut self) -> impl Future<Output = Result<FileState, StoreError>>;

    /// A job, and its latest attempt.
    fn job(&mut self, id: JobId) -> impl Future<Output = Result<Option<Stored>, StoreError>>;

    /// The attempt that was granted this token.
    fn attempt(&mut self, token: Token) -> impl Future<Output = Result<Option<Attempt>, StoreError>>;

    /// All attempts of a job, oldest first.
    fn attempts(&mut self, job: JobId) -> impl Future<Output = Result<Vec<Attempt>, StoreError>>;

    /// The tokens of up to `most` attempts of a job, oldest first.
    fn tokens(&mut self, job: JobId, most: usize) -> impl Future<Output = Result<Vec<Token>, StoreError>>;

    /// The failure that ended the attempt with this token.
    fn failure(&mut self, token: Token) -> impl Future<Output = Result<Option<Failure>, StoreError>>;

    /// An idempotency key.
    fn key(&mut self, kind: &str, key: &str) -> impl Future<Output = Result<Option<KeyRow>, StoreError>>;

    /// The idempotency keys that stand for a job, those that stand for ever left out.
    fn keys_of(&mut self, job: JobId) -> impl Future<Output = Result<Vec<KeyRow>, StoreError>>;

    /// A step of a job.
    fn step(&mut self, job: JobId, name: &str) -> impl Future<Output = Result<Option<StepRow>, StoreError>>;

    /// All steps of a job.
    fn steps(&mut self, job: JobId) -> impl Future<Output = Result<Vec<StepRow>, StoreError>>;

    /// How many steps a job has.
    fn step_count(&mut self, job: JobId) -> impl Future<Output = Result<u64, StoreError>>;

    /// How far a job has come.
    fn progress(&mut self, job: JobId) -> impl Future<Output = Result<Option<ProgressRow>, StoreError>>;

    /// What an attempt said.
    fn log(&mut self, token: Token) -> impl Future<Output = Result<Option<LogRow>, StoreError>>;

    /// The oldest signal of a name that nobody has taken, behind this one.
    fn untaken_signal(&mut self, name: &str, after: i64)
    -> impl Future<Output = Result<Option<SignalRow>, StoreError>>;

    /// The signal that was sent under this key.
    fn signal_by_key(&mut self, name: &str, key: &str) -> impl Future<Output = Result<Option<SignalRow>, StoreError>>;

    /// The jobs for which a job waits or has waited.
    fn waits(&mut self, job: JobId) -> impl Future<Output = Result<Vec<WaitRow>, StoreError>>;

    /// Whether a job that is not terminal waits for this one, or has waited for it.
    fn is_awaited(&mut self, job: JobId) -> impl Future<Output = Result<bool, StoreError>>;

    /// Up to `most` ends of jobs, by rising number, from behind `after`.
    fn ends(&mut self, after: i64, most: usize) -> impl Future<Output = Result<Vec<EndRow>, StoreError>>;

    /// The job of a slot.
    fn slot(&mut self, slot: &Slot) -> impl Future<Output = Result<Option<SlotRow>, StoreError>>;

    /// Up to `most` slots of a schedule that have their jobs, the latest first.
    fn slots(&mut self, schedule: &str, most: usize) -> impl Future<Output = Result<Vec<SlotRow>, StoreError>>;

    /// The row of slots of a schedule that were passed over, of which this was the first.
    fn skip(&mut self, schedule: &str, first: Wall) -> impl Future<Output = Result<Option<SkipRow>, StoreError>>;

    /// Up to `most` rows of slots of a schedule that were passed over, the latest first.
    fn skips(&mut self, schedule: &str, most: usize) -> impl Future<Output = Result<Vec<SkipRow>, StoreError>>;

    /// What people have set.
    fn settings(&mut self) -> impl Future<Output = Result<Settings, StoreError>>;

    /// The remembered answer to a request.
    fn request(&mut self, id: RequestId) -> impl Future<Output = Result<Option<RequestRow>, StoreError>>;

    /// When the oldest remembered answer was given, if there is one.
    fn oldest_request(&mut self) -> impl Future<Output = Result<Option<Steady>, StoreError>>;

    /// Up to `most` jobs that are not terminal, by rising id, from behind `after`; fewer only if
    /// there are no more.
    fn live(&mut self, after: JobId, most: usize) -> impl Future<Output = Result<Vec<Live>, StoreError>>;

    /// Up to `most` jobs by rising id, from behind `after`, among which are all in a state; fewer only if there are no more.
    /// No more rows are looked at than that.
    fn list(
        &mut self,
        state: State,
        after: JobId,
        most: usize,
    ) -> impl Future<Output = Result<Vec<Listed>, StoreError>>;

    /// Begins a transaction of the caller's, which ends with the next commit or with
    /// [`roll_back`](Store::roll_back).
    ///
    /// # Errors
    /// [`StoreError::Broken`]: nothing was written.
    fn begin(&mut self) -> impl Future<Output = Result<(), StoreError>>;

    /// Runs a statement of the caller's in the transaction that is open, for no longer than `limit`; one that changes
    /// something only if `may_write` does not say why not.
    ///
    /// # Errors
    /// [`SqlError`].
    fn run_statement(
        &mut self,
        statement: &Statement,
        may_write: Result<(), String>,
        limit: Duration,
    ) -> impl Future<Output = Result<Rows, SqlError>>;

    /// Undoes what was done since [`begin`](Store::begin).
    ///
    /// # Errors
    /// [`StoreError::Broken`]: the next opening finds it undone.
    fn roll_back(&mut self) -> impl Future<Output = Result<(), StoreError>>;

    /// Writes all of `changes` in one transaction and syncs it, or nothing. If a transaction of the caller's is
    /// open, it is that one.
    ///
    /// # Errors
    /// [`StoreError::Refused`]: nothing was written. [`StoreError::Broken`]: nobody knows.
    fn commit(&mut self, changes: Vec<Change>) -> impl Future<Output = Result<(), StoreError>>;

    /// Moves the write-ahead log into the file if it has grown to `frames`; whether it did.
    ///
    /// # Errors
    /// [`StoreError::Broken`]: what was committed is safe, but the store must be reopened.
    fn checkpoint(&mut self, frames: u64) -> impl Future<Output = Result<bool, StoreError>>;

    /// What is committed now, to be read while it goes on being changed, for as long as no [`checkpoint`](Store::checkpoint)
    /// is made; none if it is in no file. The log is empty: a checkpoint was the last that happened.
    ///
    /// # Errors
    /// If it can't be read.
    fn snapshot(&mut self) -> Result<Option<Box<dyn Snapshot>>, StoreError>;

    /// The error that says that what is in the file is not what was written: `found` is what contradicts it.
    fn damaged(&self, found: String) -> StoreError;

    /// Bytes that may still be written.
    ///
    /// # Errors
    /// If it can't be told.
    fn free_bytes(&mut self) -> Result<u64, StoreError>;

    /// Bytes that the write-ahead log takes.
    ///
    /// # Errors
    /// If it can't be told.
    fn log_bytes(&mut self) -> Result<u64, StoreError>;
}

/// A file as it was with one commit, page by page.
pub trait Snapshot: Send {
    /// How many pages it has.
    fn pages(&self) -> u32;

    /// How many bytes each has.
    fn page_bytes(&self) -> usize;

    /// Reads a page, from 1 on. `page` has room for just one.
    ///
    /// # Errors
    /// Whatever the disk says.
    fn read(&mut self, number: u32, page: &mut [u8]) -> Result<(), StoreError>;
}

/// What people have set for queues and kinds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// All limits of queues.
    pub limits: Vec<LimitRow>,
    /// All pauses.
    pub pauses: Vec<PauseRow>,
    /// All policies of kinds.
    pub policies: Vec<PolicyRow>,
    /// All schedules.
    pub schedules: Vec<ScheduleRow>,
}

/// A job and its latest attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// The job's row.
    pub job: Job,
    /// The row of its latest attempt.
    pub latest: Option<Attempt>,
}

/// What an opening must know of a job that is not terminal: who may run it next, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Live {
    /// Its number.
    pub id: JobId,
    /// The lane.
    pub queue: Arc<str>,
    /// The name of its handler.
    pub kind: Arc<str>,
    /// Higher runs first.
    pub priority: i16,
    /// With which others of its queue it shares slots.
    pub concurrency_key: Option<Arc<str>>,
    /// For what it waits, if it waits.
    pub wait: Wait,
    /// What else there is to know of that.
    pub wait_on: Option<WaitOn>,
    /// Until when it waits, if it waits.
    pub due: Due,
    /// From when on no attempt of it begins any more.
    pub deadline: Option<Due>,
    /// Started attempts whose worker was never heard of again.
    pub crashes: u32,
    /// The attempt that holds it, if it runs.
    pub leased: Option<Token>,
}

/// What a list must know of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its number.
    pub id: JobId,
    /// The name of its handler.
    pub kind: Arc<str>,
    /// The lane.
    pub queue: Arc<str>,
    /// Where it is in its life.
    pub state: State,
    /// The fencing token of its latest attempt.
    pub token: Option<Token>,
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
}

impl Listed {
    /// What there is to know of `job`.
    pub fn of(job: &Job) -> Self {
        Self {
            id: job.id,
            kind: job.new.kind.clone(),
            queue: job.new.queue.clone(),
            state: job.state,
            token: job.token,
            attempts: job.attempts,
            max_attempts: job.new.max_attempts,
            failures: job.failures,
            crashes: job.crashes,
            enqueued_at: job.enqueued_at,
            finished_at: job.finished_at,
        }
    }
}

impl Live {
    /// What there is to know of `job`.
    pub fn of(job: &Job) -> Self {
        let leased = job.token.filter(|_| job.state == State::Running);
        let (queue, kind) = (job.new.queue.clone(), job.new.kind.clone());
        let (priority, concurrency_key) = (job.new.priority, job.new.concurrency_key.clone());
        let (wait, wait_on) = (job.wait, job.wait_on.clone());
        let (due, deadline, crashes) = (job.due, job.deadline, job.crashes);
        Self { id: job.id, queue, kind, priority, concurrency_key, wait, wait_on, due, deadline, crashes, leased }
    }
}

/// The row that is there once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileState {
    /// The high-water mark of steady time: no later opening sees an earlier time.
    pub steady: Steady,
    /// The number of the next job.
    pub next_job: i64,
    /// The next fencing token.
    pub next_token: i64,
    /// The number of the next signal.
    pub next_signal: i64,
    /// The number of the next end of a job.
    pub next_end: i64,
    /// The exclusive opening that wrote last.
    pub nonce: Nonce,
    /// How often the file was opened.
    pub openings: i64,
    /// The first exclusive opening: what makes this file another one than all others.
    pub first_opening: Nonce,
}

/// What was answered to a request, for its repetitions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestRow {
    /// The client's name for it.
    pub id: RequestId,
    /// When it was answered.
    pub at: Steady,
    /// Hash of the request, so that one id is never taken for two requests.
    pub digest: u64,
    /// The answer, as JSON.
    pub answer: Arc<str>,
}

/// A change of one row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A new job.
    InsertJob(Job),
    /// A job whose row changed.
    UpdateJob(Job),
    /// A new attempt.
    InsertAttempt(Attempt),
    /// An attempt whose row changed.
    UpdateAttempt(Attempt),
    /// A new failure.
    InsertFailure(Failure),
    /// A new idempotency key.
    InsertKey(KeyRow),
    /// An idempotency key that stands for another job.
    UpdateKey(KeyRow),
    /// A new step.
    InsertStep(StepRow),
    /// How far a job has come, for the first time.
    InsertProgress(ProgressRow),
    /// How far a job has come since.
    UpdateProgress(ProgressRow),
    /// What an attempt said, for the first time.
    InsertLog(LogRow),
    /// What an attempt has said since.
    UpdateLog(LogRow),
    /// A new signal.
    InsertSignal(SignalRow),
    /// A signal that was taken.
    UpdateSignal(SignalRow),
    /// A job waits for another one.
    InsertWait(WaitRow),
    /// Limits of a queue that had none.
    InsertLimit(LimitRow),
    /// Other limits of a queue, or another state of its bucket.
    UpdateLimit(LimitRow),
    /// A queue has no limits any more.
    DeleteLimit {
        /// Which one.
        queue: Arc<str>,
    },
    /// A policy of a kind that had none.
    InsertPolicy(PolicyRow),
    /// Another policy of a kind.
    UpdatePolicy(PolicyRow),
    /// A kind has no policy any more.
    DeletePolicy {
        /// Which one.
        kind: Arc<str>,
    },
    /// A new schedule.
    InsertSchedule(ScheduleRow),
    /// A schedule that changed, or went on.
    UpdateSchedule(ScheduleRow),
    /// A schedule that is not there any more. Its slots are.
    DeleteSchedule {
        /// Its name.
        name: Arc<str>,
    },
    /// A slot has its job.
    InsertSlot(SlotRow),
    /// Forgets up to `most` of the oldest slots of a schedule, if they are of before `before`.
    ForgetSlots {
        /// Its name.
        schedule: Arc<str>,
        /// A time of the wall clock.
        before: Wall,
        /// How many at the most.
        most: usize,
    },
    /// Slots were passed over.
    InsertSkip(SkipRow),
    /// More slots after them were.
    UpdateSkip(SkipRow),
    /// A pause.
    InsertPause(PauseRow),
    /// A pause that changed.
    UpdatePause(PauseRow),
    /// A pause that is over.
    DeletePause {
        /// What was paused.
        gate: Gate,
        /// Whether because a service was down.
        is_down: bool,
    },
    /// A job has ended.
    InsertEnd(EndRow),
    /// An end of a job is forgotten.
    DeleteEnd {
        /// Its number.
        id: i64,
    },
    /// An attempt is forgotten, with its failure and with what it said.
    DeleteAttempt {
        /// Its token.
        token: Token,
    },
    /// A job is forgotten, with its steps, its progress, what it waited for, the signals without a key that it took, and the
    /// keys that stand for it, those that stand for ever left out. Its attempts are forgotten before.
    DeleteJob {
        /// Its number.
        id: JobId,
    },
    /// A remembered answer.
    InsertRequest(RequestRow),
    /// Forgets up to `most` of the oldest remembered answers, if they were given before `before`.
    ForgetRequests {
        /// Steady time.
        before: Steady,
        /// How many at the most.
        most: usize,
    },
    /// The row that is there once.
    PutState(FileState),
}

/// Why a store did not run a statement of the caller's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SqlError {
    /// The statement is not good, or not allowed, or its rows contradict the table. The transaction is as it was.
    Refused(String),
    /// The statement has ended its transaction: nothing of it has happened.
    RolledBack(String),
    /// The store has a problem of its own.
    Store(StoreError),
}

/// Why a store did not do what it was asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The rows contradict the table: a bug of ours. The transaction was rolled back.
    #[error("the store refused the rows: {0}")]
    Refused(String),
    /// The disk failed, or the store itself: what was written is unknown.
    #[error("the store is broken and must be reopened: {0}")]
    Broken(String),
    /// What is in the file is not what was written. Opening it anew does not help.
    #[error(
        "{path} is damaged: {found}. Nothing is read from it or written to it any more; restore it from a backup \
         (`sqlite3 {path} 'PRAGMA integrity_check'` says more)"
    )]
    Damaged {
        /// The file.
        path: String,
        /// What is wrong.
        found: String,
    },
}

/// Why a store could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has the file.
    #[error("{path} is in use by {holder}; one process at a time may have it open")]
    Locked {
        /// The file.
        path: String,
        /// Who has it, if that is known.
        holder: String,
    },
    /// The file is not a queue of ours. It was left as it is.
    #[error(
        "{path} is not an Outlive queue: {found}. It was left untouched; choose another path, or, if it was a queue \
         once, restore it from a backup"
    )]
    Foreign {
        /// The file.
        path: String,
        /// What it is instead.
        found: String,
    },
    /// The file is not whole. It was left as it is.
    #[error("{path} is damaged: {found}. It was left untouched; restore it from a backup")]
    Damaged {
        /// The file.
        path: String,
        /// What is wrong.
        found: String,
    },
    /// Changes that were acknowledged are not in the file any more. It was left as it is.
    #[error(
        "{path} has lost changes that were acknowledged: its write-ahead log breaks off after frame {whole} of {frames}, \
         and what comes after the break was synced once. It was left untouched; restore it from a backup, or go on \
         without what is lost: `sqlite3 {path} 'PRAGMA wal_checkpoint(TRUNCATE)'`"
    )]
    LostTail {
        /// The file.
        path: String,
        /// Frames of the log that are whole.
        whole: usize,
        /// Frames that the log has.
        frames: usize,
    },
    /// The file was written by a newer version. It was left as it is.
    #[error("{path} has format {found}, and this version knows formats up to {known}; use a newer Outlive")]
    Newer {
        /// The file.
        path: String,
        /// Its format.
        found: i64,
        /// The newest known one.
        known: i64,
    },
    /// The place can't keep a queue safe.
    #[error("{path} can't be kept safe there: {why}")]
    Unsuitable {
        /// The file.
        path: String,
        /// Why.
        why: String,
    },
    /// The file system said no.
    #[error("{path}: {doing}: {error}")]
    Io {
        /// The file.
        path: String,
        /// What was tried.
        doing: &'static str,
        /// What it said.
        error: std::io::Error,
    },
    /// The options are beyond their limits.
    #[error("the options can't be used: {0}")]
    Options(crate::job::Refusal),
    /// The store failed while it was opened.
    #[error("{path}: {error}")]
    Store {
        /// The file.
        path: String,
        /// What it said.
        error: StoreError,
    },
}
