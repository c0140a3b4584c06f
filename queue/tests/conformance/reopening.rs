//! What an opening finds of earlier ones: everything that was acknowledged, and no lease that
//! still holds.

use crate::bench::{Bench, LEASE, MILLISECOND, claim, error, ids, job, on_every_store};
use outlive::job::explain::{Doing, Reason};
use outlive::job::{AttemptEnd, Bound, Holder, How, Next, Refusal, State};
use outlive::protocol::{CallError, Claim, Enqueue, Reply, Reported, Request, When};
use outlive::{Explanation, limits};
use std::time::Duration;

/// Which workers were seen is not kept.
fn without_sightings(mut explanation: Explanation) -> Explanation {
    if let Doing::Waiting { blockers } = &mut explanation.doing {
        for blocker in blockers {
            if let Reason::Line { asked_ms_ago, .. } = &mut blocker.reason {
                *asked_ms_ago = None;
            }
        }
    }
    explanation
}

#[test]
fn everything_acknowledged_is_there_after_a_reopening() {
    on_every_store(async |bench| {
        let completed = bench.started().await.lease;
        bench.done(Request::Complete { lease: completed, result: Some("[1]".into()) }).await;
        let discarded = bench.running_as(Enqueue { max_attempts: Some(1), ..job("a") }).await.lease;
        bench.fail(discarded, error("no")).await;
        let cancelled = bench.enqueue(job("a")).await;
        bench.cancel(cancelled).await;
        let failed = bench.running().await.lease;
        bench.fail(failed, error("later")).await;
        let snoozed = bench.running().await.lease;
        bench.done(Request::Snooze { lease: snoozed, delay_ms: 5_000 }).await;
        let delayed = bench.enqueue(Enqueue { when: When::After(5_000), ..job("b") }).await;
        let keyed = Enqueue { key: Some("k".into()), ..job("b") };
        let waiting = bench.enqueue(keyed.clone()).await;

        let all = [completed.job, discarded.job, cancelled, failed.job, snoozed.job, delayed, waiting];
        let mut before = Vec::new();
        for id in all {
            before.push((bench.look(id).await, without_sightings(bench.explain(id).await)));
        }
        bench.reopen().await;
        for (id, before) in all.into_iter().zip(before) {
            assert_eq!((bench.look(id).await, without_sightings(bench.explain(id).await)), before);
        }
        let again = Reply::Enqueued { job: waiting, fresh: false };
        assert_eq!(bench.call(Request::Enqueue(keyed)).await, Ok(again));
        assert_eq!(ids(&bench.claim(claim()).await), [waiting.0]);
    });
}

#[test]
fn the_line_is_the_same_after_a_reopening() {
    on_every_store(async |bench| {
        for priority in [0, 5, 0, -5, 5] {
            bench.enqueue(Enqueue { priority, ..job("a") }).await;
        }
        bench.reopen().await;
        assert_eq!(ids(&bench.claim(claim()).await), [2, 5, 1, 3, 4]);
    });
}

#[test]
fn leases_of_an_earlier_opening_are_taken_back_at_once() {
    on_every_store(async |bench| {
        let started = bench.started().await.lease;
        let unstarted = bench.running().await.lease;
        bench.reopen().await;
        let crashed = bench.look(started.job).await;
        assert_eq!((crashed.state, crashed.crashes, crashed.releases), (State::Waiting, 1, 0));
        let failure = crashed.history[0].failure.as_ref().unwrap();
        assert_eq!(failure.how, How::Crash);
        assert_eq!(failure.message, "the process of its worker is gone: the file was opened by another one");
        let lost = bench.look(unstarted.job).await;
        assert_eq!((lost.state, lost.crashes, lost.releases), (State::Waiting, 0, 1));
        assert_eq!(bench.claim_one().await.lease.job, unstarted.job);
        for (lease, end) in [(started, AttemptEnd::Crashed), (unstarted, AttemptEnd::Expired)] {
            let refusal = bench.refused(Request::Complete { lease, result: None }).await;
            assert_eq!(refusal, Refusal::AttemptEnded { job: lease.job, end });
        }
    });
}

#[test]
fn leases_of_workers_elsewhere_outlive_a_reopening_and_end_by_time() {
    on_every_store(async |bench| {
        let elsewhere = || Claim { holder: Holder::Elsewhere, most: 1, ..claim() };
        for _ in 0..3 {
            bench.enqueue(job("a")).await;
        }
        let kept = bench.claim(elsewhere()).await.remove(0).lease;
        let silent = bench.claim(elsewhere()).await.remove(0).lease;
        let here = bench.claim_one().await.lease;
        for lease in [kept, silent, here] {
            bench.done(Request::Start { lease }).await;
        }
        bench.reopen().await;
        for (lease, state) in [(kept, State::Running), (silent, State::Running), (here, State::Waiting)] {
            assert_eq!(bench.look(lease.job).await.state, state);
        }
        bench.pass(LEASE - MILLISECOND).await;
        bench.done(Request::Complete { lease: kept, result: None }).await;
        bench.pass(MILLISECOND).await;
        let lost = bench.look(silent.job).await;
        assert_eq!((lost.state, lost.crashes), (State::Waiting, 1));
    });
}

