//! One group of decisions that is not committed yet: rows as they will be, over rows as they are.

use crate::job::{
    Attempt, EndRow, Failure, Gate, Job, JobId, KeyRow, LimitRow, LogRow, Now, PauseRow, PolicyRow, ProgressRow,
    RequestId, ScheduleRow, SignalRow, SkipRow, Slot, SlotRow, Steady, StepRow, Token, WaitRow, Wall,
};
use crate::limits;
use crate::order::{Entry, Waits};
use crate::store::{Change, FileState, RequestRow, Store, StoreError, Stored};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Rows of one group.
#[derive(Clone)]
pub struct Group {
    state: FileState,
    touched: bool,
    jobs: BTreeMap<JobId, Row<Job>>,
    attempts: BTreeMap<Token, Row<Attempt>>,
    failures: Vec<Failure>,
    keys: BTreeMap<(Arc<str>, Arc<str>), Row<KeyRow>>,
    requests: BTreeMap<RequestId, RequestRow>,
    steps: BTreeMap<(JobId, Arc<str>), StepRow>,
    progress: BTreeMap<JobId, Row<ProgressRow>>,
    logs: BTreeMap<Token, Row<LogRow>>,
    signals: BTreeMap<i64, Row<SignalRow>>,
    waits: BTreeSet<WaitRow>,
    limits: BTreeMap<Arc<str>, Replaced<LimitRow>>,
    pauses: BTreeMap<(Gate, bool), Replaced<PauseRow>>,
    policies: BTreeMap<Arc<str>, Replaced<PolicyRow>>,
    schedules: BTreeMap<Arc<str>, Replaced<ScheduleRow>>,
    slots: BTreeMap<Slot, SlotRow>,
    skips: BTreeMap<(Arc<str>, Wall), Row<SkipRow>>,
    /// What is forgotten: written last, when whatever else may have changed of it is written.
    forgotten: Vec<Change>,
    /// Jobs that have ended, and what follows from that for others is not decided yet.
    ended: Vec<JobId>,
    /// Attempts that have ended, and what follows from that for pauses is not decided yet.
    ended_attempts: Vec<Attempt>,
    moves: Vec<Move>,
}

/// Where a job belongs in the order, once what was decided stands.
#[derive(Clone)]
pub enum Move {
    /// There.
    To(JobId, Entry),
    /// Nowhere: it is terminal.
    Out(JobId),
    /// Among those that wait for a signal of this name.
    Listening(JobId, Arc<str>),
    /// Among those that wait for these jobs to end.
    WaitingFor(JobId, BTreeSet<JobId>),
    /// One of those for which it waits has ended.
    Met(JobId, JobId),
    /// The limits of a queue are these.
    Limit(LimitRow),
    /// A queue has no limits any more.
    Lift(Arc<str>),
    /// The policy of a kind is this.
    Policy(PolicyRow),
    /// A kind has no policy any more.
    NoPolicy(Arc<str>),
    /// A schedule is this.
    Schedule(ScheduleRow),
    /// A schedule is not there any more.
    Unschedule(Arc<str>),
    /// A pause is there.
    Pause(PauseRow),
    /// A pause is over: of this gate, because a service was down or not.
    Resume(Gate, bool),
}

/// A row that may come and go: whether it is in the file, and what it will be.
#[derive(Clone)]
struct Replaced<T> {
    is_there: bool,
    row: Option<T>,
}

impl<T> Replaced<T> {
    /// What is to be written, if anything.
    fn change(
        self,
        insert: fn(T) -> Change,
        update: fn(T) -> Change,
        delete: impl FnOnce() -> Change,
    ) -> Option<Change> {
        match self {
            Self { is_there: false, row } => row.map(insert),
            Self { is_there: true, row: Some(row) } => Some(update(row)),
            Self { is_there: true, row: None } => Some(delete()),
        }
    }
}

