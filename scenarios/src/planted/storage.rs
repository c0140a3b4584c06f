//! A storage whose rows may have a bug.

use super::{BuggyHost, Memory, chosen};
use outlive::host::{Disk, DiskFile, Host, OpenMode};
use outlive::job::{
    Attempt, EndRow, Failure, KeyRow, LogRow, ProgressRow, RequestId, SignalRow, SkipRow, Slot, SlotRow, State, Steady,
    StepRow, Token, WaitRow, Wall,
};
use outlive::sql::{Rows, Statement};
use outlive::store::turso::TursoStorage;
use outlive::store::{
    Change, Compaction, FileState, Listed, Live, OpenError, RequestRow, Settings, Snapshot, SqlError, Storage, Store,
    StoreError, Stored,
};
use outlive::{JobId, Options};
use std::io;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

/// A storage whose rows may have a bug.
pub struct BuggyStorage {
    inner: TursoStorage<BuggyHost>,
    host: BuggyHost,
    path: String,
    memory: Arc<Memory>,
}

/// A compaction that may have a bug.
struct BuggyCompaction {
    inner: Box<dyn Compaction>,
    host: BuggyHost,
    path: String,
}

/// An open store whose rows may have a bug.
pub struct BuggyStore<S> {
    inner: S,
    memory: Arc<Memory>,
    /// Whether a transaction of the caller's is open.
    is_begun: bool,
}

/// The storage that the engine gets to see.
pub fn storage(host: &BuggyHost, path: &str) -> BuggyStorage {
    BuggyStorage {
        inner: TursoStorage::new(host.clone(), path),
        host: host.clone(),
        path: path.to_owned(),
        memory: host.memory(),
    }
}

impl Storage for BuggyStorage {
    type Store = BuggyStore<<TursoStorage<BuggyHost> as Storage>::Store>;

    async fn open(&mut self, options: &Options) -> Result<Self::Store, OpenError> {
        self.memory.set_opening(true);
        let opened = self.inner.open(options).await;
        self.memory.set_opening(false);
        Ok(BuggyStore { inner: opened?, memory: self.memory.clone(), is_begun: false })
    }

    async fn compaction(&mut self, options: &Options) -> Result<Option<Box<dyn Compaction>>, StoreError> {
        let compaction = self.inner.compaction(options).await?;
        let buggy = |inner| BuggyCompaction { inner, host: self.host.clone(), path: self.path.clone() };
        Ok(compaction.map(|inner| Box::new(buggy(inner)) as Box<dyn Compaction>))
    }
}

impl BuggyCompaction {
    fn cut(&self) -> io::Result<()> {
        let file = self.host.disk().open(Path::new(&self.path), OpenMode::Existing)?;
        file.truncate(self.inner.bytes())?;
        file.sync()
    }
}

impl Compaction for BuggyCompaction {
    fn bytes(&self) -> u64 {
        self.inner.bytes()
    }

    fn round(&mut self) -> Pin<Box<dyn Future<Output = Result<bool, StoreError>> + '_>> {
        Box::pin(async {
            let memory = self.host.memory();
            memory.set_compacting(true);
            let round = self.inner.round().await;
            memory.set_compacting(false);
            if let (Ok(true), true) = (&round, chosen().is_some_and(|bug| bug.cuts_early())) {
                self.cut().map_err(|error| StoreError::Broken(error.to_string()))?;
            }
            round
        })
    }
}

impl<S: Store> Store for BuggyStore<S> {
    async fn state(&mut self) -> Result<FileState, StoreError> {
        self.inner.state().await
    }

    async fn job(&mut self, id: JobId) -> Result<Option<Stored>, StoreError> {
        self.inner.job(id).await
    }

    async fn attempt(&mut self, token: Token) -> Result<Option<Attempt>, StoreError> {
        self.inner.attempt(token).await
    }

    async fn attempts(&mut self, job: JobId) -> Result<Vec<Attempt>, StoreError> {
        self.inner.attempts(job).await
    }

    async fn tokens(&mut self, job: JobId, most: usize) -> Result<Vec<Token>, StoreError> {
        self.inner.tokens(job, most).await
    }

    async fn failure(&mut self, token: Token) -> Result<Option<Failure>, StoreError> {
        self.inner.failure(token).await
    }

    async fn key(&mut self, kind: &str, key: &str) -> Result<Option<KeyRow>, StoreError> {
        let row = self.inner.key(kind, key).await?;
        Ok(chosen().map_or(row.clone(), |bug| bug.key(&self.memory, kind, key, row)))
    }

    async fn keys_of(&mut self, job: JobId) -> Result<Vec<KeyRow>, StoreError> {
        self.inner.keys_of(job).await
    }

    async fn step(&mut self, job: JobId, name: &str) -> Result<Option<StepRow>, StoreError> {
        self.inner.step(job, name).await
    }

