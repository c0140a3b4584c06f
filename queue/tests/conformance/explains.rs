//! Why is this job not running? The whole answer, for every state.

use crate::bench::{LEASE, MILLISECOND, claim, error, grants, ids, job, on_every_store, on_every_store_with};
use crate::host::WALL_START;
use outlive::host::Host;
use outlive::job::explain::{Doing, LastFailure};
use outlive::job::{Blocker, Bound, Explanation, How, JobId, Lease, Limits, Next, Place, Reason, State, Until, Wall};
use outlive::protocol::{Claim, Enqueue, Reply, Reported, Request, When};
use outlive::{Options, limits};
use std::time::Duration;

/// Wall time since the start of the test.
fn wall(milliseconds: i64) -> Wall {
    Wall(i64::try_from(WALL_START.as_millis()).unwrap() + milliseconds)
}

fn explanation(job: JobId, attempts: u32, doing: Doing) -> Explanation {
    Explanation { job, kind: "a".into(), attempts, last_failure: None, begins_by: None, doing }
}

fn waiting(blocker: Blocker) -> Doing {
    Doing::Waiting { blockers: vec![blocker] }
}

/// A wait that ends at this time after the start of the test, of which so much is left.
fn until(reason: Reason, due_ms: i64, left_ms: u64) -> Doing {
    let wall_ms = wall(due_ms).0;
    waiting(Blocker {
        reason,
        until: Until::Time { steady_ms: Some(due_ms), wall_ms },
        holds_while: format!("steady_ms < {due_ms} and wall_ms < {wall_ms}"),
        bound: Bound::Milliseconds { at_most: left_ms },
    })
}

fn in_line(ahead: u64, claims_waiting: u64) -> Doing {
    in_line_asked_for(ahead, claims_waiting, None)
}

/// A job in line for whose like somebody asked so long ago.
fn in_line_asked_for(ahead: u64, claims_waiting: u64, asked_ms_ago: Option<u64>) -> Doing {
    waiting(Blocker {
        reason: Reason::Line {
            queue: "default".into(),
            priority: 0,
            ahead: Place::Exactly(ahead),
            claims_waiting,
            asked_ms_ago,
        },
        until: Until::Claim,
        holds_while: r#"no claim of kind "a" from queue "default" has reached it"#.into(),
        bound: Bound::Claims { claims: Place::Exactly(ahead + 1) },
    })
}

fn running(started: bool, expires_in: Duration, cancel_requested: bool) -> Doing {
    let expires_in_ms = i64::try_from(expires_in.as_millis()).unwrap();
    Doing::Running { worker: "w1".into(), started, expires_in_ms, cancel_requested }
}

fn last(attempt: u32, at: Wall, how: How, message: &str) -> Option<LastFailure> {
    Some(LastFailure { attempt, at, how, message: message.into() })
}

#[test]
fn a_job_in_line_says_how_many_go_first_and_who_asks() {
    on_every_store(async |bench| {
        let other_queue = Enqueue { queue: "other".into(), priority: 9, ..job("a") };
        for enqueue in [job("a"), job("c"), Enqueue { priority: 1, ..job("b") }, other_queue] {
            bench.enqueue(enqueue).await;
        }
        let id = bench.enqueue(job("a")).await;
        bench.enqueue(job("a")).await;
        assert_eq!(bench.explain(id).await, explanation(id, 0, in_line(3, 0)));
        assert_eq!(bench.explain(JobId(1)).await, explanation(JobId(1), 0, in_line(1, 0)));
    });
}

#[test]
fn a_job_in_line_says_how_many_claims_wait_for_its_kind_in_its_queue() {
    on_every_store(async |bench| {
        // Claims are served at the end of a group, so only a question in the group of the enqueue
        // finds both the job and the claims. The engine is held up by a rest that it must draw.
        let lease = bench.running().await.lease;
        let wants = |kind: &str| Claim { kinds: vec![kind.into()], wait_ms: 60_000, ..claim() };
        let claims = ["a", "b", "a"].map(|kind| bench.send(Request::Claim(wants(kind))));
        bench.engine_looks().await;
        let host = bench.host.clone();
        let held = host.hold_randomness();
        let failing = bench.send(Request::Fail { lease, failure: error("no") });
        held.until_awaited();
        let enqueueing = bench.send(Request::Enqueue(job("a")));
        let explaining = bench.send(Request::Explain { job: JobId(2) });
        drop(held);
        failing.await.unwrap();
        enqueueing.await.unwrap();
        assert_eq!(explaining.await, Ok(Reply::Explained(explanation(JobId(2), 0, in_line_asked_for(0, 2, Some(0))))));
        let [first, ..] = claims;
        assert_eq!(ids(&grants(first.await)), [2]);
    });
}