/// An opening takes time to come, and steady time stands still meanwhile: it has to be written
/// while a lease lives, or a server that dies again and again would keep it alive.
#[test]
fn openings_in_a_row_do_not_keep_a_lease_elsewhere_alive() {
    on_every_store(async |bench| {
        bench.enqueue(job("a")).await;
        let lease = bench.claim(Claim { holder: Holder::Elsewhere, ..claim() }).await.remove(0).lease;
        bench.done(Request::Start { lease }).await;
        for _ in 0..8 {
            bench.pass(LEASE / 4).await;
            bench.reopen().await;
        }
        assert_eq!(bench.look(lease.job).await.crashes, 1);
    });
}

#[test]
fn more_leases_than_one_page_are_taken_back() {
    on_every_store(async |bench| {
        let count = limits::OPEN_PAGE_JOBS + 10;
        let mut calls = Vec::new();
        for _ in 0..count {
            calls.push(bench.send(Request::Enqueue(job("a"))));
        }
        for call in calls {
            call.await.unwrap();
        }
        let everything = || Claim { most: 1_000, ..claim() };
        let granted = bench.claim(everything()).await.len() + bench.claim(everything()).await.len();
        assert_eq!(granted, count);
        bench.reopen().await;
        let again = bench.claim(everything()).await.len() + bench.claim(everything()).await.len();
        assert_eq!(again, count);
    });
}

#[test]
fn a_crash_loop_quarantines_what_causes_it() {
    on_every_store(async |bench| {
        let id = bench.enqueue(job("a")).await;
        for _ in 0..5 {
            let lease = bench.claim_one().await.lease;
            bench.done(Request::Start { lease }).await;
            bench.reopen_after(|clock| clock.pass(Duration::from_secs(300))).await;
            bench.pass(Duration::from_secs(300)).await;
        }
        assert_eq!(bench.look(id).await.state, State::Quarantined);
    });
}

#[test]
fn repeated_requests_get_their_first_answers_after_a_reopening() {
    on_every_store(async |bench| {
        let mut answered = Vec::new();
        let mut requests = vec![Request::Enqueue(job("a")), Request::Claim(claim())];
        while let Some(request) = (!requests.is_empty()).then(|| requests.remove(0)) {
            let id = bench.request_id();
            let reply = bench.call_as(id, request.clone()).await;
            if let Ok(Reply::Claimed { grants }) = &reply {
                let lease = grants[0].lease;
                requests.push(Request::Fail { lease, failure: error("no") });
                requests.push(Request::Cancel { job: lease.job });
            }
            answered.push((id, request, reply));
        }
        assert_eq!(answered.len(), 4);
        bench.reopen().await;
        for (id, request, reply) in answered {
            assert!(reply.is_ok());
            assert_eq!(bench.call_as(id, request).await, reply);
            let reused = Err(CallError::Refused(Refusal::RequestIdReused));
            assert_eq!(bench.call_as(id, Request::Enqueue(job("other"))).await, reused);
        }
    });
}

#[test]
fn steady_time_goes_on_where_it_was_and_does_not_count_time_between_openings() {
    on_every_store(async |bench| {
        // When a failure that wants to be tried again at once is due tells the time.
        let steady = async |bench: &mut Bench| {
            let lease = bench.running().await.lease;
            let next = bench.fail(lease, Reported { retry_after_ms: Some(0), ..error("") }).await;
            let Next::Retry { due } = next else { panic!("{next:?}") };
            bench.cancel(lease.job).await;
            due.steady.unwrap().0
        };
        assert_eq!(steady(bench).await, 0);
        bench.pass(Duration::from_secs(10)).await;
        assert_eq!(steady(bench).await, 10_000);
        bench.reopen_after(|clock| clock.pass(Duration::from_secs(1_000))).await;
        assert_eq!(steady(bench).await, 10_000);
        bench.pass(Duration::from_secs(1)).await;
        assert_eq!(steady(bench).await, 11_000);
        bench.reopen().await;
        bench.reopen().await;
        assert_eq!(steady(bench).await, 11_000);
    });
}

#[test]
fn steady_time_is_written_often_enough_while_a_lease_lives() {
    on_every_store(async |bench| {
        let lease = bench.running().await.lease;
        let kept = bench.enqueue(Enqueue { when: When::After(3_600_000), ..job("b") }).await;
        let quarter = LEASE / 4;
        let bound = async |bench: &mut Bench| {
            let explanation = bench.explain(kept).await;
            let Doing::Waiting { blockers } = explanation.doing else { panic!("it waits") };
            let Bound::Milliseconds { at_most } = blockers[0].bound else { panic!("a time bounds it") };
            Duration::from_millis(at_most)
        };
        bench.pass_steady(quarter).await;
        // What passes after the latest mark, less than a quarter, is what a crash forgets.
        bench.pass_steady(quarter - MILLISECOND).await;
        assert_eq!(bound(bench).await, Duration::from_secs(3_600) - quarter * 2 + MILLISECOND);
        bench.reopen().await;
        assert_eq!(bound(bench).await, Duration::from_secs(3_600) - quarter);
        assert_eq!(bench.look(lease.job).await.releases, 1);
    });
}

#[test]
fn a_refusal_by_time_is_never_followed_by_an_earlier_time() {
    on_every_store(async |bench| {
        let lease = bench.running().await.lease;
        bench.pass_steady(LEASE).await;
        bench.refused(Request::Start { lease }).await;
        let waiting = bench.enqueue(Enqueue { when: When::After(1_000), ..job("b") }).await;
        let before = bench.explain(waiting).await;
        bench.reopen().await;
        assert_eq!(bench.explain(waiting).await, before);
    });
}
