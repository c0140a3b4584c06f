//! Rows in memory: for tests of programs that embed the queue, and to show what of a failure is
//! the file's doing. It survives a reopening, and nothing else.

use super::{
    Change, Compaction, FileState, Listed, Live, OpenError, RequestRow, Settings, Snapshot, SqlError, Storage, Store,
    StoreError, Stored,
};
use crate::Options;
use crate::job::{
    Attempt, EndRow, Failure, Gate, Job, JobId, KeyRow, KeyScope, LimitRow, LogRow, Nonce, PauseRow, PolicyRow,
    ProgressRow, RequestId, ScheduleRow, SignalRow, SkipRow, Slot, SlotRow, State, Steady, StepRow, Token, WaitRow,
    Wall,
};
use crate::sql::{Rows as SqlRows, Statement};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

/// Rows that live as long as this value and its clones.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    rows: Arc<Mutex<Rows>>,
}

/// The rows, opened.
#[derive(Debug)]
pub struct MemoryStore {
    rows: Arc<Mutex<Rows>>,
}

#[derive(Clone, Debug)]
struct Rows {
    state: FileState,
    jobs: BTreeMap<JobId, Job>,
    attempts: BTreeMap<Token, Attempt>,
    failures: BTreeMap<Token, Failure>,
    keys: BTreeMap<(String, String), KeyRow>,
    steps: BTreeMap<(JobId, Arc<str>), StepRow>,
    progress: BTreeMap<JobId, ProgressRow>,
    logs: BTreeMap<Token, LogRow>,
    signals: BTreeMap<i64, SignalRow>,
    waits: BTreeSet<WaitRow>,
    limits: BTreeMap<Arc<str>, LimitRow>,
    pauses: BTreeMap<(Gate, bool), PauseRow>,
    policies: BTreeMap<Arc<str>, PolicyRow>,
    schedules: BTreeMap<Arc<str>, ScheduleRow>,
    slots: BTreeMap<Slot, SlotRow>,
    skips: BTreeMap<(Arc<str>, Wall), SkipRow>,
    ends: BTreeMap<i64, EndRow>,
    requests: BTreeMap<RequestId, RequestRow>,
    requests_in_order: Vec<RequestId>,
}

impl Default for Rows {
    fn default() -> Self {
        let nonce = Nonce(0);
        let state = FileState {
            steady: Steady(0),
            next_job: 1,
            next_token: 1,
            next_signal: 1,
            next_end: 1,
            nonce,
            openings: 0,
            first_opening: nonce,
        };
        Self {
            state,
            jobs: BTreeMap::new(),
            attempts: BTreeMap::new(),
            failures: BTreeMap::new(),
            keys: BTreeMap::new(),
            steps: BTreeMap::new(),
            progress: BTreeMap::new(),
            logs: BTreeMap::new(),
            signals: BTreeMap::new(),
            waits: BTreeSet::new(),
            limits: BTreeMap::new(),
            pauses: BTreeMap::new(),
            policies: BTreeMap::new(),
            schedules: BTreeMap::new(),
            slots: BTreeMap::new(),
            skips: BTreeMap::new(),
            ends: BTreeMap::new(),
            requests: BTreeMap::new(),
            requests_in_order: Vec::new(),
        }
    }
}

impl Storage for Memory {
    type Store = MemoryStore;

    async fn open(&mut self, _options: &Options) -> Result<MemoryStore, OpenError> {
        Ok(MemoryStore { rows: self.rows.clone() })
    }

    async fn compaction(&mut self, _options: &Options) -> Result<Option<Box<dyn Compaction>>, StoreError> {
        Ok(None)
    }
}