#[test]
fn a_delayed_job_says_until_when_by_both_clocks() {
    on_every_store(async |bench| {
        let id = bench.enqueue(Enqueue { when: When::After(60_000), ..job("a") }).await;
        assert_eq!(bench.explain(id).await, explanation(id, 0, until(Reason::Delay, 60_000, 60_000)));
        bench.pass(Duration::from_secs(20)).await;
        bench.pass_steady(Duration::from_secs(30)).await;
        assert_eq!(bench.explain(id).await, explanation(id, 0, until(Reason::Delay, 60_000, 10_000)));
        bench.pass(Duration::from_secs(10)).await;
        assert_eq!(bench.explain(id).await, explanation(id, 0, in_line(0, 0)));
    });
}

#[test]
fn a_scheduled_job_says_until_when_by_the_wall_clock() {
    on_every_store(async |bench| {
        let at = wall(60_000);
        let id = bench.enqueue(Enqueue { when: When::At(at), ..job("a") }).await;
        bench.pass_steady(Duration::from_secs(100)).await;
        let blocker = Blocker {
            reason: Reason::Schedule,
            until: Until::Time { steady_ms: None, wall_ms: at.0 },
            holds_while: format!("wall_ms < {}", at.0),
            bound: Bound::Milliseconds { at_most: 60_000 },
        };
        assert_eq!(bench.explain(id).await, explanation(id, 0, waiting(blocker)));
        bench.set_wall(WALL_START + Duration::from_secs(60)).await;
        assert_eq!(bench.explain(id).await, explanation(id, 0, in_line(0, 0)));
    });
}

#[test]
fn a_running_job_says_where_and_until_when() {
    on_every_store(async |bench| {
        let lease = bench.running().await.lease;
        let id = lease.job;
        bench.pass(MILLISECOND).await;
        assert_eq!(bench.explain(id).await, explanation(id, 1, running(false, LEASE - MILLISECOND, false)));
        bench.done(Request::Start { lease }).await;
        assert_eq!(bench.explain(id).await, explanation(id, 1, running(true, LEASE, false)));
        bench.cancel(id).await;
        assert_eq!(bench.explain(id).await, explanation(id, 1, running(true, LEASE, true)));
        bench.pass(LEASE - MILLISECOND).await;
        assert_eq!(bench.explain(id).await, explanation(id, 1, running(true, MILLISECOND, true)));
    });
}

#[test]
fn a_job_that_failed_says_what_failed_and_for_how_long_it_rests() {
    on_every_store(async |bench| {
        let lease = bench.running().await.lease;
        bench.pass(Duration::from_secs(1)).await;
        bench.fail(lease, Reported { retry_after_ms: Some(9_000), ..error("no luck") }).await;
        let failure = last(1, wall(1_000), How::Error, "no luck");
        let rests = until(Reason::Backoff { failures: 1, max_attempts: 3 }, 10_000, 9_000);
        let expected = Explanation { last_failure: failure.clone(), ..explanation(lease.job, 1, rests) };
        assert_eq!(bench.explain(lease.job).await, expected);
        // The failure is told as long as there is no later one.
        bench.pass(Duration::from_secs(9)).await;
        bench.claim_one().await;
        let expected = Explanation { last_failure: failure, ..explanation(lease.job, 2, running(false, LEASE, false)) };
        assert_eq!(bench.explain(lease.job).await, expected);
    });
}

