//! The handle that programs hold.

mod backup;
mod builder;
mod bulk;
mod calls;
mod compact;
mod enqueue;
mod gates;
mod inside;
mod policy;
mod result;
mod schedule;
mod signal;
mod transaction;

pub use backup::Backup;
pub use builder::OutliveBuilder;
pub use bulk::List;
#[cfg(feature = "server")]
pub(crate) use compact::compact;
pub use compact::{Compacted, compact_file};
pub use enqueue::{EnqueueAll, EnqueueJob};
pub use gates::LimitQueue;
pub use policy::SetPolicy;
pub use result::AwaitResult;
pub use schedule::SetSchedule;
pub use signal::SendSignal;
pub use transaction::Transaction;

use crate::engine::Local;
use crate::error::Error;
use crate::host::{Host, Os};
use crate::job::{Explanation, Gate, JobId, Rhythm};
use crate::options::Options;
use crate::protocol::{Bulk, Filter, GatesView, JobView, Reply, Request, ScheduleView, Service};
use crate::store::Storage;
use crate::store::turso::TursoStorage;
use crate::worker::WorkerBuilder;
use calls::Caller;
use enqueue::Target;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

/// A kind of work: its arguments are the value itself.
///
/// ```
/// # use serde::{Deserialize, Serialize};
/// #[derive(Serialize, Deserialize)]
/// struct Greet { name: String }
///
/// impl outlive::Job for Greet {
///     const KIND: &'static str = "greet";
///     type Output = String;
/// }
/// ```
pub trait Job: Serialize + DeserializeOwned + Send + 'static {
    /// The name of its handler, in the file for ever: it survives a renaming of the type.
    const KIND: &'static str;
    /// What the handler results in; `()` if nothing.
    type Output: Serialize + DeserializeOwned + Send + 'static;
}

/// An open queue. Cheap to clone; the file is closed when the last clone and worker are gone.
#[derive(Clone)]
pub struct Outlive<H: Host = Os> {
    host: H,
    caller: Arc<Caller>,
}

impl Outlive<Os> {
    /// Opens the queue in the file at `path`, or makes it. One process at a time may have it open.
    ///
    /// # Errors
    /// [`Error::Open`]: another process has it, it is not a queue of ours (it is then left
    /// untouched), or the disk failed.
    pub async fn open(path: impl AsRef<Path>) -> Result<Self, Error> {
        Self::open_with(path, Options::default()).await
    }

    /// Chooses something about a file before it is opened.
    ///
    /// ```no_run
    /// use outlive::{Outlive, job::State};
    /// use std::time::Duration;
    ///
    /// # async fn example() -> Result<(), outlive::Error> {
    /// let day = Duration::from_secs(24 * 3600);
    /// let outlive = Outlive::builder().page_checksums().keep(State::Completed, day).open("jobs.db").await?;
    /// # drop(outlive);
    /// # Ok(()) }
    /// ```
    pub fn builder() -> OutliveBuilder {
        OutliveBuilder::default()
    }

    /// As [`open`](Outlive::open), with options.
    ///
    /// # Errors
    /// As [`open`](Outlive::open), and if an option is beyond its limit.
    pub async fn open_with(path: impl AsRef<Path>, options: Options) -> Result<Self, Error> {
        open_file(path.as_ref().to_owned(), options).await
    }
}

/// A handle that is on its way.
type Opening = Pin<Box<dyn Future<Output = Result<Outlive, Error>> + Send>>;

/// Opens the queue in a file. Boxed here, so that the engine is compiled with this crate: the code of a future that is no
/// object is made by each crate that awaits it, and every program that opens a queue would compile the engine anew.
#[inline(never)]
fn open_file(path: PathBuf, options: Options) -> Opening {
    Box::pin(async move {
        let os = Os::new().map_err(|error| crate::store::OpenError::Io {
            path: path.display().to_string(),
            doing: "ask the system for randomness",
            error,
        })?;
        let storage = TursoStorage::new(os.clone(), &path);
        Outlive::open_on(os, storage, options).await
    })
}

impl<H: Host> Outlive<H> {
    /// Opens the queue in any storage, on any host.
    ///
    /// # Errors
    /// [`Error::Open`].
    pub async fn open_on(host: H, storage: impl Storage, options: Options) -> Result<Self, Error> {
        let local = Local::open(host.clone(), storage, options).await?;
        Ok(Self::on(host, Arc::new(local)))
    }

