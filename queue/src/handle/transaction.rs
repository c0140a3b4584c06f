//! The caller's transaction: its own statements and commands of the queue, true together or not at all.

use super::calls::{Caller, unexpected};
use super::enqueue::{EnqueueAll, EnqueueJob, Target};
use super::inside::Inside;
use super::signal::SendSignal;
use crate::canonical;
use crate::error::Error;
use crate::handle::Job;
use crate::job::{JobId, Lease, Refusal};
use crate::limits;
use crate::protocol::{Access, Begin, CallError, Conversation, Heard, Reply, Request, Said};
use crate::sql::{IntoParameters, Row, Rows, Statement};
use crate::worker::{Done, step_json};
use serde::Serialize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// An open transaction. What is done with it becomes true together, when the closure that it was given to returns `Ok`;
/// if it returns an error, panics or is dropped, nothing of it has happened.
pub struct Transaction {
    line: Arc<Open>,
    lease: Option<Lease>,
}

/// What statements and commands of a transaction go through.
pub(super) struct Open {
    /// None once it is over, whoever still has a handle on it.
    conversation: Mutex<Option<Arc<dyn Conversation>>>,
    request: crate::job::RequestId,
}

/// How a transaction is opened.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms {
    pub access: Access,
    pub limit: Duration,
    /// The attempt that it can complete.
    pub lease: Option<Lease>,
}

impl Terms {
    pub const WRITE: Self = Self { access: Access::Write, limit: limits::TRANSACTION_DEFAULT, lease: None };
    pub const READ: Self = Self { access: Access::Read, ..Self::WRITE };
}

impl Open {
    async fn say(&self, said: Said) -> Result<Heard, Error> {
        let conversation = self.conversation().clone();
        let Some(conversation) = conversation else {
            let why = "it is over: the closure that it was given to has returned".into();
            return Err(Error::Refused(Refusal::RolledBack { why }));
        };
        conversation.say(said).await.map_err(|error| Error::of(error, self.request))
    }

    /// Commits it, and ends the conversation.
    async fn commit(self: Arc<Self>) -> Result<Heard, CallError> {
        let conversation = self.conversation().take();
        match conversation {
            Some(conversation) => conversation.say(Said::Commit).await,
            None => unreachable!("it is open until it is committed"),
        }
    }

    fn conversation(&self) -> MutexGuard<'_, Option<Arc<dyn Conversation>>> {
        self.conversation.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Commands the queue.
    pub async fn command(&self, request: Request) -> Result<Reply, Error> {
        let name = request.name();
        match self.say(Said::Command(request)).await? {
            Heard::Reply(reply) => Ok(reply),
            other => Err(Error::Internal(format!("{name} was answered with {other:?}"))),
        }
    }
}

/// Ends a transaction when the closure that it was given to is over, however that comes.
struct Closing(Arc<Open>);

impl Drop for Closing {
    fn drop(&mut self) {
        self.0.conversation().take();
    }
}

impl Caller {
    /// Runs `work` in a transaction, and commits it if that returns `Ok`.
    pub(crate) async fn transaction<T, E, F>(&self, terms: Terms, work: impl FnOnce(Transaction) -> F) -> Result<T, E>
    where
        E: From<Error>,
        F: Future<Output = Result<T, E>>,
    {
        let Terms { access, limit, lease } = terms;
        self.check_outside("a transaction")?;
        let request = self.request_id();
        let begin = Begin { id: request, access, limit_ms: u64::try_from(limit.as_millis()).unwrap_or(u64::MAX) };
        let failed = |error: CallError| Error::of(error, request);
        let conversation = self.service().begin(begin).await.map_err(failed)?;
        let line = Arc::new(Open { conversation: Mutex::new(Some(conversation)), request });
        let open = Closing(line.clone());
        let transaction = Transaction { line: line.clone(), lease };
        let value = Inside::of(&self.service(), work(transaction)).await?;
        let committed = match line.commit().await {
            Ok(Heard::Committed) => true,
            Ok(other) => return Err(Error::Internal(format!("a commit was answered with {other:?}")).into()),
            Err(unknown @ CallError::Unknown { .. }) => self.settle(request, unknown).await?,
            Err(error) => return Err(failed(error).into()),
        };
        drop(open);
        if !committed {
            let why = "its commit did not come to the file, and never will; the transaction can be made anew".into();
            return Err(Error::Refused(Refusal::RolledBack { why }).into());
        }
        Ok(value)
    }
}

impl Transaction {
    /// Runs a statement that changes the caller's own tables, or makes them; how many rows it has inserted, updated or
    /// deleted.
    ///
    /// Any statement of SQLite's dialect that is about tables or indexes may run, one at a time. Names that begin with
    /// `outlive_` are the queue's. The time is passed as a parameter: nothing in a statement may look at the clock.
    ///
    /// # Errors
    /// [`Error::Refused`] if the database refuses it; the transaction is then as it was before.
    pub async fn execute(&self, sql: &str, parameters: impl IntoParameters) -> Result<u64, Error> {
        Ok(self.run(sql, parameters).await?.changed)
    }

