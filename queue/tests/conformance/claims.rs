//! Who gets which job, and when.

use crate::bench::{Bench, NOTHING, answered, claim, error, grants, ids, job, on_every_store, on_every_store_with};
use crate::host::WALL_START;
use outlive::Options;
use outlive::host::Host;
use outlive::job::{JobId, State, TraceParent};
use outlive::protocol::{Answering, Claim, Enqueue, Reply, Request, When};
use std::time::Duration;

const WAIT: Duration = Duration::from_secs(20);

fn waiting() -> Claim {
    Claim { wait_ms: 20_000, ..claim() }
}

/// Sends a claim and waits until the engine has it.
async fn send_waiting(bench: &mut Bench, claim: Claim) -> Answering {
    let mut answering = bench.send(Request::Claim(claim));
    bench.engine_looks().await;
    assert_eq!(answered(&mut answering), None);
    answering
}

#[test]
fn a_higher_priority_goes_first_and_then_the_older_job() {
    on_every_store(async |bench| {
        for (kind, priority) in [("a", 0), ("b", 0), ("a", 100), ("b", -100), ("b", 100), ("a", 0)] {
            bench.enqueue(Enqueue { priority, ..job(kind) }).await;
        }
        assert_eq!(ids(&bench.claim(Claim { most: 4, ..claim() }).await), [3, 5, 1, 2]);
        assert_eq!(ids(&bench.claim(claim()).await), [6, 4]);
        assert_eq!(ids(&bench.claim(claim()).await), NOTHING);
    });
}

#[test]
fn with_ageing_what_has_waited_for_long_goes_before_what_is_urgent() {
    let options = Options { ageing: Some(Duration::from_secs(60)), ..Options::default() };
    on_every_store_with(options.clone(), async |bench| {
        let enqueue = async |bench: &mut Bench, priority| {
            bench.enqueue(Enqueue { priority, ..job("a") }).await;
        };
        enqueue(bench, 0).await;
        bench.enqueue(Enqueue { when: When::After(590_000), ..job("a") }).await;
        bench.pass(Duration::from_secs(500)).await;
        enqueue(bench, 10).await;
        bench.pass(Duration::from_secs(99)).await;
        enqueue(bench, 9).await;
        bench.pass(Duration::from_secs(2)).await;
        enqueue(bench, 11).await;
        enqueue(bench, 10).await;
        // The file remembers since when they wait.
        bench.reopen_with(options.clone()).await;
        let order = ids(&bench.claim(Claim { most: 6, ..claim() }).await);
        assert_eq!(order, [3, 5, 1, 6, 4, 2], "as of the second 601: 11.7, 11, 10.0, 10, 9.0, 0.2");
    });
}

#[test]
fn a_claim_takes_only_its_kinds_from_its_queues() {
    on_every_store(async |bench| {
        for (kind, queue) in [("a", "x"), ("b", "x"), ("a", "y"), ("b", "y"), ("c", "x")] {
            bench.enqueue(Enqueue { queue: queue.into(), ..job(kind) }).await;
        }
        let of = |kinds: &[&str], queues: &[&str]| Claim {
            kinds: kinds.iter().map(ToString::to_string).collect(),
            queues: queues.iter().map(ToString::to_string).collect(),
            ..claim()
        };
        assert_eq!(ids(&bench.claim(of(&["a", "b"], &["default"])).await), NOTHING);
        assert_eq!(ids(&bench.claim(of(&["a", "none"], &["x", "none"])).await), [1]);
        assert_eq!(ids(&bench.claim(of(&["b"], &["y", "x", "x"])).await), [2, 4]);
        assert_eq!(ids(&bench.claim(of(&["a", "b", "c"], &["y"])).await), [3]);
    });
}

