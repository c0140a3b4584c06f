//! What the store does, by number, so that every write of the disk's record is known to be of a commit, and
//! the commit of its requests. Always there, and silent unless a run is watched.

use outlive::Options;
use outlive::job::{
    Attempt, EndRow, Failure, JobId, KeyRow, LogRow, ProgressRow, RequestId, SignalRow, SkipRow, Slot, SlotRow, State,
    Steady, StepRow, Token, WaitRow, Wall,
};
use outlive::sql::{Rows, Statement};
use outlive::store::{
    Change, Compaction, FileState, Listed, Live, OpenError, RequestRow, Settings, Snapshot, SqlError, Storage, Store,
    StoreError, Stored,
};
use outlive_sim::{Process, ProcessId, SimDisk, View, World, true_time};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Something that a store did.
#[derive(Clone, Debug)]
pub struct Deed {
    /// What its writes are tagged with: its number in the run, from 1.
    pub tag: u64,
    /// Its number among those of its kind, from 1.
    pub number: u64,
    /// When it began.
    pub at: Duration,
    /// When it had succeeded; none if it failed, or if its process died meanwhile.
    pub done: Option<Duration>,
    /// Whose it was.
    pub process: ProcessId,
    /// What it was.
    pub work: Work,
}

/// What a store does.
#[derive(Clone, Debug)]
pub enum Work {
    /// It opens the file. The file as it was then, if it did.
    Opening(Option<SimDisk>),
    /// It commits these changes.
    Commit(Vec<Change>),
    /// It moves the log into the file, if that has grown enough.
    Checkpoint,
}

/// Everything that stores did in a run, if it is watched. Clones are the same list.
#[derive(Clone, Default)]
pub struct Deeds(Option<Arc<Mutex<Vec<Deed>>>>);

impl Deeds {
    /// An empty list that is kept.
    pub fn watched() -> Self {
        Self(Some(Arc::default()))
    }

    /// Whether it is kept.
    pub fn is_watched(&self) -> bool {
        self.0.is_some()
    }

    /// What stores did so far, in order; empty if nobody watches.
    pub fn all(&self) -> Vec<Deed> {
        self.0.as_ref().map_or_else(Vec::new, |deeds| deeds.lock().unwrap().clone())
    }

    /// A storage whose deeds are kept.
    pub fn storage<S>(&self, inner: S, world: &World, process: &Process) -> TaggingStorage<S> {
        TaggingStorage { inner, tagger: Tagger { deeds: self.clone(), world: world.clone(), process: process.clone() } }
    }
}

#[derive(Clone)]
struct Tagger {
    deeds: Deeds,
    world: World,
    process: Process,
}

impl Tagger {
    /// Begins a deed: what the process writes from now on is of it. Its place among all, if somebody watches.
    fn begin(&self, work: impl FnOnce() -> Work) -> Option<usize> {
        let deeds = self.deeds.0.as_ref()?;
        let mut deeds = deeds.lock().unwrap();
        let (tag, work) = (deeds.len() as u64 + 1, work());
        let same = |other: &&Deed| std::mem::discriminant(&other.work) == std::mem::discriminant(&work);
        let number = deeds.iter().filter(same).count() as u64 + 1;
        self.process.disk().set_tag(tag);
        deeds.push(Deed { tag, number, at: true_time(), done: None, process: self.process.id(), work });
        Some(deeds.len() - 1)
    }

    /// Ends a deed.
    fn end(&self, begun: Option<usize>, succeeded: bool) {
        if let (Some(deeds), Some(place)) = (&self.deeds.0, begun) {
            self.process.disk().set_tag(0);
            deeds.lock().unwrap()[place].done = succeeded.then(true_time);
        }
    }
}

/// A storage whose deeds are kept.
pub struct TaggingStorage<S> {
    inner: S,
    tagger: Tagger,
}

/// An open store whose deeds are kept.
pub struct TaggingStore<S> {
    inner: S,
    tagger: Tagger,
}

impl<S: Storage> Storage for TaggingStorage<S> {
    type Store = TaggingStore<S::Store>;

    async fn open(&mut self, options: &Options) -> Result<Self::Store, OpenError> {
        let begun = self.tagger.begin(|| Work::Opening(None));
        let opened = self.inner.open(options).await;
        self.tagger.end(begun, opened.is_ok());
        if let (Some(place), Some(deeds), true) = (begun, &self.tagger.deeds.0, opened.is_ok()) {
            let image = self.tagger.world.disk(self.tagger.process.machine()).image(View::Cache);
            deeds.lock().unwrap()[place].work = Work::Opening(Some(image));
        }
        Ok(TaggingStore { inner: opened?, tagger: self.tagger.clone() })
    }

    async fn compaction(&mut self, options: &Options) -> Result<Option<Box<dyn Compaction>>, StoreError> {
        self.inner.compaction(options).await
    }
}

impl<S: Store> Store for TaggingStore<S> {
    fn state(&mut self) -> impl Future<Output = Result<FileState, StoreError>> {
        self.inner.state()
    }

    fn job(&mut self, id: JobId) -> impl Future<Output = Result<Option<Stored>, StoreError>> {
        self.inner.job(id)
    }

