//! Who waits for whom: jobs for other jobs, and jobs for signals. An index over rows, as the order is.

use crate::job::JobId;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Who waits for whom.
#[derive(Debug, Default)]
pub struct Waits {
    /// For each job that waits for others, those that have not ended.
    open: BTreeMap<JobId, BTreeSet<JobId>>,
    /// For each job that others wait for, these.
    dependents: BTreeMap<JobId, BTreeSet<JobId>>,
    /// For each name of a signal, the jobs that wait for one.
    listeners: BTreeMap<Arc<str>, BTreeSet<JobId>>,
    /// For each of these, the name.
    heard: BTreeMap<JobId, Arc<str>>,
}

impl Waits {
    /// A job waits for others to end.
    pub fn wait_for_jobs(&mut self, job: JobId, on: BTreeSet<JobId>) {
        self.remove(job);
        for &other in &on {
            self.dependents.entry(other).or_default().insert(job);
        }
        self.open.insert(job, on);
    }

    /// A job waits for a signal.
    pub fn listen(&mut self, job: JobId, name: Arc<str>) {
        self.remove(job);
        self.listeners.entry(name.clone()).or_default().insert(job);
        self.heard.insert(job, name);
    }

    /// Of those for which a job waits, one has ended.
    pub fn met(&mut self, job: JobId, other: JobId) {
        if let Some(open) = self.open.get_mut(&job) {
            open.remove(&other);
            self.forget_dependent(other, job);
        }
    }

    /// A job waits for nothing of all this any more.
    pub fn remove(&mut self, job: JobId) {
        for other in self.open.remove(&job).unwrap_or_default() {
            self.forget_dependent(other, job);
        }
        if let Some(name) = self.heard.remove(&job)
            && let Some(listeners) = self.listeners.get_mut(&name)
        {
            listeners.remove(&job);
            if listeners.is_empty() {
                self.listeners.remove(&name);
            }
        }
    }

    /// The jobs that wait for this one.
    pub fn dependents(&self, job: JobId) -> impl Iterator<Item = JobId> {
        self.dependents.get(&job).into_iter().flatten().copied()
    }

    /// Those for which a job waits that have not ended.
    pub fn open(&self, job: JobId) -> impl Iterator<Item = JobId> {
        self.open.get(&job).into_iter().flatten().copied()
    }

    /// The jobs that wait for a signal of this name, the oldest job first.
    pub fn listeners(&self, name: &str) -> impl Iterator<Item = JobId> {
        self.listeners.get(name).into_iter().flatten().copied()
    }

    /// The first of these that is `to`, or waits for it, itself or by others.
    pub fn leading_to(&self, from: &BTreeSet<JobId>, to: JobId) -> Option<JobId> {
        let mut seen = BTreeSet::new();
        from.iter().copied().find(|&first| {
            let mut next = vec![first];
            while let Some(job) = next.pop() {
                if job == to {
                    return true;
                }
                if seen.insert(job) {
                    next.extend(self.open(job));
                }
            }
            false
        })
    }

    fn forget_dependent(&mut self, other: JobId, job: JobId) {
        if let Some(dependents) = self.dependents.get_mut(&other) {
            dependents.remove(&job);
            if dependents.is_empty() {
                self.dependents.remove(&other);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn id(number: i64) -> JobId {
        JobId(number)
    }

    fn set(numbers: &[i64]) -> BTreeSet<JobId> {
        numbers.iter().copied().map(JobId).collect()
    }

    #[test]
    fn whoever_ends_is_waited_for_no_more() {
        let mut waits = Waits::default();
        waits.wait_for_jobs(id(3), set(&[1, 2]));
        waits.wait_for_jobs(id(4), set(&[1]));
        assert_eq!(waits.dependents(id(1)).collect::<Vec<_>>(), [id(3), id(4)]);
        waits.met(id(3), id(1));
        assert_eq!(waits.open(id(3)).collect::<Vec<_>>(), [id(2)]);
        assert_eq!(waits.dependents(id(1)).collect::<Vec<_>>(), [id(4)]);
        waits.remove(id(4));
        waits.met(id(3), id(2));
        assert!(waits.dependents.is_empty(), "{waits:?}");
    }

    #[test]
    fn a_circle_is_found_through_others() {
        let mut waits = Waits::default();
        waits.wait_for_jobs(id(1), set(&[2]));
        waits.wait_for_jobs(id(2), set(&[3, 4]));
        waits.wait_for_jobs(id(4), set(&[3]));
        assert_eq!(waits.leading_to(&set(&[4, 1]), id(2)), Some(id(1)));
        assert_eq!(waits.leading_to(&set(&[1]), id(1)), Some(id(1)));
        assert_eq!(waits.leading_to(&set(&[1, 2]), id(3)), Some(id(1)), "the first one");
        assert_eq!(waits.leading_to(&set(&[3, 4]), id(1)), None);
        assert_eq!(waits.leading_to(&set(&[4]), id(2)), None);
    }

    #[test]
    fn a_job_listens_for_one_name() {
        let mut waits = Waits::default();
        waits.listen(id(1), "a".into());
        waits.listen(id(1), "b".into());
        assert_eq!((waits.listeners("a").count(), waits.listeners("b").count()), (0, 1));
        waits.wait_for_jobs(id(1), set(&[2]));
        assert!(waits.listeners.is_empty() && waits.heard.is_empty(), "{waits:?}");
    }
}