    async fn steps(&mut self, job: JobId) -> Result<Vec<StepRow>, StoreError> {
        self.inner.steps(job).await
    }

    async fn step_count(&mut self, job: JobId) -> Result<u64, StoreError> {
        self.inner.step_count(job).await
    }

    async fn progress(&mut self, job: JobId) -> Result<Option<ProgressRow>, StoreError> {
        self.inner.progress(job).await
    }

    async fn log(&mut self, token: Token) -> Result<Option<LogRow>, StoreError> {
        self.inner.log(token).await
    }

    async fn untaken_signal(&mut self, name: &str, after: i64) -> Result<Option<SignalRow>, StoreError> {
        self.inner.untaken_signal(name, after).await
    }

    async fn signal_by_key(&mut self, name: &str, key: &str) -> Result<Option<SignalRow>, StoreError> {
        self.inner.signal_by_key(name, key).await
    }

    async fn waits(&mut self, job: JobId) -> Result<Vec<WaitRow>, StoreError> {
        self.inner.waits(job).await
    }

    async fn is_awaited(&mut self, job: JobId) -> Result<bool, StoreError> {
        let is_awaited = self.inner.is_awaited(job).await?;
        Ok(chosen().map_or(is_awaited, |bug| bug.is_awaited(is_awaited)))
    }

    async fn ends(&mut self, after: i64, most: usize) -> Result<Vec<EndRow>, StoreError> {
        let ends = self.inner.ends(after, most).await?;
        Ok(chosen().map_or(ends.clone(), |bug| bug.ends(ends)))
    }

    async fn slot(&mut self, slot: &Slot) -> Result<Option<SlotRow>, StoreError> {
        self.inner.slot(slot).await
    }

    async fn slots(&mut self, schedule: &str, most: usize) -> Result<Vec<SlotRow>, StoreError> {
        self.inner.slots(schedule, most).await
    }

    async fn skip(&mut self, schedule: &str, first: Wall) -> Result<Option<SkipRow>, StoreError> {
        self.inner.skip(schedule, first).await
    }

    async fn skips(&mut self, schedule: &str, most: usize) -> Result<Vec<SkipRow>, StoreError> {
        self.inner.skips(schedule, most).await
    }

    async fn settings(&mut self) -> Result<Settings, StoreError> {
        self.inner.settings().await
    }

    async fn request(&mut self, id: RequestId) -> Result<Option<RequestRow>, StoreError> {
        let row = self.inner.request(id).await?;
        Ok(chosen().map_or(row.clone(), |bug| bug.request(&self.memory, id, row)))
    }

    async fn oldest_request(&mut self) -> Result<Option<Steady>, StoreError> {
        self.inner.oldest_request().await
    }

    async fn live(&mut self, after: JobId, most: usize) -> Result<Vec<Live>, StoreError> {
        let page = self.inner.live(after, most).await?;
        Ok(match chosen() {
            Some(bug) => bug.live(&self.memory, page),
            None => page,
        })
    }

    async fn list(&mut self, state: State, after: JobId, most: usize) -> Result<Vec<Listed>, StoreError> {
        self.inner.list(state, after, most).await
    }

    async fn begin(&mut self) -> Result<(), StoreError> {
        self.is_begun = true;
        self.inner.begin().await
    }

    async fn run_statement(
        &mut self,
        statement: &Statement,
        may_write: Result<(), String>,
        limit: Duration,
    ) -> Result<Rows, SqlError> {
        self.inner.run_statement(statement, may_write, limit).await
    }

    async fn roll_back(&mut self) -> Result<(), StoreError> {
        self.is_begun = false;
        if chosen().is_some_and(|bug| bug.keeps_what_was_rolled_back()) {
            return self.inner.commit(Vec::new()).await;
        }
        self.inner.roll_back().await
    }

    async fn commit(&mut self, changes: Vec<Change>) -> Result<(), StoreError> {
        let changes = match chosen() {
            Some(bug) => bug.changes(&self.memory, changes),
            None => changes,
        };
        if std::mem::take(&mut self.is_begun) && chosen().is_some_and(|bug| bug.commits_apart()) {
            self.inner.commit(Vec::new()).await?;
        }
        self.inner.commit(changes).await?;
        if chosen().is_some_and(|bug| bug.checkpoints_always()) {
            self.inner.checkpoint(0).await?;
        }
        Ok(())
    }

    async fn checkpoint(&mut self, frames: u64) -> Result<bool, StoreError> {
        self.inner.checkpoint(frames).await
    }

    fn snapshot(&mut self) -> Result<Option<Box<dyn Snapshot>>, StoreError> {
        self.inner.snapshot()
    }

    fn damaged(&self, found: String) -> StoreError {
        self.inner.damaged(found)
    }

    fn free_bytes(&mut self) -> Result<u64, StoreError> {
        self.inner.free_bytes()
    }

    fn log_bytes(&mut self) -> Result<u64, StoreError> {
        self.inner.log_bytes()
    }
}
