//! What is runnable next: pure, in memory, rebuilt from the file at every opening.
//!
//! Within a queue a higher priority goes first, and among equals the older job. The order holds no
//! truth of its own: it is an index over rows, and a row that contradicts it wins.

mod gates;
mod keys;
mod waits;

pub use gates::Gates;
pub use waits::Waits;

use crate::job::{Due, JobId, Now, Place, Steady, Wall};
use keys::{Keys, Shift};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;
use std::time::Duration;

/// A place in line: lower goes first.
type Rank = (Reverse<i16>, JobId);

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
    /// What it waits for.
    pub stage: Stage,
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
    entries: BTreeMap<JobId, Entry>,
    lines: BTreeMap<Arc<str>, BTreeMap<Arc<str>, BTreeSet<Rank>>>,
    timed_steady: BTreeSet<(Steady, JobId)>,
    timed_wall: BTreeSet<(Wall, JobId)>,
    /// Jobs in line that only the wall clock has put there: it may take them out again.
    lined_wall: BTreeSet<(Wall, JobId)>,
    leases: BTreeSet<(Steady, JobId)>,
    /// The jobs of each queue that are leased.
    leased: BTreeMap<Arc<str>, BTreeSet<JobId>>,
    keys: Keys,
    /// When what is held is held no longer.
    limits_steady: BTreeSet<(Steady, JobId)>,
    limits_wall: BTreeSet<(Wall, JobId)>,
}

impl Order {
    /// Puts a job where it stands now, wherever it stood before.
    pub fn put(&mut self, id: JobId, entry: Entry, now: Now) {
        self.remove(id);
        match entry.stage {
            Stage::Waiting(due) if due.is_due(now) => {
                self.join_line(&entry, id);
                if !due.is_due_for_good(now) {
                    self.lined_wall.insert((due.wall, id));
                }
            }
            Stage::Waiting(due) => {
                self.timed_steady.extend(due.steady.map(|steady| (steady, id)));
                self.timed_wall.insert((due.wall, id));
            }
            Stage::Held(limit) => {
                self.limits_steady.extend(limit.and_then(|due| due.steady).map(|steady| (steady, id)));
                self.limits_wall.extend(limit.map(|due| (due.wall, id)));
            }
            Stage::Leased(expires) => {
                self.leases.insert((expires, id));
                self.leased.entry(entry.queue.clone()).or_default().insert(id);
                if let Some(name) = entry.shares() {
                    let shifts = self.keys.run(&name, id);
                    self.shift(&entry.queue, shifts);
                }
            }
        }
        self.entries.insert(id, entry);
    }

