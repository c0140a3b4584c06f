//! What a handler knows of its attempt.

use super::attempt::Standing;
use super::log::Log;
use super::outcome::Failure;
use super::steps::{Steps, encode};
use super::waits::{Ended, WaitForSignal, Waits};
use super::watched::Watched;
use crate::error::Error;
use crate::handle::{AwaitResult, HandleCaller, Terms, Transaction};
use crate::job::{JobId, Lease, Level, Slot, TraceParent};
use crate::protocol::On;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::any::Any;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// What a handler knows of its attempt.
#[derive(Clone)]
pub struct Context {
    pub(super) job: JobId,
    pub(super) attempt: u32,
    pub(super) failures: u32,
    pub(super) max_attempts: u32,
    pub(super) queue: Arc<str>,
    pub(super) identity: Arc<str>,
    pub(super) slot: Option<Arc<Slot>>,
    pub(super) trace_parent: Option<TraceParent>,
    pub(super) state: Option<Arc<dyn Any + Send + Sync>>,
    pub(super) caller: Arc<HandleCaller>,
    pub(super) lease: Lease,
    pub(super) steps: Arc<Steps>,
    pub(super) log: Arc<Log>,
    pub(super) standing: Arc<Watched<Standing>>,
    pub(super) blocks: bool,
    pub(super) sleep: Arc<dyn Fn(Duration) -> Sleep + Send + Sync>,
    pub(super) wall: Arc<dyn Fn() -> Duration + Send + Sync>,
}

/// A wait.
pub(super) type Sleep = Pin<Box<dyn Future<Output = ()> + Send>>;

impl Context {
    /// The job's number.
    pub fn job(&self) -> JobId {
        self.job
    }

    /// Which execution of the job this is: 1, 2, …
    pub fn attempt(&self) -> u32 {
        self.attempt
    }

    /// Whether a failure now is the last that the job is allowed.
    pub fn is_last_attempt(&self) -> bool {
        self.failures + 1 >= self.max_attempts
    }

    /// The queue that the job waited in.
    pub fn queue(&self) -> &str {
        &self.queue
    }

    /// The slot of a [schedule](crate::Outlive::schedule) that the job is there for, if it is there for one. Its time is that of
    /// the slot, however late the job runs: a report of a day knows by it of which day.
    pub fn slot(&self) -> Option<&Slot> {
        self.slot.as_deref()
    }

    /// In which span of a distributed trace the job was [enqueued](crate::EnqueueJob::trace_parent), in each of its attempts:
    /// what they do is a part of that trace. With the feature `tracing` it is a field of the span `job`.
    pub fn trace_parent(&self) -> Option<TraceParent> {
        self.trace_parent
    }

