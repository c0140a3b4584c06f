//! How long a job rests after a failure or a crash, how often it is tried, and for how long.

use crate::limits;
use crate::written;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;

/// How long a job rests before it is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Backoff {
    /// Longer each time, with jitter: the n-th rest is drawn from the upper half of `first × 2ⁿ⁻¹`, capped at `longest`.
    ///
    /// The upper half, rather than all of it: a retry that follows at once helps nobody. Source of the
    /// idea: M. Brooker, "Exponential Backoff And Jitter", 2015 ("equal jitter").
    Exponential {
        /// The first rest, before jitter; in milliseconds where it is written.
        #[serde(rename = "first_ms", with = "in_ms")]
        first: Duration,
        /// The longest rest, before jitter.
        #[serde(rename = "longest_ms", with = "in_ms")]
        longest: Duration,
    },
    /// The same time each time.
    Fixed {
        /// The rest; in milliseconds where it is written.
        #[serde(rename = "rest_ms", with = "in_ms")]
        rest: Duration,
    },
}

/// Durations as whole milliseconds.
mod in_ms {
    use serde::{Deserialize, Deserializer, Serializer};
    use std::time::Duration;

    pub fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(crate::job::milliseconds(*duration).cast_unsigned())
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        u64::deserialize(deserializer).map(Duration::from_millis)
    }
}

/// What is decided for the jobs of a kind, where it differs from what is decided for all. Durations are in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// Rest after a failure, unless the failure says otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backoff: Option<Backoff>,
    /// Failures after which a job is discarded, unless its enqueue says otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_attempts: Option<u32>,
    /// The time from its enqueue after which no attempt of a job begins, unless its enqueue says otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_age_ms: Option<u64>,
    /// The longest time that an attempt may take, by steady time, from its start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
    /// Crashes after which a job is quarantined.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crashes_max: Option<u32>,
}

impl Policy {
    /// Whether it decides anything.
    pub fn decides_something(&self) -> bool {
        *self != Self::default()
    }
}

/// The policy of a kind, as its row has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyRow {
    /// Which kind.
    pub kind: Arc<str>,
    /// What is decided for its jobs.
    pub policy: Policy,
}

/// What is decided for every job by the file's [`Options`](crate::Options), unless the [`Policy`] of its kind says otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Rest after a failure, unless the failure says otherwise.
    #[serde(deserialize_with = "written::backoff")]
    pub backoff: Backoff,
    /// Rest after a crash. With its jitter it separates suspects that were killed together.
    #[serde(deserialize_with = "written::backoff")]
    pub crash_backoff: Backoff,
    /// Crashes after which a job is quarantined.
    pub crashes_max: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            backoff: Backoff::Exponential { first: Duration::from_secs(2), longest: Duration::from_secs(3600) },
            crash_backoff: Backoff::Exponential { first: Duration::from_secs(1), longest: Duration::from_secs(300) },
            crashes_max: limits::CRASHES_DEFAULT,
        }
    }
}

impl Limits {
    /// What is decided for a job of a kind that has this policy.
    pub fn with(self, policy: &Policy) -> Self {
        let backoff = policy.backoff.unwrap_or(self.backoff);
        Self { backoff, crashes_max: policy.crashes_max.unwrap_or(self.crashes_max), ..self }
    }
}

impl Backoff {
    /// The first rest, before jitter.
    pub const fn first(self) -> Duration {
        match self {
            Self::Exponential { first, .. } | Self::Fixed { rest: first } => first,
        }
    }

    /// The rest after the `count`-th failure (1, 2, …). `random` decides the jitter.
    pub fn rest(self, count: u32, random: u64) -> Duration {
        let (first, longest) = match self {
            Self::Exponential { first, longest } => (first, longest),
            Self::Fixed { rest } => return rest.min(limits::DELAY_MAX),
        };
        let doublings = count.saturating_sub(1).min(40);
        let full = first.saturating_mul(1 << doublings.min(31)).min(longest).min(limits::DELAY_MAX);
        let half = u64::try_from(full.as_millis() / 2).unwrap_or(u64::MAX / 2);
        full.saturating_sub(Duration::from_millis(half)) + Duration::from_millis(random % (half + 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BACKOFF: Backoff = Backoff::Exponential { first: Duration::from_secs(2), longest: Duration::from_secs(60) };

    #[test]
    fn a_rest_doubles_up_to_the_longest() {
        let longest = |count| BACKOFF.rest(count, 2_000_000_000);
        for (count, seconds) in [(1, 2), (2, 4), (3, 8), (6, 60), (1_000, 60)] {
            let (low, high) = (Duration::from_secs(seconds) / 2, Duration::from_secs(seconds));
            assert!((low..=high).contains(&longest(count)), "{count}");
        }
    }

    #[test]
    fn a_fixed_rest_is_always_the_same() {
        let fixed = Backoff::Fixed { rest: Duration::from_secs(5) };
        for count in [1, 2, 1_000] {
            assert_eq!(fixed.rest(count, u64::MAX), Duration::from_secs(5));
        }
    }

    #[test]
    fn jitter_spreads_over_the_upper_half() {
        let rests: Vec<u128> = (0..=1_000).map(|random| BACKOFF.rest(1, random).as_millis()).collect();
        assert_eq!(rests.iter().min(), Some(&1_000));
        assert_eq!(rests.iter().max(), Some(&2_000));
    }
}
