//! The rows of one opening of the file.

use super::columns::{Columns, Wrong};
use super::database::Database;
use super::lock::beside;
use super::rows;
use super::schema as sql;
use super::snapshot::FileSnapshot;
use super::wal::directory;
use crate::host::{Disk, DiskFile, Host, OpenMode};
use crate::job::{
    Attempt, EndRow, Failure, JobId, KeyRow, LogRow, ProgressRow, RequestId, SignalRow, SkipRow, Slot, SlotRow, State,
    Steady, StepRow, Token, WaitRow, Wall,
};
use crate::sql::{Rows, Statement};
use crate::store::{
    Change, FileState, Listed, Live, RequestRow, Settings, Snapshot, SqlError, Store, StoreError, Stored,
};
use std::path::PathBuf;
use std::time::Duration;
use turso_core::Value;

type Read<T> = fn(Columns<'_>) -> Result<T, Wrong>;

/// The rows of one opening of the file.
pub struct TursoStore<H: Host> {
    host: H,
    path: PathBuf,
    database: Database<H>,
    /// Whether a transaction of the caller's is open.
    is_begun: bool,
}

impl<H: Host> TursoStore<H> {
    pub(super) fn new(host: H, path: PathBuf, database: Database<H>) -> Self {
        Self { host, path, database, is_begun: false }
    }

    async fn all<T>(
        &mut self,
        statement: &'static str,
        parameters: impl IntoIterator<Item = Value>,
        read: Read<T>,
    ) -> Result<Vec<T>, StoreError> {
        let mut found = Vec::new();
        self.database.query(statement, parameters, |row| found.push(read(Columns::of(row)))).await?;
        let rows: Result<Vec<T>, Wrong> = found.into_iter().collect();
        rows.map_err(|wrong| self.database.damaged(format!("a row does not read back: {wrong}")))
    }

    async fn first<T>(
        &mut self,
        statement: &'static str,
        parameters: impl IntoIterator<Item = Value>,
        read: Read<T>,
    ) -> Result<Option<T>, StoreError> {
        Ok(self.all(statement, parameters, read).await?.pop())
    }

    async fn with_latest(&mut self, job: crate::job::Job) -> Result<Stored, StoreError> {
        let latest = match job.token {
            Some(token) => self.attempt(token).await?,
            None => None,
        };
        if latest.as_ref().map(|attempt| attempt.job) != job.token.map(|_| job.id) {
            return Err(self.database.damaged(format!("job {} has no row for its latest attempt", job.id)));
        }
        Ok(Stored { job, latest })
    }

    async fn apply(&mut self, change: Change) -> Result<(), StoreError> {
        let database = &mut self.database;
        match change {
            Change::InsertJob(job) => {
                debug_assert_eq!(job.check(), Ok(()));
                database.execute(sql::INSERT_JOB, rows::new_job(&job)).await
            }
            Change::UpdateJob(job) => {
                debug_assert_eq!(job.check(), Ok(()));
                database.execute(sql::UPDATE_JOB, rows::changed_job(&job)).await
            }
            Change::InsertAttempt(attempt) => database.execute(sql::INSERT_ATTEMPT, rows::new_attempt(&attempt)).await,
            Change::UpdateAttempt(attempt) => {
                database.execute(sql::UPDATE_ATTEMPT, rows::changed_attempt(&attempt)).await
            }
            Change::InsertFailure(failure) => database.execute(sql::INSERT_FAILURE, rows::failure(&failure)).await,
            Change::InsertKey(row) => database.execute(sql::INSERT_KEY, rows::key(&row)).await,
            Change::InsertStep(row) => database.execute(sql::INSERT_STEP, rows::step(&row)).await,
            Change::UpdateKey(row) => database.execute(sql::UPDATE_KEY, rows::key(&row)).await,
            Change::InsertProgress(row) => database.execute(sql::INSERT_PROGRESS, rows::progress(&row)).await,
            Change::UpdateProgress(row) => database.execute(sql::UPDATE_PROGRESS, rows::progress(&row)).await,
            Change::InsertLog(row) => database.execute(sql::INSERT_LOG, rows::log(&row)).await,
            Change::UpdateLog(row) => database.execute(sql::UPDATE_LOG, rows::log(&row)).await,
            Change::InsertSignal(row) => database.execute(sql::INSERT_SIGNAL, rows::new_signal(&row)).await,
            Change::UpdateSignal(row) => database.execute(sql::UPDATE_SIGNAL, rows::taken_signal(&row)).await,
            Change::InsertWait(row) => database.execute(sql::INSERT_WAIT, rows::wait(&row)).await,
            Change::InsertLimit(row) => database.execute(sql::INSERT_LIMIT, rows::limit(&row)).await,
            Change::UpdateLimit(row) => database.execute(sql::UPDATE_LIMIT, rows::limit(&row)).await,
            Change::DeleteLimit { queue } => database.execute(sql::DELETE_LIMIT, [rows::text(&queue)]).await,
            Change::InsertPolicy(row) => database.execute(sql::INSERT_POLICY, rows::policy(&row)).await,
            Change::UpdatePolicy(row) => database.execute(sql::UPDATE_POLICY, rows::policy(&row)).await,
            Change::DeletePolicy { kind } => database.execute(sql::DELETE_POLICY, [rows::text(&kind)]).await,
            Change::InsertSchedule(row) => database.execute(sql::INSERT_SCHEDULE, rows::schedule(&row)).await,
            Change::UpdateSchedule(row) => database.execute(sql::UPDATE_SCHEDULE, rows::schedule(&row)).await,
            Change::DeleteSchedule { name } => database.execute(sql::DELETE_SCHEDULE, [rows::text(&name)]).await,
            Change::InsertSlot(row) => database.execute(sql::INSERT_SLOT, rows::slot(&row)).await,
            Change::ForgetSlots { schedule, before, most } => {
                let parameters = [rows::text(&schedule), rows::integer(before.0), rows::most(most)];
                let old = self.all(sql::OLD_SLOTS, parameters, |mut row| row.integer()).await?;
                for at in old {
                    self.database.execute(sql::FORGET_SLOT, [rows::text(&schedule), rows::integer(at)]).await?;
                }
                Ok(())
            }
            Change::InsertSkip(row) => database.execute(sql::INSERT_SKIP, rows::skip(&row)).await,
            Change::UpdateSkip(row) => database.execute(sql::UPDATE_SKIP, rows::skip(&row)).await,
            Change::InsertPause(row) => database.execute(sql::INSERT_PAUSE, rows::pause(&row)).await,
            Change::UpdatePause(row) => database.execute(sql::UPDATE_PAUSE, rows::pause(&row)).await,
            Change::DeletePause { gate, is_down } => {
                database.execute(sql::DELETE_PAUSE, rows::pause_key(&gate, is_down)).await
            }
            Change::InsertEnd(row) => database.execute(sql::INSERT_END, rows::end(&row)).await,
            Change::DeleteEnd { id } => database.execute(sql::DELETE_END, [rows::integer(id)]).await,
            Change::DeleteAttempt { token } => {
                for statement in sql::DELETE_ATTEMPT {
                    database.execute(statement, [rows::integer(token.0)]).await?;
                }
                Ok(())
            }
            Change::DeleteJob { id } => {
                for statement in sql::DELETE_JOB {
                    database.execute(statement, [rows::integer(id.0)]).await?;
                }
                Ok(())
            }
            Change::InsertRequest(row) => database.execute(sql::INSERT_REQUEST, rows::request(&row)).await,
            Change::ForgetRequests { before, most } => {
                let oldest =
                    self.all(sql::OLDEST_REQUESTS, [rows::most(most)], |mut row| Ok((row.integer()?, row.integer()?)));
                let oldest = oldest.await?;
                for (rowid, _) in oldest.into_iter().take_while(|(_, at)| *at < before.0) {
                    self.database.execute(sql::FORGET_REQUEST, [rows::integer(rowid)]).await?;
                }
                Ok(())
            }
            Change::PutState(state) => database.execute(sql::PUT_STATE, rows::state(&state)).await,
        }
    }
}

// Deferred: with one connection there is nobody to be faster, and an immediate one would open a
// database for temporary tables too, a tenth of what an opening costs.
const BEGIN: &str = "BEGIN";
const COMMIT: &str = "COMMIT";
const ROLLBACK: &str = "ROLLBACK";

impl<H: Host> Store for TursoStore<H> {
    async fn state(&mut self) -> Result<FileState, StoreError> {
        let state = self.first(sql::STATE, [], |row| row.state()).await?;
        state.ok_or_else(|| self.database.damaged("the row of the queue's state is missing".into()))
    }

    async fn job(&mut self, id: JobId) -> Result<Option<Stored>, StoreError> {
        match self.first(sql::JOB, [rows::integer(id.0)], |row| row.job()).await? {
            Some(job) => self.with_latest(job).await.map(Some),
            None => Ok(None),
        }
    }

    async fn attempt(&mut self, token: Token) -> Result<Option<Attempt>, StoreError> {
        self.first(sql::ATTEMPT, [rows::integer(token.0)], |row| row.attempt()).await
    }

    async fn attempts(&mut self, job: JobId) -> Result<Vec<Attempt>, StoreError> {
        self.all(sql::ATTEMPTS, [rows::integer(job.0)], |row| row.attempt()).await
    }

    async fn tokens(&mut self, job: JobId, most: usize) -> Result<Vec<Token>, StoreError> {
        let parameters = [rows::integer(job.0), rows::most(most)];
        self.all(sql::TOKENS, parameters, |mut row| row.integer().map(Token)).await
    }

    async fn failure(&mut self, token: Token) -> Result<Option<Failure>, StoreError> {
        self.first(sql::FAILURE, [rows::integer(token.0)], |row| row.failure()).await
    }

    async fn key(&mut self, kind: &str, key: &str) -> Result<Option<KeyRow>, StoreError> {
        self.first(sql::KEY, [rows::text(kind), rows::text(key)], |row| row.key()).await
    }

    async fn keys_of(&mut self, job: JobId) -> Result<Vec<KeyRow>, StoreError> {
        self.all(sql::KEYS_OF, [rows::integer(job.0)], |row| row.key()).await
    }

    async fn step(&mut self, job: JobId, name: &str) -> Result<Option<StepRow>, StoreError> {
        self.first(sql::STEP, [rows::integer(job.0), rows::text(name)], |row| row.step()).await
    }

    async fn steps(&mut self, job: JobId) -> Result<Vec<StepRow>, StoreError> {
        self.all(sql::STEPS, [rows::integer(job.0)], |row| row.step()).await
    }

    async fn step_count(&mut self, job: JobId) -> Result<u64, StoreError> {
        let count = self.first(sql::STEP_COUNT, [rows::integer(job.0)], |mut row| row.integer()).await?;
        Ok(count.and_then(|count| u64::try_from(count).ok()).unwrap_or(0))
    }

    async fn progress(&mut self, job: JobId) -> Result<Option<ProgressRow>, StoreError> {
        self.first(sql::PROGRESS, [rows::integer(job.0)], |row| row.progress()).await
    }

    async fn log(&mut self, token: Token) -> Result<Option<LogRow>, StoreError> {
        self.first(sql::LOG, [rows::integer(token.0)], |row| row.log()).await
    }

    async fn untaken_signal(&mut self, name: &str, after: i64) -> Result<Option<SignalRow>, StoreError> {
        self.first(sql::UNTAKEN_SIGNAL, [rows::text(name), rows::integer(after)], |row| row.signal()).await
    }

    async fn signal_by_key(&mut self, name: &str, key: &str) -> Result<Option<SignalRow>, StoreError> {
        self.first(sql::SIGNAL_BY_KEY, [rows::text(name), rows::text(key)], |row| row.signal()).await
    }

    async fn waits(&mut self, job: JobId) -> Result<Vec<WaitRow>, StoreError> {
        self.all(sql::WAITS, [rows::integer(job.0)], |row| row.wait()).await
    }

    async fn is_awaited(&mut self, job: JobId) -> Result<bool, StoreError> {
        let found = self.first(sql::AWAITED, [rows::integer(job.0)], |mut row| row.integer()).await?;
        Ok(found.is_some())
    }

    async fn ends(&mut self, after: i64, most: usize) -> Result<Vec<EndRow>, StoreError> {
        self.all(sql::ENDS, [rows::integer(after), rows::most(most)], |row| row.end()).await
    }

    async fn slot(&mut self, slot: &Slot) -> Result<Option<SlotRow>, StoreError> {
        self.first(sql::SLOT, rows::slot_key(slot), |row| row.slot()).await
    }

    async fn slots(&mut self, schedule: &str, most: usize) -> Result<Vec<SlotRow>, StoreError> {
        let most = rows::most(most);
        self.all(sql::SLOTS, [rows::text(schedule), most], |row| row.slot()).await
    }

    async fn skip(&mut self, schedule: &str, first: Wall) -> Result<Option<SkipRow>, StoreError> {
        self.first(sql::SKIP, [rows::text(schedule), rows::integer(first.0)], |row| row.skip()).await
    }

    async fn skips(&mut self, schedule: &str, most: usize) -> Result<Vec<SkipRow>, StoreError> {
        let most = rows::most(most);
        self.all(sql::SKIPS, [rows::text(schedule), most], |row| row.skip()).await
    }

    async fn settings(&mut self) -> Result<Settings, StoreError> {
        Ok(Settings {
            limits: self.all(sql::LIMITS, [], |row| row.limit()).await?,
            pauses: self.all(sql::PAUSES, [], |row| row.pause()).await?,
            policies: self.all(sql::POLICIES, [], |row| row.policy()).await?,
            schedules: self.all(sql::SCHEDULES, [], |row| row.schedule()).await?,
        })
    }

    async fn request(&mut self, id: RequestId) -> Result<Option<RequestRow>, StoreError> {
        self.first(sql::REQUEST, [rows::blob(&id.0)], |row| row.request()).await
    }

    async fn oldest_request(&mut self) -> Result<Option<Steady>, StoreError> {
        let oldest = self.all(sql::OLDEST_REQUESTS, [rows::integer(1)], |mut row| {
            row.integer()?;
            row.integer()
        });
        Ok(oldest.await?.pop().map(Steady))
    }

    async fn live(&mut self, after: JobId, most: usize) -> Result<Vec<Live>, StoreError> {
        let most = rows::most(most);
        self.all(sql::LIVE, [rows::integer(after.0), most], |row| row.live()).await
    }

    async fn list(&mut self, state: State, after: JobId, most: usize) -> Result<Vec<Listed>, StoreError> {
        let most = rows::most(most);
        self.all(sql::list(state), [rows::integer(after.0), most], |row| row.listed()).await
    }

    async fn begin(&mut self) -> Result<(), StoreError> {
        self.database.execute(BEGIN, []).await?;
        self.is_begun = true;
        Ok(())
    }

    async fn run_statement(
        &mut self,
        statement: &Statement,
        may_write: Result<(), String>,
        limit: Duration,
    ) -> Result<Rows, SqlError> {
        let outcome = self.database.run_for_caller(&self.host, statement, may_write, limit).await;
        // A statement can end its transaction: by `OR ROLLBACK`, or by an error in the midst of it.
        self.is_begun = self.database.is_in_transaction();
        match outcome {
            Err(SqlError::Refused(why)) if !self.is_begun => {
                self.database.has_rolled_back();
                Err(SqlError::RolledBack(why))
            }
            Ok(_) if !self.is_begun => Err(SqlError::RolledBack("the statement has ended its transaction".into())),
            outcome => outcome,
        }
    }

    async fn roll_back(&mut self) -> Result<(), StoreError> {
        if std::mem::take(&mut self.is_begun) {
            self.database.execute(ROLLBACK, []).await?;
            self.database.has_rolled_back();
        }
        Ok(())
    }

    async fn commit(&mut self, changes: Vec<Change>) -> Result<(), StoreError> {
        if !std::mem::take(&mut self.is_begun) {
            self.database.execute(BEGIN, []).await?;
        }
        for change in changes {
            if let Err(error) = self.apply(change).await {
                if let StoreError::Refused(_) = error {
                    self.database.execute(ROLLBACK, []).await?;
                    self.database.has_rolled_back();
                }
                return Err(error);
            }
        }
        // Once it was asked to commit, a refusal is no proof that it did not.
        self.database.execute(COMMIT, []).await.map_err(|error| match error {
            StoreError::Damaged { .. } => error,
            error => StoreError::Broken(error.to_string()),
        })?;
        self.database.has_written();
        Ok(())
    }

    async fn checkpoint(&mut self, frames: u64) -> Result<bool, StoreError> {
        if self.database.log_frames()? < frames {
            return Ok(false);
        }
        self.database.checkpoint().await.map(|()| true)
    }

    fn snapshot(&mut self) -> Result<Option<Box<dyn Snapshot>>, StoreError> {
        Ok(Some(Box::new(FileSnapshot::take(self.host.disk(), &self.path)?)))
    }

    fn damaged(&self, found: String) -> StoreError {
        self.database.damaged(found)
    }

    fn free_bytes(&mut self) -> Result<u64, StoreError> {
        self.host.disk().free_bytes(directory(&self.path)).map_err(|error| StoreError::Broken(error.to_string()))
    }

    fn log_bytes(&mut self) -> Result<u64, StoreError> {
        let log = self.host.disk().open(&beside(&self.path, "-wal"), OpenMode::Existing);
        log.and_then(|log| log.length()).map_err(|error| StoreError::Broken(error.to_string()))
    }
}
