//! When a schedule has its slots, and what becomes of those that were missed.
//!
//! Pure. A slot is a time of the wall clock; whether it has had its job is for rows to say. Cron expressions are read by
//! `croner`, by the rules of Vixie cron where clocks are put forward or back. Of an expression that names one time of the day, a
//! time that is left out comes right after, and one that comes twice comes the first time; of one with a list, a range, a
//! step or a wildcard among its hours, minutes or seconds, what is left out is left out, and what comes twice comes twice.

use super::{JobId, Refusal, Wall, milliseconds, text_enum};
use crate::limits;
use chrono::{DateTime, TimeZone};
use chrono_tz::Tz;
use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// When a schedule has its slots.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Rhythm {
    /// By a cron expression of five fields, or of six with seconds first, in a time zone.
    Cron {
        /// Minute, hour, day of the month, month and day of the week.
        cron: String,
        /// The zone's name, as in `Europe/Berlin`.
        zone: String,
    },
    /// So often, in milliseconds, counted from 1970 on: every hour is on the hour by UTC.
    Every {
        /// Milliseconds.
        every_ms: u64,
    },
}

impl Rhythm {
    /// By a cron expression of five fields (minute, hour, day of the month, month, day of the week), or of six with seconds
    /// first, in a time zone as `Europe/Berlin` or `UTC`.
    pub fn cron(expression: impl Into<String>, zone: impl Into<String>) -> Self {
        Self::Cron { cron: expression.into(), zone: zone.into() }
    }

    /// So often, counted from 1970 on: every hour is on the hour by UTC.
    pub fn every(interval: Duration) -> Self {
        Self::Every { every_ms: milliseconds(interval).cast_unsigned() }
    }
}

impl fmt::Display for Rhythm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cron { cron, zone } => write!(f, "at {cron} in {zone}"),
            Self::Every { every_ms } => {
                write!(f, "every {}", humantime::format_duration(Duration::from_millis(*every_ms)))
            }
        }
    }
}

/// What the job of each slot is like.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Template {
    /// The name of its handler.
    pub kind: String,
    /// The named lane.
    pub queue: String,
    /// Higher goes first.
    pub priority: i16,
    /// Failures after which it is discarded; without it, as the policy of its kind says.
    pub max_attempts: Option<u32>,
    /// The time from its slot's enqueue after which no attempt of it begins any more; without it, as the policy of its kind
    /// says.
    pub max_age_ms: Option<u64>,
    /// With which others of its queue it shares slots, if the queue has so many for each such key.
    pub concurrency_key: Option<String>,
    /// Its arguments, as JSON.
    pub payload: String,
}

/// A schedule, as its row has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScheduleRow {
    /// What people call it.
    pub name: Arc<str>,
    /// When it has its slots.
    pub rhythm: Rhythm,
    /// What becomes of those that were missed.
    pub catch_up: CatchUp,
    /// How late a slot still has its job if missed ones are skipped, in milliseconds.
    pub late_ms: u64,
    /// What their jobs are like.
    pub job: Arc<Template>,
    /// Since when it is there as it is.
    pub set_at: Wall,
    /// All slots up to this time have their jobs, or were skipped. It goes back with the wall clock.
    pub done: Wall,
    /// The latest time that it has ever come to, and never less than when it was set: what lies before is no news.
    pub high: Wall,
}

/// A slot that has its job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlotRow {
    /// Which slot.
    pub slot: Slot,
    /// Its job.
    pub job: JobId,
}

/// Slots that were passed over: those from one time to another that have no jobs were skipped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SkipRow {
    /// Of which schedule.
    pub schedule: Arc<str>,
    /// The first slot.
    pub first: Wall,
    /// The last slot.
    pub last: Wall,
}

/// A slot of a schedule: no two jobs have the same.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Slot {
    /// The name of the schedule.
    pub schedule: String,
    /// Its time.
    pub at: Wall,
}

text_enum! {
    /// What becomes of slots that were missed, because nobody had the file open, or the wall clock jumped ahead.
    pub enum CatchUp {
        /// They are skipped.
        Skip = "skip",
        /// The last one has its job, and the others are skipped.
        Latest = "latest",
        /// Each has its job.
        All = "all",
    }
}

/// The slots of a rhythm.
#[derive(Clone, Debug)]
pub struct Slots(Kind);

#[derive(Clone, Debug)]
enum Kind {
    Cron { cron: Box<Cron>, zone: Tz },
    Every { every_ms: i64 },
}

/// What is to be done for a schedule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Slots that get a job each, oldest first.
    pub run: Vec<Wall>,
    /// The first and the last of slots that get none: one after the other, and all before those that get one.
    pub skipped: Option<(Wall, Wall)>,
}