    /// A handle whose calls go to `service`.
    pub fn on(host: H, service: Arc<dyn Service>) -> Self {
        let caller = Arc::new(Caller::new(&host, service));
        Self { host, caller }
    }

    /// Where this handle's calls go.
    pub fn service(&self) -> Arc<dyn Service> {
        self.caller.service()
    }

    /// Inserts a job. Awaiting the answer inserts it; before that, its particulars can be chosen.
    ///
    /// ```
    /// # use serde::{Deserialize, Serialize};
    /// # #[derive(Serialize, Deserialize)] struct Greet { name: String }
    /// # impl outlive::Job for Greet { const KIND: &'static str = "greet"; type Output = (); }
    /// # async fn example(outlive: outlive::Outlive) -> Result<(), outlive::Error> {
    /// use std::time::Duration;
    /// outlive.enqueue(Greet { name: "Ada".into() }).delay(Duration::from_secs(60)).key("ada").await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`Error::Refused`] beyond a limit, with a key that stands for other work, or on a disk that
    /// is nearly full; [`Error::Unknown`] if the answer was lost and could not be had again.
    pub fn enqueue<J: Job>(&self, job: J) -> EnqueueJob {
        let target = Target::Queue(self.caller.clone(), self.caller.request_id());
        EnqueueJob::new(target, J::KIND, serde_json::to_value(&job))
    }

    /// Inserts jobs, of one kind or of several, each with its particulars: awaiting it inserts all of them, or none. Up to
    /// [`ENQUEUE_JOBS_MAX`](crate::limits::ENQUEUE_JOBS_MAX) at a time. It takes one commit, and one after another takes one each.
    ///
    /// ```
    /// # use serde::{Deserialize, Serialize};
    /// # #[derive(Serialize, Deserialize)] struct Greet { name: String }
    /// # impl outlive::Job for Greet { const KIND: &'static str = "greet"; type Output = (); }
    /// # async fn example(outlive: outlive::Outlive) -> Result<(), outlive::Error> {
    /// let names = ["Ada", "Grace", "Edith"];
    /// let jobs = names.map(|name| outlive.enqueue(Greet { name: name.into() }).key(name));
    /// let enqueued = outlive.enqueue_all(jobs).await?;
    /// assert_eq!(enqueued.len(), 3);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// As [`enqueue`](Self::enqueue), with the place of the job that can't be inserted: then none is.
    pub fn enqueue_all(&self, jobs: impl IntoIterator<Item = EnqueueJob>) -> EnqueueAll {
        EnqueueAll::new(Target::Queue(self.caller.clone(), self.caller.request_id()), jobs)
    }

    /// Sends a signal: awaiting it puts it into the file; before that, its particulars can be chosen. It is there from
    /// then on, until a job takes it that waits for one of its name ([`Context::signal`](crate::Context::signal)), now
    /// or later; each is taken once, the oldest first. Awaiting it says whether it is new.
    ///
    /// ```
    /// # async fn example(outlive: outlive::Outlive) -> Result<(), outlive::Error> {
    /// outlive.signal("approved-7", &"by Ada").key("form-1234").await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`Error::Refused`] beyond a limit, with a key that stands for another signal, or on a disk that is nearly full;
    /// [`Error::Unknown`] if the answer was lost and could not be had again.
    pub fn signal<T: Serialize>(&self, name: impl Into<String>, payload: &T) -> SendSignal {
        let target = Target::Queue(self.caller.clone(), self.caller.request_id());
        SendSignal::new(target, name.into(), serde_json::to_value(payload))
    }

    /// Runs `work` in a transaction: what it does to tables of the caller's own, in the queue's file, and the jobs
    /// that it enqueues or cancels, are true together when this returns `Ok`, or not at all.
    ///
    /// While it is open the queue serves nobody else, so it ends after [`limits::TRANSACTION_DEFAULT`]: do what takes
    /// time before it or after it. The queue itself can't be asked inside of it; the transaction can.
    ///
    /// ```
    /// # use serde::{Deserialize, Serialize};
    /// # #[derive(Serialize, Deserialize)] struct Ship { order: i64 }
    /// # impl outlive::Job for Ship { const KIND: &'static str = "ship"; type Output = (); }
    /// # async fn example(outlive: outlive::Outlive) -> Result<(), outlive::Error> {
    /// outlive
    ///     .transaction(async |tx| {
    ///         tx.execute("INSERT INTO orders (id, item) VALUES (?1, ?2)", (7, "lamp")).await?;
    ///         tx.enqueue(Ship { order: 7 }).await
    ///     })
    ///     .await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// Whatever `work` returns: nothing has happened then. [`Error::Refused`] if it was rolled back;
    /// [`Error::Unknown`] if the answer to its commit was lost; [`Error::InTransaction`] inside of another one.
    pub async fn transaction<T, E, F>(&self, work: impl FnOnce(Transaction) -> F) -> Result<T, E>
    where
        E: From<Error>,
        F: Future<Output = Result<T, E>>,
    {
        self.caller.transaction(Terms::WRITE, work).await
    }

