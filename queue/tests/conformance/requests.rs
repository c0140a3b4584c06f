//! Enqueueing, idempotency keys, and requests that are repeated.

use crate::bench::{Bench, claim, error, ids, job, on_every_store, on_every_store_with};
use outlive::job::{JobId, Refusal, State};
use outlive::protocol::{CallError, Enqueue, Reply, Request};
use outlive::{Enqueued, Error, Options, limits};
use serde::{Deserialize, Serialize};
use std::time::Duration;

#[derive(Serialize, Deserialize)]
struct Mail {
    to: String,
}

impl outlive::Job for Mail {
    const KIND: &'static str = "mail";
    type Output = u8;
}

fn keyed(key: &str, payload: &str) -> Enqueue {
    Enqueue { key: Some(key.into()), payload: payload.into(), ..job("a") }
}

#[test]
fn a_job_is_kept_as_it_was_enqueued() {
    on_every_store(async |bench| {
        let enqueue = Enqueue { queue: "mail".into(), priority: -7, max_attempts: Some(9), ..job("b") };
        let id = bench.enqueue(Enqueue { payload: r#"{"b": 1, "a": [2.50]}"#.into(), ..enqueue }).await;
        let view = bench.look(id).await;
        assert_eq!((view.id, view.state, view.attempts), (id, State::Waiting, 0));
        assert_eq!((view.kind.as_str(), view.queue.as_str(), view.priority, view.max_attempts), ("b", "mail", -7, 9));
        assert_eq!(view.payload, r#"{"a":[2.5],"b":1}"#, "canonical");
        assert_eq!((view.result, view.finished_at, view.history), (None, None, vec![]));
    });
}

#[test]
fn jobs_are_numbered_in_the_order_of_their_enqueueing() {
    on_every_store(async |bench| {
        for number in 1..=3 {
            assert_eq!(bench.enqueue(job("a")).await, JobId(number));
        }
    });
}

#[test]
fn the_handle_enqueues_with_the_particulars_chosen() {
    on_every_store(async |bench| {
        let outlive = bench.outlive();
        let mail = || Mail { to: "ada".into() };
        let enqueued = outlive.enqueue(mail()).queue("q").priority(3).max_attempts(2).key("k").await.unwrap();
        assert!(enqueued.fresh);
        let view = outlive.look(enqueued.job).await.unwrap();
        assert_eq!((view.kind.as_str(), view.queue.as_str(), view.priority, view.max_attempts), ("mail", "q", 3, 2));
        assert_eq!(view.payload, r#"{"to":"ada"}"#);
        let again = outlive.enqueue(mail()).key("k").await.unwrap();
        assert_eq!(again, Enqueued { job: enqueued.job, fresh: false });
        let waits = outlive.result::<String>(enqueued.job).within(Duration::ZERO).await;
        assert!(matches!(waits, Err(Error::NotEnded { .. })), "{waits:?}");
        assert!(outlive.cancel(enqueued.job).await.unwrap());
        let other = outlive.enqueue(Mail { to: "bob".into() }).key("k").await.unwrap_err();
        insta::allow_duplicates! {
            insta::assert_snapshot!(other, @r#"the key "k" of kind "mail" already stands for job 1, whose payload differs; use another key for other work"#);
        }
    });
}

#[test]
fn a_key_stands_for_its_first_job_even_after_that_has_ended() {
    on_every_store(async |bench| {
        let first = bench.enqueue(keyed("k", r#"{"a":1,"b":2}"#)).await;
        let again = Reply::Enqueued { job: first, fresh: false };
        // Another spelling of the same value, and other particulars.
        let repeat = Enqueue { priority: 5, ..keyed("k", r#" {"b":2, "a":1} "#) };
        assert_eq!(bench.call(Request::Enqueue(repeat.clone())).await, Ok(again.clone()));
        bench.cancel(first).await;
        assert_eq!(bench.call(Request::Enqueue(repeat)).await, Ok(again));
    });
}

#[test]
fn a_key_belongs_to_one_kind() {
    on_every_store(async |bench| {
        let first = bench.enqueue(keyed("k", "1")).await;
        let second = bench.enqueue(Enqueue { kind: "b".into(), ..keyed("k", "2") }).await;
        assert_ne!(first, second);
    });
}

#[test]
fn a_key_with_another_payload_is_a_conflict() {
    on_every_store(async |bench| {
        let first = bench.enqueue(keyed("k", "1")).await;
        let refusal = bench.refused(Request::Enqueue(keyed("k", "2"))).await;
        assert_eq!(refusal, Refusal::KeyConflict { kind: "a".into(), key: "k".into(), job: first });
        assert_eq!(ids(&bench.claim(claim()).await), [first.0], "the refused job is not there");
    });
}

/// Sends `request` twice under one name: the second answer is the first one, and then something
/// else is refused under that name.
async fn repeat(bench: &mut Bench, request: Request) -> Reply {
    let id = bench.request_id();
    let first = bench.call_as(id, request.clone()).await.unwrap();
    assert_eq!(bench.call_as(id, request).await.as_ref(), Ok(&first));
    let other = Request::Enqueue(Enqueue { payload: r#""other""#.into(), ..job("other") });
    assert_eq!(bench.call_as(id, other).await, Err(CallError::Refused(Refusal::RequestIdReused)));
    first
}

#[test]
fn a_repeated_enqueue_inserts_one_job() {
    on_every_store(async |bench| {
        let reply = repeat(bench, Request::Enqueue(job("a"))).await;
        assert_eq!(reply, Reply::Enqueued { job: JobId(1), fresh: true });
        assert_eq!(ids(&bench.claim(claim()).await), [1]);
    });
}

#[test]
fn a_repeated_claim_grants_the_same_leases() {
    on_every_store(async |bench| {
        for _ in 0..3 {
            bench.enqueue(job("a")).await;
        }
        let two = outlive::protocol::Claim { most: 2, ..claim() };
        let Reply::Claimed { grants } = repeat(bench, Request::Claim(two)).await else { panic!("a claim") };
        assert_eq!(ids(&grants), [1, 2]);
        assert_eq!(ids(&bench.claim(claim()).await), [3], "the repetition took nothing");
    });
}

#[test]
fn a_repeated_claim_is_told_the_same_whatever_became_of_its_jobs() {
    on_every_store(async |bench| {
        bench.enqueue(job("a")).await;
        let id = bench.request_id();
        let first = bench.call_as(id, Request::Claim(claim())).await;
        let Ok(Reply::Claimed { grants }) = &first else { panic!("{first:?}") };
        bench.fail(grants[0].lease, error("no")).await;
        assert_eq!(bench.call_as(id, Request::Claim(claim())).await, first);
        bench.pass(Duration::from_secs(10)).await;
        let second = bench.claim_one().await;
        assert_eq!((second.attempt, second.failures), (2, 1));
        assert_eq!(bench.call_as(id, Request::Claim(claim())).await, first);
    });
}

#[test]
fn a_claim_that_got_nothing_may_get_something_when_repeated() {
    on_every_store(async |bench| {
        let id = bench.request_id();
        let nothing = Ok(Reply::Claimed { grants: vec![] });
        assert_eq!(bench.call_as(id, Request::Claim(claim())).await, nothing);
        bench.enqueue(job("a")).await;
        let Ok(Reply::Claimed { grants }) = bench.call_as(id, Request::Claim(claim())).await else { panic!("a claim") };
        assert_eq!(ids(&grants), [1]);
    });
}

#[test]
fn every_end_of_an_attempt_may_be_repeated() {
    on_every_store(async |bench| {
        let lease = bench.running().await.lease;
        assert_eq!(repeat(bench, Request::Complete { lease, result: Some("7".into()) }).await, Reply::Done);
        assert_eq!(bench.look(lease.job).await.result.as_deref(), Some("7"));

        let lease = bench.running().await.lease;
        let reply = repeat(bench, Request::Fail { lease, failure: error("no") }).await;
        assert!(matches!(reply, Reply::Failed { .. }));
        assert_eq!(bench.look(lease.job).await.failures, 1);

        let lease = bench.running().await.lease;
        assert_eq!(repeat(bench, Request::Snooze { lease, delay_ms: 60_000 }).await, Reply::Done);
        assert_eq!(bench.look(lease.job).await.snoozes, 1);

        let lease = bench.running().await.lease;
        assert!(!bench.cancel(lease.job).await);
        assert_eq!(repeat(bench, Request::Obey { lease }).await, Reply::Done);
        assert_eq!(bench.look(lease.job).await.state, State::Cancelled);

        let lease = bench.running().await.lease;
        assert_eq!(repeat(bench, Request::Release { lease, why: "bye".into() }).await, Reply::Done);
        assert_eq!(bench.look(lease.job).await.releases, 1);
    });
}

#[test]
fn a_repeated_request_to_cancel_gets_its_first_answer() {
    on_every_store(async |bench| {
        let waiting = bench.enqueue(job("b")).await;
        assert_eq!(repeat(bench, Request::Cancel { job: waiting }).await, Reply::Cancelled { at_once: true });
        let running = bench.running().await.lease.job;
        assert_eq!(repeat(bench, Request::Cancel { job: running }).await, Reply::Cancelled { at_once: false });
    });
}

#[test]
fn a_refused_request_may_be_repeated_and_then_succeed() {
    on_every_store(async |bench| {
        let id = bench.request_id();
        let cancel = Request::Cancel { job: JobId(1) };
        let unknown = Err(CallError::Refused(Refusal::UnknownJob { job: JobId(1) }));
        assert_eq!(bench.call_as(id, cancel.clone()).await, unknown);
        bench.enqueue(job("a")).await;
        assert_eq!(bench.call_as(id, cancel).await, Ok(Reply::Cancelled { at_once: true }));
    });
}

#[test]
fn answers_are_remembered_for_as_long_as_chosen_and_then_forgotten() {
    let retention = Duration::from_secs(60);
    on_every_store_with(Options { request_retention: retention, ..Options::default() }, async |bench| {
        let id = bench.request_id();
        let enqueue = Request::Enqueue(job("a"));
        let first = Reply::Enqueued { job: JobId(1), fresh: true };
        assert_eq!(bench.call_as(id, enqueue.clone()).await, Ok(first.clone()));
        bench.pass(retention).await;
        bench.enqueue(job("a")).await;
        assert_eq!(bench.call_as(id, enqueue.clone()).await, Ok(first));
        bench.pass(Duration::from_millis(1)).await;
        // Old answers go with the next one that is remembered.
        bench.enqueue(job("a")).await;
        let anew = Reply::Enqueued { job: JobId(4), fresh: true };
        assert_eq!(bench.call_as(id, enqueue).await, Ok(anew));
    });
}

#[test]
fn old_answers_are_forgotten_a_bounded_number_at_a_time_and_the_oldest_first() {
    let retention = Duration::from_secs(60);
    on_every_store_with(Options { request_retention: retention, ..Options::default() }, async |bench| {
        let count = limits::PRUNE_REQUESTS_MAX + 1;
        let mut names = Vec::new();
        for _ in 0..count {
            let id = bench.request_id();
            bench.call_as(id, Request::Enqueue(job("a"))).await.unwrap();
            names.push(id);
        }
        bench.pass(retention * 2).await;
        bench.enqueue(job("a")).await;
        let (last, first) = (names[count - 1], names[0]);
        let count = i64::try_from(count).unwrap();
        let kept = Reply::Enqueued { job: JobId(count), fresh: true };
        assert_eq!(bench.call_as(last, Request::Enqueue(job("a"))).await, Ok(kept));
        let anew = Reply::Enqueued { job: JobId(count + 2), fresh: true };
        assert_eq!(bench.call_as(first, Request::Enqueue(job("a"))).await, Ok(anew));
    });
}