const HOUR_MS: i64 = 3_600_000;
/// No clock is put back by more hours at once.
const HOURS_BACK: i64 = 3;

impl Slots {
    /// Of a rhythm.
    ///
    /// # Errors
    /// [`Refusal::Limit`] if its expression does not read, if there is no such time zone, or if its slots are less than
    /// [`limits::EVERY_MIN`] apart.
    pub fn of(rhythm: &Rhythm) -> Result<Self, Refusal> {
        match rhythm {
            Rhythm::Cron { cron: expression, zone } => {
                let parser = CronParser::builder().seconds(Seconds::Optional).year(Year::Disallowed).build();
                let cron = parser.parse(expression).map_err(|why| {
                    let remedy = format!("mend it: {why}");
                    let fields = "minute, hour, day, month and weekday, or six fields with seconds first";
                    Refusal::limit("the cron expression", expression, fields, remedy)
                })?;
                let zone = zone.parse().map_err(|_| {
                    let remedy = "choose one of the IANA time zone database";
                    Refusal::limit("the time zone", zone, "a name as Europe/Berlin or UTC", remedy)
                })?;
                Ok(Self(Kind::Cron { cron: Box::new(cron), zone }))
            }
            Rhythm::Every { every_ms } => {
                let shortest = limits::EVERY_MIN.as_millis();
                let every = i64::try_from(*every_ms).ok().filter(|ms| i128::from(*ms) >= shortest.cast_signed());
                let every_ms = every.ok_or_else(|| {
                    let remedy = "let one job do what is to be done more often";
                    Refusal::limit("every_ms", every_ms, format!("{shortest} or more"), remedy)
                })?;
                Ok(Self(Kind::Every { every_ms }))
            }
        }
    }

    /// The first slot behind `wall`; none if there is none within the years that anybody looks at.
    pub fn after(&self, wall: Wall) -> Option<Wall> {
        match &self.0 {
            Kind::Cron { cron, zone } => cron.find_next_occurrence(&time(*zone, wall)?, false).ok().map(wall_of),
            Kind::Every { every_ms } => wall.0.div_euclid(*every_ms).checked_add(1)?.checked_mul(*every_ms).map(Wall),
        }
    }

    /// The last slot at `wall` or before it.
    pub fn until(&self, wall: Wall) -> Option<Wall> {
        match &self.0 {
            Kind::Cron { cron, zone } => {
                // Where a clock is put back, croner 4.0.3 may lead to the later of two times that look the same.
                let before = (0..=HOURS_BACK).map(|hours| Wall(wall.0 - hours * HOUR_MS));
                let mut previous =
                    before.map_while(|from| cron.find_previous_occurrence(&time(*zone, from)?, true).ok().map(wall_of));
                let mut last = previous.find(|slot| *slot <= wall)?;
                while let Some(next) = self.after(last).filter(|next| *next <= wall) {
                    last = next;
                }
                Some(last)
            }
            Kind::Every { every_ms } => wall.0.div_euclid(*every_ms).checked_mul(*every_ms).map(Wall),
        }
    }

    /// What is to be done at `now`, if all slots up to `done` were dealt with: none if there is nothing to do yet. A slot
    /// is missed if it is more than `late` ago. No more than `most` slots get a job; what is left is to be done next.
    ///
    /// Time up to `high` comes once more, because the wall clock was set back: what it brings has its job if it comes on time,
    /// but nothing of it is made up for. A clock that was wrong for a moment would bring all that was ever skipped.
    pub fn step(
        &self,
        (done, high): (Wall, Wall),
        now: Wall,
        catch_up: CatchUp,
        late: Duration,
        most: usize,
    ) -> Option<Step> {
        let before = |span: Duration| Wall(now.0.saturating_sub(milliseconds(span)).saturating_sub(1));
        let next = self.after(done).filter(|next| *next <= now)?;
        let no_news_until = high.min(before(limits::SLOT_GRACE));
        let missed_until = match catch_up {
            CatchUp::All => no_news_until,
            CatchUp::Skip => before(late).max(no_news_until),
            // All before the last.
            CatchUp::Latest => self.until(now).map_or(no_news_until, |last| Wall(last.0 - 1).max(no_news_until)),
        };
        let last_missed = Some(missed_until).filter(|until| next <= *until).and_then(|until| self.until(until));
        let skipped = last_missed.filter(|last| next <= *last).map(|last| (next, last));
        let mut run = Vec::new();
        let mut slot = skipped.map_or(Some(next), |(_, last)| self.after(last));
        while let Some(due) = slot.filter(|due| *due <= now && run.len() < most) {
            run.push(due);
            slot = self.after(due);
        }
        Some(Step { run, skipped })
    }
}

