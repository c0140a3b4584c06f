//! Schedules: a job for each slot, written with the row of the slot in one commit.
//!
//! A slot is a time of the wall clock. How far a schedule has come is in its row; that no slot has two jobs is for the
//! primary key of their rows. When the wall clock is set back, the time that comes once more brings slots that were skipped
//! their jobs if they come on time; what has had its job has had it, and nothing is made up for twice.

use super::commands::Stop;
use super::group::{Group, Move};
use super::{Engine, validate};
use crate::host::Host;
use crate::job::{Now, Refusal, Rhythm, ScheduleRow, SkipRow, Slot, SlotRow, Slots, Steady, Template, Wall};
use crate::limits;
use crate::protocol::{Enqueue, Enqueued, Reply, Schedule, ScheduleView, SlotView};
use crate::store::{Storage, StoreError};
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;
use std::time::Duration;

/// The schedules that are in the file, by name.
#[derive(Debug, Default)]
pub struct Schedules {
    all: BTreeMap<Arc<str>, Planned>,
    /// Which one was served last: those behind it come next, so that none that has much to make up for holds the others.
    served: Arc<str>,
}

/// A schedule, and what comes next of it.
#[derive(Clone, Debug)]
struct Planned {
    row: ScheduleRow,
    /// Its slots, or why this version can't tell them.
    slots: Result<Slots, String>,
    next: Option<Wall>,
    /// Until when what is due of it rests, and why.
    stuck: Option<(Steady, String)>,
}

impl Planned {
    /// How long until there is something to do.
    fn wait(&self, now: Now) -> Duration {
        if self.slots.is_err() {
            return Duration::MAX;
        }
        let by_the_wall = if self.row.done > now.wall {
            Duration::ZERO
        } else {
            self.next.map_or(Duration::MAX, |next| now.wall.until(next))
        };
        let rest = self.stuck.as_ref().map_or(Duration::ZERO, |(until, _)| now.steady.until(*until));
        by_the_wall.max(rest)
    }
}

impl Schedules {
    /// A schedule is this.
    pub fn put(&mut self, row: ScheduleRow) {
        let known = self.all.get(&row.name).filter(|known| known.row.rhythm == row.rhythm);
        let slots = match known {
            Some(known) => known.slots.clone(),
            None => Slots::of(&row.rhythm).map_err(|refusal| refusal.to_string()),
        };
        let next = slots.as_ref().ok().and_then(|slots| slots.after(row.done));
        self.all.insert(row.name.clone(), Planned { row, slots, next, stuck: None });
    }

    /// A schedule is not there any more.
    pub fn remove(&mut self, name: &str) {
        self.all.remove(name);
    }

    /// The latest time that a schedule has come to.
    pub fn latest(&self, name: &str) -> Option<Wall> {
        self.all.get(name).map(|planned| planned.row.high)
    }

    /// How long until there is something to do, or the wall clock is to be looked at: it may jump while we wait for it.
    pub fn next_event(&self, now: Now) -> Option<Duration> {
        self.all.values().map(|planned| planned.wait(now).min(limits::WALL_LOOK)).min()
    }

    /// Those of which there is something to do, in turn.
    fn due(&self, now: Now) -> Vec<Arc<str>> {
        let is_due = |(_, planned): &(&Arc<str>, &Planned)| planned.wait(now).is_zero();
        let behind = (Bound::Excluded(self.served.clone()), Bound::Unbounded);
        let before = (Bound::Unbounded, Bound::Included(self.served.clone()));
        let in_turn = self.all.range::<Arc<str>, _>(behind).chain(self.all.range::<Arc<str>, _>(before));
        in_turn.filter(is_due).map(|(name, _)| name.clone()).collect()
    }

    /// Nothing can be done for a schedule: it is tried again some time later.
    fn rest(&mut self, name: &str, why: String, now: Now) {
        if let Some(planned) = self.all.get_mut(name) {
            planned.stuck = Some((now.steady.plus(limits::WALL_LOOK), why));
        }
    }
}

impl<H: Host, S: Storage> Engine<H, S> {
    /// Writes slots that are due, each with its job, the oldest of each schedule first, up to a bound.
    pub(super) async fn write_slots(&mut self, group: &mut Group, now: Now) -> Result<(), StoreError> {
        let due = self.schedules.due(now);
        let share = (limits::GROUP_SLOTS_MAX / due.len().max(1)).max(1);
        for name in due.into_iter().take(limits::GROUP_SLOTS_MAX) {
            self.write_slots_of(group, &name, share, now).await?;
            self.schedules.served = name;
        }
        Ok(())
    }

