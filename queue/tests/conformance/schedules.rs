//! Schedules: each slot has one job, or is recorded as skipped, over restarts and whatever the clocks show.

use crate::bench::{Bench, Kind, LEASE, MILLISECOND, block_on, claim, ids, on_every_store};
use crate::host::WALL_START;
use outlive::Options;
use outlive::job::{CatchUp, JobId, Refusal, Rhythm, Slot, Template, Wall};
use outlive::limits;
use outlive::protocol::{CallError, Reply, Request, Schedule, ScheduleView, SlotView};
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);
/// The wall time at which every test begins, in seconds: a whole number of tens.
const START: i64 = WALL_START.as_secs().cast_signed();

fn template() -> Template {
    Template {
        kind: "a".into(),
        queue: "default".into(),
        priority: 3,
        max_attempts: Some(2),
        max_age_ms: None,
        concurrency_key: Some("sweep".into()),
        payload: "{ \"all\": true }".into(),
    }
}

fn schedule(rhythm: Rhythm, catch_up: CatchUp) -> Schedule {
    Schedule { name: "sweep".into(), rhythm, catch_up, late_ms: 2_000, job: template() }
}

fn every_ten_seconds(catch_up: CatchUp) -> Schedule {
    schedule(Rhythm::every(10 * SECOND), catch_up)
}

/// A slot so many seconds after the start.
fn slot(seconds: i64) -> Slot {
    Slot { schedule: "sweep".into(), at: Wall(1_000 * (START + seconds)) }
}

/// What becomes of slots, in seconds after the start.
#[derive(Debug, PartialEq, Eq)]
enum Became {
    Job(i64),
    Skipped(i64, i64),
}
use Became::{Job, Skipped};

impl Bench {
    async fn schedule(&mut self, schedule: Schedule) -> Wall {
        match self.call(Request::Schedule(schedule)).await {
            Ok(Reply::Scheduled { next }) => next,
            other => panic!("not scheduled: {other:?}"),
        }
    }

    async fn unschedule(&mut self) -> bool {
        match self.call(Request::Unschedule { name: "sweep".into() }).await {
            Ok(Reply::Unscheduled { was_scheduled }) => was_scheduled,
            other => panic!("not unscheduled: {other:?}"),
        }
    }

    async fn schedules(&mut self) -> Vec<ScheduleView> {
        match self.call(Request::Schedules).await {
            Ok(Reply::Schedules { schedules }) => schedules,
            other => panic!("no schedules: {other:?}"),
        }
    }

    /// What became of the last slots of the one schedule, the oldest first.
    async fn became(&mut self) -> Vec<Became> {
        let [view] = &self.schedules().await[..] else { panic!("one schedule") };
        let seconds = |wall: Wall| wall.0 / 1_000 - START;
        let became = |slot: &SlotView| match *slot {
            SlotView::Job { at, .. } => Job(seconds(at)),
            SlotView::Skipped { first, last } => Skipped(seconds(first), seconds(last)),
        };
        view.last.iter().rev().map(became).collect()
    }

    /// The times of the slots of all jobs that can be claimed, and are completed.
    async fn done_slots(&mut self) -> Vec<Wall> {
        let mut slots = Vec::new();
        for granted in self.claim(claim()).await {
            self.done(Request::Complete { lease: granted.lease, result: None }).await;
            slots.push(granted.slot.expect("it is there for a slot").at);
        }
        slots
    }

    /// The same in seconds after the start.
    async fn claimed_slots(&mut self) -> Vec<i64> {
        self.done_slots().await.into_iter().map(|at| at.0 / 1_000 - START).collect()
    }
}

#[test]
fn each_slot_has_one_job_when_its_time_has_come_over_restarts_too() {
    on_every_store(async |bench| {
        assert_eq!(bench.schedule(every_ten_seconds(CatchUp::All)).await, slot(10).at);
        bench.pass(10 * SECOND - MILLISECOND).await;
        assert_eq!(bench.claimed_slots().await, [0; 0]);
        bench.pass(MILLISECOND).await;
        let granted = bench.claim_one().await;
        assert_eq!(
            (granted.slot, granted.payload.as_str(), granted.max_attempts),
            (Some(slot(10)), "{\"all\":true}", 2)
        );
        let view = bench.look(granted.lease.job).await;
        assert_eq!((view.slot, view.priority), (Some(slot(10)), 3));
        assert_eq!(view.concurrency_key.as_deref(), Some("sweep"));
        for _ in 0..3 {
            bench.reopen().await;
            bench.pass(MILLISECOND).await;
        }
        bench.pass(LEASE).await;
        assert_eq!(bench.became().await, [Job(10), Job(20), Job(30), Job(40)]);
    });
}

