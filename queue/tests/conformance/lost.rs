//! A store that has lost what was committed, when the same process opens it anew.

use crate::bench::block_on;
use crate::host::HandHost;
use outlive::job::{
    Attempt, EndRow, Failure, JobId, KeyRow, LogRow, ProgressRow, RequestId, SignalRow, SkipRow, Slot, SlotRow, State,
    Steady, StepRow, Token, WaitRow, Wall,
};
use outlive::protocol::{Call, CallError, Enqueue, Reply, Request, Service};
use outlive::sql::{Rows, Statement};
use outlive::store::memory::Memory;
use outlive::store::{
    Change, Compaction, FileState, Listed, Live, OpenError, RequestRow, Settings, Snapshot, SqlError, Storage, Store,
    StoreError, Stored,
};
use outlive::{Local, Options};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// What becomes of commits.
#[derive(Default)]
struct Fate {
    /// They are answered, and the next opening does not find them.
    lost: AtomicBool,
    /// The next one breaks the store.
    breaks: AtomicBool,
}

/// Rows as they are answered, and rows as the next opening finds them; it finds those of the second opening as they
/// are.
struct Lossy<S> {
    answered: S,
    kept: Option<S>,
    fate: Arc<Fate>,
}

impl Storage for Lossy<Memory> {
    type Store = Lossy<<Memory as Storage>::Store>;

    async fn open(&mut self, options: &Options) -> Result<Self::Store, OpenError> {
        let answered = self.answered.open(options).await?;
        let kept = match self.kept.take() {
            None => None,
            Some(mut kept) => {
                let store = kept.open(options).await?;
                self.answered = kept;
                Some(store)
            }
        };
        Ok(Lossy { answered, kept, fate: self.fate.clone() })
    }

    async fn compaction(&mut self, _: &Options) -> Result<Option<Box<dyn Compaction>>, StoreError> {
        Ok(None)
    }
}

impl<S: Store> Store for Lossy<S> {
    async fn state(&mut self) -> Result<FileState, StoreError> {
        self.answered.state().await
    }

    async fn job(&mut self, id: JobId) -> Result<Option<Stored>, StoreError> {
        self.answered.job(id).await
    }

    async fn attempt(&mut self, token: Token) -> Result<Option<Attempt>, StoreError> {
        self.answered.attempt(token).await
    }

    async fn attempts(&mut self, job: JobId) -> Result<Vec<Attempt>, StoreError> {
        self.answered.attempts(job).await
    }

    async fn tokens(&mut self, job: JobId, most: usize) -> Result<Vec<Token>, StoreError> {
        self.answered.tokens(job, most).await
    }

    async fn failure(&mut self, token: Token) -> Result<Option<Failure>, StoreError> {
        self.answered.failure(token).await
    }

    async fn key(&mut self, kind: &str, key: &str) -> Result<Option<KeyRow>, StoreError> {
        self.answered.key(kind, key).await
    }

    async fn keys_of(&mut self, job: JobId) -> Result<Vec<KeyRow>, StoreError> {
        self.answered.keys_of(job).await
    }

    async fn step(&mut self, job: JobId, name: &str) -> Result<Option<StepRow>, StoreError> {
        self.answered.step(job, name).await
    }

    async fn steps(&mut self, job: JobId) -> Result<Vec<StepRow>, StoreError> {
        self.answered.steps(job).await
    }

    async fn step_count(&mut self, job: JobId) -> Result<u64, StoreError> {
        self.answered.step_count(job).await
    }

    async fn progress(&mut self, job: JobId) -> Result<Option<ProgressRow>, StoreError> {
        self.answered.progress(job).await
    }

    async fn log(&mut self, token: Token) -> Result<Option<LogRow>, StoreError> {
        self.answered.log(token).await
    }

    async fn untaken_signal(&mut self, name: &str, after: i64) -> Result<Option<SignalRow>, StoreError> {
        self.answered.untaken_signal(name, after).await
    }

    async fn signal_by_key(&mut self, name: &str, key: &str) -> Result<Option<SignalRow>, StoreError> {
        self.answered.signal_by_key(name, key).await
    }

    async fn waits(&mut self, job: JobId) -> Result<Vec<WaitRow>, StoreError> {
        self.answered.waits(job).await
    }

    async fn is_awaited(&mut self, job: JobId) -> Result<bool, StoreError> {
        self.answered.is_awaited(job).await
    }

    async fn ends(&mut self, after: i64, most: usize) -> Result<Vec<EndRow>, StoreError> {
        self.answered.ends(after, most).await
    }