    /// As [`write_slots`](Self::write_slots), of one schedule.
    async fn write_slots_of(&mut self, group: &mut Group, name: &str, most: usize, now: Now) -> Result<(), StoreError> {
        let Planned { mut row, slots, .. } = self.schedules.all[name].clone();
        let Ok(slots) = slots else { return Ok(()) };
        if row.done > now.wall {
            row.done = now.wall;
            keep(group, row);
            return Ok(());
        }
        let late = Duration::from_millis(row.late_ms);
        let far = (row.done, row.high);
        let Some(step) = slots.step(far, now.wall, row.catch_up, late, most) else { return Ok(()) };
        let mut done = step.skipped.filter(|_| step.run.is_empty()).map(|(_, last)| last);
        for at in step.run {
            let slot = Slot { schedule: name.to_owned(), at };
            // One had its job before the wall clock was put back.
            if group.slot(&mut self.store, &slot).await?.is_none() {
                match self.enqueue(group, &of_template(&row.job), Some(slot.clone()), now).await {
                    Ok(Enqueued { job, .. }) => group.insert_slot(SlotRow { slot, job }),
                    Err(Stop::Refused(why)) => {
                        self.schedules.rest(name, why.to_string(), now);
                        break;
                    }
                    Err(Stop::Store(error)) => return Err(error),
                }
            }
            done = Some(at);
        }
        // What can't be written yet leaves all as it was, also what would be passed over for it.
        let Some(done) = done else { return Ok(()) };
        if let Some(skipped) = step.skipped {
            self.pass_over(group, &row.name, &slots, skipped).await?;
        }
        (row.done, row.high) = (done, row.high.max(done));
        keep(group, row);
        Ok(())
    }

    /// Writes down which slots were passed over, in the row of those right before them if there is one.
    async fn pass_over(
        &mut self,
        group: &mut Group,
        schedule: &Arc<str>,
        slots: &Slots,
        (first, last): (Wall, Wall),
    ) -> Result<(), StoreError> {
        let latest = group.skips(&mut self.store, schedule, 1).await?.pop();
        let before = latest.filter(|row| slots.after(row.last) == Some(first));
        let known = match before {
            Some(row) => Some(row),
            None => group.skip(&mut self.store, schedule, first).await?,
        };
        let row = SkipRow { schedule: schedule.clone(), first, last };
        match known {
            Some(known) => group.put_skip(SkipRow { first: known.first, last: known.last.max(last), ..row }, true),
            None => group.put_skip(row, false),
        }
        Ok(())
    }

    /// Sets a schedule. One that is there as it is asked for goes on as it is.
    pub(super) async fn schedule(&mut self, group: &mut Group, asked: &Schedule, now: Now) -> Result<Reply, Stop> {
        let (slots, job) = validate::schedule(asked, &self.options)?;
        let next = slots.after(now.wall).ok_or_else(|| never_comes(&asked.rhythm))?;
        let (name, rhythm): (Arc<str>, _) = (asked.name.as_str().into(), asked.rhythm.clone());
        let (catch_up, late_ms, job) = (asked.catch_up, asked.late_ms, Arc::new(job));
        let (set_at, done, high) = (now.wall, now.wall, now.wall);
        let row = ScheduleRow { name, rhythm, catch_up, late_ms, job, set_at, done, high };
        let known = self.schedules.all.get(&row.name).map(|planned| planned.row.clone());
        let Some(known) = known else {
            super::gates::check_count("schedules", self.schedules.all.len(), limits::SCHEDULES_MAX)?;
            self.check_room()?;
            group.put_schedule(row.clone(), false);
            group.move_job(Move::Schedule(row));
            return Ok(Reply::Scheduled { next });
        };
        let mut row = ScheduleRow { set_at: known.set_at, ..row };
        if known.rhythm == row.rhythm {
            (row.done, row.high) = (known.done, known.high);
            if known == row {
                return Ok(Reply::Scheduled { next });
            }
        } else {
            self.skip_rest(group, &known, now).await?;
        }
        row.set_at = now.wall;
        keep(group, row);
        Ok(Reply::Scheduled { next })
    }

    /// Ends a schedule. The jobs of its slots stay, and so do its slots: another one of its name does not have them again.
    pub(super) async fn unschedule(&mut self, group: &mut Group, name: &str, now: Now) -> Result<Reply, Stop> {
        validate::name("schedule", name)?;
        let known = self.schedules.all.get(name).map(|planned| planned.row.clone());
        let was_scheduled = known.is_some();
        if let Some(row) = known {
            self.skip_rest(group, &row, now).await?;
            group.delete_schedule(row.name.clone());
            group.move_job(Move::Unschedule(row.name));
        }
        Ok(Reply::Unscheduled { was_scheduled })
    }