#[derive(Clone)]
struct Row<T> {
    value: T,
    change: Dirt,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Dirt {
    Clean,
    Updated,
    Inserted,
}

impl<T> Row<T> {
    fn update(&mut self, value: T) {
        self.value = value;
        if self.change == Dirt::Clean {
            self.change = Dirt::Updated;
        }
    }
}

/// Writes down a row that may be in the file already.
fn put<K: Ord, T>(rows: &mut BTreeMap<K, Row<T>>, key: K, value: T, is_there: bool) {
    let change = if is_there { Dirt::Updated } else { Dirt::Inserted };
    match rows.get_mut(&key) {
        Some(row) => row.update(value),
        None => drop(rows.insert(key, Row { value, change })),
    }
}

/// What is to be written of these rows.
fn changed<K, T>(
    rows: BTreeMap<K, Row<T>>,
    insert: fn(T) -> Change,
    update: fn(T) -> Change,
) -> impl Iterator<Item = Change> {
    rows.into_values().filter_map(move |row| match row.change {
        Dirt::Clean => None,
        Dirt::Updated => Some(update(row.value)),
        Dirt::Inserted => Some(insert(row.value)),
    })
}

impl Group {
    /// Nothing decided yet.
    pub fn new(state: FileState, now: Now) -> Self {
        Self {
            state: FileState { steady: state.steady.max(now.steady), ..state },
            touched: false,
            jobs: BTreeMap::new(),
            attempts: BTreeMap::new(),
            failures: Vec::new(),
            keys: BTreeMap::new(),
            requests: BTreeMap::new(),
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
            forgotten: Vec::new(),
            ended: Vec::new(),
            ended_attempts: Vec::new(),
            moves: Vec::new(),
        }
    }

    /// It is later by now.
    pub fn go_on(&mut self, now: Now) {
        self.state.steady = self.state.steady.max(now.steady);
    }

    /// A job belongs elsewhere in the order, as soon as that stands.
    pub fn move_job(&mut self, to: Move) {
        self.moves.push(to);
    }

    /// The next job that has ended, if what follows from that is not decided yet.
    pub fn take_ended(&mut self) -> Option<JobId> {
        self.ended.pop()
    }

    /// The next attempt that has ended, if what follows from that for pauses is not decided yet.
    pub fn take_ended_attempt(&mut self) -> Option<Attempt> {
        self.ended_attempts.pop()
    }

    /// Those for which a job waits that have not ended, as this group leaves them.
    pub fn open_waits(&self, waits: &Waits, job: JobId) -> BTreeSet<JobId> {
        let mut open: BTreeSet<JobId> = waits.open(job).collect();
        for to in &self.moves {
            match to {
                Move::WaitingFor(id, on) if *id == job => open.clone_from(on),
                Move::Met(id, other) if *id == job => {
                    open.remove(other);
                }
                _ => {}
            }
        }
        open
    }

    /// The jobs that wait for this one, as this group leaves them, and some that do no more.
    pub fn dependents(&self, waits: &Waits, job: JobId) -> BTreeSet<JobId> {
        let moved = self.moves.iter().filter_map(|to| match to {
            Move::WaitingFor(id, on) if on.contains(&job) => Some(*id),
            _ => None,
        });
        waits.dependents(job).chain(moved).collect()
    }

    /// What belongs elsewhere in the order by now.
    pub fn take_moves(&mut self) -> Vec<Move> {
        std::mem::take(&mut self.moves)
    }

    /// Makes sure that steady time is written, whatever else is.
    pub fn touch(&mut self) {
        self.touched = true;
    }

    /// The next job's number.
    pub fn take_job_id(&mut self) -> JobId {
        self.state.next_job += 1;
        JobId(self.state.next_job - 1)
    }

    /// The next fencing token.
    pub fn take_token(&mut self) -> Token {
        self.state.next_token += 1;
        Token(self.state.next_token - 1)
    }

    /// The next signal's number.
    pub fn take_signal_id(&mut self) -> i64 {
        self.state.next_signal += 1;
        self.state.next_signal - 1
    }

    /// A job and its latest attempt, as this group leaves them.
    pub async fn job(&mut self, store: &mut impl Store, id: JobId) -> Result<Option<Stored>, StoreError> {
        if !self.jobs.contains_key(&id) {
            let Some(Stored { job, latest }) = store.job(id).await? else { return Ok(None) };
            self.know(job, latest);
        }
        let job = self.jobs[&id].value.clone();
        let latest = job.token.map(|token| self.attempts[&token].value.clone());
        Ok(Some(Stored { job, latest }))
    }