#[test]
fn a_job_that_crashed_says_so_and_for_how_long_it_rests() {
    on_every_store(async |bench| {
        let lease = bench.started().await.lease;
        bench.pass(LEASE).await;
        let Some(Next::Retry { due }) = bench.look(lease.job).await.history[0].failure.as_ref().map(|it| it.next)
        else {
            panic!("it is retried")
        };
        let due = due.steady.unwrap().0;
        let rests = until(Reason::CrashBackoff { crashes: 1, crashes_max: 5 }, due, (due - 30_000).cast_unsigned());
        let message = "the lease expired without a word from its worker";
        let last_failure = last(1, wall(30_000), How::Crash, message);
        assert_eq!(bench.explain(lease.job).await, Explanation { last_failure, ..explanation(lease.job, 1, rests) });
    });
}

#[test]
fn a_job_whose_lost_lease_is_not_written_down_yet_says_that() {
    on_every_store(async |bench| {
        let count = limits::GROUP_DUE_MAX + 1;
        for _ in 0..count {
            bench.enqueue(job("a")).await;
        }
        let granted = bench.claim(Claim { most: 1_000, ..claim() }).await;
        let Lease { job: id, .. } = granted[count - 1].lease;
        let host = bench.host.clone();
        // The engine is not told that time has passed: what it hears of first is this question.
        host.clock().somebody_sleeps().await;
        host.clock().pass(LEASE);
        let blocker = Blocker {
            reason: Reason::LeaseExpired { worker: "w1".into() },
            until: Until::Pass,
            holds_while: "steady_ms >= 30000 and the loss is not written down".into(),
            bound: Bound::Milliseconds { at_most: 0 },
        };
        assert_eq!(bench.explain(id).await, explanation(id, 1, waiting(blocker)));
    });
}

#[test]
fn a_snoozed_job_says_until_when() {
    on_every_store(async |bench| {
        let lease = bench.running().await.lease;
        bench.done(Request::Snooze { lease, delay_ms: 7_000 }).await;
        assert_eq!(bench.explain(lease.job).await, explanation(lease.job, 1, until(Reason::Snooze, 7_000, 7_000)));
    });
}

#[test]
fn a_released_job_is_in_line_and_says_why() {
    on_every_store(async |bench| {
        let lease = bench.running().await.lease;
        bench.done(Request::Release { lease, why: "bye".into() }).await;
        let last_failure = last(1, wall(0), How::Shutdown, "bye");
        let expected = Explanation { last_failure, ..explanation(lease.job, 1, in_line_asked_for(0, 0, Some(0))) };
        assert_eq!(bench.explain(lease.job).await, expected);
    });
}

#[test]
fn a_finished_job_says_how_and_when_it_ended() {
    on_every_store(async |bench| {
        let finished = |outcome| Doing::Finished { outcome, at: wall(0), unmet: None, too_late: false };

        let lease = bench.running().await.lease;
        bench.done(Request::Complete { lease, result: None }).await;
        let expected = explanation(lease.job, 1, finished(State::Completed));
        assert_eq!(bench.explain(lease.job).await, expected);

        let lease = bench.running().await.lease;
        bench.fail(lease, Reported { retryable: false, ..error("never") }).await;
        let last_failure = last(1, wall(0), How::Error, "never");
        let expected = Explanation { last_failure, ..explanation(lease.job, 1, finished(State::Discarded)) };
        assert_eq!(bench.explain(lease.job).await, expected);

        let id = bench.enqueue(job("a")).await;
        bench.cancel(id).await;
        assert_eq!(bench.explain(id).await, explanation(id, 0, finished(State::Cancelled)));
    });
}

#[test]
fn a_quarantined_job_says_so() {
    let limits = Limits { crashes_max: 1, ..Limits::default() };
    on_every_store_with(Options { limits, ..Options::default() }, async |bench| {
        let lease = bench.started().await.lease;
        bench.pass(LEASE).await;
        let message = "the lease expired without a word from its worker";
        let last_failure = last(1, wall(30_000), How::Crash, message);
        let doing = Doing::Finished { outcome: State::Quarantined, at: wall(30_000), unmet: None, too_late: false };
        assert_eq!(bench.explain(lease.job).await, Explanation { last_failure, ..explanation(lease.job, 1, doing) });
    });
}
