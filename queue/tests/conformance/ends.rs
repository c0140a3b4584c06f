//! How attempts end, what follows, and what is counted.

use crate::bench::{Bench, LEASE, MILLISECOND, NOTHING, claim, error, ids, job, on_every_store, on_every_store_with};
use outlive::Options;
use outlive::job::{AttemptEnd, Backoff, Due, Holder, How, JobId, Limits, Next, Refusal, State, Steady, Wall};
use outlive::protocol::{Claim, Enqueue, JobView, Renewal, Reported, Request};
use std::time::Duration;

/// Failures, crashes, snoozes, releases.
fn counts(view: &JobView) -> (u32, u32, u32, u32) {
    (view.failures, view.crashes, view.snoozes, view.releases)
}

fn rest(next: Next, since: Wall) -> Duration {
    let Next::Retry { due } = next else { panic!("{next:?}") };
    since.until(due.wall)
}

async fn wait_out(bench: &mut Bench, job: JobId) {
    bench.pass(Duration::from_secs(3_600)).await;
    assert_eq!(bench.look(job).await.state, State::Waiting);
}

#[test]
fn a_completed_job_keeps_its_result_in_canonical_json() {
    on_every_store(async |bench| {
        let lease = bench.started().await.lease;
        bench.pass(MILLISECOND).await;
        bench.done(Request::Complete { lease, result: Some(r#"{ "z": 1, "a": null }"#.into()) }).await;
        let view = bench.look(lease.job).await;
        assert_eq!(view.result.as_deref(), Some(r#"{"a":null,"z":1}"#));
        assert_eq!(view.state, State::Completed);
        assert_eq!(view.finished_at, Some(view.enqueued_at.plus(MILLISECOND)));
        assert_eq!(counts(&view), (0, 0, 0, 0));
        assert_eq!(ids(&bench.claim(claim()).await), NOTHING, "it never runs again");
        let ended = Refusal::AttemptEnded { job: lease.job, end: AttemptEnd::Completed };
        assert_eq!(bench.refused(Request::Complete { lease, result: None }).await, ended);
        assert_eq!(bench.look(lease.job).await, view);
    });
}

#[test]
fn a_job_may_be_completed_without_a_result_or_a_start() {
    on_every_store(async |bench| {
        let lease = bench.running().await.lease;
        bench.done(Request::Complete { lease, result: None }).await;
        let view = bench.look(lease.job).await;
        assert_eq!((view.state, view.result, view.history[0].started_at), (State::Completed, None, None));
    });
}

#[test]
fn failures_are_retried_until_the_attempts_are_spent() {
    on_every_store(async |bench| {
        bench.enqueue(Enqueue { max_attempts: Some(3), ..job("a") }).await;
        for failure in 1..=3 {
            let granted = bench.claim_one().await;
            assert_eq!((granted.attempt, granted.failures), (failure, failure - 1));
            let next = bench.fail(granted.lease, error("no")).await;
            assert_eq!(next == Next::Discard, failure == 3, "{next:?}");
            bench.pass(Duration::from_secs(3_600)).await;
        }
        let view = bench.look(JobId(1)).await;
        assert_eq!((view.state, counts(&view), view.attempts), (State::Discarded, (3, 0, 0, 0), 3));
        assert!(view.finished_at.is_some());
        assert_eq!(ids(&bench.claim(claim()).await), NOTHING);
    });
}

#[test]
fn a_failure_that_is_not_retryable_discards_at_once() {
    on_every_store(async |bench| {
        let lease = bench.running().await.lease;
        let next = bench.fail(lease, Reported { retryable: false, retry_after_ms: Some(5), ..error("never") }).await;
        assert_eq!(next, Next::Discard);
        assert_eq!(bench.look(lease.job).await.state, State::Discarded);
    });
}

#[test]
fn a_failure_may_say_when_to_try_again() {
    on_every_store(async |bench| {
        let lease = bench.running().await.lease;
        let enqueued = bench.look(lease.job).await.enqueued_at;
        let next = bench.fail(lease, Reported { retry_after_ms: Some(90_000), ..error("busy") }).await;
        let (steady, wall) = (Some(Steady(90_000)), enqueued.plus(Duration::from_secs(90)));
        assert_eq!(next, Next::Retry { due: Due { steady, wall } });
        bench.pass(Duration::from_millis(89_999)).await;
        assert_eq!(ids(&bench.claim(claim()).await), NOTHING);
        bench.pass(MILLISECOND).await;
        assert_eq!(ids(&bench.claim(claim()).await), [lease.job.0]);
    });
}

#[test]
fn rests_after_failures_double_within_their_bounds() {
    let backoff = Backoff::Exponential { first: Duration::from_secs(4), longest: Duration::from_secs(10) };
    let options = Options { limits: Limits { backoff, ..Limits::default() }, ..Options::default() };
    on_every_store_with(options, async |bench| {
        let id = bench.enqueue(Enqueue { max_attempts: Some(10), ..job("a") }).await;
        for (low, high) in [(2, 4), (4, 8), (5, 10), (5, 10)] {
            let lease = bench.claim_one().await.lease;
            let next = bench.fail(lease, error("no")).await;
            let (ended_at, _) = bench.look(id).await.history.last().unwrap().ended.unwrap();
            let rest = rest(next, ended_at);
            assert!((Duration::from_secs(low)..=Duration::from_secs(high)).contains(&rest), "{rest:?}");
            bench.pass(rest - MILLISECOND).await;
            assert_eq!(ids(&bench.claim(claim()).await), NOTHING);
            bench.pass(MILLISECOND).await;
        }
    });
}

#[test]
fn silence_before_the_start_is_no_crash_and_the_job_is_runnable_at_once() {
    on_every_store(async |bench| {
        let lease = bench.running().await.lease;
        bench.pass(LEASE).await;
        let view = bench.look(lease.job).await;
        assert_eq!((counts(&view), view.state), ((0, 0, 0, 1), State::Waiting));
        let attempt = &view.history[0];
        assert_eq!(attempt.ended.unwrap().1, AttemptEnd::Expired);
        assert_eq!(attempt.failure.as_ref().unwrap().how, How::LeaseExpired);
        assert_eq!(bench.claim_one().await.attempt, 2);
    });
}

#[test]
fn silence_after_the_start_is_a_crash_and_the_job_rests() {
    on_every_store(async |bench| {
        let lease = bench.started().await.lease;
        bench.pass(LEASE).await;
        let view = bench.look(lease.job).await;
        assert_eq!((counts(&view), view.state), ((0, 1, 0, 0), State::Waiting));
        let attempt = &view.history[0];
        let (ended_at, end) = attempt.ended.unwrap();
        let failure = attempt.failure.as_ref().unwrap();
        assert_eq!((end, failure.how), (AttemptEnd::Crashed, How::Crash));
        let rest = rest(failure.next, ended_at);
        assert!((Duration::from_millis(500)..=Duration::from_secs(1)).contains(&rest), "{rest:?}");
        assert_eq!(ids(&bench.claim(claim()).await), NOTHING);
        bench.pass(rest).await;
        assert_eq!(bench.claim_one().await.attempt, 2);
    });
}

#[test]
fn what_crashed_five_times_is_quarantined_and_its_neighbour_is_not() {
    on_every_store(async |bench| {
        let id = bench.enqueue(Enqueue { max_attempts: Some(1), ..job("a") }).await;
        for crash in 1..=5 {
            let lease = bench.claim_one().await.lease;
            bench.done(Request::Start { lease }).await;
            bench.pass(LEASE).await;
            let view = bench.look(id).await;
            assert_eq!((view.crashes, view.failures), (crash, 0), "a crash spends no attempt");
            assert_eq!(view.state, if crash < 5 { State::Waiting } else { State::Quarantined });
            bench.pass(Duration::from_secs(300)).await;
        }
        let failure = bench.look(id).await.history[4].failure.clone().unwrap();
        assert_eq!((failure.how, failure.next), (How::Crash, Next::Quarantine));
        assert_eq!(ids(&bench.claim(claim()).await), NOTHING);
        let neighbour = bench.running().await.lease;
        bench.done(Request::Complete { lease: neighbour, result: None }).await;
    });
}

#[test]
fn the_number_of_crashes_that_quarantine_is_an_option() {
    let options = Options { limits: Limits { crashes_max: 1, ..Limits::default() }, ..Options::default() };
    on_every_store_with(options, async |bench| {
        let lease = bench.started().await.lease;
        bench.pass(LEASE).await;
        assert_eq!(bench.look(lease.job).await.state, State::Quarantined);
    });
}

#[test]
fn a_snoozed_job_comes_back_later_and_spends_no_attempt() {
    on_every_store(async |bench| {
        let lease = bench.running_as(Enqueue { max_attempts: Some(1), ..job("a") }).await.lease;
        bench.done(Request::Snooze { lease, delay_ms: 10_000 }).await;
        let view = bench.look(lease.job).await;
        assert_eq!((counts(&view), view.state), ((0, 0, 1, 0), State::Waiting));
        assert_eq!((view.history[0].ended.unwrap().1, &view.history[0].failure), (AttemptEnd::Snoozed, &None));
        bench.pass(Duration::from_millis(9_999)).await;
        assert_eq!(ids(&bench.claim(claim()).await), NOTHING);
        bench.pass(MILLISECOND).await;
        let granted = bench.claim_one().await;
        assert_eq!((granted.attempt, granted.failures), (2, 0));
    });
}

#[test]
fn a_released_job_is_runnable_at_once_and_spends_no_attempt() {
    on_every_store(async |bench| {
        let lease = bench.running_as(Enqueue { max_attempts: Some(1), ..job("a") }).await.lease;
        bench.done(Request::Release { lease, why: "shutting down".into() }).await;
        let view = bench.look(lease.job).await;
        assert_eq!((counts(&view), view.state), ((0, 0, 0, 1), State::Waiting));
        let failure = view.history[0].failure.as_ref().unwrap();
        assert_eq!((failure.how, failure.message.as_str()), (How::Shutdown, "shutting down"));
        assert_eq!(bench.claim_one().await.failures, 0);
    });
}

#[test]
fn a_waiting_job_is_cancelled_at_once_whatever_it_waits_for() {
    on_every_store(async |bench| {
        let line = bench.enqueue(job("c")).await;
        let lease = bench.running().await.lease;
        bench.done(Request::Snooze { lease, delay_ms: 1_000 }).await;
        let snoozed = lease.job;
        let lease = bench.running().await.lease;
        bench.fail(lease, error("no")).await;
        for id in [line, snoozed, lease.job] {
            assert!(bench.cancel(id).await);
            let view = bench.look(id).await;
            assert_eq!((view.state, view.cancel_requested), (State::Cancelled, false));
            assert_eq!(
                bench.refused(Request::Cancel { job: id }).await,
                Refusal::Finished { job: id, state: State::Cancelled }
            );
        }
        bench.pass(Duration::from_secs(3_600)).await;
        assert_eq!(ids(&bench.claim(claim()).await), NOTHING);
    });
}

/// A running job that somebody asked to stop.
async fn asked_to_stop(bench: &mut Bench) -> outlive::job::Lease {
    let lease = bench.started().await.lease;
    assert!(!bench.cancel(lease.job).await);
    assert!(!bench.cancel(lease.job).await, "asking twice is asking once");
    assert_eq!(bench.heartbeat(&[lease]).await, [Renewal::Renewed { cancel: true }]);
    let view = bench.look(lease.job).await;
    assert_eq!((view.state, view.cancel_requested), (State::Running, true));
    lease
}

#[test]
fn a_running_job_that_was_asked_to_stop_is_cancelled_by_whatever_ends_its_attempt_but_completion() {
    on_every_store(async |bench| {
        let lease = asked_to_stop(bench).await;
        bench.done(Request::Complete { lease, result: Some("1".into()) }).await;
        assert_eq!(bench.look(lease.job).await.state, State::Completed);

        let lease = asked_to_stop(bench).await;
        bench.done(Request::Obey { lease }).await;
        let view = bench.look(lease.job).await;
        assert_eq!((view.state, counts(&view)), (State::Cancelled, (0, 0, 0, 0)));
        assert_eq!(view.history[0].failure.as_ref().unwrap().how, How::Cancelled);

        let lease = asked_to_stop(bench).await;
        assert_eq!(bench.fail(lease, error("no")).await, Next::Cancel);
        assert_eq!(bench.look(lease.job).await.state, State::Cancelled);

        for end in 0..3 {
            let lease = asked_to_stop(bench).await;
            match end {
                0 => bench.done(Request::Release { lease, why: "bye".into() }).await,
                1 => bench.done(Request::Snooze { lease, delay_ms: 1 }).await,
                _ => bench.pass(LEASE).await,
            }
            assert_eq!(bench.look(lease.job).await.state, State::Cancelled, "end {end}");
        }
    });
}

#[test]
fn nobody_obeys_a_request_that_was_not_made() {
    on_every_store(async |bench| {
        let lease = bench.started().await.lease;
        let refusal = bench.refused(Request::Obey { lease }).await;
        insta::allow_duplicates! {
            insta::assert_snapshot!(refusal, @"obeyed requests to cancel is 1, but the limit is 0; release the job instead");
        }
        assert_eq!(bench.look(lease.job).await.state, State::Running);
    });
}

#[test]
fn a_finished_job_can_not_be_cancelled() {
    on_every_store(async |bench| {
        let lease = bench.running().await.lease;
        bench.done(Request::Complete { lease, result: None }).await;
        let finished = Refusal::Finished { job: lease.job, state: State::Completed };
        assert_eq!(bench.refused(Request::Cancel { job: lease.job }).await, finished);

        let lease = bench.running_as(Enqueue { max_attempts: Some(1), ..job("a") }).await.lease;
        bench.fail(lease, error("no")).await;
        let finished = Refusal::Finished { job: lease.job, state: State::Discarded };
        assert_eq!(bench.refused(Request::Cancel { job: lease.job }).await, finished);
    });
}

#[test]
fn a_job_that_nobody_knows_is_refused_by_every_request() {
    on_every_store(async |bench| {
        for job in [JobId(0), JobId(9), JobId(i64::MIN), JobId(i64::MAX)] {
            for request in [Request::Cancel { job }, Request::Explain { job }, Request::Look { job }] {
                assert_eq!(bench.refused(request).await, Refusal::UnknownJob { job });
            }
        }
    });
}

#[test]
fn a_panic_and_a_payload_that_does_not_decode_count_as_failures() {
    on_every_store(async |bench| {
        let id = bench.enqueue(job("a")).await;
        for how in [How::Panic, How::Undecodable] {
            let lease = bench.claim_one().await.lease;
            bench.fail(lease, Reported { how, causes: vec!["c1".into(), "c2".into()], ..error("oh") }).await;
            wait_out(bench, id).await;
            let failure = bench.look(id).await.history.last().unwrap().failure.clone().unwrap();
            assert_eq!((failure.how, failure.causes), (how, vec!["c1".to_owned(), "c2".to_owned()]));
        }
        assert_eq!(bench.look(id).await.failures, 2);
    });
}

#[test]
fn what_has_crashed_twice_runs_on_no_worker_beside_another_such_job() {
    on_every_store(async |bench| {
        let of = |worker: &str| Claim { worker: worker.into(), holder: Holder::Elsewhere, ..claim() };
        let all = [bench.enqueue(job("a")).await, bench.enqueue(job("a")).await, bench.enqueue(job("a")).await];
        for _ in 0..2 {
            let grants = bench.claim(of("w")).await;
            assert_eq!(ids(&grants), all.map(|id| id.0));
            for granted in grants {
                bench.done(Request::Start { lease: granted.lease }).await;
            }
            bench.pass(LEASE).await;
            bench.pass(Duration::from_secs(300)).await;
        }
        // It dies with its worker, and nobody else: what is new runs beside it.
        let fresh = bench.enqueue(job("a")).await;
        let grants = bench.claim(of("w")).await;
        assert_eq!(ids(&grants), [all[0].0, fresh.0]);
        assert_eq!(ids(&bench.claim(of("w")).await), NOTHING);
        insta::assert_snapshot!("a_suspect_waits", bench.explain(all[1]).await.to_string());
        // Another worker may, but not one in the process that has the file and runs one already, whatever it is called.
        let other = bench.claim(of("other")).await;
        assert_eq!(ids(&other), [all[1].0]);
        let here = Claim { worker: "here".into(), ..claim() };
        assert_eq!(ids(&bench.claim(here.clone()).await), [all[2].0]);
        let too = bench.enqueue(job("a")).await;
        assert_eq!(ids(&bench.claim(Claim { worker: "here too".into(), ..here }).await), [too.0]);
        // After a restart, too: the file says who runs what.
        bench.reopen().await;
        assert_eq!(ids(&bench.claim(of("w")).await), [too.0]);
        bench.done(Request::Complete { lease: grants[0].lease, result: None }).await;
        assert_eq!(ids(&bench.claim(of("w")).await), [all[2].0]);
    });
}
