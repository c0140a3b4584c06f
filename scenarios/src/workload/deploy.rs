//! A new version of the program, which has a kind of job that the one before does not know.

use super::intent::KINDS;
use outlive_sim::Fork;
use std::time::Duration;

/// When the version changes that workers are of.
#[derive(Clone, Debug)]
pub struct Deploy {
    /// The kind that only the new version knows. Its jobs are enqueued from the beginning.
    pub kind: String,
    /// When it comes, is taken back, comes again, …: in order. The last one brings it in any case.
    pub changes: Vec<Duration>,
}

impl Deploy {
    /// The deploy of a run whose faults end then.
    pub fn draw(fork: Fork, faults_end: Duration) -> Self {
        let mut rng = fork.rng();
        let kind = (*rng.pick(&KINDS)).to_owned();
        let half = u64::try_from(faults_end.as_millis() / 2).expect("a run is short");
        let mut changes = vec![Duration::from_millis(rng.between(1_000..=half))];
        if rng.chance(0.3) {
            for _ in 0..2 {
                let last = changes[changes.len() - 1];
                changes.push(last + Duration::from_millis(rng.between(1_000..=6_000)));
            }
        }
        Self { kind, changes }
    }

    /// The kind that the version of this time does not know, if there is one.
    pub fn unknown_at(&self, time: Duration) -> Option<&str> {
        let changes = self.changes.iter().filter(|change| **change <= time).count();
        let is_known = changes % 2 == 1 || changes == self.changes.len();
        (!is_known).then_some(&*self.kind)
    }

    /// When the version changes next.
    pub fn next_after(&self, time: Duration) -> Option<Duration> {
        self.changes.iter().copied().find(|change| *change > time)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_comes_is_taken_back_and_comes_again() {
        let seconds = |seconds: &[u64]| seconds.iter().map(|it| Duration::from_secs(*it)).collect();
        let deploy = |changes: &[u64]| Deploy { kind: "beta".into(), changes: seconds(changes) };
        let knows = |deploy: &Deploy, time: u64| deploy.unknown_at(Duration::from_secs(time)).is_none();
        let thrice = deploy(&[3, 5, 8]);
        assert_eq!(
            [2, 3, 4, 5, 7, 8, 90].map(|time| knows(&thrice, time)),
            [false, true, true, false, false, true, true]
        );
        assert_eq!(thrice.next_after(Duration::from_secs(3)), Some(Duration::from_secs(5)));
        assert_eq!(thrice.next_after(Duration::from_secs(8)), None);
        assert!(knows(&deploy(&[3, 5]), 6), "what is left out of a story leaves nobody without the new version");
    }
}
