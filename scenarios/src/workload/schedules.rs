//! Schedules of a run, and somebody who sets them, changes them and ends them.

use super::actors::{Actor, request_id};
use super::intent::{Act, KINDS, Script};
use outlive::host::Host;
use outlive::job::{CatchUp, Rhythm, Template};
use outlive::limits;
use outlive::protocol::{Reply, Request, Schedule};
use outlive_sim::Fork;
use std::time::Duration;

/// A schedule of a run.
#[derive(Clone, Debug)]
pub struct SchedulePlan {
    /// Its name.
    pub name: String,
    /// The time between its slots.
    pub interval: Duration,
    /// Whether that is said by a cron expression, of whole seconds of which a minute has a whole number.
    pub by_cron: bool,
    /// What becomes of slots that were missed.
    pub catch_up: CatchUp,
    /// How late a slot still has its job if missed ones are skipped.
    pub late: Duration,
    /// The kind of its jobs.
    pub kind: String,
}

/// The number of the jobs of the first schedule; no job that is enqueued has it.
const NUMBER: u64 = 900;
/// The zone of those that are said by a cron expression. What it is put forward and back by is of no matter to seconds.
const ZONE: &str = "Europe/Berlin";

impl SchedulePlan {
    /// The schedules of a run.
    pub fn draw(fork: Fork) -> Vec<Self> {
        let count = fork.fork("count").rng().between(1..=3);
        (0..count).map(|place| Self::draw_one(format!("schedule-{place}"), fork.key(place))).collect()
    }

    fn draw_one(name: String, fork: Fork) -> Self {
        let mut rng = fork.rng();
        let catch_up = *rng.pick(CatchUp::ALL);
        // A wall clock may jump by minutes.
        let seconds: &[u64] = if catch_up == CatchUp::All { &[15, 20, 30] } else { &[2, 3, 5, 10] };
        Self {
            name,
            interval: Duration::from_secs(*rng.pick(seconds)),
            by_cron: rng.chance(0.5),
            catch_up,
            late: Duration::from_millis(rng.between(100..=3_000)),
            kind: (*rng.pick(&KINDS)).to_owned(),
        }
    }

    /// What is asked for, of the schedule at this place.
    pub fn asked(&self, place: usize) -> Schedule {
        let Self { name, interval, by_cron, catch_up, late, kind } = self.clone();
        let rhythm = if by_cron {
            Rhythm::cron(format!("*/{} * * * * *", interval.as_secs()), ZONE)
        } else {
            Rhythm::every(interval)
        };
        let script = Script {
            number: NUMBER + place as u64,
            acts: vec![Act::Complete],
            work_ms: 20,
            steps: 0,
            reports: 0,
            lines: 0,
            signals: 0,
            others: 0,
        };
        let job = Template {
            kind,
            queue: "default".to_owned(),
            priority: 0,
            max_attempts: None,
            max_age_ms: None,
            concurrency_key: None,
            payload: script.payload(true),
        };
        // It is of a meaning only where missed ones are skipped.
        let late = if catch_up == CatchUp::Skip { late } else { limits::LATE_DEFAULT };
        Schedule { name, rhythm, catch_up, late_ms: late.as_millis() as u64, job }
    }
}

impl<H: Host> Actor<H> {
    /// Sets all schedules, as a program does at its start, and again now and then; sets one otherwise, or ends it; in the end
    /// ends all that may be there.
    pub async fn keep_schedules(self) {
        let mut rng = self.rng("planner");
        while !self.outside.is_calm() {
            for (place, schedule) in self.plan.schedules.iter().enumerate() {
                let mut asked = schedule.asked(place);
                match rng.between(0..=19) {
                    0 => asked.catch_up = *rng.pick(CatchUp::ALL),
                    1 => asked.rhythm = Rhythm::every(2 * schedule.interval),
                    _ => {}
                }
                self.outside.schedules(&schedule.name);
                drop(self.call_and_repeat(&mut rng, Request::Schedule(asked)).await);
            }
            self.rest(&mut rng, Duration::from_millis(8_000)).await;
            if rng.chance(0.3) {
                drop(self.call(request_id(&mut rng), Request::Schedules).await);
            }
            if rng.chance(0.15) && !self.outside.is_calm() {
                let name = rng.pick(&self.plan.schedules).name.clone();
                drop(self.call_and_repeat(&mut rng, Request::Unschedule { name }).await);
                self.rest(&mut rng, Duration::from_millis(4_000)).await;
            }
        }
        loop {
            for name in self.outside.scheduled() {
                let ended = self.call(request_id(&mut rng), Request::Unschedule { name: name.clone() }).await;
                if matches!(ended, Ok(Reply::Unscheduled { .. })) {
                    self.outside.has_unscheduled(&name);
                }
            }
            self.rest(&mut rng, Duration::from_millis(500)).await;
        }
    }
}