    /// The attempt with this token, as this group leaves it.
    pub async fn attempt(&mut self, store: &mut impl Store, token: Token) -> Result<Option<Attempt>, StoreError> {
        match self.attempts.get(&token) {
            Some(row) => Ok(Some(row.value.clone())),
            None => store.attempt(token).await,
        }
    }

    /// The failure that ended the attempt with this token.
    pub async fn failure(&mut self, store: &mut impl Store, token: Token) -> Result<Option<Failure>, StoreError> {
        match self.failures.iter().find(|failure| failure.token == token) {
            Some(failure) => Ok(Some(failure.clone())),
            None => store.failure(token).await,
        }
    }

    /// An idempotency key.
    pub async fn key(&mut self, store: &mut impl Store, kind: &str, key: &str) -> Result<Option<KeyRow>, StoreError> {
        match self.keys.get(&(kind.into(), key.into())) {
            Some(row) => Ok(Some(row.value.clone())),
            None => store.key(kind, key).await,
        }
    }

    /// A step of a job.
    pub async fn step(
        &mut self,
        store: &mut impl Store,
        job: JobId,
        name: &str,
    ) -> Result<Option<StepRow>, StoreError> {
        match self.steps.get(&(job, name.into())) {
            Some(row) => Ok(Some(row.clone())),
            None => store.step(job, name).await,
        }
    }

    /// The steps of a job, by name.
    pub async fn steps(&mut self, store: &mut impl Store, job: JobId) -> Result<Vec<StepRow>, StoreError> {
        let mut steps = store.steps(job).await?;
        steps.extend(self.steps_of(job).cloned());
        steps.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(steps)
    }

    /// How many steps a job has.
    pub async fn step_count(&mut self, store: &mut impl Store, job: JobId) -> Result<u64, StoreError> {
        Ok(store.step_count(job).await? + self.steps_of(job).count() as u64)
    }

    fn steps_of(&self, job: JobId) -> impl Iterator<Item = &StepRow> {
        self.steps.values().filter(move |row| row.job == job)
    }

    /// How far a job has come.
    pub async fn progress(&mut self, store: &mut impl Store, job: JobId) -> Result<Option<ProgressRow>, StoreError> {
        match self.progress.get(&job) {
            Some(row) => Ok(Some(row.value.clone())),
            None => store.progress(job).await,
        }
    }

    /// What an attempt said.
    pub async fn log(&mut self, store: &mut impl Store, token: Token) -> Result<Option<LogRow>, StoreError> {
        match self.logs.get(&token) {
            Some(row) => Ok(Some(row.value.clone())),
            None => store.log(token).await,
        }
    }

    /// The oldest signal of a name that nobody has taken.
    pub async fn untaken_signal(
        &mut self,
        store: &mut impl Store,
        name: &str,
    ) -> Result<Option<SignalRow>, StoreError> {
        // Signals of a name are taken in their order: those before have been taken.
        let taken = |row: &&Row<SignalRow>| row.value.taken.is_some() && *row.value.name == *name;
        let mut after = self.signals.values().rev().find(taken).map_or(0, |row| row.value.id);
        while let Some(row) = store.untaken_signal(name, after).await? {
            if !self.signals.contains_key(&row.id) {
                return Ok(Some(row));
            }
            // This group has taken it.
            after = row.id;
        }
        let mut own = self.signals.values().map(|row| &row.value);
        Ok(own.find(|row| row.taken.is_none() && *row.name == *name).cloned())
    }

    /// The signal that was sent under this key.
    pub async fn signal_by_key(
        &mut self,
        store: &mut impl Store,
        name: &str,
        key: &str,
    ) -> Result<Option<SignalRow>, StoreError> {
        let mut own = self.signals.values().map(|row| &row.value);
        match own.find(|row| *row.name == *name && row.key.as_deref() == Some(key)) {
            Some(row) => Ok(Some(row.clone())),
            None => store.signal_by_key(name, key).await,
        }
    }