    /// Forgets a job: it is terminal.
    pub fn remove(&mut self, id: JobId) {
        let Some(entry) = self.entries.remove(&id) else { return };
        match entry.stage {
            Stage::Waiting(due) => {
                if let Some(steady) = due.steady {
                    self.timed_steady.remove(&(steady, id));
                }
                self.timed_wall.remove(&(due.wall, id));
                self.lined_wall.remove(&(due.wall, id));
                self.leave_line(&entry, id);
            }
            Stage::Held(limit) => {
                if let Some(steady) = limit.and_then(|due| due.steady) {
                    self.limits_steady.remove(&(steady, id));
                }
                if let Some(due) = limit {
                    self.limits_wall.remove(&(due.wall, id));
                }
            }
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
    }

    /// Lets so many jobs of a key be leased at once in a queue.
    pub fn limit_keys(&mut self, queue: &Arc<str>, at_once: Option<u32>) {
        let shifts = self.keys.limit(queue, at_once.map(|at_once| at_once as usize));
        self.shift(queue, shifts);
    }

    /// Moves every job whose time has come into its line, and out of it again every job whose time
    /// is still to come because the wall clock ran back.
    pub fn advance(&mut self, now: Now) {
        while let Some(id) = self.last_lined_too_early(now).or_else(|| self.first_timed(now)) {
            let entry = self.entries[&id].clone();
            self.put(id, entry, now);
        }
    }

    /// The job that goes first among these queues and kinds, of those that let any through. Call
    /// [`advance`](Order::advance) first.
    pub fn first(
        &self,
        queues: &[Arc<str>],
        kinds: &[Arc<str>],
        is_open: impl Fn(&str, &str) -> bool,
    ) -> Option<JobId> {
        let lines = queues.iter().filter_map(|queue| Some((queue, self.lines.get(queue)?)));
        let of_kinds = |(queue, line)| kinds.iter().filter_map(move |kind| Some((queue, kind, front(line, kind)?)));
        let fronts = lines.flat_map(of_kinds).filter(|(queue, kind, _)| is_open(queue, kind));
        fronts.map(|(_, _, rank)| rank).min().map(|(_, id)| id)
    }

    /// The job of this kind that stands next behind `job`, among the queues that let any through.
    pub fn behind(
        &self,
        job: JobId,
        queues: &[Arc<str>],
        kind: &Arc<str>,
        is_open: impl Fn(&str, &str) -> bool,
    ) -> Option<JobId> {
        let rank = self.entries.get(&job)?.rank(job);
        let lines =
            queues.iter().filter(|queue| is_open(queue, kind)).filter_map(|queue| self.lines.get(queue)?.get(kind));
        let next = |line: &BTreeSet<Rank>| line.range((Bound::Excluded(rank), Bound::Unbounded)).next().copied();
        lines.filter_map(next).min().map(|(_, id)| id)
    }

    /// Jobs of the same queue that go before `id`, counted up to `most`.
    pub fn ahead(&self, id: JobId, most: u64) -> Place {
        let Some(entry) = self.entries.get(&id) else { return Place::Exactly(0) };
        let rank = entry.rank(id);
        let lines = self.lines.get(&entry.queue).into_iter().flat_map(BTreeMap::values);
        count_up_to(lines.chain(self.keys.back(&entry.queue)).flat_map(|line| line.range(..rank)), most)
    }

    /// Jobs of the same queue and concurrency key that go before `id`, counted up to `most`.
    pub fn ahead_of_key(&self, id: JobId, most: u64) -> Place {
        let entry = self.entries.get(&id);
        let Some((entry, key)) = entry.and_then(|entry| Some((entry, entry.key.as_ref()?))) else {
            return Place::Exactly(0);
        };
        count_up_to(self.keys.ahead(&entry.queue, key, entry.rank(id)), most)
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
        let steady = self.limits_steady.iter().take_while(|(at, _)| *at <= now.steady).map(|&(_, id)| id);
        let wall = self.limits_wall.iter().take_while(|(at, _)| *at <= now.wall).map(|&(_, id)| id);
        let ids: BTreeSet<JobId> = steady.take(most).chain(wall.take(most)).collect();
        ids.into_iter().take(most).collect()
    }

    /// How long until the next lease expires or the next job becomes runnable, if no clock jumps.
    pub fn next_event(&self, now: Now) -> Option<Duration> {
        let steady = [self.leases.first(), self.timed_steady.first(), self.limits_steady.first()];
        let steady = steady.into_iter().flatten().map(|(at, _)| now.steady.until(*at));
        let wall = [self.timed_wall.first(), self.limits_wall.first()];
        let wall = wall.into_iter().flatten().map(|(at, _)| now.wall.until(*at));
        steady.chain(wall).min()
    }

    /// Whether any lease is live or expired but not yet taken back.
    pub fn has_leases(&self) -> bool {
        !self.leases.is_empty()
    }

    /// Whether any job waits for a time.
    pub fn has_timed(&self) -> bool {
        !self.timed_wall.is_empty()
    }

    /// Everything that is in the order, by job.
    pub fn entries(&self) -> &BTreeMap<JobId, Entry> {
        &self.entries
    }

    fn first_timed(&self, now: Now) -> Option<JobId> {
        let steady = self.timed_steady.first().filter(|(at, _)| *at <= now.steady).map(|&(_, id)| id);
        steady.or_else(|| self.timed_wall.first().filter(|(at, _)| *at <= now.wall).map(|&(_, id)| id))
    }

    fn last_lined_too_early(&self, now: Now) -> Option<JobId> {
        self.lined_wall.last().filter(|(at, _)| *at > now.wall).map(|&(_, id)| id)
    }

    fn join_line(&mut self, entry: &Entry, id: JobId) {
        match entry.shares() {
            Some(name) => {
                let shifts = self.keys.enter(&name, &entry.kind, entry.rank(id));
                self.shift(&entry.queue, shifts);
            }
            None => self.come(&entry.queue, entry.kind.clone(), entry.rank(id)),
        }
    }

    fn leave_line(&mut self, entry: &Entry, id: JobId) {
        match entry.shares() {
            Some(name) => {
                let shifts = self.keys.leave(&name, &entry.kind, entry.rank(id));
                self.shift(&entry.queue, shifts);
            }
            None => self.go(&entry.queue, &entry.kind, entry.rank(id)),
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
        self.lines.entry(queue.clone()).or_default().entry(kind).or_default().insert(rank);
    }

    fn go(&mut self, queue: &str, kind: &str, rank: Rank) {
        let Some(kinds) = self.lines.get_mut(queue) else { return };
        if let Some(line) = kinds.get_mut(kind) {
            line.remove(&rank);
            if line.is_empty() {
                kinds.remove(kind);
            }
        }
        if kinds.is_empty() {
            self.lines.remove(queue);
        }
    }
}

impl Entry {
    /// Its place in line.
    fn rank(&self, id: JobId) -> Rank {
        (Reverse(self.priority), id)
    }

    /// The queue and the key with whose jobs it shares slots.
    fn shares(&self) -> Option<(Arc<str>, Arc<str>)> {
        self.key.as_ref().map(|key| (self.queue.clone(), key.clone()))
    }
}

fn front(line: &BTreeMap<Arc<str>, BTreeSet<Rank>>, kind: &str) -> Option<Rank> {
    line.get(kind)?.first().copied()
}

fn count_up_to<T>(items: impl Iterator<Item = T>, most: u64) -> Place {
    let count = items.take(usize::try_from(most).unwrap_or(usize::MAX)).count() as u64;
    if count == most { Place::AtLeast(most) } else { Place::Exactly(count) }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
