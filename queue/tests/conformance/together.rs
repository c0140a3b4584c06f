//! Jobs that are enqueued together: all of them, or none.

use crate::bench::{Bench, claim, ids, job, on_every_store, on_every_store_with};
use outlive::Options;
use outlive::job::{JobId, Refusal, State, Unmet};
use outlive::limits;
use outlive::protocol::{After, CallError, Enqueue, Enqueued, Key, Reply, Request, Scope};

impl Bench {
    async fn together(&mut self, jobs: Vec<Enqueue>) -> Vec<(i64, bool)> {
        match self.call(Request::EnqueueAll { jobs }).await {
            Ok(Reply::EnqueuedAll { jobs }) => jobs.into_iter().map(|it| (it.job.0, it.fresh)).collect(),
            other => panic!("not enqueued: {other:?}"),
        }
    }

    /// How many jobs there are.
    async fn count(&mut self) -> i64 {
        let next = self.enqueue(job("count")).await;
        next.0 - 1
    }
}

fn keyed(payload: &str) -> Enqueue {
    let key = Some(Key { name: "k".into(), scope: Scope::Forever });
    Enqueue { key, ..Enqueue::new("a", payload) }
}

fn of_many(number: usize, of: usize, why: Refusal) -> Refusal {
    Refusal::OneOfMany { number, of, why: Box::new(why) }
}

#[test]
fn they_are_there_in_their_order_each_as_it_was_asked_for() {
    on_every_store(async |bench| {
        let jobs = vec![job("a"), Enqueue { priority: 7, ..job("b") }, Enqueue { queue: "other".into(), ..job("a") }];
        assert_eq!(bench.together(jobs).await, [(1, true), (2, true), (3, true)]);
        bench.reopen().await;
        let (second, third) = (bench.look(JobId(2)).await, bench.look(JobId(3)).await);
        assert_eq!((&*second.kind, second.priority, &*third.queue), ("b", 7, "other"));
        assert_eq!(ids(&bench.claim(claim()).await), [2, 1], "by priority");
    });
}

#[test]
fn if_one_cant_be_none_is_and_whoever_asked_is_told_which() {
    on_every_store(async |bench| {
        assert_eq!(bench.together(vec![keyed("1")]).await, [(1, true)]);
        let bad = Enqueue { max_attempts: Some(0), ..job("a") };
        let why = bench.refused(Request::EnqueueAll { jobs: vec![job("a"), keyed("1"), bad.clone()] }).await;
        assert_eq!(why, of_many(3, 3, bench.refused(Request::Enqueue(bad)).await));
        assert!(
            why.to_string().starts_with("job 3 of the 3 that were to be enqueued together can't be, and so none is: ")
        );
        let conflict = Refusal::KeyConflict { kind: "a".into(), key: "k".into(), job: JobId(1) };
        let why = bench.refused(Request::EnqueueAll { jobs: vec![job("a"), keyed("2"), job("a")] }).await;
        assert_eq!(why, of_many(2, 3, conflict));
        let nobody = After { jobs: vec![JobId(9)], unmet: Unmet::Run };
        let late = Enqueue { after: Some(nobody), ..job("a") };
        let why = bench.refused(Request::EnqueueAll { jobs: vec![job("a"), job("a"), late] }).await;
        assert_eq!(why, of_many(3, 3, Refusal::UnknownJob { job: JobId(9) }));
        assert_eq!(bench.count().await, 1, "no number was given away");
        bench.reopen().await;
        assert_eq!(bench.claim_one().await.lease.job, JobId(1));
    });
}

/// What the group had decided before stands.
#[test]
fn what_is_refused_takes_nothing_else_with_it() {
    on_every_store(async |bench| {
        let bad = Enqueue { max_attempts: Some(0), ..job("a") };
        let first = bench.send(Request::Enqueue(job("a")));
        let refused = bench.send(Request::EnqueueAll { jobs: vec![job("a"), bad] });
        let last = bench.send(Request::EnqueueAll { jobs: vec![job("b"), job("b")] });
        assert_eq!(first.await, Ok(Reply::Enqueued { job: JobId(1), fresh: true }));
        assert!(matches!(refused.await, Err(CallError::Refused(Refusal::OneOfMany { .. }))));
        let there = |job| Enqueued { job: JobId(job), fresh: true };
        assert_eq!(last.await, Ok(Reply::EnqueuedAll { jobs: vec![there(2), there(3)] }));
        bench.reopen().await;
        assert_eq!(bench.look(JobId(3)).await.kind, "b");
        assert_eq!(bench.count().await, 3);
    });
}