    /// As [`transaction`](Self::transaction), open for at most `limit`, which is at most
    /// [`limits::TRANSACTION_MAX`].
    ///
    /// # Errors
    /// As [`transaction`](Self::transaction).
    pub async fn transaction_within<T, E, F>(
        &self,
        limit: Duration,
        work: impl FnOnce(Transaction) -> F,
    ) -> Result<T, E>
    where
        E: From<Error>,
        F: Future<Output = Result<T, E>>,
    {
        self.caller.transaction(Terms { limit, ..Terms::WRITE }, work).await
    }

    /// Runs `work` in a transaction that changes nothing: it sees the caller's own tables as they are after the last
    /// commit, all at one moment.
    ///
    /// # Errors
    /// As [`transaction`](Self::transaction), but never [`Error::Unknown`].
    pub async fn read<T, E, F>(&self, work: impl FnOnce(Transaction) -> F) -> Result<T, E>
    where
        E: From<Error>,
        F: Future<Output = Result<T, E>>,
    {
        self.caller.transaction(Terms::READ, work).await
    }

    /// A worker that runs jobs in this process.
    pub fn worker(&self) -> WorkerBuilder<H> {
        WorkerBuilder::new(self.clone())
    }

    /// Why the job is not running, or where it runs, or how it ended: always an answer.
    ///
    /// # Errors
    /// [`Error::Refused`] if there is no such job.
    pub async fn explain(&self, job: JobId) -> Result<Explanation, Error> {
        match self.caller.call(Request::Explain { job }).await? {
            Reply::Explained(explanation) => Ok(explanation),
            other => Err(calls::unexpected("explain", &other)),
        }
    }

    /// All that is kept of the job: its state, counts, attempts and failures.
    ///
    /// # Errors
    /// [`Error::Refused`] if there is no such job.
    pub async fn look(&self, job: JobId) -> Result<JobView, Error> {
        match self.caller.call(Request::Look { job }).await? {
            Reply::Looked(view) => Ok(*view),
            other => Err(calls::unexpected("look", &other)),
        }
    }

    /// What the job results in: awaiting it waits for the job's end, however long that takes, or for as long as
    /// [`within`](AwaitResult::within) says. It may be asked of a job that ended long ago.
    ///
    /// ```
    /// # async fn example(outlive: outlive::Outlive, job: outlive::JobId) -> Result<(), outlive::Error> {
    /// use std::time::Duration;
    /// let greeting: String = outlive.result(job).within(Duration::from_secs(5)).await?;
    /// # drop(greeting); Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`Error::NotCompleted`] if it ended otherwise; [`Error::NotEnded`] if it has not ended within that time;
    /// [`Error::Refused`] if there is no such job; [`Error::Decode`] if its result does not read as a `T`.
    pub fn result<T: DeserializeOwned>(&self, job: JobId) -> AwaitResult<T> {
        AwaitResult::new(self.caller.clone(), job)
    }

    /// Asks for the job to stop. `true` if it took effect at once; a running job is stopped by its
    /// worker, which hears of it with its next heartbeat.
    ///
    /// # Errors
    /// [`Error::Refused`] if there is no such job, or if it is terminal already.
    pub async fn cancel(&self, job: JobId) -> Result<bool, Error> {
        match self.caller.call(Request::Cancel { job }).await? {
            Reply::Cancelled { at_once } => Ok(at_once),
            other => Err(calls::unexpected("cancel", &other)),
        }
    }

    /// Lets a job that was discarded, quarantined or cancelled be tried once more, at once and whatever its deadline was. It is
    /// the same job: what its steps resulted in and its idempotency keys stay as they are. If its attempts were spent it has
    /// one more. A key that stood for it until its end may stand for another job by now.
    ///
    /// # Errors
    /// [`Error::Refused`] if there is no such job, or if it has a result or has not ended.
    pub async fn retry(&self, job: JobId) -> Result<(), Error> {
        match self.caller.call(Request::Retry { job }).await? {
            Reply::Done => Ok(()),
            other => Err(calls::unexpected("retry", &other)),
        }
    }

