//! What is runnable next: pure, in memory, rebuilt from the file at every opening.
//!
//! Within a queue a higher priority goes first, and among equals the older job; with ageing, what has waited for long
//! counts as of a higher priority. The order holds no truth of its own: it is an index over rows, and a row that
//! contradicts it wins.

mod gates;
mod keys;
mod times;
mod waits;

pub use gates::Gates;
pub use waits::Waits;

use crate::job::{Due, JobId, Now, Place, Steady, Wall};
use keys::{Keys, Shift};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;
use std::time::Duration;
use times::Times;

/// A place in line: lower goes first.
type Rank = (i64, JobId);

/// What the order must know of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The lane.
    pub queue: Arc<str>,
    /// The name of its handler.
    pub kind: Arc<str>,
    /// Higher goes first.
    pub priority: i16,
    /// With which others it shares slots, if its queue has so many for each such key.
    pub key: Option<Arc<str>>,
    /// From when on no attempt of it begins any more.
    pub deadline: Option<Due>,
    /// Whether it has crashed so often that it runs on no worker beside another such job.
    pub is_suspect: bool,
    /// What it waits for.
    pub stage: Stage,
}

/// The jobs of a queue and a kind that could run.
#[derive(Debug, Default)]
struct Line {
    plain: BTreeSet<Rank>,
    suspects: BTreeSet<Rank>,
}

impl Line {
    fn front(&self, with_suspects: bool) -> Option<Rank> {
        let suspect = self.suspects.first().filter(|_| with_suspects);
        self.plain.first().into_iter().chain(suspect).min().copied()
    }

    /// The next one behind a place.
    fn behind(&self, rank: Rank, with_suspects: bool) -> Option<Rank> {
        let next = |line: &BTreeSet<Rank>| line.range((Bound::Excluded(rank), Bound::Unbounded)).next().copied();
        let suspect = next(&self.suspects).filter(|_| with_suspects);
        next(&self.plain).into_iter().chain(suspect).min()
    }
}

/// Where a job that is not terminal stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Runnable once due.
    Waiting(Due),
    /// Waits for something else, until this time at the latest, if there is one.
    Held(Option<Due>),
    /// Leased until this time.
    Leased(Steady),
}

/// The index over all jobs that are not terminal.
#[derive(Debug, Default)]
pub struct Order {
    /// How long a job waits that then counts as of the next higher priority; none if it never does.
    ageing: Option<Duration>,
    entries: BTreeMap<JobId, Entry>,
    /// How many of them each queue has.
    counts: BTreeMap<Arc<str>, usize>,
    lines: BTreeMap<Arc<str>, BTreeMap<Arc<str>, Line>>,
    suspects: BTreeSet<JobId>,
    leased_suspects: BTreeSet<JobId>,
    timed: Times,
    /// Jobs in line that only the wall clock has put there: it may take them out again.
    lined_wall: BTreeSet<(Wall, JobId)>,
    leases: BTreeSet<(Steady, JobId)>,
    /// The jobs of each queue that are leased.
    leased: BTreeMap<Arc<str>, BTreeSet<JobId>>,
    keys: Keys,
    /// When what is held is held no longer.
    limits: Times,
    /// When it is too late for what waits.
    deadlines: Times,
}

impl Order {
    /// An order in which what waits ages, or does not.
    pub fn new(ageing: Option<Duration>) -> Self {
        Self { ageing, ..Self::default() }
    }

    /// Puts a job where it stands now, wherever it stood before.
    pub fn put(&mut self, id: JobId, entry: Entry, now: Now) {
        self.remove(id);
        if entry.is_suspect {
            self.suspects.insert(id);
        }
        match entry.stage {
            Stage::Waiting(due) if due.is_due(now) => {
                self.join_line(&entry, id);
                if !due.is_due_for_good(now) {
                    self.lined_wall.insert((due.wall, id));
                }
            }
            Stage::Waiting(due) => self.timed.insert(due, id),
            Stage::Held(Some(limit)) => self.limits.insert(limit, id),
            Stage::Held(None) => {}
            Stage::Leased(expires) => {
                self.leases.insert((expires, id));
                self.leased.entry(entry.queue.clone()).or_default().insert(id);
                if entry.is_suspect {
                    self.leased_suspects.insert(id);
                }
                if let Some(name) = entry.shares() {
                    let shifts = self.keys.run(&name, id);
                    self.shift(&entry.queue, shifts);
                }
            }
        }
        if let (Some(deadline), Stage::Waiting(_) | Stage::Held(_)) = (entry.deadline, entry.stage) {
            self.deadlines.insert(deadline, id);
        }
        *self.counts.entry(entry.queue.clone()).or_default() += 1;
        self.entries.insert(id, entry);
    }

