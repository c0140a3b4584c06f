//! Failures that other queues had, where one request after another shows that they can't happen here. Those that need a
//! crash or a pause are files in `scenarios/regressions/`. The names are those of the table in docs/TESTING.md.

use crate::bench::{Bench, LEASE, answered, claim, error, ids, job, on_every_store};
use outlive::job::{CatchUp, JobId, Lease, Next, Rhythm, State, Template, Unmet};
use outlive::protocol::{
    After, Claim, Enqueue, Heard, Key, On, QueueLimits, Reply, Request, Said, Schedule, Scope, Signal,
};
use std::collections::BTreeSet;
use std::time::Duration;

/// A key that stood over completed jobs too ran its work once, ever.
#[test]
fn unique_too_wide() {
    on_every_store(async |bench| {
        let key = || Some(Key { name: "nightly".into(), scope: Scope::WhilePending });
        for night in 1..=3 {
            let enqueued = bench.call(Request::Enqueue(Enqueue { key: key(), ..job("a") })).await;
            assert_eq!(enqueued, Ok(Reply::Enqueued { job: JobId(night), fresh: true }));
            let granted = bench.claim_one().await;
            bench.done(Request::Complete { lease: granted.lease, result: None }).await;
        }
    });
}

/// Three processes had the same name, and each took itself for the one that fires: a slot fired three times.
#[test]
fn leader_by_name() {
    on_every_store(async |bench| {
        let template = Template {
            kind: "a".into(),
            queue: "default".into(),
            priority: 0,
            max_attempts: None,
            max_age_ms: None,
            concurrency_key: None,
            payload: "null".into(),
        };
        let (rhythm, catch_up) = (Rhythm::every(Duration::from_secs(10)), CatchUp::Latest);
        let schedule = Schedule { name: "sweep".into(), rhythm, catch_up, late_ms: 0, job: template };
        for _ in 0..3 {
            let scheduled = bench.call(Request::Schedule(schedule.clone())).await;
            assert!(matches!(scheduled, Ok(Reply::Scheduled { .. })), "{scheduled:?}");
        }
        let claim = || Claim { worker: "leader".into(), ..claim() };
        for slot in 1..=3 {
            bench.pass(Duration::from_secs(10)).await;
            let mut fired = Vec::new();
            for _ in 0..3 {
                fired.extend(ids(&bench.claim(claim()).await));
            }
            assert_eq!(fired, [slot]);
        }
    });
}

/// A child failed, or its worker died: its parent waited for ever.
#[test]
fn parent_waits_forever() {
    on_every_store(async |bench| {
        let parent = bench.started().await;
        let (fails, dies) = (bench.started().await, bench.started().await);
        let children = vec![fails.lease.job, dies.lease.job];
        let on = On::Jobs { jobs: children.clone(), step: "children".into() };
        assert_eq!(bench.call(Request::Wait { lease: parent.lease, on }).await, Ok(Reply::Suspended));
        let after = After { jobs: children, unmet: Unmet::Discard };
        let next = bench.enqueue(Enqueue { after: Some(after), ..job("b") }).await;
        let never = outlive::protocol::Reported { retryable: false, ..error("never") };
        assert_eq!(bench.fail(fails.lease, never).await, Next::Discard);
        assert_eq!(bench.look(next).await.state, State::Discarded);
        bench.reopen().await;
        // Its worker was never heard of again, as often as it takes.
        for _ in 1..outlive::limits::CRASHES_DEFAULT {
            bench.pass(Duration::from_secs(3_600)).await;
            let again = bench.claim_one().await;
            assert_eq!(again.lease.job, dies.lease.job);
            bench.done(Request::Start { lease: again.lease }).await;
            bench.pass(Duration::from_secs(3_600)).await;
        }
        assert_eq!(bench.look(dies.lease.job).await.state, State::Quarantined);
        assert_eq!(ids(&bench.claim(claim()).await), [parent.lease.job.0], "the parent goes on");
    });
}

/// A job looked for a free slot and found none, while the slot was freed by somebody who saw nobody wait: it was never woken.
#[test]
fn unblock_race() {
    let nowhere = || On::Condition { what: "the file is not there".into(), again_ms: 60_000 };
    let ends = move |lease: Lease| {
        [
            Request::Complete { lease, result: None },
            Request::Fail { lease, failure: error("no") },
            Request::Snooze { lease, delay_ms: 60_000 },
            Request::Release { lease, why: "bye".into() },
            Request::Wait { lease, on: nowhere() },
        ]
    };
    for way in 0..5 {
        for claims_first in [true, false] {
            on_every_store(async |bench| {
                let first = claimed_of_a_key(bench).await;
                let claim = Request::Claim(Claim { wait_ms: 60_000, ..claim() });
                let end = ends(first)[way].clone();
                // Both come at once, and are decided in one group.
                let (mut claimed, ended) = if claims_first {
                    (bench.send(claim), bench.send(end))
                } else {
                    let ended = bench.send(end);
                    (bench.send(claim), ended)
                };
                ended.await.expect("its lease holds");
                bench.engine_looks().await;
                let answer = answered(&mut claimed);
                let Some(Ok(Reply::Claimed { grants })) = answer else { panic!("nobody was woken: {answer:?}") };
                assert_eq!(grants.len(), 1, "there is one slot");
            });
        }
    }
    on_every_store(async |bench| {
        claimed_of_a_key(bench).await;
        let mut claimed = bench.send(Request::Claim(Claim { wait_ms: 60_000, ..claim() }));
        bench.pass(LEASE).await;
        let Some(Ok(Reply::Claimed { grants })) = answered(&mut claimed) else { panic!("nobody was woken") };
        assert_eq!(ids(&grants), [2], "its worker was never heard of again");
    });
}

