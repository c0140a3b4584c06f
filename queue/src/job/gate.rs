//! What a job must pass before it may run, beside its time and its turn: limits of its queue, and pauses of its queue
//! and of its kind. All of it is in the file, so that it outlives whoever asked for it.

use super::{Due, JobId, Now, Steady, Token, Wall};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// What can be paused: a queue, or a kind of job in all queues.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Gate {
    /// All jobs of this queue pass it.
    Queue(String),
    /// All jobs of this kind pass it.
    Kind(String),
}

impl Gate {
    /// The gate of a queue.
    pub fn queue(name: impl Into<String>) -> Self {
        Self::Queue(name.into())
    }

    /// The gate of a kind.
    pub fn kind(name: impl Into<String>) -> Self {
        Self::Kind(name.into())
    }

    /// The word for what it is the gate of.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Queue(_) => "queue",
            Self::Kind(_) => "kind",
        }
    }

    /// The name of what it is the gate of.
    pub fn name(&self) -> &str {
        match self {
            Self::Queue(name) | Self::Kind(name) => name,
        }
    }

    /// The gate of what this word and name stand for.
    pub fn parse(word: &str, name: &str) -> Option<Self> {
        match word {
            "queue" => Some(Self::queue(name)),
            "kind" => Some(Self::kind(name)),
            _ => None,
        }
    }
}

impl fmt::Display for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?}", self.word(), self.name())
    }
}

/// How many jobs may begin in some time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rate {
    /// This many attempts …
    pub jobs: u32,
    /// … in so many milliseconds of steady time.
    pub per_ms: u64,
    /// How many of them may begin at once after a rest. With 1, as it is if nothing is said, they are spaced evenly.
    #[serde(default = "one")]
    pub burst: u32,
}

const fn one() -> u32 {
    1
}

impl Rate {
    /// The time from one attempt to the next, in nanoseconds, rounded up: never more than were asked for.
    fn interval_ns(self) -> i64 {
        let period = u128::from(self.per_ms) * 1_000_000;
        i64::try_from(period.div_ceil(u128::from(self.jobs.max(1)))).unwrap_or(i64::MAX)
    }

    /// For how much longer than an empty bucket lasts one may begin all the same.
    fn tolerance_ns(self) -> i64 {
        self.interval_ns().saturating_mul(i64::from(self.burst.max(1)) - 1)
    }
}

/// The limits of a queue, as their row has them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimitRow {
    /// Which queue.
    pub queue: Arc<str>,
    /// How many of its jobs may be leased at once.
    pub at_once: Option<u32>,
    /// How many of its jobs with the same concurrency key may be leased at once.
    pub at_once_per_key: Option<u32>,
    /// How many attempts may begin in some time.
    pub rate: Option<Rate>,
    /// The bucket of the rate, from which each attempt that begins takes a token: the steady time, in nanoseconds, at which it
    /// will be full again if none begins until then.
    ///
    /// This is the generic cell rate algorithm, in which one number is the whole state (ITU-T I.371).
    pub full_at_ns: i64,
}

impl LimitRow {
    /// How long until the bucket has room for one attempt more.
    pub fn wait(&self, now: Now) -> Duration {
        let Some(rate) = self.rate else { return Duration::ZERO };
        let wait = self.full_at_ns.saturating_sub(rate.tolerance_ns()).saturating_sub(nanoseconds(now.steady));
        Duration::from_nanos(wait.max(0).cast_unsigned())
    }

    /// An attempt begins; whether that changes the row.
    pub fn take(&mut self, now: Now) -> bool {
        let Some(rate) = self.rate else { return false };
        self.full_at_ns = self.full_at_ns.max(nanoseconds(now.steady)).saturating_add(rate.interval_ns());
        true
    }

    /// The time from one attempt to the next, if it has a rate.
    pub fn interval(&self) -> Option<Duration> {
        self.rate.map(|rate| Duration::from_nanos(rate.interval_ns().cast_unsigned()))
    }

    /// Whether it limits anything.
    pub const fn limits_something(&self) -> bool {
        self.at_once.is_some() || self.at_once_per_key.is_some() || self.rate.is_some()
    }

    /// Follows another row of the same queue: what has begun under that one counts for this one too, as far as
    /// this rate looks back.
    pub fn follow(&mut self, earlier: &Self, now: Now) {
        let Some(rate) = self.rate else { return };
        let latest = nanoseconds(now.steady).saturating_add(rate.tolerance_ns().saturating_add(rate.interval_ns()));
        self.full_at_ns = earlier.full_at_ns.min(latest);
    }
}