    /// Forgets a job: it is terminal.
    pub fn remove(&mut self, id: JobId) {
        let Some(entry) = self.entries.remove(&id) else { return };
        if let Some(deadline) = entry.deadline {
            self.deadlines.remove(deadline, id);
        }
        match entry.stage {
            Stage::Waiting(due) => {
                self.timed.remove(due, id);
                self.lined_wall.remove(&(due.wall, id));
                self.leave_line(&entry, id);
            }
            Stage::Held(Some(limit)) => self.limits.remove(limit, id),
            Stage::Held(None) => {}
            Stage::Leased(expires) => {
                assert!(self.leases.remove(&(expires, id)), "job {id} had no lease");
                if let Some(leased) = self.leased.get_mut(&entry.queue) {
                    leased.remove(&id);
                    if leased.is_empty() {
                        self.leased.remove(&entry.queue);
                    }
                }
                if let Some(name) = entry.shares() {
                    let shifts = self.keys.stop(&name, id);
                    self.shift(&entry.queue, shifts);
                }
            }
        }
        self.suspects.remove(&id);
        self.leased_suspects.remove(&id);
        self.uncount(&entry.queue);
    }

    /// Lets so many jobs of a key be leased at once in a queue.
    pub fn limit_keys(&mut self, queue: &Arc<str>, at_once: Option<u32>) {
        let shifts = self.keys.limit(queue, at_once.map(|at_once| at_once as usize));
        self.shift(queue, shifts);
    }

    /// Moves every job whose time has come into its line, and out of it again every job whose time
    /// is still to come because the wall clock ran back.
    pub fn advance(&mut self, now: Now) {
        while let Some(id) = self.last_lined_too_early(now).or_else(|| self.timed.first(now)) {
            let entry = self.entries[&id].clone();
            self.put(id, entry, now);
        }
    }

    /// The job that goes first among these queues and kinds, of those that let any through; a suspect only if it may be one.
    /// Call [`advance`](Order::advance) first.
    pub fn first(
        &self,
        queues: &[Arc<str>],
        kinds: &[Arc<str>],
        with_suspects: bool,
        is_open: impl Fn(&str, &str) -> bool,
    ) -> Option<JobId> {
        let front = |queue: &Arc<str>, kind: &Arc<str>| self.lines.get(queue)?.get(kind)?.front(with_suspects);
        let all = queues.iter().flat_map(|queue| kinds.iter().map(move |kind| (queue, kind)));
        let fronts = all.filter_map(|(queue, kind)| front(queue, kind).filter(|_| is_open(queue, kind)));
        fronts.min().map(|(_, id)| id)
    }

    /// The job of this kind that stands next behind `job`, among the queues that let any through.
    pub fn behind(
        &self,
        job: JobId,
        queues: &[Arc<str>],
        kind: &Arc<str>,
        with_suspects: bool,
        is_open: impl Fn(&str, &str) -> bool,
    ) -> Option<JobId> {
        let rank = self.rank(self.entries.get(&job)?, job);
        let lines =
            queues.iter().filter(|queue| is_open(queue, kind)).filter_map(|queue| self.lines.get(queue)?.get(kind));
        lines.filter_map(|line| line.behind(rank, with_suspects)).min().map(|(_, id)| id)
    }

    /// Jobs of the same queue that go before `id`, counted up to `most`.
    pub fn ahead(&self, id: JobId, most: u64) -> Place {
        let Some(entry) = self.entries.get(&id) else { return Place::Exactly(0) };
        let rank = self.rank(entry, id);
        let lines = self.lines.get(&entry.queue).into_iter().flat_map(BTreeMap::values);
        let lines = lines.flat_map(|line| [&line.plain, &line.suspects]);
        count_up_to(lines.chain(self.keys.back(&entry.queue)).flat_map(|line| line.range(..rank)), most)
    }

    /// Jobs of the same queue and concurrency key that go before `id`, counted up to `most`.
    pub fn ahead_of_key(&self, id: JobId, most: u64) -> Place {
        let entry = self.entries.get(&id);
        let Some((entry, key)) = entry.and_then(|entry| Some((entry, entry.key.as_ref()?))) else {
            return Place::Exactly(0);
        };
        count_up_to(self.keys.ahead(&entry.queue, key, self.rank(entry, id)), most)
    }

    /// The suspects that are leased.
    pub fn leased_suspects(&self) -> impl Iterator<Item = JobId> {
        self.leased_suspects.iter().copied()
    }

    /// The queues that have jobs.
    pub fn queues(&self) -> impl Iterator<Item = &Arc<str>> {
        self.counts.keys()
    }

    /// How many jobs a queue has.
    pub fn count(&self, queue: &str) -> usize {
        self.counts.get(queue).copied().unwrap_or_default()
    }

    /// How many jobs of a queue are leased.
    pub fn leased(&self, queue: &str) -> usize {
        self.leased.get(queue).map_or(0, BTreeSet::len)
    }

    /// The jobs of a queue that are leased; with a key, those of that concurrency key.
    pub fn holders(&self, queue: &Arc<str>, key: Option<&Arc<str>>) -> Vec<JobId> {
        match key {
            Some(key) => self.keys.running(queue, key).collect(),
            None => self.leased.get(queue).into_iter().flatten().copied().collect(),
        }
    }