    /// The jobs in a state, page by page.
    ///
    /// ```
    /// # async fn example(outlive: outlive::Outlive) -> Result<(), outlive::Error> {
    /// use outlive::{Filter, job::State};
    /// let mut list = outlive.list(Filter::state(State::Discarded).kind("charge"));
    /// while let Some(page) = list.next_page().await? {
    ///     for job in page {
    ///         println!("{}: {:?}", job.id, job.last_failure);
    ///     }
    /// }
    /// # Ok(()) }
    /// ```
    pub fn list(&self, filter: Filter) -> List {
        List::new(self.caller.clone(), filter)
    }

    /// [Retries](Self::retry) all jobs of a list, some hundred with each step, so that others are served in between. For how
    /// many it was done. If a step fails, those before it are done: ask again for the rest.
    ///
    /// ```
    /// # async fn example(outlive: outlive::Outlive) -> Result<(), outlive::Error> {
    /// use outlive::{Filter, job::State};
    /// let retried = outlive.retry_all(Filter::state(State::Discarded).kind("charge")).await?;
    /// # drop(retried); Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`Error::Refused`] if jobs in that state can't be retried; [`Error::Unknown`] if an answer was lost and could not be
    /// had again.
    pub async fn retry_all(&self, filter: Filter) -> Result<u64, Error> {
        bulk::for_all(&self.caller, Bulk::Retry, filter).await
    }

    /// [Cancels](Self::cancel) all jobs of a list, as [`retry_all`](Self::retry_all) retries them.
    ///
    /// # Errors
    /// As [`retry_all`](Self::retry_all).
    pub async fn cancel_all(&self, filter: Filter) -> Result<u64, Error> {
        bulk::for_all(&self.caller, Bulk::Cancel, filter).await
    }

    /// Sets the limits of a queue, instead of those that it had: awaiting it puts them into the file, where they stand for all
    /// workers until somebody sets others. What is not chosen has no limit, so that `limit("mail").await` lifts all. To
    /// set them at each start of a program is well; what somebody else has set meanwhile is then gone.
    ///
    /// ```
    /// # async fn example(outlive: outlive::Outlive) -> Result<(), outlive::Error> {
    /// use std::time::Duration;
    /// outlive.limit("mail").at_once(10).at_once_per_key(1).rate(100, Duration::from_secs(60)).await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`Error::Refused`] beyond a limit, or on a disk that is nearly full; [`Error::Unknown`] if the answer was lost and
    /// could not be had again.
    pub fn limit(&self, queue: impl Into<String>) -> LimitQueue {
        LimitQueue::new(self.caller.clone(), queue.into())
    }

    /// Sets the policy of a kind, instead of the one that it had: how its jobs rest after failures, how often they are tried
    /// and for how long, and how long an attempt may take. Awaiting it puts it into the file, where it stands for all
    /// workers, whatever they are written in, until somebody sets another one. What is not chosen is as it is for all. To set
    /// it at each start of a program is well; what somebody else has set meanwhile is then gone.
    ///
    /// ```
    /// # async fn example(outlive: outlive::Outlive) -> Result<(), outlive::Error> {
    /// use outlive::job::Backoff;
    /// use std::time::Duration;
    /// let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
    /// let backoff = Backoff::Exponential { first: minutes(1), longest: minutes(60) };
    /// outlive.policy("charge").backoff(backoff).max_attempts(8).timeout(minutes(2)).max_age(minutes(24 * 60)).await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`Error::Refused`] beyond a limit; [`Error::Unknown`] if the answer was lost and could not be had again.
    pub fn policy(&self, kind: impl Into<String>) -> SetPolicy {
        SetPolicy::new(self.caller.clone(), kind.into())
    }