#[test]
fn a_grant_says_what_a_worker_must_know() {
    on_every_store(async |bench| {
        let enqueue = Enqueue { payload: r#"{"n":1}"#.into(), max_attempts: Some(7), ..job("b") };
        let id = bench.enqueue(enqueue).await;
        let granted = bench.claim(Claim { lease_ms: 5_000, ..claim() }).await.remove(0);
        assert_eq!((granted.lease.job, granted.attempt, granted.lease_ms), (id, 1, 5_000));
        assert_eq!((granted.kind.as_str(), granted.queue.as_str()), ("b", "default"));
        assert_eq!((granted.payload.as_str(), granted.failures, granted.max_attempts), (r#"{"n":1}"#, 0, 7));
        assert_eq!(bench.look(id).await.state, State::Running);
    });
}

#[test]
fn each_attempt_is_told_in_which_trace_the_job_was_enqueued() {
    on_every_store(async |bench| {
        let parent = TraceParent::new(7, 9, true);
        let id = bench.enqueue(Enqueue { trace_parent: parent.map(Box::new), ..job("a") }).await;
        bench.enqueue(job("b")).await;
        for attempt in 1..=3 {
            let granted = bench.claim(Claim { kinds: vec!["a".into()], ..claim() }).await.remove(0);
            assert_eq!((granted.lease.job, granted.attempt, granted.trace_parent), (id, attempt, parent));
            let lease = granted.lease;
            bench.done(Request::Start { lease }).await;
            bench.done(Request::Snooze { lease, delay_ms: 10 }).await;
            bench.reopen().await;
            bench.pass(Duration::from_millis(10)).await;
        }
        assert_eq!(bench.claim(claim()).await.remove(1).trace_parent, None);
        assert_eq!(bench.look(id).await.trace_parent, parent);
    });
}

#[test]
fn tokens_rise_with_every_grant() {
    on_every_store(async |bench| {
        let mut tokens = Vec::new();
        for _ in 0..3 {
            bench.enqueue(job("a")).await;
            bench.enqueue(job("a")).await;
            tokens.extend(bench.claim(claim()).await.into_iter().map(|granted| granted.lease.token));
        }
        bench.reopen().await;
        tokens.extend(bench.claim(claim()).await.into_iter().map(|granted| granted.lease.token));
        assert_eq!(tokens.len(), 12);
        assert!(tokens.is_sorted_by(|earlier, later| earlier < later), "{tokens:?}");
    });
}

#[test]
fn a_waiting_claim_gets_work_when_it_arrives() {
    on_every_store(async |bench| {
        let mut other = send_waiting(bench, Claim { kinds: vec!["b".into()], ..waiting() }).await;
        let first = send_waiting(bench, waiting()).await;
        let mut second = send_waiting(bench, waiting()).await;
        bench.enqueue(job("a")).await;
        assert_eq!(ids(&grants(first.await)), [1], "first come, first served");
        bench.engine_looks().await;
        assert_eq!(answered(&mut second), None);
        assert_eq!(answered(&mut other), None);
        bench.enqueue(job("b")).await;
        assert_eq!(ids(&grants(other.await)), [2]);
        bench.enqueue(job("a")).await;
        assert_eq!(ids(&grants(second.await)), [3]);
    });
}

#[test]
fn a_waiting_claim_gets_a_job_when_its_time_comes_with_nobody_asking() {
    on_every_store(async |bench| {
        bench.enqueue(Enqueue { when: When::After(5_000), ..job("a") }).await;
        let claimed = send_waiting(bench, Claim { wait_ms: 300_000, ..claim() }).await;
        let host = bench.host.clone();
        let clock = host.clock();
        // The engine looks at the wall clock every second meanwhile: it may jump.
        for _ in 0..5 {
            clock.somebody_sleeps_for(Duration::from_secs(1)).await;
            clock.pass(Duration::from_secs(1));
            clock.ring();
        }
        assert_eq!(ids(&grants(claimed.await)), [1]);
    });
}

#[test]
fn a_waiting_claim_gets_the_job_of_an_expired_lease_with_nobody_asking() {
    on_every_store(async |bench| {
        let lost = bench.running().await;
        let claimed = send_waiting(bench, Claim { wait_ms: 300_000, ..claim() }).await;
        let host = bench.host.clone();
        let clock = host.clock();
        // Steady time is written every quarter of a lease meanwhile.
        for _ in 0..4 {
            clock.somebody_sleeps_for(Duration::from_millis(7_500)).await;
            clock.pass(Duration::from_millis(7_500));
            clock.ring();
        }
        let again = grants(claimed.await).remove(0);
        assert_eq!((again.lease.job, again.attempt), (lost.lease.job, 2));
    });
}

#[test]
fn a_waiting_claim_ends_empty_when_its_time_is_over() {
    on_every_store(async |bench| {
        let mut claimed = send_waiting(bench, waiting()).await;
        let host = bench.host.clone();
        let clock = host.clock();
        clock.somebody_sleeps_for(WAIT).await;
        bench.pass(WAIT - Duration::from_millis(1)).await;
        assert_eq!(answered(&mut claimed), None);
        clock.somebody_sleeps_for(Duration::from_millis(1)).await;
        clock.pass(Duration::from_millis(1));
        clock.ring();
        assert_eq!(claimed.await, Ok(Reply::Claimed { grants: vec![] }));
    });
}

#[test]
fn a_waiting_claim_is_not_shortened_by_a_wall_clock_that_jumps() {
    on_every_store(async |bench| {
        let mut claimed = send_waiting(bench, waiting()).await;
        bench.set_wall(WALL_START * 2).await;
        assert_eq!(answered(&mut claimed), None);
        bench.set_wall(Duration::ZERO).await;
        bench.pass_steady(WAIT).await;
        assert_eq!(claimed.await, Ok(Reply::Claimed { grants: vec![] }));
    });
}

#[test]
fn an_abandoned_waiting_claim_takes_no_job() {
    on_every_store(async |bench| {
        let abandoned = send_waiting(bench, waiting()).await;
        drop(abandoned);
        let id = bench.enqueue(job("a")).await;
        assert_eq!(bench.look(id).await.state, State::Waiting);
        assert_eq!(bench.claim_one().await.lease.job, id);
    });
}

#[test]
fn a_claim_that_was_abandoned_on_its_way_takes_no_job() {
    on_every_store(async |bench| {
        let lease = bench.running().await.lease;
        let id = bench.enqueue(job("a")).await;
        let host = bench.host.clone();
        // The engine can't get further than this failure, whose rest it must draw.
        let held = host.hold_randomness();
        let failing = bench.send(Request::Fail { lease, failure: error("no") });
        held.until_awaited();
        drop(bench.send(Request::Claim(claim())));
        drop(held);
        failing.await.unwrap();
        bench.engine_looks().await;
        assert_eq!(bench.look(id).await.state, State::Waiting);
    });
}

#[test]
fn a_claim_that_is_repeated_while_it_waits_is_granted_once() {
    on_every_store(async |bench| {
        let id = bench.request_id();
        let first = bench.send_as(id, Request::Claim(waiting()));
        let second = bench.send_as(id, Request::Claim(waiting()));
        bench.engine_looks().await;
        for _ in 0..3 {
            bench.enqueue(job("a")).await;
        }
        let first = first.await;
        let Ok(Reply::Claimed { grants: granted }) = &first else { panic!("{first:?}") };
        assert_eq!(ids(granted), [1]);
        assert_eq!(second.await, first);
        assert_eq!(bench.look(JobId(2)).await.state, State::Waiting);
    });
}

#[test]
fn a_cancelled_job_leaves_its_line() {
    on_every_store(async |bench| {
        let first = bench.enqueue(job("a")).await;
        let second = bench.enqueue(job("a")).await;
        assert!(bench.cancel(first).await);
        assert_eq!(ids(&bench.claim(claim()).await), [second.0]);
    });
}