    /// Up to `most` jobs whose leases have expired, the longest expired first.
    pub fn expired(&self, now: Now, most: usize) -> Vec<JobId> {
        self.leases.iter().take_while(|(expires, _)| *expires <= now.steady).take(most).map(|&(_, id)| id).collect()
    }

    /// Up to `most` jobs that were held and are held no longer, because their time is over.
    pub fn over(&self, now: Now, most: usize) -> Vec<JobId> {
        self.limits.over(now, most)
    }

    /// Up to `most` jobs that wait, and for which it is too late.
    pub fn too_late(&self, now: Now, most: usize) -> Vec<JobId> {
        self.deadlines.over(now, most)
    }

    /// How long until the next lease expires or the next job becomes runnable, if no clock jumps.
    pub fn next_event(&self, now: Now) -> Option<Duration> {
        let leases = self.leases.first().map(|(at, _)| now.steady.until(*at));
        let times = [&self.timed, &self.limits, &self.deadlines];
        times.into_iter().filter_map(|times| times.next(now)).chain(leases).min()
    }

    /// Whether any lease is live or expired but not yet taken back.
    pub fn has_leases(&self) -> bool {
        !self.leases.is_empty()
    }

    /// Whether any job waits for a time.
    pub fn has_timed(&self) -> bool {
        !self.timed.is_empty()
    }

    /// Everything that is in the order, by job.
    pub fn entries(&self) -> &BTreeMap<JobId, Entry> {
        &self.entries
    }

    fn last_lined_too_early(&self, now: Now) -> Option<JobId> {
        self.lined_wall.last().filter(|(at, _)| *at > now.wall).map(|&(_, id)| id)
    }

    fn uncount(&mut self, queue: &str) {
        let count = self.counts.get_mut(queue).expect("what is in the order is counted");
        *count -= 1;
        if *count == 0 {
            self.counts.remove(queue);
        }
    }

    /// The place in line of a job.
    ///
    /// A job counts as of one priority more for each `ageing` since it was due. All of them age alike, so who goes before
    /// whom does not change with time, and a rank is fixed when a job is due.
    fn rank(&self, entry: &Entry, id: JobId) -> Rank {
        let priority = i64::from(entry.priority);
        let place = match (self.ageing, entry.stage) {
            (None, _) => -priority,
            (Some(ageing), Stage::Waiting(due)) => {
                let worth = i64::try_from(ageing.as_millis()).unwrap_or(i64::MAX).saturating_mul(priority);
                due.wall.0.saturating_sub(worth)
            }
            // It is in no line.
            (Some(_), Stage::Held(_) | Stage::Leased(_)) => i64::MAX,
        };
        (place, id)
    }

    fn join_line(&mut self, entry: &Entry, id: JobId) {
        let rank = self.rank(entry, id);
        match entry.shares() {
            Some(name) => {
                let shifts = self.keys.enter(&name, &entry.kind, rank);
                self.shift(&entry.queue, shifts);
            }
            None => self.come(&entry.queue, entry.kind.clone(), rank),
        }
    }

    fn leave_line(&mut self, entry: &Entry, id: JobId) {
        let rank = self.rank(entry, id);
        match entry.shares() {
            Some(name) => {
                let shifts = self.keys.leave(&name, &entry.kind, rank);
                self.shift(&entry.queue, shifts);
            }
            None => self.go(&entry.queue, &entry.kind, rank),
        }
    }

    /// Lets jobs come into the lines of a queue, or leave them.
    fn shift(&mut self, queue: &Arc<str>, shifts: Vec<Shift>) {
        for Shift { kind, rank, comes } in shifts {
            if comes {
                self.come(queue, kind, rank);
            } else {
                self.go(queue, &kind, rank);
            }
        }
    }

    fn come(&mut self, queue: &Arc<str>, kind: Arc<str>, rank: Rank) {
        let is_suspect = self.suspects.contains(&rank.1);
        let line = self.lines.entry(queue.clone()).or_default().entry(kind).or_default();
        if is_suspect { &mut line.suspects } else { &mut line.plain }.insert(rank);
    }

    fn go(&mut self, queue: &str, kind: &str, rank: Rank) {
        let Some(kinds) = self.lines.get_mut(queue) else { return };
        if let Some(line) = kinds.get_mut(kind) {
            if !line.plain.remove(&rank) {
                line.suspects.remove(&rank);
            }
            if line.plain.is_empty() && line.suspects.is_empty() {
                kinds.remove(kind);
            }
        }
        if kinds.is_empty() {
            self.lines.remove(queue);
        }
    }
}

impl Entry {
    /// The queue and the key with whose jobs it shares slots.
    fn shares(&self) -> Option<(Arc<str>, Arc<str>)> {
        self.key.as_ref().map(|key| (self.queue.clone(), key.clone()))
    }
}

fn count_up_to<T>(items: impl Iterator<Item = T>, most: u64) -> Place {
    let count = items.take(usize::try_from(most).unwrap_or(usize::MAX)).count() as u64;
    if count == most { Place::AtLeast(most) } else { Place::Exactly(count) }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
