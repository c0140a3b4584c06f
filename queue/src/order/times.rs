//! Jobs by the time at which something comes to pass for them.

use crate::job::{Due, JobId, Now, Steady, Wall};
use std::collections::BTreeSet;
use std::time::Duration;

/// Jobs by a time on two clocks, whichever comes first.
#[derive(Debug, Default)]
pub struct Times {
    steady: BTreeSet<(Steady, JobId)>,
    wall: BTreeSet<(Wall, JobId)>,
}

impl Times {
    /// Something comes to pass for a job then.
    pub fn insert(&mut self, due: Due, id: JobId) {
        self.steady.extend(due.steady.map(|steady| (steady, id)));
        self.wall.insert((due.wall, id));
    }

    /// It does not, if it ever did.
    pub fn remove(&mut self, due: Due, id: JobId) {
        if let Some(steady) = due.steady {
            self.steady.remove(&(steady, id));
        }
        self.wall.remove(&(due.wall, id));
    }

    /// A job whose time has come.
    pub fn first(&self, now: Now) -> Option<JobId> {
        let steady = self.steady.first().filter(|(at, _)| *at <= now.steady).map(|&(_, id)| id);
        steady.or_else(|| self.wall.first().filter(|(at, _)| *at <= now.wall).map(|&(_, id)| id))
    }

    /// Up to `most` jobs whose time has come.
    pub fn over(&self, now: Now, most: usize) -> Vec<JobId> {
        let steady = self.steady.iter().take_while(|(at, _)| *at <= now.steady).map(|&(_, id)| id);
        let wall = self.wall.iter().take_while(|(at, _)| *at <= now.wall).map(|&(_, id)| id);
        let ids: BTreeSet<JobId> = steady.take(most).chain(wall.take(most)).collect();
        ids.into_iter().take(most).collect()
    }

    /// How long until the next time comes, if no clock jumps.
    pub fn next(&self, now: Now) -> Option<Duration> {
        let steady = self.steady.first().map(|(at, _)| now.steady.until(*at));
        let wall = self.wall.first().map(|(at, _)| now.wall.until(*at));
        steady.into_iter().chain(wall).min()
    }

    /// Whether it holds no job.
    pub fn is_empty(&self) -> bool {
        self.wall.is_empty()
    }
}