#[test]
fn a_schedule_that_is_set_at_each_start_goes_on_as_it_is() {
    on_every_store(async |bench| {
        bench.schedule(every_ten_seconds(CatchUp::Latest)).await;
        let since = bench.schedules().await[0].since;
        for start in 1..=3 {
            bench.reopen_after(|clock| clock.pass(10 * SECOND)).await;
            // The slot is nine seconds old when somebody sets it again, and has its job.
            bench.pass(MILLISECOND).await;
            assert_eq!(bench.schedule(every_ten_seconds(CatchUp::Latest)).await, slot(10 * start + 10).at);
        }
        assert_eq!(bench.became().await, [Job(10), Job(20), Job(30)]);
        let [view] = &bench.schedules().await[..] else { panic!("one schedule") };
        assert_eq!((view.since, view.next), (since, Some(slot(40).at)));
        // What is asked for otherwise counts from now on.
        let other = Schedule { job: Template { priority: 7, ..template() }, ..every_ten_seconds(CatchUp::Latest) };
        bench.schedule(other).await;
        bench.pass(10 * SECOND).await;
        let last = bench.claim(claim()).await.into_iter().find(|granted| granted.slot == Some(slot(40)));
        assert_eq!(bench.look(last.unwrap().lease.job).await.priority, 7);
    });
}

/// Closed from 5 s on until 65 s.
async fn missed(bench: &mut Bench, catch_up: CatchUp) -> Vec<Became> {
    bench.schedule(every_ten_seconds(catch_up)).await;
    bench.pass(5 * SECOND).await;
    bench.reopen_after(|clock| clock.pass(56 * SECOND)).await;
    bench.engine_looks().await;
    bench.became().await
}

#[test]
fn what_was_missed_is_made_up_for_as_was_said() {
    on_every_store(async |bench| {
        // All of them, and the last five are shown.
        assert_eq!(missed(bench, CatchUp::All).await, [Job(20), Job(30), Job(40), Job(50), Job(60)]);
        assert_eq!(bench.claimed_slots().await, [10, 20, 30, 40, 50, 60]);
    });
    on_every_store(async |bench| {
        assert_eq!(missed(bench, CatchUp::Latest).await, [Skipped(10, 50), Job(60)]);
        assert_eq!(bench.claimed_slots().await, [60]);
    });
    on_every_store(async |bench| {
        // One that is no more than two seconds late has its job.
        assert_eq!(missed(bench, CatchUp::Skip).await, [Skipped(10, 50), Job(60)]);
        bench.reopen_after(|clock| clock.pass(12 * SECOND)).await;
        bench.engine_looks().await;
        assert_eq!(bench.became().await, [Skipped(10, 50), Job(60), Skipped(70, 70)]);
    });
}

#[test]
fn more_than_are_written_at_once_are_made_up_for_one_after_the_other() {
    on_every_store(async |bench| {
        bench.schedule(every_ten_seconds(CatchUp::All)).await;
        let missed = 3 * limits::GROUP_SLOTS_MAX as u32 + 1;
        bench.pass(10 * SECOND * missed).await;
        for _ in 0..4 {
            bench.engine_looks().await;
        }
        let mut jobs = 0;
        while let grants = bench.claim(claim()).await
            && !grants.is_empty()
        {
            jobs += ids(&grants).len();
        }
        assert_eq!(jobs, missed as usize);
    });
}

/// A wall clock that jumps ahead by mistake and is set right again has no slot twice, and loses none.
#[test]
fn a_clock_that_was_wrong_for_a_while_has_no_slot_twice_and_loses_none() {
    for catch_up in CatchUp::ALL {
        on_every_store(async |bench| {
            bench.schedule(every_ten_seconds(*catch_up)).await;
            bench.pass(10 * SECOND).await;
            bench.set_wall(WALL_START + 45 * SECOND).await;
            bench.set_wall(WALL_START + 12 * SECOND).await;
            bench.reopen().await;
            let mut slots = bench.claimed_slots().await;
            for _ in 0..5 {
                bench.pass(10 * SECOND).await;
                slots.extend(bench.claimed_slots().await);
            }
            slots.sort_unstable();
            assert_eq!(slots, [10, 20, 30, 40, 50, 60], "{catch_up}");
        });
    }
}