impl MemoryStore {
    fn rows(&self) -> MutexGuard<'_, Rows> {
        self.rows.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Store for MemoryStore {
    async fn state(&mut self) -> Result<FileState, StoreError> {
        Ok(self.rows().state)
    }

    async fn job(&mut self, id: JobId) -> Result<Option<Stored>, StoreError> {
        let rows = self.rows();
        Ok(rows.jobs.get(&id).map(|job| rows.stored(job)))
    }

    async fn attempt(&mut self, token: Token) -> Result<Option<Attempt>, StoreError> {
        Ok(self.rows().attempts.get(&token).cloned())
    }

    async fn attempts(&mut self, job: JobId) -> Result<Vec<Attempt>, StoreError> {
        Ok(self.rows().attempts.values().filter(|attempt| attempt.job == job).cloned().collect())
    }

    async fn tokens(&mut self, job: JobId, most: usize) -> Result<Vec<Token>, StoreError> {
        let rows = self.rows();
        let of_job = rows.attempts.values().filter(|attempt| attempt.job == job);
        Ok(of_job.map(|attempt| attempt.token).take(most).collect())
    }

    async fn failure(&mut self, token: Token) -> Result<Option<Failure>, StoreError> {
        Ok(self.rows().failures.get(&token).cloned())
    }

    async fn key(&mut self, kind: &str, key: &str) -> Result<Option<KeyRow>, StoreError> {
        Ok(self.rows().keys.get(&(kind.to_owned(), key.to_owned())).cloned())
    }

    async fn keys_of(&mut self, job: JobId) -> Result<Vec<KeyRow>, StoreError> {
        let rows = self.rows();
        Ok(rows.keys.values().filter(|row| row.job == job && row.scope != KeyScope::Forever).cloned().collect())
    }

    async fn step(&mut self, job: JobId, name: &str) -> Result<Option<StepRow>, StoreError> {
        Ok(self.rows().steps.get(&(job, name.into())).cloned())
    }

    async fn steps(&mut self, job: JobId) -> Result<Vec<StepRow>, StoreError> {
        Ok(self.rows().steps.values().filter(|row| row.job == job).cloned().collect())
    }

    async fn step_count(&mut self, job: JobId) -> Result<u64, StoreError> {
        Ok(self.rows().steps.values().filter(|row| row.job == job).count() as u64)
    }

    async fn progress(&mut self, job: JobId) -> Result<Option<ProgressRow>, StoreError> {
        Ok(self.rows().progress.get(&job).cloned())
    }

    async fn log(&mut self, token: Token) -> Result<Option<LogRow>, StoreError> {
        Ok(self.rows().logs.get(&token).cloned())
    }

    async fn untaken_signal(&mut self, name: &str, after: i64) -> Result<Option<SignalRow>, StoreError> {
        let rows = self.rows();
        let mut behind = rows.signals.range(after.saturating_add(1)..).map(|(_, row)| row);
        Ok(behind.find(|row| row.taken.is_none() && *row.name == *name).cloned())
    }

    async fn signal_by_key(&mut self, name: &str, key: &str) -> Result<Option<SignalRow>, StoreError> {
        let rows = self.rows();
        Ok(rows.signals.values().find(|row| *row.name == *name && row.key.as_deref() == Some(key)).cloned())
    }

    async fn waits(&mut self, job: JobId) -> Result<Vec<WaitRow>, StoreError> {
        Ok(self.rows().waits.iter().filter(|row| row.job == job).cloned().collect())
    }

    async fn is_awaited(&mut self, job: JobId) -> Result<bool, StoreError> {
        let rows = self.rows();
        let mut waiting = rows.waits.iter().filter(|row| row.on == job);
        Ok(waiting.any(|row| rows.jobs.get(&row.job).is_some_and(|job| !job.state.is_terminal())))
    }

    async fn ends(&mut self, after: i64, most: usize) -> Result<Vec<EndRow>, StoreError> {
        Ok(self.rows().ends.range(after.saturating_add(1)..).map(|(_, row)| *row).take(most).collect())
    }

    async fn slot(&mut self, slot: &Slot) -> Result<Option<SlotRow>, StoreError> {
        Ok(self.rows().slots.get(slot).cloned())
    }

    async fn slots(&mut self, schedule: &str, most: usize) -> Result<Vec<SlotRow>, StoreError> {
        let rows = self.rows();
        let of = rows.slots.values().rev().filter(|row| row.slot.schedule == schedule);
        Ok(of.take(most).cloned().collect())
    }

    async fn skip(&mut self, schedule: &str, first: Wall) -> Result<Option<SkipRow>, StoreError> {
        Ok(self.rows().skips.get(&(schedule.into(), first)).cloned())
    }

    async fn skips(&mut self, schedule: &str, most: usize) -> Result<Vec<SkipRow>, StoreError> {
        let rows = self.rows();
        let of = rows.skips.values().rev().filter(|row| *row.schedule == *schedule);
        Ok(of.take(most).cloned().collect())
    }

    async fn settings(&mut self) -> Result<Settings, StoreError> {
        let rows = self.rows();
        Ok(Settings {
            limits: rows.limits.values().cloned().collect(),
            pauses: rows.pauses.values().cloned().collect(),
            policies: rows.policies.values().cloned().collect(),
            schedules: rows.schedules.values().cloned().collect(),
        })
    }

    async fn request(&mut self, id: RequestId) -> Result<Option<RequestRow>, StoreError> {
        Ok(self.rows().requests.get(&id).cloned())
    }

    async fn oldest_request(&mut self) -> Result<Option<Steady>, StoreError> {
        let rows = self.rows();
        Ok(rows.requests_in_order.first().map(|id| rows.requests[id].at))
    }

    async fn live(&mut self, after: JobId, most: usize) -> Result<Vec<Live>, StoreError> {
        let rows = self.rows();
        let live = rows.jobs.range(JobId(after.0.saturating_add(1))..).map(|(_, job)| job);
        Ok(live.filter(|job| !job.state.is_terminal()).take(most).map(Live::of).collect())
    }

    async fn list(&mut self, state: State, after: JobId, most: usize) -> Result<Vec<Listed>, StoreError> {
        let rows = self.rows();
        let behind = rows.jobs.range(JobId(after.0.saturating_add(1))..).map(|(_, job)| job);
        let may_be = |job: &&Job| match state {
            State::Waiting | State::Running => !job.state.is_terminal(),
            State::Completed => true,
            state => job.state == state,
        };
        Ok(behind.filter(may_be).take(most).map(Listed::of).collect())
    }

    async fn begin(&mut self) -> Result<(), StoreError> {
        Ok(())
    }

    async fn run_statement(&mut self, _: &Statement, _: Result<(), String>, _: Duration) -> Result<SqlRows, SqlError> {
        Err(SqlError::Refused("this queue is kept in memory, and has no tables; open one in a file".into()))
    }

    async fn roll_back(&mut self) -> Result<(), StoreError> {
        Ok(())
    }

    async fn commit(&mut self, changes: Vec<Change>) -> Result<(), StoreError> {
        let mut rows = self.rows();
        let mut next = rows.clone();
        changes.into_iter().try_for_each(|change| next.apply(change))?;
        *rows = next;
        Ok(())
    }

    async fn checkpoint(&mut self, _frames: u64) -> Result<bool, StoreError> {
        Ok(false)
    }

    fn snapshot(&mut self) -> Result<Option<Box<dyn Snapshot>>, StoreError> {
        Ok(None)
    }

    fn damaged(&self, found: String) -> StoreError {
        StoreError::Damaged { path: "the memory".into(), found }
    }

    fn free_bytes(&mut self) -> Result<u64, StoreError> {
        Ok(u64::MAX)
    }

    fn log_bytes(&mut self) -> Result<u64, StoreError> {
        Ok(0)
    }
}

impl Rows {
    fn stored(&self, job: &Job) -> Stored {
        Stored { job: job.clone(), latest: job.token.and_then(|token| self.attempts.get(&token).cloned()) }
    }