fn time(zone: Tz, wall: Wall) -> Option<DateTime<Tz>> {
    zone.timestamp_millis_opt(wall.0).single()
}

fn wall_of(time: DateTime<Tz>) -> Wall {
    Wall(time.timestamp_millis())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000;
    const HOUR: i64 = 3_600 * SECOND;

    fn cron(expression: &str) -> Slots {
        Slots::of(&Rhythm::cron(expression, "Europe/Berlin")).unwrap()
    }

    fn every(every_ms: u64) -> Slots {
        Slots::of(&Rhythm::Every { every_ms }).unwrap()
    }

    fn berlin(text: &str) -> Wall {
        wall_of(DateTime::parse_from_rfc3339(text).unwrap().with_timezone(&chrono_tz::Europe::Berlin))
    }

    fn shown(wall: Wall) -> String {
        time(chrono_tz::Europe::Berlin, wall).unwrap().to_rfc3339()
    }

    fn from(slots: &Slots, text: &str, count: usize) -> Vec<String> {
        let mut at = berlin(text);
        let mut next = || {
            at = slots.after(at).unwrap();
            shown(at)
        };
        (0..count).map(|_| next()).collect()
    }

    #[test]
    fn a_time_that_is_left_out_comes_right_after_and_one_that_comes_twice_the_first_time() {
        let daily = cron("30 2 * * *");
        let spring = ["2026-03-28T02:30:00+01:00", "2026-03-29T03:00:00+02:00", "2026-03-30T02:30:00+02:00"];
        assert_eq!(from(&daily, "2026-03-28T00:00:00+01:00", 3), spring);
        let autumn = ["2026-10-24T02:30:00+02:00", "2026-10-25T02:30:00+02:00", "2026-10-26T02:30:00+01:00"];
        assert_eq!(from(&daily, "2026-10-24T00:00:00+02:00", 3), autumn);
    }

    #[test]
    fn what_comes_every_so_often_goes_on_as_time_does() {
        let hourly = cron("0 * * * *");
        for (from, hours) in [("2026-03-28T12:00:00+01:00", 48), ("2026-10-24T12:00:00+02:00", 48)] {
            let mut at = berlin(from);
            for _ in 0..hours {
                let next = hourly.after(at).unwrap();
                assert_eq!(next.0 - at.0, HOUR, "{}", shown(at));
                at = next;
            }
        }
    }

    #[test]
    fn of_several_times_of_a_day_what_is_left_out_is_left_out_and_what_comes_twice_comes_twice() {
        let twice = cron("30 2,14 * * *");
        let spring = ["2026-03-28T14:30:00+01:00", "2026-03-29T14:30:00+02:00", "2026-03-30T02:30:00+02:00"];
        assert_eq!(from(&twice, "2026-03-28T12:00:00+01:00", 3), spring);
        let autumn = ["2026-10-25T02:30:00+02:00", "2026-10-25T02:30:00+01:00", "2026-10-25T14:30:00+01:00"];
        assert_eq!(from(&twice, "2026-10-24T20:00:00+02:00", 3), autumn);
    }

    #[test]
    fn seconds_and_names_and_last_days_are_read() {
        assert_eq!(
            from(&cron("*/20 0 9 * * MON-FRI"), "2026-11-20T09:00:21+01:00", 2),
            ["2026-11-20T09:00:40+01:00", "2026-11-23T09:00:00+01:00"]
        );
        assert_eq!(from(&cron("0 12 L * *"), "2027-02-01T00:00:00+01:00", 1), ["2027-02-28T12:00:00+01:00"]);
    }

    #[test]
    fn the_last_slot_until_a_time_is_the_one_that_those_after_lead_to() {
        for slots in [cron("*/7 * * * *"), cron("30 2 * * *"), cron("0 0,2,3 * * *"), every(7_000)] {
            for start in ["2026-03-28T22:00:00+01:00", "2026-10-24T22:00:00+02:00"] {
                let mut at = slots.after(berlin(start)).unwrap();
                for _ in 0..200 {
                    let next = slots.after(at).unwrap();
                    assert!(at < next);
                    assert_eq!(slots.until(at), Some(at));
                    assert_eq!(slots.until(Wall(next.0 - 1)), Some(at), "{} {}", shown(at), shown(next));
                    at = next;
                }
            }
        }
    }

    #[test]
    fn what_can_never_be_is_none_and_what_does_not_read_is_refused() {
        assert_eq!(cron("0 0 31 2 *").after(Wall(0)), None);
        for (expression, zone) in [("60 * * * *", "UTC"), ("* * * *", "UTC"), ("* * * * *", "Europe/Bonn")] {
            let refused = Slots::of(&Rhythm::cron(expression, zone));
            assert!(matches!(refused, Err(Refusal::Limit { .. })), "{expression} {zone}");
        }
        for every_ms in [0, 999, u64::MAX] {
            assert!(matches!(Slots::of(&Rhythm::Every { every_ms }), Err(Refusal::Limit { .. })), "{every_ms}");
        }
        assert_eq!(every(i64::MAX as u64).after(Wall(i64::MAX)), None);
    }

    const LATE: Duration = Duration::from_secs(60);

    /// The slots that get jobs, and the first and the last of those that are skipped, in seconds.
    type InSeconds = (Vec<i64>, Option<(i64, i64)>);

    fn step(done: i64, now: i64, catch_up: CatchUp, most: usize) -> Option<InSeconds> {
        let step = step_from((done, done), now, catch_up, most)?;
        Some(in_seconds(&step))
    }

    fn step_from((done, high): (i64, i64), now: i64, catch_up: CatchUp, most: usize) -> Option<Step> {
        let far = (Wall(done * SECOND), Wall(high * SECOND));
        every(10_000).step(far, Wall(now * SECOND), catch_up, LATE, most)
    }

    fn in_seconds(step: &Step) -> InSeconds {
        let seconds = |wall: Wall| wall.0 / SECOND;
        let run = step.run.iter().copied().map(seconds).collect();
        (run, step.skipped.map(|(first, last)| (seconds(first), seconds(last))))
    }

    #[test]
    fn a_slot_that_is_due_gets_its_job_whatever_becomes_of_missed_ones() {
        for catch_up in CatchUp::ALL {
            assert_eq!(step(100, 109, *catch_up, 9), None);
            assert_eq!(step(100, 110, *catch_up, 9), Some((vec![110], None)));
            assert_eq!(step(100, 119, *catch_up, 9), Some((vec![110], None)));
            assert_eq!(step(110, 100, *catch_up, 9), None, "the clock ran back");
        }
    }

    #[test]
    fn missed_slots_are_skipped_or_have_their_jobs_as_was_said() {
        // Up to a minute ago is not missed.
        let on_time = vec![440, 450, 460, 470, 480, 490, 500];
        assert_eq!(step(100, 500, CatchUp::Skip, 9), Some((on_time, Some((110, 430)))));
        assert_eq!(step(100, 500, CatchUp::Latest, 9), Some((vec![500], Some((110, 490)))));
        assert_eq!(step(100, 500, CatchUp::All, 3), Some((vec![110, 120, 130], None)));
        assert_eq!(step(130, 500, CatchUp::All, 3), Some((vec![140, 150, 160], None)));
    }

    #[test]
    fn time_that_comes_once_more_brings_what_is_on_time_and_makes_up_for_nothing() {
        for catch_up in CatchUp::ALL {
            let again = |done, now| step_from((done, 900), now, *catch_up, 9).map(|step| in_seconds(&step));
            assert_eq!(again(300, 309), None);
            assert_eq!(again(300, 310), Some((vec![310], None)), "{catch_up}");
            assert_eq!(again(300, 319), Some((vec![310], None)), "{catch_up}");
            // Nobody looked for a while.
            assert_eq!(again(300, 345), Some((vec![340], Some((310, 330)))), "{catch_up}");
            // A clock that was wrong for a moment.
            assert_eq!(again(-9_000_000, 899).unwrap().0, [890], "{catch_up}");
            assert_eq!(again(-9_000_000, 3_000).unwrap().1.unwrap().0, -8_999_990, "{catch_up}");
        }
        assert_eq!(step_from((-9_000, 900), 930, CatchUp::All, 9).unwrap().run.len(), 3, "what is behind it is news");
    }

    #[test]
    fn steps_cover_every_slot_once() {
        for catch_up in CatchUp::ALL {
            let (mut done, mut covered) = (Wall(95 * SECOND), Vec::new());
            while let Some(step) = every(10_000).step((done, done), Wall(1_234 * SECOND), *catch_up, LATE, 4) {
                if let Some((first, last)) = step.skipped {
                    covered.extend((first.0..=last.0).step_by(10_000));
                }
                covered.extend(step.run.iter().map(|slot| slot.0));
                let last = step.run.last().copied().or(step.skipped.map(|(_, last)| last));
                done = last.expect("something is done");
            }
            assert_eq!(covered, (100 * SECOND..=1_230 * SECOND).step_by(10_000).collect::<Vec<_>>(), "{catch_up}");
        }
    }
}