/// The lease of one of two jobs that share the one slot of their key.
async fn claimed_of_a_key(bench: &mut Bench) -> Lease {
    let limits = QueueLimits { queue: "default".into(), at_once: None, at_once_per_key: Some(1), rate: None };
    bench.done(Request::Limit(limits)).await;
    for _ in 0..2 {
        bench.enqueue(Enqueue { concurrency_key: Some("customer".into()), ..job("a") }).await;
    }
    let lease = bench.claim_one().await.lease;
    bench.done(Request::Start { lease }).await;
    lease
}

/// A job that was enqueued in an open transaction ran before the rows that it needed were there, or was lost with it.
#[test]
fn run_before_commit() {
    on_every_store(async |bench| {
        let mut waiting = bench.send(Request::Claim(Claim { wait_ms: 60_000, ..claim() }));
        bench.engine_looks().await;
        let open = bench.open_transaction().await;
        let heard = open.say(Said::Command(Request::Enqueue(job("a")))).await;
        assert_eq!(heard, Ok(Heard::Reply(Reply::Enqueued { job: JobId(1), fresh: true })));
        assert!(answered(&mut waiting).is_none(), "it is not there yet");
        assert_eq!(open.say(Said::Commit).await, Ok(Heard::Committed));
        drop(open);
        bench.engine_looks().await;
        let Some(Ok(Reply::Claimed { grants })) = answered(&mut waiting) else { panic!("nobody was woken") };
        assert_eq!(ids(&grants), [1]);
        let open = bench.open_transaction().await;
        open.say(Said::Command(Request::Enqueue(job("a")))).await.expect("it is taken");
        drop(open);
        bench.reopen().await;
        assert_eq!(ids(&bench.claim(claim()).await), [1], "what was not committed is not there");
    });
}

/// A workflow that was recovered between two of its steps had no next one, and blocked its queue.
#[test]
fn stuck_between_steps() {
    on_every_store(async |bench| {
        let first = bench.started().await;
        let step = |lease, name: &str| Request::Step { lease, name: name.into(), result: "1".into() };
        bench.call(step(first.lease, "one")).await.expect("it is stored");
        bench.reopen().await;
        bench.pass(Duration::from_secs(3_600)).await;
        let second = bench.claim_one().await;
        let on = On::Signal { name: "tea".into(), step: "tea".into(), limit_ms: None };
        assert_eq!(bench.call(Request::Wait { lease: second.lease, on }).await, Ok(Reply::Suspended));
        bench.reopen().await;
        let tea = Signal { name: "tea".into(), key: None, payload: "1".into() };
        bench.call(Request::Signal(tea)).await.expect("it is sent");
        bench.reopen().await;
        let third = bench.claim_one().await;
        let steps: Vec<String> = bench.look(JobId(1)).await.steps.into_iter().map(|step| step.name).collect();
        assert_eq!((third.attempt, steps), (3, vec!["one".to_owned(), "tea".to_owned()]));
    });
}

/// Jobs that failed together were tried again together, wave after wave.
#[test]
fn retry_herd() {
    on_every_store(async |bench| {
        let mut leases = Vec::new();
        for _ in 0..40 {
            leases.push(bench.running().await.lease);
        }
        let mut rests = BTreeSet::new();
        for lease in leases {
            let Next::Retry { due } = bench.fail(lease, error("the service is down")).await else { panic!("a retry") };
            rests.insert(due.wall);
        }
        let spread = rests.last().unwrap().0 - rests.first().unwrap().0;
        assert!(rests.len() > 30 && spread > 500, "{} times within {spread} ms", rests.len());
    });
}

/// What was asked to stop was forgotten when the job was looked for in another way.
#[test]
fn cancel_dropped() {
    on_every_store(async |bench| {
        let running = bench.started().await;
        assert!(!bench.cancel(running.lease.job).await);
        bench.reopen().await;
        assert_eq!(bench.look(running.lease.job).await.state, State::Cancelled, "its worker is gone");
    });
}