    /// The value that the worker was given by [`state`](super::WorkerBuilder::state).
    ///
    /// # Panics
    /// If it was given none, or one of another type: a mistake of the program.
    pub fn state<T: Send + Sync + 'static>(&self) -> Arc<T> {
        let state = self.state.clone().expect("the worker was started without a state");
        state.downcast().unwrap_or_else(|_| panic!("the worker's state is not a {}", std::any::type_name::<T>()))
    }

    /// Waits. Prefer it to other timers: it also works where time is simulated.
    pub fn sleep(&self, duration: Duration) -> impl Future<Output = ()> + Send + 'static {
        (self.sleep)(duration)
    }

    /// What the machine's clock shows: it may jump. Prefer it to [`SystemTime::now`]: it also works where time is simulated.
    pub fn now(&self) -> SystemTime {
        UNIX_EPOCH + (self.wall)()
    }

    /// Runs a part of the job, and stores its result under `name`. A later attempt is given the stored result, and does not
    /// run the part again.
    ///
    /// ```
    /// # use outlive::{Context, Done, Failure};
    /// # use serde::{Deserialize, Serialize};
    /// # #[derive(Serialize, Deserialize)] struct Order { id: i64 }
    /// # async fn reserve(_: i64) -> Result<String, std::io::Error> { Ok("r-1".into()) }
    /// # async fn ship(_: &str) -> Result<(), std::io::Error> { Ok(()) }
    /// async fn fulfil(ctx: Context, job: Order) -> Result<Done<()>, Failure> {
    ///     let reservation = ctx.step("reserve", async || reserve(job.id).await).await?;
    ///     ctx.step("ship", async || ship(&reservation).await).await?;
    ///     Ok(Done::complete(()))
    /// }
    /// ```
    ///
    /// A part whose worker dies before its result is stored runs again: what it does outside of the queue should not
    /// mind. Names are unique within a job; a job has [`limits::STEPS_MAX`](crate::limits::STEPS_MAX) steps at the most.
    ///
    /// # Errors
    /// What `work` returns; nothing is stored then. A failure if the lease does not hold any more, or if a stored result
    /// does not read as a `T`.
    pub async fn step<T, E, F>(&self, name: &str, work: impl FnOnce() -> F) -> Result<T, Failure>
    where
        T: Serialize + DeserializeOwned,
        F: Future<Output = Result<T, E>>,
        Failure: From<E>,
    {
        if let Some(known) = self.steps.recall(name).await? {
            return Ok(known);
        }
        let value = work().await?;
        Ok(self.steps.store(name, &value).await?)
    }

    /// A name for an effect outside of the queue, the same in every attempt of this job, and in no other job of this
    /// file or another: show it to whoever brings the effect about, so that a second attempt does not bring it about
    /// again. `effect` tells several of one job apart.
    ///
    /// ```
    /// # use outlive::{Context, Done, Failure};
    /// # async fn charge(_: u64, _idempotency_key: &str) -> Result<String, std::io::Error> { Ok("c-1".into()) }
    /// # async fn handler(ctx: Context) -> Result<Done<()>, Failure> {
    /// let receipt = ctx.step("charge", async || charge(500, &ctx.idempotency_key("charge")).await).await?;
    /// # drop(receipt);
    /// # Ok(Done::complete(())) }
    /// ```
    pub fn idempotency_key(&self, effect: &str) -> String {
        format!("{}-{effect}", self.identity)
    }

    /// Says how far the job has come, from 0.0 to 1.0, and with what: whoever looks at the job sees it. What is beyond
    /// is taken for the nearest of the two.
    ///
    /// # Errors
    /// [`Error::Refused`] if the lease does not hold any more.
    pub async fn progress(&self, fraction: f64, message: impl Into<String>) -> Result<(), Error> {
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is between 0 and a million")]
        let parts_per_million = (fraction.clamp(0.0, 1.0) * 1e6) as u32;
        self.steps.report(Some(parts_per_million), Some(message.into()), None).await
    }

    /// Says something that is kept with this attempt, for whoever asks later what it did: the last
    /// [`LOG_LINES_MAX`](crate::limits::LOG_LINES_MAX) lines are kept, and are in the file about a second later, so
    /// that they are there also when the worker was killed. With the feature `tracing`, events of that crate are kept
    /// in the same way by a `LogLayer`.
    ///
    /// ```
    /// # use outlive::Context;
    /// use outlive::job::Level;
    /// # fn handler(ctx: Context, port: u16) {
    /// ctx.log(Level::Warn, format!("nobody listens at port {port}: taking the other one"));
    /// # }
    /// ```
    pub fn log(&self, level: Level, text: impl AsRef<str>) {
        self.log.say(level, text.as_ref());
    }

    /// Stores where a later attempt should go on; it replaces what was stored before. What must not be done twice is
    /// a [`step`](Self::step).
    ///
    /// ```
    /// # use outlive::{Context, Done, Failure};
    /// # async fn import(_: u64) -> Result<(), std::io::Error> { Ok(()) }
    /// # async fn handler(ctx: Context) -> Result<Done<()>, Failure> {
    /// let first: u64 = ctx.last_checkpoint().await?.unwrap_or(0);
    /// for page in first..100 {
    ///     import(page).await?;
    ///     ctx.checkpoint(&(page + 1)).await?;
    /// }
    /// # Ok(Done::complete(())) }
    /// ```
    ///
    /// # Errors
    /// [`Error::Refused`] if the lease does not hold any more, or if the value is beyond the limit of payloads.
    pub async fn checkpoint<T: Serialize>(&self, value: &T) -> Result<(), Error> {
        self.steps.report(None, None, Some(encode(value, "checkpoint")?)).await
    }

    /// What [`checkpoint`](Self::checkpoint) stored last, in this attempt or an earlier one.
    ///
    /// # Errors
    /// [`Error::Decode`] if it does not read as a `T`; [`Error::Unavailable`] if the queue can't be asked.
    pub async fn last_checkpoint<T: DeserializeOwned>(&self) -> Result<Option<T>, Error> {
        self.steps.checkpoint().await
    }

    /// Waits for a signal of this name ([`Outlive::signal`](crate::Outlive::signal)): the oldest one that no job has
    /// taken, whether it was sent before or is sent later. It is the result of a step, so that a later attempt has it
    /// again; none if the time that [`within`](WaitForSignal::within) says was over.
    ///
    /// If there is none yet the attempt ends here, its slot is free, and the handler is dropped: when the signal comes
    /// the handler begins anew, and finds its steps. A handler that blocks a thread can't be dropped: it gets an error
    /// instead, and returns.
    ///
    /// ```
    /// # use outlive::{Context, Done, Failure};
    /// # use std::time::{Duration, SystemTime, UNIX_EPOCH};
    /// # async fn handler(ctx: Context) -> Result<Done<String>, Failure> {
    /// let approved: Option<String> = ctx.signal("approved-7").within(Duration::from_secs(3 * 24 * 3600)).await?;
    /// match approved {
    ///     Some(by) => Ok(Done::complete(by)),
    ///     None => Err(Failure::discard("nobody has approved it within three days")),
    /// }
    /// # }
    /// ```
    pub fn signal<T: DeserializeOwned>(&self, name: impl Into<String>) -> WaitForSignal<T> {
        let name = name.into();
        WaitForSignal { waits: self.waits(), step: name.clone(), name, limit: None, payload: PhantomData }
    }

    /// Waits for other jobs to end, and says how each did, by rising number and each once. It is the result of a step of
    /// this name. If one of them has
    /// not ended yet the attempt ends here, as with [`signal`](Self::signal).
    ///
    /// ```
    /// # use outlive::{Context, Done, Failure, JobId};
    /// # use outlive::job::State;
    /// # async fn handler(ctx: Context, pages: Vec<JobId>) -> Result<Done<u32>, Failure> {
    /// let mut letters = 0;
    /// for page in ctx.jobs("pages", pages).await? {
    ///     if page.state == Some(State::Completed) {
    ///         letters += ctx.result::<u32>(page.job).await?;
    ///     }
    /// }
    /// Ok(Done::complete(letters))
    /// # }
    /// ```
    ///
    /// # Errors
    /// A failure if the lease does not hold any more, if there is no such job, or if one of them waits for this job.
    pub async fn jobs(&self, step: &str, jobs: impl IntoIterator<Item = JobId>) -> Result<Vec<Ended>, Failure> {
        let on = On::Jobs { jobs: jobs.into_iter().collect(), step: step.to_owned() };
        Ok(self.waits().wait(step, on).await?)
    }

    /// What another job resulted in, which has ended: [`jobs`](Self::jobs) waits for that.
    ///
    /// # Errors
    /// As [`Outlive::result`](crate::Outlive::result).
    pub async fn result<T: DeserializeOwned>(&self, job: JobId) -> Result<T, Error> {
        AwaitResult::new(self.caller.clone(), job).within(Duration::ZERO).await
    }

    fn waits(&self) -> Waits {
        let (caller, steps, standing) = (self.caller.clone(), self.steps.clone(), self.standing.clone());
        Waits { caller, lease: self.lease, steps, standing, blocks: self.blocks }
    }

    /// Runs `work` in a transaction, as [`Outlive::transaction`](crate::Outlive::transaction) does, which can also
    /// [`complete`](Transaction::complete) this job: an effect in the caller's own tables, the completion, and the
    /// jobs that follow are true together or not at all, however often the job runs.
    ///
    /// ```
    /// # use outlive::{Context, Done, Failure};
    /// # use serde::{Deserialize, Serialize};
    /// # #[derive(Serialize, Deserialize)] struct Transfer { from: String, to: String, cents: i64 }
    /// async fn transfer(ctx: Context, job: Transfer) -> Result<Done<()>, Failure> {
    ///     ctx.transaction(async |tx| {
    ///         let take = "UPDATE accounts SET cents = cents - ?2 WHERE name = ?1 AND cents >= ?2";
    ///         if tx.execute(take, (&*job.from, job.cents)).await? == 0 {
    ///             return Err(Failure::discard("there is too little in the account"));
    ///         }
    ///         tx.execute("UPDATE accounts SET cents = cents + ?2 WHERE name = ?1", (&*job.to, job.cents)).await?;
    ///         Ok(tx.complete(()).await?)
    ///     })
    ///     .await
    /// }
    /// ```
    ///
    /// # Errors
    /// As [`Outlive::transaction`](crate::Outlive::transaction).
    pub async fn transaction<T, E, F>(&self, work: impl FnOnce(Transaction) -> F) -> Result<T, E>
    where
        E: From<Error>,
        F: Future<Output = Result<T, E>>,
    {
        let value = self.caller.transaction(Terms { lease: Some(self.lease), ..Terms::WRITE }, work).await?;
        self.steps.forget().await;
        Ok(value)
    }

    /// Whether to stop: the lease was lost, or somebody cancelled the job. What the handler results
    /// in will not be stored. An `async` handler need not ask: it is dropped.
    pub fn is_stopped(&self) -> bool {
        let standing = self.standing.get();
        if standing.is_stopped() && !standing.told {
            self.standing.update(|standing| standing.told = true);
        }
        standing.is_stopped()
    }
}