    /// Writes down that slots which are due and have no jobs yet never will.
    async fn skip_rest(&mut self, group: &mut Group, row: &ScheduleRow, now: Now) -> Result<(), StoreError> {
        let Ok(slots) = self.schedules.all[&row.name].slots.clone() else { return Ok(()) };
        let first = slots.after(row.done).filter(|first| *first <= now.wall);
        if let (Some(first), Some(last)) = (first, slots.until(now.wall)) {
            self.pass_over(group, &row.name, &slots, (first, last)).await?;
        }
        Ok(())
    }

    /// All schedules, for people.
    pub(super) async fn view_schedules(&mut self, group: &mut Group, now: Now) -> Result<Reply, Stop> {
        let mut schedules = Vec::with_capacity(self.schedules.all.len());
        let all: Vec<Planned> = self.schedules.all.values().cloned().collect();
        for Planned { row, slots, next, stuck } in all {
            let ran = group.slots(&mut self.store, &row.name, limits::SLOTS_SHOWN).await?;
            let skipped = group.skips(&mut self.store, &row.name, limits::SLOTS_SHOWN).await?;
            let ran = ran.into_iter().map(|row| SlotView::Job { at: row.slot.at, job: row.job });
            let skipped = skipped.into_iter().map(|row| SlotView::Skipped { first: row.first, last: row.last });
            let mut last: Vec<SlotView> = ran.chain(skipped).collect();
            last.sort_by_key(|slot| Reverse(slot.at()));
            last.truncate(limits::SLOTS_SHOWN);
            let stuck = slots.err().or(stuck.map(|(_, why)| why).filter(|_| next.is_some_and(|next| next <= now.wall)));
            let ScheduleRow { name, rhythm, catch_up, late_ms, job, set_at, .. } = row;
            let (name, job) = (name.to_string(), (*job).clone());
            let schedule = Schedule { name, rhythm, catch_up, late_ms, job };
            schedules.push(ScheduleView { schedule, since: set_at, next, stuck, last });
        }
        Ok(Reply::Schedules { schedules })
    }
}

/// Writes down a schedule that is in the file.
fn keep(group: &mut Group, row: ScheduleRow) {
    group.put_schedule(row.clone(), true);
    group.move_job(Move::Schedule(row));
}

fn never_comes(rhythm: &Rhythm) -> Refusal {
    Refusal::limit("the schedule", rhythm, "one that has slots to come", "mend it: none of its times ever comes")
}

/// The enqueue of a slot's job.
pub(super) fn of_template(job: &Template) -> Enqueue {
    let Template { kind, queue, priority, max_attempts, max_age_ms, concurrency_key, payload } = job.clone();
    Enqueue { queue, priority, max_attempts, max_age_ms, concurrency_key, ..Enqueue::new(kind, payload) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::CatchUp;

    fn row(rhythm: Rhythm) -> ScheduleRow {
        let job = Template {
            kind: "a".into(),
            queue: "default".into(),
            priority: 0,
            max_attempts: None,
            max_age_ms: None,
            concurrency_key: None,
            payload: "null".into(),
        };
        let (set_at, done, high) = (Wall(0), Wall(5_000), Wall(5_000));
        let (name, catch_up, job) = ("sweep".into(), CatchUp::All, Arc::new(job));
        ScheduleRow { name, rhythm, catch_up, late_ms: 0, job, set_at, done, high }
    }

    fn at(wall: i64) -> Now {
        Now { steady: Steady(0), wall: Wall(wall) }
    }

    fn due(schedules: &Schedules, wall: i64) -> usize {
        schedules.due(at(wall)).len()
    }

    #[test]
    fn a_schedule_is_due_at_its_slot_and_when_the_clock_is_behind_what_was_done() {
        let mut schedules = Schedules::default();
        assert_eq!(schedules.next_event(at(0)), None);
        schedules.put(row(Rhythm::every(Duration::from_secs(10))));
        assert_eq!((due(&schedules, 4_999), due(&schedules, 9_999), due(&schedules, 10_000)), (1, 0, 1));
        assert_eq!(schedules.next_event(at(9_300)), Some(Duration::from_millis(700)));
        assert_eq!(schedules.next_event(at(5_000)), Some(limits::WALL_LOOK), "the clock may jump");
        schedules.rest("sweep", "no room".into(), at(10_000));
        assert_eq!((due(&schedules, 10_000), schedules.next_event(at(10_000))), (0, Some(limits::WALL_LOOK)));
    }

    /// Another version wrote it, which knew more of the world.
    #[test]
    fn a_schedule_whose_slots_this_version_can_not_tell_is_never_due() {
        let mut schedules = Schedules::default();
        schedules.put(row(Rhythm::cron("0 7 * * *", "Mars/Olympus")));
        assert_eq!((due(&schedules, 0), due(&schedules, i64::MAX)), (0, 0));
        assert_eq!(schedules.next_event(at(0)), Some(limits::WALL_LOOK));
    }
}