    /// The jobs for which a job waits or has waited, as one of its steps.
    pub async fn waits(
        &mut self,
        store: &mut impl Store,
        job: JobId,
        step: &str,
    ) -> Result<BTreeSet<JobId>, StoreError> {
        let stored = store.waits(job).await?;
        let all = stored.iter().chain(&self.waits);
        Ok(all.filter(|row| row.job == job && *row.step == *step).map(|row| row.on).collect())
    }

    /// Whether this group lets a job wait for another one.
    pub fn lets_wait_for(&self, other: JobId) -> bool {
        self.waits.iter().any(|row| row.on == other)
    }

    /// Forgets something that nothing in this group asks for any more.
    pub fn forget(&mut self, change: Change) {
        self.forgotten.push(change);
    }

    /// Whether this group forgets a job.
    pub fn forgets(&self, job: JobId) -> bool {
        self.forgotten.contains(&Change::DeleteJob { id: job })
    }

    /// The time of a job that has ended begins anew.
    pub fn put_off(&mut self, end: EndRow) {
        self.forgotten.push(Change::DeleteEnd { id: end.id });
        let again = EndRow { id: self.state.next_end, at: self.state.steady, ..end };
        self.state.next_end += 1;
        self.forgotten.push(Change::InsertEnd(again));
    }

    /// How many jobs have ended, as this group leaves them.
    pub fn ends(&self) -> usize {
        self.jobs.values().filter(|row| has_ended(row)).count()
    }

    /// The remembered answer to a request.
    pub async fn request(&mut self, store: &mut impl Store, id: RequestId) -> Result<Option<RequestRow>, StoreError> {
        match self.requests.get(&id) {
            Some(row) => Ok(Some(row.clone())),
            None => store.request(id).await,
        }
    }

    /// Takes rows as they are in the store.
    pub fn know(&mut self, job: Job, latest: Option<Attempt>) {
        if let Some(attempt) = latest {
            let token = attempt.token;
            self.attempts.entry(token).or_insert(Row { value: attempt, change: Dirt::Clean });
        }
        self.jobs.entry(job.id).or_insert(Row { value: job, change: Dirt::Clean });
    }

    /// A new job.
    pub fn insert_job(&mut self, job: Job) {
        self.jobs.insert(job.id, Row { value: job, change: Dirt::Inserted });
    }

    /// A job that was changed.
    pub fn update_job(&mut self, job: Job) {
        let row = self.jobs.get_mut(&job.id).expect("a job is read before it is changed");
        if job.state.is_terminal() {
            self.ended.push(job.id);
        }
        row.update(job);
    }

    /// A new attempt.
    pub fn insert_attempt(&mut self, attempt: Attempt) {
        self.attempts.insert(attempt.token, Row { value: attempt, change: Dirt::Inserted });
    }

    /// An attempt that was changed.
    pub fn update_attempt(&mut self, attempt: Attempt) {
        let row = self.attempts.get_mut(&attempt.token).expect("an attempt is read before it is changed");
        if attempt.end.is_some() {
            self.ended_attempts.push(attempt.clone());
        }
        row.update(attempt);
    }

    /// A new failure.
    pub fn insert_failure(&mut self, failure: Failure) {
        self.failures.push(failure);
    }

    /// An idempotency key; `is_there` says whether it stood for another job before.
    pub fn put_key(&mut self, row: KeyRow, is_there: bool) {
        put(&mut self.keys, (row.kind.clone(), row.key.clone()), row, is_there);
    }

    /// How far a job has come; `is_there` says whether it had said so before.
    pub fn put_progress(&mut self, row: ProgressRow, is_there: bool) {
        put(&mut self.progress, row.job, row, is_there);
    }

    /// What an attempt said; `is_there` says whether it had said something before.
    pub fn put_log(&mut self, row: LogRow, is_there: bool) {
        put(&mut self.logs, row.token, row, is_there);
    }

    /// A signal; `is_there` says whether it was sent before.
    pub fn put_signal(&mut self, row: SignalRow, is_there: bool) {
        put(&mut self.signals, row.id, row, is_there);
    }

    /// A job waits for another one.
    pub fn insert_wait(&mut self, row: WaitRow) {
        self.waits.insert(row);
    }