    fn apply(&mut self, change: Change) -> Result<(), StoreError> {
        let inserted = match change {
            Change::InsertJob(job) => self.jobs.insert(job.id, job).is_none(),
            Change::UpdateJob(job) => self.jobs.insert(job.id, job).is_some(),
            Change::InsertAttempt(attempt) => self.attempts.insert(attempt.token, attempt).is_none(),
            Change::UpdateAttempt(attempt) => self.attempts.insert(attempt.token, attempt).is_some(),
            Change::InsertFailure(failure) => self.failures.insert(failure.token, failure).is_none(),
            Change::InsertKey(row) => self.keys.insert((row.kind.to_string(), row.key.to_string()), row).is_none(),
            Change::UpdateKey(row) => self.keys.insert((row.kind.to_string(), row.key.to_string()), row).is_some(),
            Change::InsertStep(row) => self.steps.insert((row.job, row.name.clone()), row).is_none(),
            Change::InsertProgress(row) => self.progress.insert(row.job, row).is_none(),
            Change::UpdateProgress(row) => self.progress.insert(row.job, row).is_some(),
            Change::InsertLog(row) => self.logs.insert(row.token, row).is_none(),
            Change::UpdateLog(row) => self.logs.insert(row.token, row).is_some(),
            Change::InsertSignal(row) => self.signals.insert(row.id, row).is_none(),
            Change::UpdateSignal(row) => self.signals.insert(row.id, row).is_some(),
            Change::InsertWait(row) => self.waits.insert(row),
            Change::InsertLimit(row) => self.limits.insert(row.queue.clone(), row).is_none(),
            Change::UpdateLimit(row) => self.limits.insert(row.queue.clone(), row).is_some(),
            Change::DeleteLimit { queue } => self.limits.remove(&queue).is_some(),
            Change::InsertPolicy(row) => self.policies.insert(row.kind.clone(), row).is_none(),
            Change::UpdatePolicy(row) => self.policies.insert(row.kind.clone(), row).is_some(),
            Change::DeletePolicy { kind } => self.policies.remove(&kind).is_some(),
            Change::InsertSchedule(row) => self.schedules.insert(row.name.clone(), row).is_none(),
            Change::UpdateSchedule(row) => self.schedules.insert(row.name.clone(), row).is_some(),
            Change::DeleteSchedule { name } => self.schedules.remove(&name).is_some(),
            Change::InsertSlot(row) => self.slots.insert(row.slot.clone(), row).is_none(),
            Change::ForgetSlots { schedule, before, most } => {
                let of = self.slots.keys().filter(|slot| *slot.schedule == *schedule && slot.at < before);
                for slot in of.take(most).cloned().collect::<Vec<_>>() {
                    self.slots.remove(&slot);
                }
                true
            }
            Change::InsertSkip(row) => self.skips.insert((row.schedule.clone(), row.first), row).is_none(),
            Change::UpdateSkip(row) => self.skips.insert((row.schedule.clone(), row.first), row).is_some(),
            Change::InsertPause(row) => self.pauses.insert(row.key(), row).is_none(),
            Change::UpdatePause(row) => self.pauses.insert(row.key(), row).is_some(),
            Change::DeletePause { gate, is_down } => self.pauses.remove(&(gate, is_down)).is_some(),
            Change::InsertEnd(row) => self.ends.insert(row.id, row).is_none(),
            Change::DeleteEnd { id } => self.ends.remove(&id).is_some(),
            Change::DeleteAttempt { token } => {
                self.failures.remove(&token);
                self.logs.remove(&token);
                self.attempts.remove(&token).is_some()
            }
            Change::DeleteJob { id } => {
                self.steps.retain(|_, row| row.job != id);
                self.progress.remove(&id);
                self.waits.retain(|row| row.job != id);
                let is_its_own = |row: &SignalRow| row.taken.as_ref().is_some_and(|(job, _)| *job == id);
                self.signals.retain(|_, row| row.key.is_some() || !is_its_own(row));
                self.keys.retain(|_, row| row.job != id || row.scope == KeyScope::Forever);
                self.jobs.remove(&id).is_some()
            }
            Change::InsertRequest(row) => {
                self.requests_in_order.push(row.id);
                self.requests.insert(row.id, row).is_none()
            }
            Change::ForgetRequests { before, most } => {
                let old = self.requests_in_order.iter().take(most).take_while(|id| self.requests[id].at < before);
                for id in self.requests_in_order.drain(..old.count()).collect::<Vec<_>>() {
                    self.requests.remove(&id);
                }
                true
            }
            Change::PutState(state) => {
                self.state = state;
                true
            }
        };
        if inserted { Ok(()) } else { Err(StoreError::Refused("a row was there twice, or not at all".into())) }
    }
}
