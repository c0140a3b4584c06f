//! The times of rows in true time: rows have the wall clock of the machine with the file, which jumps.

use std::time::Duration;

/// Rows have whole milliseconds.
const TICK: Duration = Duration::from_millis(1);

/// When the wall clock was set, and what it showed from then on.
pub struct Wall<'a>(pub &'a [(Duration, Duration)]);

impl Wall<'_> {
    /// The latest true time at which the wall clock showed this many milliseconds, within `from` and `to`. None if
    /// it showed them never in between, or twice because it had been set back.
    pub fn true_time(&self, wall_ms: i64, (from, to): (Duration, Duration)) -> Option<Duration> {
        let wall = Duration::from_millis(u64::try_from(wall_ms).ok()?);
        let ends = self.0.iter().skip(1).map(|(at, _)| *at).chain([Duration::MAX]);
        // The end of a millisecond may be after what is known to have come later within it.
        let from = from.min(to);
        let mut found = None;
        for ((at, shown), end) in self.0.iter().zip(ends) {
            // The last moment of that millisecond, and what of the millisecond is within this stretch.
            let Some(latest) = (wall + TICK).checked_sub(*shown).map(|since| (*at + since).min(end)) else { continue };
            let first = (*at + wall.saturating_sub(*shown)).max(*at);
            if first >= end || first > to || latest < from {
                continue;
            }
            if found.replace(latest.clamp(from, to)).is_some() {
                return None;
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    /// From 10 s on it is set back by 4 s, and from 20 s on it is right again.
    const JUMPED: [(Duration, Duration); 3] =
        [(ms(0), ms(100_000)), (ms(10_000), ms(106_000)), (ms(20_000), ms(120_000))];

    fn found(wall_ms: i64, from: u64, to: u64) -> Option<Duration> {
        Wall(&JUMPED).true_time(wall_ms, (ms(from), ms(to)))
    }

    #[test]
    fn a_wall_time_is_the_end_of_its_millisecond_in_true_time() {
        assert_eq!(found(102_000, 0, 30_000), Some(ms(2_001)));
        assert_eq!(found(102_000, 0, 2_000), Some(ms(2_000)), "it is known not to have been later");
        assert_eq!(found(102_000, 2_001, 2_000), Some(ms(2_000)), "two changes within one millisecond");
        assert_eq!(found(112_000, 0, 30_000), Some(ms(16_001)));
        assert_eq!(found(121_000, 0, 30_000), Some(ms(21_001)));
    }

    #[test]
    fn a_wall_time_that_was_shown_twice_is_told_apart_by_what_it_lies_between() {
        assert_eq!(found(108_000, 0, 30_000), None, "at 8 s and at 12 s");
        assert_eq!(found(108_000, 0, 9_000), Some(ms(8_001)));
        assert_eq!(found(108_000, 9_000, 30_000), Some(ms(12_001)));
    }

    #[test]
    fn a_wall_time_that_was_never_shown_is_no_time() {
        assert_eq!(found(118_000, 0, 30_000), None, "it was passed over when the clock was set right");
        assert_eq!(found(99_000, 0, 30_000), None);
        assert_eq!(found(102_000, 3_000, 30_000), None);
        assert_eq!(found(-1, 0, 30_000), None);
    }
}