#[test]
fn a_key_stands_for_the_first_among_them_too() {
    on_every_store(async |bench| {
        assert_eq!(bench.together(vec![keyed("1"), job("a"), keyed("1")]).await, [(1, true), (2, true), (1, false)]);
        assert_eq!(bench.together(vec![job("b"), keyed("1")]).await, [(3, true), (1, false)]);
        let jobs = vec![Enqueue { kind: "b".into(), ..keyed("1") }, Enqueue { kind: "b".into(), ..keyed("2") }];
        let why = bench.refused(Request::EnqueueAll { jobs }).await.to_string();
        let says =
            "payloads under the key \"k\" of kind \"b\" is 2, but the limit is 1; use another key for other work";
        assert!(why.ends_with(says), "it names no job, because there is none: {why}");
        assert_eq!(bench.count().await, 3);
    });
}

#[test]
fn a_repeat_gets_the_first_answer() {
    on_every_store(async |bench| {
        let (id, request) = (bench.request_id(), Request::EnqueueAll { jobs: vec![job("a"), keyed("1")] });
        let answer = bench.call_as(id, request.clone()).await;
        assert!(answer.is_ok());
        bench.reopen().await;
        assert_eq!(bench.call_as(id, request).await, answer);
        let other = Request::EnqueueAll { jobs: vec![job("a")] };
        assert_eq!(bench.call_as(id, other).await, Err(CallError::Refused(Refusal::RequestIdReused)));
        assert_eq!(bench.count().await, 2);
    });
}

#[test]
fn so_many_and_no_more() {
    on_every_store(async |bench| {
        let most = limits::ENQUEUE_JOBS_MAX;
        let all = bench.together(vec![job("a"); most]).await;
        assert_eq!(all.len(), most);
        assert_eq!(bench.look(JobId(1_000)).await.state, State::Waiting);
        for (jobs, value) in [(vec![job("a"); most + 1], "1001"), (Vec::new(), "0")] {
            let Refusal::Limit { value: found, limit, .. } = bench.refused(Request::EnqueueAll { jobs }).await else {
                panic!("it is beyond a limit")
            };
            assert_eq!((&*found, &*limit), (value, "1 to 1000"));
        }
    });
    on_every_store(async |bench| {
        let first = bench.enqueue(job("a")).await;
        let after = Some(After { jobs: vec![first; limits::WAITS_MAX], unmet: Unmet::Run });
        let jobs = vec![Enqueue { after, ..job("a") }; limits::ENQUEUE_WAITS_MAX / limits::WAITS_MAX + 1];
        let why = bench.refused(Request::EnqueueAll { jobs }).await.to_string();
        assert_eq!(
            why,
            "jobs for which those enqueued together wait is 11000, but the limit is 10000; enqueue fewer at a time"
        );
    });
    let options = Options { payload_bytes_max: 10, ..Options::default() };
    on_every_store_with(options, async |bench| {
        let text = |bytes: usize| Enqueue::new("a", format!("{:?}", "x".repeat(bytes - 2)));
        let long = Request::EnqueueAll { jobs: vec![text(5), text(11)] };
        assert!(matches!(bench.refused(long).await, Refusal::OneOfMany { number: 2, of: 2, .. }));
        let much =
            Request::EnqueueAll { jobs: vec![text(limits::ENQUEUE_BYTES_MAX / 2), text(limits::ENQUEUE_BYTES_MAX)] };
        let why = bench.refused(much).await.to_string();
        assert!(why.contains("is 1572864, but the limit is 1048576; enqueue fewer at a time"), "{why}");
    });
}

/// A person's own words: kinds and particulars of all sorts, and none at all.
#[test]
fn the_handle_takes_jobs_of_several_kinds() {
    #[derive(serde::Serialize, serde::Deserialize)]
    struct Page(u32);
    impl outlive::Job for Page {
        const KIND: &'static str = "page";
        type Output = ();
    }
    #[derive(serde::Serialize, serde::Deserialize)]
    struct Cover {}
    impl outlive::Job for Cover {
        const KIND: &'static str = "cover";
        type Output = ();
    }
    on_every_store(async |bench| {
        let outlive = bench.outlive();
        let mut jobs = vec![outlive.enqueue(Cover {}).priority(3)];
        jobs.extend((1..=2).map(|number| outlive.enqueue(Page(number)).key(number.to_string())));
        let there = |job, fresh| Enqueued { job: JobId(job), fresh };
        assert_eq!(outlive.enqueue_all(jobs).await.unwrap(), [there(1, true), there(2, true), there(3, true)]);
        assert_eq!(outlive.enqueue_all(Vec::new()).await.unwrap(), []);
        assert_eq!(bench.look(JobId(1)).await.priority, 3);
        assert_eq!(bench.look(JobId(3)).await.payload, "2");
        let in_transaction = outlive.transaction(async |tx| {
            let jobs = [tx.enqueue(Page(2)).key("2"), tx.enqueue(Page(3))];
            tx.enqueue_all(jobs).await
        });
        let strayed = outlive.transaction(async |tx| outlive.enqueue_all([tx.enqueue(Page(4))]).await).await;
        assert!(strayed.unwrap_err().to_string().contains("of another queue or transaction"));
        // A queue in memory has no tables, and its transactions no statements; commands they have.
        assert_eq!(in_transaction.await.unwrap(), [there(3, false), there(4, true)]);
    });
}