#[test]
fn time_that_comes_once_more_brings_what_was_skipped_if_somebody_has_the_file_open() {
    on_every_store(async |bench| {
        bench.schedule(every_ten_seconds(CatchUp::Latest)).await;
        bench.set_wall(WALL_START + 95 * SECOND).await;
        assert_eq!(bench.became().await, [Skipped(10, 80), Job(90)]);
        bench.set_wall(WALL_START + 33 * SECOND).await;
        assert_eq!(bench.became().await, [Skipped(10, 80), Job(90)]);
        bench.pass(10 * SECOND).await;
        assert_eq!(bench.became().await, [Job(40), Skipped(10, 80), Job(90)]);
        // What nobody looks at is passed over once more; the time after that is news.
        bench.reopen_after(|clock| clock.pass(40 * SECOND)).await;
        bench.engine_looks().await;
        assert_eq!(bench.became().await, [Job(40), Skipped(50, 70), Skipped(10, 80), Job(80), Job(90)]);
        bench.pass(40 * SECOND).await;
        assert_eq!(bench.became().await.last(), Some(&Job(120)));
    });
}

#[test]
fn a_clock_that_is_far_behind_for_a_moment_brings_nothing_that_was_or_was_never_asked_for() {
    for catch_up in CatchUp::ALL {
        on_every_store(async |bench| {
            bench.schedule(every_ten_seconds(*catch_up)).await;
            bench.pass(30 * SECOND).await;
            let before = bench.claimed_slots().await;
            // As a machine without a clock of its own shows when it boots.
            bench.set_wall(Duration::ZERO).await;
            bench.set_wall(WALL_START + 41 * SECOND).await;
            assert_eq!(bench.claimed_slots().await, [40], "{catch_up}, after {before:?}");
        });
    }
}

#[test]
fn one_that_has_much_to_make_up_for_does_not_hold_others() {
    on_every_store(async |bench| {
        let other = |name: &str| Schedule { name: name.into(), ..every_ten_seconds(CatchUp::Latest) };
        bench.schedule(every_ten_seconds(CatchUp::All)).await;
        bench.schedule(other("a")).await;
        bench.schedule(other("z")).await;
        let passed = i64::try_from(limits::GROUP_SLOTS_MAX).unwrap() * 100;
        // Two groups: what was asked for by hand sees what the first one wrote.
        bench.pass(10 * SECOND * limits::GROUP_SLOTS_MAX as u32 * 10).await;
        for view in bench.schedules().await.iter().filter(|view| view.schedule.name != "sweep") {
            let SlotView::Job { at, .. } = view.last[0] else { panic!("{view:?}") };
            assert_eq!(at, slot(passed).at, "{}", view.schedule.name);
        }
    });
}

/// By the clocks of Berlin, half past two is left out once a year and comes twice once: each day has its job.
#[test]
fn each_day_has_one_job_when_clocks_are_put_forward_and_back() {
    let days = |from: i64, count: i64| (0..count).map(move |day| Wall(1_000 * (from + 86_400 * day)));
    // 2024-03-29 and 2024-10-25, at noon.
    for noon in [1_711_710_000, 1_729_850_400] {
        on_every_store(async |bench| {
            bench.set_wall(Duration::from_secs(noon)).await;
            bench.schedule(schedule(Rhythm::cron("30 2 * * *", "Europe/Berlin"), CatchUp::All)).await;
            let mut slots = Vec::new();
            for _ in 0..4 * 24 * 4 {
                bench.pass(Duration::from_secs(900)).await;
                slots.extend(bench.done_slots().await);
            }
            assert_eq!(slots.len(), 4, "{slots:?}");
            // Each between two noons; by how much these are apart is of no matter here.
            for (slot, noon) in slots.iter().zip(days(noon.cast_signed(), 4)) {
                assert!(noon.until(*slot) < Duration::from_secs(86_400) && noon < *slot, "{slots:?}");
            }
        });
    }
}

#[test]
fn seconds_are_the_first_of_six_fields() {
    on_every_store(async |bench| {
        bench.schedule(schedule(Rhythm::cron("*/20 * * * * *", "UTC"), CatchUp::All)).await;
        for _ in 0..6 {
            bench.pass(10 * SECOND).await;
        }
        // The start is at the twentieth second of its minute.
        assert_eq!(bench.became().await, [Job(20), Job(40), Job(60)]);
    });
}