    /// Lets a job be there for each slot of a schedule, instead of what was said of the schedule of that name before: awaiting it
    /// puts it into the file, where slots have their jobs whenever somebody has the file open. To set it at each start of a
    /// program is well: one that is there as it is asked for goes on as it is. When its next slot is.
    ///
    /// Each slot has one job, or is recorded as skipped: over restarts, and when the wall clock jumps.
    /// [`catch_up`](SetSchedule::catch_up) says what becomes of those that were missed.
    ///
    /// ```
    /// # use serde::{Deserialize, Serialize};
    /// # #[derive(Serialize, Deserialize)] struct Report {}
    /// # impl outlive::Job for Report { const KIND: &'static str = "report"; type Output = (); }
    /// # #[derive(Serialize, Deserialize)] struct Sweep {}
    /// # impl outlive::Job for Sweep { const KIND: &'static str = "sweep"; type Output = (); }
    /// # async fn example(outlive: outlive::Outlive) -> Result<(), outlive::Error> {
    /// use outlive::job::{CatchUp, Rhythm};
    /// use std::time::Duration;
    /// let mornings = Rhythm::cron("30 7 * * MON-FRI", "Europe/Berlin");
    /// outlive.schedule("daily report", mornings, Report {}).catch_up(CatchUp::Latest).queue("mail").await?;
    /// outlive.schedule("sweep", Rhythm::every(Duration::from_secs(60)), Sweep {}).await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`Error::Refused`] if the rhythm does not read, or never comes, beyond a limit, or on a disk that is nearly full;
    /// [`Error::Unknown`] if the answer was lost and could not be had again.
    pub fn schedule<J: Job>(&self, name: impl Into<String>, rhythm: Rhythm, job: J) -> SetSchedule {
        SetSchedule::new(self.caller.clone(), name.into(), rhythm, &job)
    }

    /// Lets a schedule have no slots any more; whether there was one. The jobs of the slots that it had stay.
    ///
    /// # Errors
    /// [`Error::Unknown`] if the answer was lost and could not be had again.
    pub async fn unschedule(&self, name: impl Into<String>) -> Result<bool, Error> {
        match self.caller.call(Request::Unschedule { name: name.into() }).await? {
            Reply::Unscheduled { was_scheduled } => Ok(was_scheduled),
            other => Err(calls::unexpected("unschedule", &other)),
        }
    }

    /// All schedules: when their next slots are, and what became of the last ones.
    ///
    /// # Errors
    /// [`Error::Unavailable`] if the queue can't be asked.
    pub async fn schedules(&self) -> Result<Vec<ScheduleView>, Error> {
        match self.caller.call(Request::Schedules).await? {
            Reply::Schedules { schedules } => Ok(schedules),
            other => Err(calls::unexpected("schedules", &other)),
        }
    }

    /// Lets no job of a queue or of a kind begin any more, until somebody [resumes](Self::resume) it: over restarts too.
    /// What runs goes on. `by` and `why` are for people: whoever asks why a job waits is told them.
    ///
    /// ```
    /// # async fn example(outlive: outlive::Outlive) -> Result<(), outlive::Error> {
    /// use outlive::job::Gate;
    /// outlive.pause(Gate::kind("charge"), "Ada", "the bank counts each charge twice").await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`Error::Refused`] beyond a limit, or on a disk that is nearly full; [`Error::Unknown`] if the answer was lost and
    /// could not be had again.
    pub async fn pause(&self, gate: Gate, by: impl Into<String>, why: impl Into<String>) -> Result<(), Error> {
        match self.caller.call(Request::Pause { gate, by: by.into(), why: why.into() }).await? {
            Reply::Done => Ok(()),
            other => Err(calls::unexpected("pause", &other)),
        }
    }

    /// Lets jobs of a queue or of a kind begin again, whoever paused it: also if it was a handler that had found a service
    /// down. Whether it was paused.
    ///
    /// # Errors
    /// [`Error::Unknown`] if the answer was lost and could not be had again.
    pub async fn resume(&self, gate: Gate) -> Result<bool, Error> {
        match self.caller.call(Request::Resume { gate }).await? {
            Reply::Resumed { was_paused } => Ok(was_paused),
            other => Err(calls::unexpected("resume", &other)),
        }
    }

    /// The limits of all queues and how near they are to them, what is paused, and which workers were seen.
    ///
    /// # Errors
    /// [`Error::Unavailable`] if the queue can't be asked.
    pub async fn gates(&self) -> Result<GatesView, Error> {
        match self.caller.call(Request::Gates).await? {
            Reply::Gated(view) => Ok(view),
            other => Err(calls::unexpected("gates", &other)),
        }
    }

    /// The machine that it lives on, with its clock.
    pub fn host(&self) -> &H {
        &self.host
    }

    pub(crate) fn caller(&self) -> &Arc<Caller> {
        &self.caller
    }
}

pub(crate) use calls::{Caller as HandleCaller, unexpected};
pub(crate) use transaction::Terms;
