//! Rows of leased jobs, kept in memory over the store that has them: what a worker says of an
//! attempt needs no reading.
//!
//! One engine at a time owns a store, so nobody else can change a row behind this. It never answers
//! from what is not committed.

use super::{Change, FileState, Listed, Live, RequestRow, Settings, Snapshot, SqlError, Store, StoreError, Stored};
use crate::job::{
    Attempt, EndRow, Failure, JobId, KeyRow, LogRow, ProgressRow, RequestId, SignalRow, SkipRow, Slot, SlotRow, State,
    Steady, StepRow, Token, WaitRow, Wall,
};
use crate::sql::{Rows, Statement};
use std::collections::BTreeMap;
use std::time::Duration;

/// A store, and the rows of its leased jobs.
pub struct Cached<S> {
    store: S,
    leased: BTreeMap<JobId, Stored>,
}

impl<S: Store> Cached<S> {
    /// Knows nothing yet.
    pub fn new(store: S) -> Self {
        Self { store, leased: BTreeMap::new() }
    }

    /// The rows of running jobs as `changes` leave them; `None` for a job that runs no more.
    fn after(&self, changes: &[Change]) -> Vec<(JobId, Option<Stored>)> {
        let mut attempts: BTreeMap<JobId, &Attempt> = BTreeMap::new();
        let mut jobs = BTreeMap::new();
        for change in changes {
            match change {
                Change::InsertJob(job) | Change::UpdateJob(job) => drop(jobs.insert(job.id, job)),
                Change::InsertAttempt(attempt) | Change::UpdateAttempt(attempt) => {
                    let latest = attempts.entry(attempt.job).or_insert(attempt);
                    // A group may have ended one attempt of a job and begun the next.
                    if attempt.token > latest.token {
                        *latest = attempt;
                    }
                }
                _ => {}
            }
        }
        let changed: std::collections::BTreeSet<JobId> = jobs.keys().chain(attempts.keys()).copied().collect();
        let known = |id: &JobId| self.leased.get(id);
        let after = |id: JobId| {
            let job = jobs.get(&id).copied().or_else(|| known(&id).map(|stored| &stored.job))?;
            let latest = attempts.get(&id).copied().or_else(|| known(&id).and_then(|stored| stored.latest.as_ref()))?;
            let whole = job.state == State::Running && job.token == Some(latest.token);
            whole.then(|| Stored { job: job.clone(), latest: Some(latest.clone()) })
        };
        changed.into_iter().map(|id| (id, after(id))).collect()
    }
}

impl<S: Store> Store for Cached<S> {
    async fn state(&mut self) -> Result<FileState, StoreError> {
        self.store.state().await
    }

    async fn job(&mut self, id: JobId) -> Result<Option<Stored>, StoreError> {
        match self.leased.get(&id) {
            Some(stored) => Ok(Some(stored.clone())),
            None => self.store.job(id).await,
        }
    }

    async fn attempt(&mut self, token: Token) -> Result<Option<Attempt>, StoreError> {
        self.store.attempt(token).await
    }

    async fn attempts(&mut self, job: JobId) -> Result<Vec<Attempt>, StoreError> {
        self.store.attempts(job).await
    }

    async fn tokens(&mut self, job: JobId, most: usize) -> Result<Vec<Token>, StoreError> {
        self.store.tokens(job, most).await
    }

    async fn failure(&mut self, token: Token) -> Result<Option<Failure>, StoreError> {
        self.store.failure(token).await
    }

    async fn key(&mut self, kind: &str, key: &str) -> Result<Option<KeyRow>, StoreError> {
        self.store.key(kind, key).await
    }

    async fn keys_of(&mut self, job: JobId) -> Result<Vec<KeyRow>, StoreError> {
        self.store.keys_of(job).await
    }

    async fn step(&mut self, job: JobId, name: &str) -> Result<Option<StepRow>, StoreError> {
        self.store.step(job, name).await
    }

    async fn steps(&mut self, job: JobId) -> Result<Vec<StepRow>, StoreError> {
        self.store.steps(job).await
    }