fn nanoseconds(at: Steady) -> i64 {
    at.0.saturating_mul(1_000_000)
}

/// A pause, as its row has it. A gate may be paused by a person and, if it is a kind's, because a service is down, both at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PauseRow {
    /// What is paused.
    pub gate: Gate,
    /// Who paused it.
    pub by: Arc<str>,
    /// Why.
    pub why: Arc<str>,
    /// When.
    pub at: Wall,
    /// How it ends by itself; without that, somebody must resume it.
    pub probe: Option<Probe>,
}

impl PauseRow {
    /// What tells it from all other pauses: its gate, and whether it is because a service is down.
    pub fn key(&self) -> (Gate, bool) {
        (self.gate.clone(), self.probe.is_some())
    }
}

/// How the pause of a kind ends whose service is down: every now and then one of its jobs is let through, and if that completes, the service is back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Probe {
    /// The rest between two of these, in milliseconds.
    pub every_ms: u64,
    /// When the next one may begin.
    pub due: Due,
    /// The job that was let through last, or that found the service down first: the next one is the one behind it in line,
    /// so that none can keep all others from finding out.
    pub last: Option<JobId>,
    /// Its attempt, if that has not ended.
    pub under_way: Option<Token>,
}

impl Probe {
    /// Whether a job may be let through.
    pub fn may_begin(&self, now: Now) -> bool {
        self.under_way.is_none() && self.due.is_due(now)
    }

    /// The next one may begin after a rest.
    pub fn rest(&mut self, now: Now) {
        self.under_way = None;
        self.due = Due::after(now, Duration::from_millis(self.every_ms));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: i64) -> Now {
        Now { steady: Steady(ms), wall: Wall(ms) }
    }

    fn row(jobs: u32, per_ms: u64, burst: u32) -> LimitRow {
        let rate = Some(Rate { jobs, per_ms, burst });
        LimitRow { queue: "q".into(), at_once: None, at_once_per_key: None, rate, full_at_ns: 0 }
    }

    /// When attempts begin, in milliseconds, if they begin as soon as they may and not before `from`.
    fn begun(row: &mut LimitRow, from: i64, count: usize) -> Vec<i64> {
        let mut now = from;
        let mut begun = Vec::new();
        while begun.len() < count {
            let wait = row.wait(at(now));
            if wait.is_zero() {
                assert!(row.take(at(now)));
                begun.push(now);
            } else {
                now += super::super::milliseconds(wait);
            }
        }
        begun
    }

    #[test]
    fn attempts_are_spaced_evenly_after_a_burst() {
        assert_eq!(begun(&mut row(3, 10_000, 1), 1_000, 4), [1_000, 4_334, 7_668, 11_002], "rounded up, and not more");
        assert_eq!(begun(&mut row(10, 1_000, 3), 1_000, 6), [1_000, 1_000, 1_000, 1_100, 1_200, 1_300]);
    }

    #[test]
    fn a_rest_fills_the_bucket_and_no_more_than_that() {
        let mut row = row(10, 1_000, 2);
        assert_eq!(begun(&mut row, 0, 3), [0, 0, 100]);
        assert_eq!(begun(&mut row, 90_000, 3), [90_000, 90_000, 90_100]);
    }

    #[test]
    fn no_window_has_more_than_the_rate_and_a_burst() {
        for (jobs, per_ms, burst) in [(7, 1_000, 1), (7, 1_000, 7), (1, 60_000, 1), (1_000, 1_000, 50)] {
            let begun = begun(&mut row(jobs, per_ms, burst), 5_000, 300);
            for (i, from) in begun.iter().enumerate() {
                for (j, to) in begun.iter().enumerate().skip(i) {
                    let most = i64::from(burst) + (to - from) * i64::from(jobs) / per_ms.cast_signed();
                    assert!((j - i + 1) as i64 <= most, "{jobs} per {per_ms} burst {burst}: {from} to {to}");
                }
            }
        }
    }

    #[test]
    fn a_faster_rate_does_not_wait_for_what_a_slower_one_had_promised() {
        let mut slow = row(1, 86_400_000, 1);
        slow.take(at(0));
        let mut fast = row(10, 1_000, 2);
        fast.follow(&slow, at(1_000));
        assert_eq!(fast.wait(at(1_000)), Duration::from_millis(100), "its bucket is empty");
        let mut same = row(1, 86_400_000, 1);
        same.follow(&slow, at(1_000));
        assert_eq!(same.full_at_ns, slow.full_at_ns, "to say it again changes nothing");
    }
}