    /// The limits of a queue; `is_there` says whether there are some in the file, unless this group has changed them before.
    pub fn put_limit(&mut self, row: LimitRow, is_there: bool) {
        let replaced = self.limits.entry(row.queue.clone()).or_insert(Replaced { is_there, row: None });
        replaced.row = Some(row);
    }

    /// Limits that are in the file are lifted, or those of this group.
    pub fn delete_limit(&mut self, queue: Arc<str>) {
        self.limits.entry(queue).or_insert(Replaced { is_there: true, row: None }).row = None;
    }

    /// The policy of a kind; `is_there` says whether there is one in the file, unless this group has changed it before.
    pub fn put_policy(&mut self, row: PolicyRow, is_there: bool) {
        let replaced = self.policies.entry(row.kind.clone()).or_insert(Replaced { is_there, row: None });
        replaced.row = Some(row);
    }

    /// A policy that is in the file is gone, or one of this group.
    pub fn delete_policy(&mut self, kind: Arc<str>) {
        self.policies.entry(kind).or_insert(Replaced { is_there: true, row: None }).row = None;
    }

    /// The job of a slot.
    pub async fn slot(&mut self, store: &mut impl Store, slot: &Slot) -> Result<Option<SlotRow>, StoreError> {
        match self.slots.get(slot) {
            Some(row) => Ok(Some(row.clone())),
            None => store.slot(slot).await,
        }
    }

    /// Up to `most` slots of a schedule that have their jobs, the latest first.
    pub async fn slots(
        &mut self,
        store: &mut impl Store,
        schedule: &str,
        most: usize,
    ) -> Result<Vec<SlotRow>, StoreError> {
        let mut slots = store.slots(schedule, most).await?;
        slots.extend(self.slots.values().filter(|row| row.slot.schedule == schedule).cloned());
        slots.sort_by_key(|row| Reverse(row.slot.at));
        slots.truncate(most);
        Ok(slots)
    }

    /// The row of slots of a schedule that were passed over, of which this was the first.
    pub async fn skip(
        &mut self,
        store: &mut impl Store,
        schedule: &Arc<str>,
        first: Wall,
    ) -> Result<Option<SkipRow>, StoreError> {
        match self.skips.get(&(schedule.clone(), first)) {
            Some(row) => Ok(Some(row.value.clone())),
            None => store.skip(schedule, first).await,
        }
    }

    /// Up to `most` rows of slots of a schedule that were passed over, the latest first.
    pub async fn skips(
        &mut self,
        store: &mut impl Store,
        schedule: &Arc<str>,
        most: usize,
    ) -> Result<Vec<SkipRow>, StoreError> {
        let mut skips = store.skips(schedule, most).await?;
        skips.retain(|row| !self.skips.contains_key(&(row.schedule.clone(), row.first)));
        skips.extend(self.skips.values().map(|row| row.value.clone()).filter(|row| row.schedule == *schedule));
        skips.sort_by_key(|row| Reverse(row.first));
        skips.truncate(most);
        Ok(skips)
    }

    /// A slot has its job.
    pub fn insert_slot(&mut self, row: SlotRow) {
        self.slots.insert(row.slot.clone(), row);
    }

    /// Slots that were passed over; `is_there` says whether some from the first of them on were before.
    pub fn put_skip(&mut self, row: SkipRow, is_there: bool) {
        put(&mut self.skips, (row.schedule.clone(), row.first), row, is_there);
    }

    /// A schedule; `is_there` says whether there is one in the file, unless this group has changed it before.
    pub fn put_schedule(&mut self, row: ScheduleRow, is_there: bool) {
        let replaced = self.schedules.entry(row.name.clone()).or_insert(Replaced { is_there, row: None });
        replaced.row = Some(row);
    }

    /// A schedule that is in the file is gone, or one of this group.
    pub fn delete_schedule(&mut self, name: Arc<str>) {
        self.schedules.entry(name).or_insert(Replaced { is_there: true, row: None }).row = None;
    }

    /// A pause; `is_there` says whether there is one in the file, unless this group has changed it before.
    pub fn put_pause(&mut self, row: PauseRow, is_there: bool) {
        let replaced = self.pauses.entry(row.key()).or_insert(Replaced { is_there, row: None });
        replaced.row = Some(row);
    }