    async fn step_count(&mut self, job: JobId) -> Result<u64, StoreError> {
        self.store.step_count(job).await
    }

    async fn progress(&mut self, job: JobId) -> Result<Option<ProgressRow>, StoreError> {
        self.store.progress(job).await
    }

    async fn log(&mut self, token: Token) -> Result<Option<LogRow>, StoreError> {
        self.store.log(token).await
    }

    async fn untaken_signal(&mut self, name: &str, after: i64) -> Result<Option<SignalRow>, StoreError> {
        self.store.untaken_signal(name, after).await
    }

    async fn signal_by_key(&mut self, name: &str, key: &str) -> Result<Option<SignalRow>, StoreError> {
        self.store.signal_by_key(name, key).await
    }

    async fn waits(&mut self, job: JobId) -> Result<Vec<WaitRow>, StoreError> {
        self.store.waits(job).await
    }

    async fn is_awaited(&mut self, job: JobId) -> Result<bool, StoreError> {
        self.store.is_awaited(job).await
    }

    async fn ends(&mut self, after: i64, most: usize) -> Result<Vec<EndRow>, StoreError> {
        self.store.ends(after, most).await
    }

    async fn slot(&mut self, slot: &Slot) -> Result<Option<SlotRow>, StoreError> {
        self.store.slot(slot).await
    }

    async fn slots(&mut self, schedule: &str, most: usize) -> Result<Vec<SlotRow>, StoreError> {
        self.store.slots(schedule, most).await
    }

    async fn skip(&mut self, schedule: &str, first: Wall) -> Result<Option<SkipRow>, StoreError> {
        self.store.skip(schedule, first).await
    }

    async fn skips(&mut self, schedule: &str, most: usize) -> Result<Vec<SkipRow>, StoreError> {
        self.store.skips(schedule, most).await
    }

    async fn settings(&mut self) -> Result<Settings, StoreError> {
        self.store.settings().await
    }

    async fn request(&mut self, id: RequestId) -> Result<Option<RequestRow>, StoreError> {
        self.store.request(id).await
    }

    async fn oldest_request(&mut self) -> Result<Option<Steady>, StoreError> {
        self.store.oldest_request().await
    }

    async fn live(&mut self, after: JobId, most: usize) -> Result<Vec<Live>, StoreError> {
        self.store.live(after, most).await
    }

    async fn list(&mut self, state: State, after: JobId, most: usize) -> Result<Vec<Listed>, StoreError> {
        self.store.list(state, after, most).await
    }

    async fn begin(&mut self) -> Result<(), StoreError> {
        self.store.begin().await
    }

    async fn run_statement(
        &mut self,
        statement: &Statement,
        may_write: Result<(), String>,
        limit: Duration,
    ) -> Result<Rows, SqlError> {
        self.store.run_statement(statement, may_write, limit).await
    }

    async fn roll_back(&mut self) -> Result<(), StoreError> {
        self.store.roll_back().await
    }

    async fn commit(&mut self, changes: Vec<Change>) -> Result<(), StoreError> {
        let after = self.after(&changes);
        let committed = self.store.commit(changes).await;
        for (id, stored) in after {
            match stored.filter(|_| committed.is_ok()) {
                Some(stored) => drop(self.leased.insert(id, stored)),
                // Not leased any more; or nobody knows what is in the file, so nothing is kept.
                None => drop(self.leased.remove(&id)),
            }
        }
        committed
    }

    async fn checkpoint(&mut self, frames: u64) -> Result<bool, StoreError> {
        self.store.checkpoint(frames).await
    }

    fn snapshot(&mut self) -> Result<Option<Box<dyn Snapshot>>, StoreError> {
        self.store.snapshot()
    }

    fn damaged(&self, found: String) -> StoreError {
        self.store.damaged(found)
    }

    fn free_bytes(&mut self) -> Result<u64, StoreError> {
        self.store.free_bytes()
    }

    fn log_bytes(&mut self) -> Result<u64, StoreError> {
        self.store.log_bytes()
    }
}