    /// Runs a statement that answers rows of the caller's own tables.
    ///
    /// # Errors
    /// As [`execute`](Self::execute), and if the rows are more than [`limits::SQL_ROWS_BYTES_MAX`].
    pub async fn query(&self, sql: &str, parameters: impl IntoParameters) -> Result<Vec<Row>, Error> {
        Ok(self.run(sql, parameters).await?.into_rows())
    }

    async fn run(&self, sql: &str, parameters: impl IntoParameters) -> Result<Rows, Error> {
        let statement = Statement { sql: sql.to_owned(), parameters: parameters.into_parameters() };
        match self.line.say(Said::Statement(statement)).await? {
            Heard::Rows(rows) => Ok(rows),
            other => Err(Error::Internal(format!("a statement was answered with {other:?}"))),
        }
    }

    /// Inserts a job, with the transaction: it can't run before the commit. Awaiting the answer inserts it; before
    /// that, its particulars can be chosen.
    ///
    /// # Errors
    /// [`Error::Refused`] beyond a limit, or with a key that stands for other work; the transaction is then as it was
    /// before.
    pub fn enqueue<J: Job>(&self, job: J) -> EnqueueJob {
        EnqueueJob::new(Target::Transaction(self.line.clone()), J::KIND, serde_json::to_value(&job))
    }

    /// Inserts jobs, with the transaction: all of them, or none. It is one command, where each alone would be one: over a
    /// network that saves as many journeys.
    ///
    /// # Errors
    /// As [`enqueue`](Self::enqueue).
    pub fn enqueue_all(&self, jobs: impl IntoIterator<Item = EnqueueJob>) -> EnqueueAll {
        EnqueueAll::new(Target::Transaction(self.line.clone()), jobs)
    }

    /// Sends a signal, with the transaction.
    ///
    /// # Errors
    /// As [`enqueue`](Self::enqueue).
    pub fn signal<T: Serialize>(&self, name: impl Into<String>, payload: &T) -> SendSignal {
        SendSignal::new(Target::Transaction(self.line.clone()), name.into(), serde_json::to_value(payload))
    }

    /// Asks for a job to stop, with the transaction. `true` if it takes effect with the commit; a running job is
    /// stopped by its worker.
    ///
    /// # Errors
    /// [`Error::Refused`] if there is no such job, or if it is terminal already.
    pub async fn cancel(&self, job: JobId) -> Result<bool, Error> {
        match self.line.command(Request::Cancel { job }).await? {
            Reply::Cancelled { at_once } => Ok(at_once),
            other => Err(unexpected("cancel", &other)),
        }
    }

    /// Stores the result of a step of the job whose handler opened this transaction: what the transaction does and the
    /// step are true together. Ask for the step first, so that a later attempt does not do it again:
    ///
    /// ```
    /// # use outlive::{Context, Done, Failure};
    /// # async fn handler(ctx: Context) -> Result<Done<()>, Failure> {
    /// let left: i64 = ctx
    ///     .step("take", async || {
    ///         ctx.transaction(async |tx| {
    ///             let rows = tx.query("UPDATE stock SET items = items - 1 RETURNING items", ()).await?;
    ///             let left = rows[0].get("items")?;
    ///             tx.step("take", &left).await?;
    ///             Ok::<i64, Failure>(left)
    ///         })
    ///         .await
    ///     })
    ///     .await?;
    /// # drop(left);
    /// # Ok(Done::complete(())) }
    /// ```
    ///
    /// # Errors
    /// As [`complete`](Self::complete); [`Error::Refused`] also if the step has a result: then nothing of the transaction
    /// has happened, because it had happened before.
    ///
    /// # Panics
    /// As [`complete`](Self::complete).
    pub async fn step<T: Serialize>(&self, name: &str, value: &T) -> Result<(), Error> {
        let lease = self.lease.expect("only a transaction that a handler opened, by `ctx.transaction`, has steps");
        let request = Request::Step { lease, name: name.to_owned(), result: step_json(value)? };
        match self.line.command(request).await? {
            // It is this one: a step that has a result already ends the transaction.
            Reply::Stepped { .. } => Ok(()),
            other => Err(unexpected("step", &other)),
        }
    }

    /// Completes the job whose handler opened this transaction: its result, the caller's own rows, and the jobs that
    /// follow are true together. It is the last thing to do; the handler returns what this returns.
    ///
    /// # Errors
    /// [`Error::Refused`] if the attempt's lease does not hold any more: then nothing of the transaction has happened.
    ///
    /// # Panics
    /// If no handler opened this transaction: a mistake of the program.
    pub async fn complete<T: Serialize>(&self, output: T) -> Result<Done<T>, Error> {
        let lease = self.lease.expect("only a transaction that a handler opened, by `ctx.transaction`, can complete");
        let json = serde_json::to_value(&output).map_err(|error| Error::Encode { what: "result", error })?;
        match self.line.command(Request::Complete { lease, result: Some(canonical::text(&json)) }).await? {
            Reply::Done => Ok(Done::Committed(output)),
            other => Err(unexpected("complete", &other)),
        }
    }
}
