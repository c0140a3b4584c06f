//! When jobs become runnable, by which clock.

use crate::bench::{Bench, MILLISECOND, NOTHING, claim, error, ids, job, on_every_store};
use crate::host::WALL_START;
use outlive::job::{State, Wall};
use outlive::protocol::{Enqueue, Reported, Request, When};
use std::time::Duration;

const DELAY: Duration = Duration::from_secs(60);

fn delayed() -> Enqueue {
    Enqueue { when: When::After(60_000), ..job("a") }
}

fn at(wall: Duration) -> Enqueue {
    Enqueue { when: When::At(Wall(i64::try_from(wall.as_millis()).unwrap())), ..job("a") }
}

async fn claimed(bench: &mut Bench) -> Vec<i64> {
    ids(&bench.claim(claim()).await)
}

#[test]
fn a_delay_is_over_when_both_clocks_say_so() {
    on_every_store(async |bench| {
        let id = bench.enqueue(delayed()).await;
        bench.pass(DELAY - MILLISECOND).await;
        assert_eq!(claimed(bench).await, NOTHING);
        bench.pass(MILLISECOND).await;
        assert_eq!(claimed(bench).await, [id.0]);
    });
}

#[test]
fn a_delay_is_over_when_steady_time_says_so_though_the_wall_clock_runs_back() {
    on_every_store(async |bench| {
        let id = bench.enqueue(delayed()).await;
        bench.set_wall(WALL_START / 2).await;
        bench.pass_steady(DELAY - MILLISECOND).await;
        assert_eq!(claimed(bench).await, NOTHING);
        bench.pass_steady(MILLISECOND).await;
        assert_eq!(claimed(bench).await, [id.0]);
    });
}

#[test]
fn a_delay_is_over_when_the_wall_clock_says_so_though_no_steady_time_has_passed() {
    on_every_store(async |bench| {
        let id = bench.enqueue(delayed()).await;
        bench.set_wall(WALL_START + DELAY - MILLISECOND).await;
        assert_eq!(claimed(bench).await, NOTHING);
        bench.set_wall(WALL_START + DELAY).await;
        assert_eq!(claimed(bench).await, [id.0]);
    });
}

#[test]
fn a_delay_goes_on_while_the_queue_is_closed_by_the_wall_clock() {
    on_every_store(async |bench| {
        let id = bench.enqueue(delayed()).await;
        bench.reopen_after(|clock| clock.pass(DELAY)).await;
        assert_eq!(claimed(bench).await, [id.0]);
    });
}

#[test]
fn a_delay_of_nothing_is_none() {
    on_every_store(async |bench| {
        let id = bench.enqueue(Enqueue { when: When::After(0), ..job("a") }).await;
        assert_eq!(claimed(bench).await, [id.0]);
    });
}

#[test]
fn a_time_of_the_calendar_is_the_wall_clocks_alone() {
    on_every_store(async |bench| {
        let id = bench.enqueue(at(WALL_START + DELAY)).await;
        bench.pass_steady(DELAY * 1_000).await;
        assert_eq!(claimed(bench).await, NOTHING);
        bench.set_wall(WALL_START + DELAY - MILLISECOND).await;
        assert_eq!(claimed(bench).await, NOTHING);
        bench.set_wall(WALL_START + DELAY).await;
        assert_eq!(claimed(bench).await, [id.0]);
    });
}

#[test]
fn a_time_of_the_calendar_that_has_passed_is_now() {
    on_every_store(async |bench| {
        let early = Enqueue { when: When::At(Wall(i64::MIN)), ..job("a") };
        let expected = [bench.enqueue(at(WALL_START)).await.0, bench.enqueue(early).await.0];
        assert_eq!(claimed(bench).await, expected);
    });
}

#[test]
fn a_time_beyond_the_calendar_never_comes() {
    on_every_store(async |bench| {
        let id = bench.enqueue(Enqueue { when: When::At(Wall(i64::MAX)), ..job("a") }).await;
        bench.pass(DELAY).await;
        assert_eq!(claimed(bench).await, NOTHING);
        assert!(bench.cancel(id).await);
    });
}

#[test]
fn a_wall_clock_that_runs_back_takes_a_job_out_of_its_line_again() {
    on_every_store(async |bench| {
        let scheduled = bench.enqueue(at(WALL_START + DELAY)).await;
        let delayed = bench.enqueue(delayed()).await;
        bench.set_wall(WALL_START + DELAY).await;
        bench.set_wall(WALL_START).await;
        assert_eq!(claimed(bench).await, NOTHING);
        for id in [scheduled, delayed] {
            assert_eq!(bench.look(id).await.state, State::Waiting);
        }
        bench.pass(DELAY).await;
        assert_eq!(claimed(bench).await, [scheduled.0, delayed.0]);
    });
}

#[test]
fn a_job_that_left_its_line_with_the_wall_clock_lets_others_pass_and_is_not_counted_ahead() {
    on_every_store(async |bench| {
        let scheduled = bench.enqueue(Enqueue { priority: 9, ..at(WALL_START + DELAY) }).await;
        let ready = bench.enqueue(job("a")).await;
        bench.set_wall(WALL_START + DELAY).await;
        bench.set_wall(WALL_START).await;
        let explained = bench.explain(ready).await.to_string();
        insta::allow_duplicates! {
            insta::assert_snapshot!(explained, @"Job 2 (a) is next in line in queue default, but no worker has asked for its kind since the file was opened.");
        }
        assert_eq!(claimed(bench).await, [ready.0]);
        assert_eq!(bench.look(scheduled).await.state, State::Waiting);
    });
}

#[test]
fn rests_and_snoozes_are_over_by_either_clock() {
    on_every_store(async |bench| {
        for (steady, wall) in [(DELAY, WALL_START), (Duration::ZERO, WALL_START + DELAY)] {
            bench.set_wall(WALL_START).await;
            let first = bench.running().await.lease;
            let second = bench.running().await.lease;
            bench.done(Request::Snooze { lease: first, delay_ms: 60_000 }).await;
            bench.fail(second, Reported { retry_after_ms: Some(60_000), ..error("no") }).await;
            assert_eq!(claimed(bench).await, NOTHING);
            bench.pass_steady(steady).await;
            bench.set_wall(wall).await;
            let again = bench.claim(claim()).await;
            assert_eq!(ids(&again), [first.job.0, second.job.0]);
            for granted in again {
                bench.done(Request::Complete { lease: granted.lease, result: None }).await;
            }
        }
    });
}