    async fn slot(&mut self, slot: &Slot) -> Result<Option<SlotRow>, StoreError> {
        self.answered.slot(slot).await
    }

    async fn slots(&mut self, schedule: &str, most: usize) -> Result<Vec<SlotRow>, StoreError> {
        self.answered.slots(schedule, most).await
    }

    async fn skip(&mut self, schedule: &str, first: Wall) -> Result<Option<SkipRow>, StoreError> {
        self.answered.skip(schedule, first).await
    }

    async fn skips(&mut self, schedule: &str, most: usize) -> Result<Vec<SkipRow>, StoreError> {
        self.answered.skips(schedule, most).await
    }

    async fn settings(&mut self) -> Result<Settings, StoreError> {
        self.answered.settings().await
    }

    async fn request(&mut self, id: RequestId) -> Result<Option<RequestRow>, StoreError> {
        self.answered.request(id).await
    }

    async fn oldest_request(&mut self) -> Result<Option<Steady>, StoreError> {
        self.answered.oldest_request().await
    }

    async fn live(&mut self, after: JobId, most: usize) -> Result<Vec<Live>, StoreError> {
        self.answered.live(after, most).await
    }

    async fn list(&mut self, state: State, after: JobId, most: usize) -> Result<Vec<Listed>, StoreError> {
        self.answered.list(state, after, most).await
    }

    async fn begin(&mut self) -> Result<(), StoreError> {
        self.answered.begin().await
    }

    async fn run_statement(
        &mut self,
        statement: &Statement,
        may_write: Result<(), String>,
        limit: Duration,
    ) -> Result<Rows, SqlError> {
        self.answered.run_statement(statement, may_write, limit).await
    }

    async fn roll_back(&mut self) -> Result<(), StoreError> {
        self.answered.roll_back().await
    }

    async fn commit(&mut self, changes: Vec<Change>) -> Result<(), StoreError> {
        if self.fate.breaks.swap(false, Ordering::Relaxed) {
            return Err(StoreError::Broken("the disk failed".into()));
        }
        if let (Some(kept), false) = (&mut self.kept, self.fate.lost.load(Ordering::Relaxed)) {
            kept.commit(changes.clone()).await?;
        }
        self.answered.commit(changes).await
    }

    async fn checkpoint(&mut self, frames: u64) -> Result<bool, StoreError> {
        self.answered.checkpoint(frames).await
    }

    fn snapshot(&mut self) -> Result<Option<Box<dyn Snapshot>>, StoreError> {
        self.answered.snapshot()
    }

    fn damaged(&self, found: String) -> StoreError {
        self.answered.damaged(found)
    }

    fn free_bytes(&mut self) -> Result<u64, StoreError> {
        self.answered.free_bytes()
    }

    fn log_bytes(&mut self) -> Result<u64, StoreError> {
        self.answered.log_bytes()
    }
}

async fn enqueue(local: &Local, number: u8) -> Result<Reply, CallError> {
    let enqueue = Enqueue { max_attempts: Some(1), ..Enqueue::new("a", "[]") };
    local.call(Call { id: RequestId([number; 16]), request: Request::Enqueue(enqueue) }).await
}

#[test]
fn an_engine_whose_store_lost_what_it_had_committed_stops_and_says_so() {
    for loses in [false, true] {
        block_on(async {
            let fate = Arc::new(Fate::default());
            let storage = Lossy { answered: Memory::default(), kept: Some(Memory::default()), fate: fate.clone() };
            let local = Local::open(HandHost::new(1), storage, Options::default()).await.unwrap();
            assert_eq!(enqueue(&local, 1).await, Ok(Reply::Enqueued { job: JobId(1), fresh: true }));
            fate.lost.store(loses, Ordering::Relaxed);
            assert_eq!(enqueue(&local, 2).await, Ok(Reply::Enqueued { job: JobId(2), fresh: true }));
            fate.lost.store(false, Ordering::Relaxed);
            fate.breaks.store(true, Ordering::Relaxed);
            assert!(matches!(enqueue(&local, 3).await, Err(CallError::Unknown { .. })));
            let next = enqueue(&local, 4).await;
            if !loses {
                return assert_eq!(next, Ok(Reply::Enqueued { job: JobId(3), fresh: true }));
            }
            let Err(CallError::Unavailable { why }) = next else { panic!("{next:?}") };
            assert!(why.contains("this process has given out jobs up to 2"), "{why}");
            assert!(why.contains("the file knows of jobs up to 1"), "{why}");
            assert!(why.contains("restore it from a backup"), "{why}");
        });
    }
}
