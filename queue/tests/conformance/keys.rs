//! For how long a key stands for its job.

use crate::bench::{Bench, LEASE, MILLISECOND, error, job, on_every_store};
use outlive::job::{JobId, Lease, Refusal};
use outlive::limits;
use outlive::protocol::{Enqueue, Key, Reply, Request, Scope};
use std::time::Duration;

fn keyed(scope: Scope) -> Enqueue {
    Enqueue { key: Some(Key { name: "k".into(), scope }), ..job("a") }
}

const MINUTE: Scope = Scope::PeriodMs(60_000);

impl Bench {
    /// Enqueues under a key; the job, and whether it is new.
    async fn enqueue_keyed(&mut self, scope: Scope) -> (i64, bool) {
        match self.call(Request::Enqueue(keyed(scope))).await {
            Ok(Reply::Enqueued { job, fresh }) => (job.0, fresh),
            other => panic!("not enqueued: {other:?}"),
        }
    }

    async fn complete(&mut self, lease: Lease) {
        self.done(Request::Complete { lease, result: None }).await;
    }
}

#[test]
fn a_key_while_pending_stands_until_its_job_has_ended() {
    on_every_store(async |bench| {
        assert_eq!(bench.enqueue_keyed(Scope::WhilePending).await, (1, true));
        assert_eq!(bench.enqueue_keyed(Scope::WhilePending).await, (1, false), "it waits");
        let first = bench.claim_one().await;
        assert_eq!(bench.enqueue_keyed(Scope::WhilePending).await, (1, false), "it runs");
        bench.fail(first.lease, error("again")).await;
        bench.reopen().await;
        assert_eq!(bench.enqueue_keyed(Scope::WhilePending).await, (1, false), "it rests");
        bench.pass(Duration::from_secs(3_600)).await;
        let again = bench.claim_one().await;
        bench.complete(again.lease).await;
        assert_eq!(bench.enqueue_keyed(Scope::WhilePending).await, (2, true), "it has ended");
        assert_eq!(bench.enqueue_keyed(Scope::WhilePending).await, (2, false));
        bench.reopen().await;
        assert!(bench.cancel(JobId(2)).await);
        assert_eq!(bench.enqueue_keyed(Scope::WhilePending).await, (3, true), "cancelled is ended");
    });
}

#[test]
fn however_a_job_ends_its_key_is_free() {
    on_every_store(async |bench| {
        assert_eq!(bench.enqueue_keyed(Scope::WhilePending).await, (1, true));
        let discarded = bench.claim_one().await;
        let failure = outlive::protocol::Reported { retryable: false, ..error("never") };
        bench.fail(discarded.lease, failure).await;
        assert_eq!(bench.enqueue_keyed(Scope::WhilePending).await, (2, true));
        for _ in 0..limits::CRASHES_DEFAULT {
            let crashing = bench.claim_one().await;
            bench.done(Request::Start { lease: crashing.lease }).await;
            assert_eq!(bench.enqueue_keyed(Scope::WhilePending).await, (2, false));
            bench.pass(LEASE + MILLISECOND).await;
            bench.pass(Duration::from_secs(3_600)).await;
        }
        assert_eq!(bench.enqueue_keyed(Scope::WhilePending).await, (3, true), "it is quarantined");
    });
}

#[test]
fn a_key_for_a_period_stands_for_it_whether_its_job_has_ended_or_not() {
    on_every_store(async |bench| {
        assert_eq!(bench.enqueue_keyed(MINUTE).await, (1, true));
        let running = bench.claim_one().await;
        bench.complete(running.lease).await;
        bench.pass(Duration::from_millis(59_999)).await;
        bench.reopen().await;
        assert_eq!(bench.enqueue_keyed(MINUTE).await, (1, false));
        bench.pass(MILLISECOND).await;
        assert_eq!(bench.enqueue_keyed(MINUTE).await, (2, true));
        bench.pass(Duration::from_secs(30)).await;
        assert_eq!(bench.enqueue_keyed(MINUTE).await, (2, false), "from the enqueue that made it");
        bench.reopen_after(|clock| clock.pass(Duration::from_secs(30))).await;
        assert_eq!(bench.enqueue_keyed(MINUTE).await, (3, true), "time in which nobody had the file counts too");
    });
}

#[test]
fn the_first_enqueue_says_for_how_long() {
    on_every_store(async |bench| {
        assert_eq!(bench.enqueue_keyed(MINUTE).await, (1, true));
        assert_eq!(bench.enqueue_keyed(Scope::Forever).await, (1, false));
        bench.pass(Duration::from_secs(60)).await;
        assert_eq!(bench.enqueue_keyed(Scope::Forever).await, (2, true));
        bench.pass(Duration::from_secs(3_600)).await;
        assert_eq!(bench.enqueue_keyed(MINUTE).await, (2, false));
    });
}

#[test]
fn other_work_under_a_key_is_refused_only_while_it_stands() {
    on_every_store(async |bench| {
        bench.enqueue_keyed(Scope::WhilePending).await;
        let other = || Request::Enqueue(Enqueue { payload: "7".into(), ..keyed(Scope::WhilePending) });
        assert!(matches!(bench.refused(other()).await, Refusal::KeyConflict { job: JobId(1), .. }));
        bench.cancel(JobId(1)).await;
        assert_eq!(bench.call(other()).await, Ok(Reply::Enqueued { job: JobId(2), fresh: true }));
    });
}

#[test]
fn a_repeated_request_gets_its_first_job_although_its_key_stands_for_another_by_now() {
    on_every_store(async |bench| {
        let (id, request) = (bench.request_id(), Request::Enqueue(keyed(Scope::WhilePending)));
        let first = bench.call_as(id, request.clone()).await;
        bench.cancel(JobId(1)).await;
        assert_eq!(bench.enqueue_keyed(Scope::WhilePending).await, (2, true));
        assert_eq!(bench.call_as(id, request).await, first);
    });
}

#[test]
fn two_enqueues_in_one_group_find_each_other() {
    on_every_store(async |bench| {
        for _ in 0..2 {
            let answers = [Scope::WhilePending; 2]
                .map(|scope| bench.send(Request::Enqueue(keyed(scope))))
                .map(async |it| it.await);
            let mut made = Vec::new();
            for answer in answers {
                let Ok(Reply::Enqueued { job, fresh }) = answer.await else { panic!("not enqueued") };
                made.push((job, fresh));
            }
            let job = made[0].0;
            assert_eq!(made, [(job, true), (job, false)]);
            bench.cancel(job).await;
        }
    });
}

#[test]
fn a_period_beyond_its_limit_is_told() {
    on_every_store(async |bench| {
        let refusal = bench.refused(Request::Enqueue(keyed(Scope::PeriodMs(u64::MAX)))).await;
        assert!(matches!(&refusal, Refusal::Limit { what, .. } if what.contains("period")), "{refusal}");
        assert_eq!(bench.enqueue_keyed(MINUTE).await, (1, true), "nothing of it has happened");
    });
}
