//! The two times that a queue lives by.
//!
//! *Steady time* decides leases and time-outs: it never runs back and never jumps, and time in
//! which the file was not open does not count. *Wall time* is what people say. A relative delay is
//! due when either says so, so that neither a stopped clock nor a stopped process can make it wait
//! for longer than it must.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::{Duration, UNIX_EPOCH};

/// The end of the year 9999: later times have no name of four digits.
const NAMED_MS: i64 = 253_402_300_800_000;

/// Steady time: milliseconds for which this file has been open, over its whole life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Steady(pub i64);

/// Wall time: milliseconds since the Unix epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Wall(pub i64);

impl fmt::Display for Wall {
    /// As people and RFC 3339 say it, by UTC.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = UNIX_EPOCH.checked_add(Duration::from_millis(self.0.max(0).cast_unsigned()));
        match time.filter(|_| (0..NAMED_MS).contains(&self.0)) {
            Some(time) => humantime::format_rfc3339_seconds(time).fmt(f),
            None => f.write_str("a time beyond the calendar"),
        }
    }
}

/// Both times, read together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// Steady time.
    pub steady: Steady,
    /// Wall time.
    pub wall: Wall,
}

/// When something may happen: as soon as either deadline has passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Due {
    /// The deadline in steady time; none for what was asked for by the calendar.
    pub steady: Option<Steady>,
    /// The deadline in wall time.
    pub wall: Wall,
}

impl Steady {
    /// `duration` later.
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(milliseconds(duration)))
    }

    /// Time from `self` until `later`; zero if that has passed.
    pub fn until(self, later: Self) -> Duration {
        Duration::from_millis(later.0.saturating_sub(self.0).max(0).cast_unsigned())
    }
}

impl Wall {
    /// `duration` later.
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(milliseconds(duration)))
    }

    /// Time from `self` until `later`; zero if that has passed.
    pub fn until(self, later: Self) -> Duration {
        Duration::from_millis(later.0.saturating_sub(self.0).max(0).cast_unsigned())
    }
}

impl Due {
    /// As soon as it is looked at.
    pub fn now(now: Now) -> Self {
        Self { steady: Some(now.steady), wall: now.wall }
    }

    /// `delay` from now, by whichever clock gets there first.
    pub fn after(now: Now, delay: Duration) -> Self {
        Self { steady: Some(now.steady.plus(delay)), wall: now.wall.plus(delay) }
    }

    /// At a time of the calendar.
    pub fn at(wall: Wall) -> Self {
        Self { steady: None, wall }
    }

    /// Not by itself.
    pub const fn never() -> Self {
        Self { steady: Some(Steady(i64::MAX)), wall: Wall(i64::MAX) }
    }

    /// Whether it never happens by itself.
    pub fn is_never(self) -> bool {
        self == Self::never()
    }

    /// Whether it may happen.
    pub fn is_due(self, now: Now) -> bool {
        self.is_due_for_good(now) || self.wall <= now.wall
    }

    /// Whether it may happen whatever the wall clock will say: steady time never runs back.
    pub fn is_due_for_good(self, now: Now) -> bool {
        self.steady.is_some_and(|steady| steady <= now.steady)
    }

    /// How long until it may happen, if neither clock jumps.
    pub fn wait(self, now: Now) -> Duration {
        let wall = now.wall.until(self.wall);
        self.steady.map_or(wall, |steady| wall.min(now.steady.until(steady)))
    }
}

/// Whole milliseconds, rounded up: a wait is never cut short.
pub(crate) fn milliseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos().div_ceil(1_000_000)).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Now = Now { steady: Steady(1_000), wall: Wall(50_000) };

    #[test]
    fn a_delay_is_due_when_either_clock_says_so() {
        let due = Due::after(NOW, Duration::from_secs(5));
        assert!(!due.is_due(NOW));
        assert!(due.is_due(Now { steady: Steady(6_000), ..NOW }));
        assert!(due.is_due(Now { wall: Wall(55_000), ..NOW }));
        assert_eq!(due.wait(Now { steady: Steady(5_900), wall: Wall(0) }), Duration::from_millis(100));
    }

    #[test]
    fn the_calendar_asks_the_wall_clock_alone() {
        let due = Due::at(Wall(60_000));
        assert!(!due.is_due(Now { steady: Steady(i64::MAX), ..NOW }));
        assert!(due.is_due(Now { wall: Wall(60_000), ..NOW }));
    }

    #[test]
    fn a_wait_is_never_cut_short() {
        assert_eq!(milliseconds(Duration::from_micros(1)), 1);
        assert_eq!(Steady(i64::MAX).plus(Duration::from_secs(1)), Steady(i64::MAX));
    }
}