    fn attempt(&mut self, token: Token) -> impl Future<Output = Result<Option<Attempt>, StoreError>> {
        self.inner.attempt(token)
    }

    fn attempts(&mut self, job: JobId) -> impl Future<Output = Result<Vec<Attempt>, StoreError>> {
        self.inner.attempts(job)
    }

    fn tokens(&mut self, job: JobId, most: usize) -> impl Future<Output = Result<Vec<Token>, StoreError>> {
        self.inner.tokens(job, most)
    }

    fn failure(&mut self, token: Token) -> impl Future<Output = Result<Option<Failure>, StoreError>> {
        self.inner.failure(token)
    }

    fn key(&mut self, kind: &str, key: &str) -> impl Future<Output = Result<Option<KeyRow>, StoreError>> {
        self.inner.key(kind, key)
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
        self.inner.is_awaited(job).await
    }

    async fn ends(&mut self, after: i64, most: usize) -> Result<Vec<EndRow>, StoreError> {
        self.inner.ends(after, most).await
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

    fn settings(&mut self) -> impl Future<Output = Result<Settings, StoreError>> {
        self.inner.settings()
    }

    fn request(&mut self, id: RequestId) -> impl Future<Output = Result<Option<RequestRow>, StoreError>> {
        self.inner.request(id)
    }

    fn oldest_request(&mut self) -> impl Future<Output = Result<Option<Steady>, StoreError>> {
        self.inner.oldest_request()
    }

    fn live(&mut self, after: JobId, most: usize) -> impl Future<Output = Result<Vec<Live>, StoreError>> {
        self.inner.live(after, most)
    }

    async fn list(&mut self, state: State, after: JobId, most: usize) -> Result<Vec<Listed>, StoreError> {
        self.inner.list(state, after, most).await
    }

    async fn begin(&mut self) -> Result<(), StoreError> {
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
        self.inner.roll_back().await
    }

    async fn commit(&mut self, changes: Vec<Change>) -> Result<(), StoreError> {
        let begun = self.tagger.begin(|| Work::Commit(changes.clone()));
        let committed = self.inner.commit(changes).await;
        self.tagger.end(begun, committed.is_ok());
        committed
    }

    async fn checkpoint(&mut self, frames: u64) -> Result<bool, StoreError> {
        let begun = self.tagger.begin(|| Work::Checkpoint);
        let moved = self.inner.checkpoint(frames).await;
        self.tagger.end(begun, moved.is_ok());
        moved
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

impl Deed {
    /// What people call it.
    pub fn name(&self) -> String {
        let kind = match self.work {
            Work::Opening(_) => "opening",
            Work::Commit(_) => "commit",
            Work::Checkpoint => "checkpoint",
        };
        format!("{kind} {}", self.number)
    }

    /// The requests whose answers it writes.
    pub fn requests(&self) -> impl Iterator<Item = RequestId> {
        let changes = if let Work::Commit(changes) = &self.work { &changes[..] } else { &[] };
        changes.iter().filter_map(|change| if let Change::InsertRequest(row) = change { Some(row.id) } else { None })
    }

    /// The jobs whose rows it writes, in its order.
    pub fn jobs(&self) -> impl Iterator<Item = JobId> {
        let changes = if let Work::Commit(changes) = &self.work { &changes[..] } else { &[] };
        changes.iter().filter_map(|change| match change {
            Change::InsertJob(job) | Change::UpdateJob(job) => Some(job.id),
            Change::InsertAttempt(attempt) | Change::UpdateAttempt(attempt) => Some(attempt.job),
            Change::InsertFailure(failure) => Some(failure.job),
            Change::InsertStep(step) => Some(step.job),
            Change::InsertProgress(row) | Change::UpdateProgress(row) => Some(row.job),
            Change::InsertLog(row) | Change::UpdateLog(row) => Some(row.job),
            Change::InsertWait(row) => Some(row.job),
            Change::InsertSlot(row) => Some(row.job),
            Change::InsertEnd(row) => Some(row.job),
            Change::DeleteJob { id } => Some(*id),
            Change::UpdateSignal(row) => row.taken.as_ref().map(|(job, _)| *job),
            Change::InsertSignal(_)
            | Change::InsertKey(_)
            | Change::UpdateKey(_)
            | Change::InsertLimit(_)
            | Change::UpdateLimit(_)
            | Change::DeleteLimit { .. }
            | Change::InsertPolicy(_)
            | Change::UpdatePolicy(_)
            | Change::DeletePolicy { .. }
            | Change::InsertSchedule(_)
            | Change::UpdateSchedule(_)
            | Change::DeleteSchedule { .. }
            | Change::ForgetSlots { .. }
            | Change::DeleteEnd { .. }
            | Change::DeleteAttempt { .. }
            | Change::InsertSkip(_)
            | Change::UpdateSkip(_)
            | Change::InsertPause(_)
            | Change::UpdatePause(_)
            | Change::DeletePause { .. }
            | Change::InsertRequest(_)
            | Change::ForgetRequests { .. }
            | Change::PutState(_) => None,
        })
    }
}
