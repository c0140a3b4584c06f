//! What is runnable next: pure, in memory, rebuilt from the file at every opening.
//!
//! Within a queue a higher priority goes first, and among equals the older job. The order holds no
//! truth of its own: it is an index over rows, and a row that contradicts it wins.

mod waits;

pub use waits::Waits;

use crate::job::{Due, JobId, Now, Place, Steady, Wall};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
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
                self.line_mut(&entry).insert((Reverse(entry.priority), id));
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
            Stage::Leased(expires) => self.leases.extend([(expires, id)]),
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
            Stage::Leased(expires) => assert!(self.leases.remove(&(expires, id)), "job {id} had no lease"),
        }
    }

    /// Moves every job whose time has come into its line, and out of it again every job whose time
    /// is still to come because the wall clock ran back.
    pub fn advance(&mut self, now: Now) {
        while let Some(id) = self.last_lined_too_early(now).or_else(|| self.first_timed(now)) {
            let entry = self.entries[&id].clone();
            self.put(id, entry, now);
        }
    }

    /// The job that goes first among these queues and kinds. Call [`advance`](Order::advance) first.
    pub fn first(&self, queues: &[Arc<str>], kinds: &[Arc<str>]) -> Option<JobId> {
        let lines = queues.iter().filter_map(|queue| self.lines.get(queue));
        let fronts = lines.flat_map(|line| kinds.iter().filter_map(|kind| line.get(kind)?.first()));
        fronts.min().map(|&(_, id)| id)
    }

    /// Jobs of the same queue that go before `id`, counted up to `most`.
    pub fn ahead(&self, id: JobId, most: u64) -> Place {
        let Some(entry) = self.entries.get(&id) else { return Place::Exactly(0) };
        let rank = (Reverse(entry.priority), id);
        let ranks = self.lines.get(&entry.queue).into_iter().flat_map(BTreeMap::values);
        let mut count: u64 = 0;
        for line in ranks {
            count += line.range(..rank).take(usize::try_from(most - count).unwrap_or(usize::MAX)).count() as u64;
            if count == most {
                return Place::AtLeast(most);
            }
        }
        Place::Exactly(count)
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

    fn line_mut(&mut self, entry: &Entry) -> &mut BTreeSet<Rank> {
        self.lines.entry(entry.queue.clone()).or_default().entry(entry.kind.clone()).or_default()
    }

    fn leave_line(&mut self, entry: &Entry, id: JobId) {
        let Some(kinds) = self.lines.get_mut(&entry.queue) else { return };
        if let Some(line) = kinds.get_mut(&entry.kind) {
            line.remove(&(Reverse(entry.priority), id));
            if line.is_empty() {
                kinds.remove(&entry.kind);
            }
        }
        if kinds.is_empty() {
            self.lines.remove(&entry.queue);
        }
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
