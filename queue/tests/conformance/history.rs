//! What is kept of a job for people.

use crate::bench::{LEASE, claim, error, grants, job, on_every_store};
use outlive::job::{AttemptEnd, Due, How, Next, Steady};
use outlive::protocol::{AttemptView, Claim, Enqueue, FailureView, LogView, Reply, Reported, Request};
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_history_tells_every_attempt_and_why_it_ended() {
    on_every_store(async |bench| {
        let id = bench.enqueue(Enqueue { max_attempts: Some(9), ..job("a") }).await;
        let start = bench.look(id).await.enqueued_at;
        let as_worker = |name: &str| Claim { worker: name.into(), ..claim() };

        let lease = bench.claim(as_worker("w1")).await.remove(0).lease;
        bench.pass(SECOND).await;
        bench.done(Request::Start { lease }).await;
        bench.pass(SECOND).await;
        let causes = vec!["outer".to_owned(), "inner".to_owned()];
        bench.fail(lease, Reported { causes: causes.clone(), retry_after_ms: Some(3_000), ..error("no") }).await;
        bench.pass(3 * SECOND).await;
        let lease = bench.claim(as_worker("w2")).await.remove(0).lease;
        bench.done(Request::Snooze { lease, delay_ms: 1_000 }).await;
        bench.pass(SECOND).await;
        bench.claim(as_worker("w3")).await;
        bench.pass(LEASE).await;
        let lease = bench.claim(as_worker("w4")).await.remove(0).lease;
        bench.done(Request::Release { lease, why: "bye".into() }).await;
        let lease = bench.claim(as_worker("w5")).await.remove(0).lease;
        bench.done(Request::Start { lease }).await;

        let at = |seconds: u32| start.plus(SECOND * seconds);
        let due = |seconds: u32| Due { steady: Some(Steady(i64::from(seconds) * 1_000)), wall: at(seconds) };
        let attempt = |number, worker: &str, claimed: u32| AttemptView {
            number,
            worker: worker.into(),
            claimed_at: at(claimed),
            started_at: None,
            ended: None,
            failure: None,
            log: LogView::default(),
        };
        let failure = |how, message: &str, next| FailureView {
            how,
            message: message.into(),
            causes: vec![],
            retryable: true,
            next,
        };
        let expected = [
            AttemptView {
                started_at: Some(at(1)),
                ended: Some((at(2), AttemptEnd::Failed)),
                failure: Some(FailureView { causes, ..failure(How::Error, "no", Next::Retry { due: due(5) }) }),
                ..attempt(1, "w1", 0)
            },
            AttemptView { ended: Some((at(5), AttemptEnd::Snoozed)), ..attempt(2, "w2", 5) },
            AttemptView {
                ended: Some((at(36), AttemptEnd::Expired)),
                failure: Some(failure(
                    How::LeaseExpired,
                    "the lease expired without a word from its worker",
                    Next::Retry { due: due(36) },
                )),
                ..attempt(3, "w3", 6)
            },
            AttemptView {
                ended: Some((at(36), AttemptEnd::Released)),
                failure: Some(failure(How::Shutdown, "bye", Next::Retry { due: due(36) })),
                ..attempt(4, "w4", 36)
            },
            AttemptView { started_at: Some(at(36)), ..attempt(5, "w5", 36) },
        ];
        let view = bench.look(id).await;
        assert_eq!(view.history, expected);
        assert_eq!((view.attempts, view.failures, view.snoozes, view.releases), (5, 1, 1, 2));
        bench.reopen().await;
        let mut reopened = bench.look(id).await.history;
        reopened.truncate(4);
        assert_eq!(reopened, expected[..4], "what has ended does not change");
    });
}

#[test]
fn a_look_in_the_same_group_sees_what_is_not_yet_committed() {
    on_every_store(async |bench| {
        let lease = bench.running().await.lease;
        let other = bench.running().await.lease;
        let host = bench.host.clone();
        // Sent while the engine is held up by a rest that it must draw: all the others are one group.
        let held = host.hold_randomness();
        let failing = bench.send(Request::Fail { lease: other, failure: error("no") });
        held.until_awaited();
        let completing = bench.send(Request::Complete { lease, result: Some("1".into()) });
        let looking = bench.send(Request::Look { job: lease.job });
        let enqueueing = bench.send(Request::Enqueue(job("b")));
        let claiming = bench.send(Request::Claim(claim()));
        drop(held);
        failing.await.unwrap();
        completing.await.unwrap();
        let Reply::Looked(view) = looking.await.unwrap() else { panic!("a look") };
        assert_eq!(*view, bench.look(lease.job).await);
        assert_eq!(view.history[0].ended.unwrap().1, AttemptEnd::Completed);
        enqueueing.await.unwrap();
        assert_eq!(grants(claiming.await).len(), 1);
    });
}
