//! How long a job rests after a failure or a crash.

use crate::limits;
use std::time::Duration;

/// Exponential backoff with jitter: the n-th rest is drawn from the upper half of
/// `first × 2ⁿ⁻¹`, capped at `longest`.
///
/// The upper half, rather than all of it: a retry that follows at once helps nobody. Source of the
/// idea: M. Brooker, "Exponential Backoff And Jitter", 2015 ("equal jitter").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// The first rest, before jitter.
    pub first: Duration,
    /// The longest rest, before jitter.
    pub longest: Duration,
}

/// What is decided for every job by the file's [`Options`](crate::Options).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Rest after a failure, unless the failure says otherwise.
    pub backoff: Backoff,
    /// Rest after a crash. With its jitter it separates suspects that were killed together.
    pub crash_backoff: Backoff,
    /// Crashes after which a job is quarantined.
    pub crashes_max: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            backoff: Backoff { first: Duration::from_secs(2), longest: Duration::from_secs(3600) },
            crash_backoff: Backoff { first: Duration::from_secs(1), longest: Duration::from_secs(300) },
            crashes_max: limits::CRASHES_DEFAULT,
        }
    }
}

impl Backoff {
    /// The rest after the `count`-th failure (1, 2, …). `random` decides the jitter.
    pub fn rest(self, count: u32, random: u64) -> Duration {
        let doublings = count.saturating_sub(1).min(40);
        let full = self.first.saturating_mul(1 << doublings.min(31)).min(self.longest).min(limits::DELAY_MAX);
        let half = u64::try_from(full.as_millis() / 2).unwrap_or(u64::MAX / 2);
        full.saturating_sub(Duration::from_millis(half)) + Duration::from_millis(random % (half + 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BACKOFF: Backoff = Backoff { first: Duration::from_secs(2), longest: Duration::from_secs(60) };

    #[test]
    fn a_rest_doubles_up_to_the_longest() {
        let longest = |count| BACKOFF.rest(count, 2_000_000_000);
        for (count, seconds) in [(1, 2), (2, 4), (3, 8), (6, 60), (1_000, 60)] {
            let (low, high) = (Duration::from_secs(seconds) / 2, Duration::from_secs(seconds));
            assert!((low..=high).contains(&longest(count)), "{count}");
        }
    }

    #[test]
    fn jitter_spreads_over_the_upper_half() {
        let rests: Vec<u128> = (0..=1_000).map(|random| BACKOFF.rest(1, random).as_millis()).collect();
        assert_eq!(rests.iter().min(), Some(&1_000));
        assert_eq!(rests.iter().max(), Some(&2_000));
    }
}
