//! Steps: named parts of a job whose results are stored once.

use crate::bench::{Bench, LEASE, claim, error, job, on_every_store};
use outlive::job::{JobId, Lease, Nonce, Refusal};
use outlive::limits;
use outlive::protocol::{Access, Begin, CallError, Granted, Heard, Reply, Request, Said};
use std::time::Duration;

fn step(lease: Lease, name: &str, result: &str) -> Request {
    Request::Step { lease, name: name.into(), result: result.into() }
}

impl Bench {
    async fn step(&mut self, lease: Lease, name: &str, result: &str) -> String {
        match self.call(step(lease, name, result)).await {
            Ok(Reply::Stepped { result }) => result,
            other => panic!("no step: {other:?}"),
        }
    }

    /// What is kept of steps: name, result, attempt.
    async fn steps(&mut self, job: JobId) -> Vec<(String, String, u32)> {
        self.look(job).await.steps.into_iter().map(|step| (step.name, step.result, step.attempt)).collect()
    }

    /// The next attempt of a job that has failed.
    async fn again(&mut self, granted: &Granted) -> Granted {
        self.fail(granted.lease, error("again")).await;
        self.pass(Duration::from_secs(3_600)).await;
        self.claim_one().await
    }
}

#[test]
fn the_first_result_stays() {
    on_every_store(async |bench| {
        let first = bench.started().await;
        assert_eq!(bench.step(first.lease, "charge", r#"{ "b": 1, "a": 2 }"#).await, r#"{"a":2,"b":1}"#);
        assert_eq!(bench.step(first.lease, "charge", "7").await, r#"{"a":2,"b":1}"#);
        let second = bench.again(&first).await;
        assert_eq!(bench.step(second.lease, "charge", "8").await, r#"{"a":2,"b":1}"#);
        assert_eq!(bench.step(second.lease, "another", "9").await, "9");
        bench.reopen().await;
        let steps = [("another".into(), "9".into(), 2), ("charge".into(), r#"{"a":2,"b":1}"#.into(), 1)];
        assert_eq!(bench.steps(first.lease.job).await, steps);
    });
}

#[test]
fn steps_are_of_one_job() {
    on_every_store(async |bench| {
        let (one, other) = (bench.running().await, bench.running().await);
        bench.step(one.lease, "charge", "1").await;
        assert_eq!(bench.step(other.lease, "charge", "2").await, "2");
        assert_eq!(bench.steps(one.lease.job).await, [("charge".into(), "1".into(), 1)]);
    });
}

#[test]
fn whoever_has_no_lease_takes_no_step() {
    on_every_store(async |bench| {
        let first = bench.started().await;
        let forged = Lease { nonce: Nonce(first.lease.nonce.0 ^ 1), ..first.lease };
        let second = bench.again(&first).await;
        for stale in [forged, first.lease] {
            let refusal = bench.refused(step(stale, "charge", "1")).await;
            assert!(matches!(refusal, Refusal::StaleLease { .. } | Refusal::AttemptEnded { .. }), "{refusal:?}");
        }
        bench.pass(LEASE).await;
        let late = bench.refused(step(second.lease, "charge", "1")).await;
        assert!(matches!(late, Refusal::LeaseExpired { .. } | Refusal::AttemptEnded { .. }), "{late:?}");
        assert!(bench.steps(first.lease.job).await.is_empty());
    });
}

#[test]
fn a_step_says_what_is_wrong_with_it() {
    on_every_store(async |bench| {
        let lease = bench.running().await.lease;
        for (name, result) in [("", "1"), ("a\nb", "1"), ("charge", "one")] {
            let refusal = bench.refused(step(lease, name, result)).await;
            assert!(matches!(refusal, Refusal::Limit { .. }), "{refusal:?}");
        }
        for number in 0..limits::STEPS_MAX {
            bench.step(lease, &format!("step {number}"), "1").await;
        }
        let refusal = bench.refused(step(lease, "one more", "1")).await;
        assert!(
            matches!(&refusal, Refusal::Limit { limit, .. } if *limit == limits::STEPS_MAX.to_string()),
            "{refusal}"
        );
        assert_eq!(bench.step(lease, "step 0", "2").await, "1", "an old one is no more than there are");
    });
}

#[test]
fn a_step_in_a_transaction_is_true_with_it() {
    on_every_store(async |bench| {
        let running = bench.running().await;
        for commits in [false, true] {
            let begin = Begin { id: bench.request_id(), access: Access::Write, limit_ms: 1_000 };
            let open = bench.outlive().service().begin(begin).await.expect("it opens");
            let heard = open.say(Said::Command(step(running.lease, "charge", "1"))).await;
            assert_eq!(heard, Ok(Heard::Reply(Reply::Stepped { result: "1".into() })));
            if commits {
                assert_eq!(open.say(Said::Commit).await, Ok(Heard::Committed));
            }
            drop(open);
            bench.engine_looks().await;
            assert_eq!(bench.steps(running.lease.job).await.len(), usize::from(commits));
        }
    });
}

#[test]
fn a_step_that_has_its_result_ends_the_transaction_that_would_take_it_again() {
    on_every_store(async |bench| {
        let running = bench.running().await;
        bench.step(running.lease, "charge", "1").await;
        let begin = Begin { id: bench.request_id(), access: Access::Write, limit_ms: 1_000 };
        let open = bench.outlive().service().begin(begin).await.expect("it opens");
        open.say(Said::Command(Request::Enqueue(job("b")))).await.expect("it is enqueued");
        for said in [Said::Command(step(running.lease, "charge", "2")), Said::Commit] {
            let heard = open.say(said).await;
            let Err(CallError::Refused(Refusal::RolledBack { why })) = &heard else { panic!("{heard:?}") };
            assert!(why.contains("\"charge\""), "{why}");
        }
        assert!(bench.claim(claim()).await.is_empty());
    });
}

#[test]
fn two_steps_of_one_name_in_one_group_are_one() {
    on_every_store(async |bench| {
        let lease = bench.running().await.lease;
        let answers = [bench.send(step(lease, "charge", "1")), bench.send(step(lease, "charge", "2"))];
        let mut results = Vec::new();
        for answer in answers {
            let answer: Result<Reply, CallError> = answer.await;
            let Ok(Reply::Stepped { result }) = answer else { panic!("{answer:?}") };
            results.push(result);
        }
        assert_eq!(results, ["1", "1"]);
        assert!(bench.claim(claim()).await.is_empty());
    });
}