    /// A pause that is in the file is over, or one of this group.
    pub fn delete_pause(&mut self, row: &PauseRow) {
        self.pauses.entry(row.key()).or_insert(Replaced { is_there: true, row: None }).row = None;
    }

    /// A new step.
    pub fn insert_step(&mut self, row: StepRow) {
        self.steps.insert((row.job, row.name.clone()), row);
    }

    /// An answer to remember.
    pub fn insert_request(&mut self, row: RequestRow) {
        self.requests.insert(row.id, row);
    }

    /// Whether answers are to be remembered that were not yet.
    pub fn remembers(&self) -> bool {
        !self.requests.is_empty()
    }

    /// What must be written, if anything: the new state, and the changes with it among them. With
    /// it, twice as many answers given before `forget_before` are forgotten as are remembered.
    pub fn into_changes(mut self, forget_before: Option<Steady>) -> Option<(FileState, Vec<Change>)> {
        let most = limits::PRUNE_REQUESTS_MAX.max(2 * self.requests.len());
        let ends = self.take_ends();
        let mut changes: Vec<Change> = changed(self.jobs, Change::InsertJob, Change::UpdateJob).collect();
        changes.extend(ends);
        changes.extend(changed(self.attempts, Change::InsertAttempt, Change::UpdateAttempt));
        changes.extend(self.failures.into_iter().map(Change::InsertFailure));
        changes.extend(changed(self.keys, Change::InsertKey, Change::UpdateKey));
        changes.extend(self.steps.into_values().map(Change::InsertStep));
        changes.extend(changed(self.progress, Change::InsertProgress, Change::UpdateProgress));
        changes.extend(changed(self.logs, Change::InsertLog, Change::UpdateLog));
        changes.extend(changed(self.signals, Change::InsertSignal, Change::UpdateSignal));
        changes.extend(self.waits.into_iter().map(Change::InsertWait));
        changes.extend(self.limits.into_iter().filter_map(|(queue, replaced)| {
            replaced.change(Change::InsertLimit, Change::UpdateLimit, || Change::DeleteLimit { queue })
        }));
        changes.extend(self.policies.into_iter().filter_map(|(kind, replaced)| {
            replaced.change(Change::InsertPolicy, Change::UpdatePolicy, || Change::DeletePolicy { kind })
        }));
        changes.extend(self.schedules.into_iter().filter_map(|(name, replaced)| {
            replaced.change(Change::InsertSchedule, Change::UpdateSchedule, || Change::DeleteSchedule { name })
        }));
        changes.extend(self.slots.into_values().map(Change::InsertSlot));
        changes.extend(changed(self.skips, Change::InsertSkip, Change::UpdateSkip));
        changes.extend(self.pauses.into_iter().filter_map(|((gate, is_down), replaced)| {
            replaced.change(Change::InsertPause, Change::UpdatePause, || Change::DeletePause { gate, is_down })
        }));
        changes.extend(self.requests.into_values().map(Change::InsertRequest));
        changes.extend(self.forgotten);
        if changes.is_empty() && !self.touched {
            return None;
        }
        if let Some(before) = forget_before {
            changes.push(Change::ForgetRequests { before, most });
        }
        changes.push(Change::PutState(self.state));
        Some((self.state, changes))
    }

    /// The rows of jobs that have ended.
    fn take_ends(&mut self) -> Vec<Change> {
        let (at, next) = (self.state.steady, self.state.next_end);
        let ended = self.jobs.values().filter(|row| has_ended(row)).map(|row| &row.value);
        let row = |(id, job): (i64, &Job)| {
            let finished_at = job.finished_at.expect("a terminal job has ended at some time");
            Change::InsertEnd(EndRow { id, job: job.id, state: job.state, at, finished_at })
        };
        let ends: Vec<Change> = (next..).zip(ended).map(row).collect();
        self.state.next_end += ends.len() as i64;
        ends
    }
}

/// Whether a job has ended in a group.
fn has_ended(row: &Row<Job>) -> bool {
    row.change != Dirt::Clean && row.value.state.is_terminal()
}