#[test]
fn a_schedule_that_is_ended_has_no_slots_any_more_and_another_of_its_name_none_twice() {
    on_every_store(async |bench| {
        assert!(!bench.unschedule().await, "it is not there");
        bench.schedule(every_ten_seconds(CatchUp::All)).await;
        bench.pass(10 * SECOND).await;
        assert!(bench.unschedule().await);
        assert_eq!(bench.schedules().await, []);
        bench.pass(20 * SECOND).await;
        assert_eq!(bench.claimed_slots().await, [10], "the job of a slot stays");
        // By a clock that shows that time once more.
        bench.set_wall(WALL_START + 5 * SECOND).await;
        bench.schedule(every_ten_seconds(CatchUp::All)).await;
        bench.pass(20 * SECOND).await;
        assert_eq!(bench.claimed_slots().await, [20]);
        assert_eq!(bench.became().await, [Job(10), Job(20)]);
    });
}

#[test]
fn another_rhythm_counts_from_when_it_is_set() {
    on_every_store(async |bench| {
        bench.schedule(every_ten_seconds(CatchUp::All)).await;
        bench.pass(14 * SECOND).await;
        let next = bench.schedule(schedule(Rhythm::every(4 * SECOND), CatchUp::All)).await;
        assert_eq!(next, slot(16).at);
        bench.pass(4 * SECOND).await;
        assert_eq!(bench.became().await, [Job(10), Job(16)]);
    });
}

#[test]
fn a_repeat_is_answered_as_the_first() {
    on_every_store(async |bench| {
        let id = bench.request_id();
        let first = bench.call_as(id, Request::Schedule(every_ten_seconds(CatchUp::All))).await;
        assert_eq!(first, Ok(Reply::Scheduled { next: slot(10).at }));
        bench.pass(60 * SECOND).await;
        assert_eq!(bench.call_as(id, Request::Schedule(every_ten_seconds(CatchUp::All))).await, first);
    });
}

#[test]
fn a_refused_schedule_says_what_to_do() {
    block_on(async {
        let bench = &mut Bench::open(Kind::Memory, 1, Options::default()).await;
        let good = || every_ten_seconds(CatchUp::Skip);
        let of = |rhythm| schedule(rhythm, CatchUp::Latest);
        let bad = [
            of(Rhythm::cron("61 * * * *", "UTC")),
            of(Rhythm::cron("* * *", "UTC")),
            of(Rhythm::cron("0 7 * * *", "Berlin")),
            of(Rhythm::cron("0 0 31 2 *", "UTC")),
            of(Rhythm::every(MILLISECOND)),
            Schedule { name: String::new(), ..good() },
            Schedule { late_ms: u64::MAX, ..good() },
            Schedule { job: Template { payload: "{".into(), ..template() }, ..good() },
            Schedule { job: Template { priority: 101, ..template() }, ..good() },
        ];
        let mut said = String::new();
        for schedule in bad {
            let refusal = bench.refused(Request::Schedule(schedule)).await;
            said.push_str(&format!("{refusal}\n"));
        }
        insta::assert_snapshot!(said);
    });
}

#[test]
fn slots_wait_for_room_on_a_disk_and_say_so() {
    block_on(async {
        let bench = &mut Bench::open(Kind::Turso, 1, Options::default()).await;
        bench.schedule(every_ten_seconds(CatchUp::All)).await;
        bench.reopen_with(Options { reserve_bytes: u64::MAX, ..Options::default() }).await;
        bench.pass(20 * SECOND).await;
        let [view] = &bench.schedules().await[..] else { panic!("one schedule") };
        let stuck = view.stuck.as_deref().unwrap_or_default();
        assert!(stuck.contains("free"), "{stuck}");
        assert!(view.to_string().contains(stuck), "{view}");
        bench.reopen_with(Options::default()).await;
        bench.engine_looks().await;
        assert_eq!(bench.claimed_slots().await, [10, 20], "nothing was passed over for want of room");
        assert_eq!(bench.schedules().await[0].stuck, None);
    });
}

#[test]
fn a_schedule_says_in_words_what_it_does() {
    block_on(async {
        let bench = &mut Bench::open(Kind::Memory, 1, Options::default()).await;
        missed(bench, CatchUp::Latest).await;
        let mornings = Rhythm::cron("30 7 * * MON-FRI", "Europe/Berlin");
        bench.schedule(Schedule { name: "report".into(), rhythm: mornings, ..every_ten_seconds(CatchUp::Skip) }).await;
        let said: Vec<String> = bench.schedules().await.iter().map(ToString::to_string).collect();
        insta::assert_snapshot!(said.join("\n"));
    });
}

#[test]
fn what_is_not_known_is_no_job() {
    on_every_store(async |bench| {
        let job = JobId(1);
        bench.schedule(every_ten_seconds(CatchUp::All)).await;
        let unknown = Err(CallError::Refused(Refusal::UnknownJob { job }));
        assert_eq!(bench.call(Request::Look { job }).await, unknown, "no job is there before its slot");
    });
}
