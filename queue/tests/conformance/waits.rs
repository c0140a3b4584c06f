//! What jobs wait for beside time and their turn: signals, other jobs, and something outside.

use crate::bench::{Bench, NOTHING, answered, claim, error, ids, job, on_every_store};
use outlive::job::explain::{Bound, Doing, Reason, Until};
use outlive::job::{AttemptEnd, JobId, Lease, Refusal, State, Unmet};
use outlive::limits;
use outlive::protocol::{
    Access, After, Begin, CallError, Enqueue, Granted, Heard, On, Reply, Reported, Request, Said, Signal,
};
use std::time::Duration;

fn listen(name: &str, step: &str, limit_ms: Option<u64>) -> On {
    On::Signal { name: name.into(), step: step.into(), limit_ms }
}

fn signal(name: &str, key: Option<&str>, payload: &str) -> Request {
    Request::Signal(Signal { name: name.into(), key: key.map(Into::into), payload: payload.into() })
}

fn after(jobs: &[i64], unmet: Unmet) -> Enqueue {
    let jobs = jobs.iter().copied().map(JobId).collect();
    Enqueue { after: Some(After { jobs, unmet }), ..job("b") }
}

impl Bench {
    /// Waits; the step's result, or none if the attempt has ended with that.
    async fn wait(&mut self, lease: Lease, on: On) -> Option<String> {
        match self.call(Request::Wait { lease, on }).await {
            Ok(Reply::Stepped { result }) => Some(result),
            Ok(Reply::Suspended) => None,
            other => panic!("neither: {other:?}"),
        }
    }

    /// Sends a signal; whether it is new.
    async fn signal(&mut self, name: &str, key: Option<&str>, payload: &str) -> bool {
        match self.call(signal(name, key, payload)).await {
            Ok(Reply::Signalled { fresh }) => fresh,
            other => panic!("not sent: {other:?}"),
        }
    }

    async fn step_of(&mut self, job: JobId, name: &str) -> Option<String> {
        self.look(job).await.steps.into_iter().find(|step| step.name == name).map(|step| step.result)
    }

    async fn state(&mut self, job: i64) -> State {
        self.look(JobId(job)).await.state
    }

    /// The one reason why a job waits, what ends it, and how long that can take.
    async fn why(&mut self, job: JobId) -> (Reason, Until, Bound) {
        match self.explain(job).await.doing {
            Doing::Waiting { mut blockers } if blockers.len() == 1 => {
                let blocker = blockers.remove(0);
                (blocker.reason, blocker.until, blocker.bound)
            }
            doing => panic!("not one reason: {doing:?}"),
        }
    }

    async fn end_with_result(&mut self, granted: &Granted) {
        self.done(Request::Complete { lease: granted.lease, result: Some("7".into()) }).await;
    }

    async fn discard(&mut self, granted: &Granted) {
        self.fail(granted.lease, Reported { retryable: false, ..error("never") }).await;
    }
}

#[test]
fn a_signal_that_was_sent_before_is_there() {
    on_every_store(async |bench| {
        assert!(bench.signal("tea", None, r#"{ "cups": 2 }"#).await);
        bench.reopen().await;
        let lease = bench.started().await.lease;
        assert_eq!(bench.wait(lease, listen("tea", "tea", None)).await.as_deref(), Some(r#"{"sent":{"cups":2}}"#));
        assert_eq!(bench.wait(lease, listen("tea", "tea", None)).await.as_deref(), Some(r#"{"sent":{"cups":2}}"#));
        assert_eq!(bench.wait(lease, listen("tea", "more", Some(0))).await.as_deref(), Some("null"), "it was taken");
    });
}

#[test]
fn a_signal_that_is_sent_later_wakes_who_waits_over_a_restart_too() {
    on_every_store(async |bench| {
        let first = bench.started().await;
        assert_eq!(bench.wait(first.lease, listen("tea", "tea", None)).await, None);
        let (reason, until, bound) = bench.why(JobId(1)).await;
        assert_eq!((reason, until, bound), (Reason::Signal { name: "tea".into() }, Until::Signal, Bound::Event));
        assert_eq!(ids(&bench.claim(claim()).await), NOTHING);
        bench.reopen_after(|clock| clock.pass(Duration::from_secs(3_600))).await;
        assert_eq!(ids(&bench.claim(claim()).await), NOTHING);
        assert!(bench.signal("tea", None, "1").await);
        let second = bench.claim_one().await;
        assert_eq!((second.attempt, second.failures), (2, 0));
        assert_eq!(bench.step_of(JobId(1), "tea").await.as_deref(), Some(r#"{"sent":1}"#));
        let view = bench.look(JobId(1)).await;
        assert_eq!(view.history[0].ended.map(|(_, end)| end), Some(AttemptEnd::Suspended));
        assert!(view.history[0].failure.is_none());
    });
}

#[test]
fn a_claim_that_waits_is_served_when_the_signal_comes() {
    on_every_store(async |bench| {
        let first = bench.started().await;
        bench.wait(first.lease, listen("tea", "tea", None)).await;
        let mut waiting = bench.send(Request::Claim(outlive::protocol::Claim { wait_ms: 60_000, ..claim() }));
        bench.engine_looks().await;
        assert!(answered(&mut waiting).is_none());
        bench.signal("tea", None, "1").await;
        bench.engine_looks().await;
        let Some(Ok(Reply::Claimed { grants })) = answered(&mut waiting) else { panic!("nobody was woken") };
        assert_eq!(ids(&grants), [1]);
    });
}

#[test]
fn each_signal_is_taken_once_the_oldest_first() {
    on_every_store(async |bench| {
        for payload in ["1", "2", "3"] {
            bench.signal("tea", None, payload).await;
        }
        bench.signal("coffee", None, "9").await;
        let (one, other) = (bench.started().await.lease, bench.running().await.lease);
        assert_eq!(bench.wait(one, listen("tea", "a", None)).await.as_deref(), Some(r#"{"sent":1}"#));
        assert_eq!(bench.wait(other, listen("tea", "a", None)).await.as_deref(), Some(r#"{"sent":2}"#));
        bench.reopen().await;
    });
    on_every_store(async |bench| {
        let (one, other) = (bench.running().await.lease, bench.running().await.lease);
        assert_eq!(bench.wait(other, listen("tea", "a", None)).await, None);
        assert_eq!(bench.wait(one, listen("tea", "a", None)).await, None);
        bench.signal("tea", None, "1").await;
        assert_eq!(bench.step_of(one.job, "a").await.as_deref(), Some(r#"{"sent":1}"#), "the older job");
        bench.signal("tea", None, "2").await;
        assert_eq!(bench.step_of(other.job, "a").await.as_deref(), Some(r#"{"sent":2}"#));
    });
}

#[test]
fn two_waits_and_one_signal_in_one_group_are_decided_apart() {
    on_every_store(async |bench| {
        let (one, other) = (bench.running().await.lease, bench.running().await.lease);
        bench.signal("tea", None, "1").await;
        let answers = [one, other].map(|lease| bench.send(Request::Wait { lease, on: listen("tea", "a", None) }));
        let mut had = Vec::new();
        for answer in answers {
            had.push(answer.await);
        }
        assert_eq!(had, [Ok(Reply::Stepped { result: r#"{"sent":1}"#.into() }), Ok(Reply::Suspended)]);
    });
}

#[test]
fn the_engine_writes_that_the_time_to_wait_is_over() {
    on_every_store(async |bench| {
        let first = bench.started().await;
        assert_eq!(bench.wait(first.lease, listen("tea", "tea", Some(5_000))).await, None);
        let (_, _, bound) = bench.why(JobId(1)).await;
        assert_eq!(bound, Bound::Milliseconds { at_most: 5_000 });
        bench.pass(Duration::from_millis(4_999)).await;
        assert_eq!(ids(&bench.claim(claim()).await), NOTHING);
        bench.pass(Duration::from_millis(1)).await;
        assert_eq!(bench.step_of(JobId(1), "tea").await.as_deref(), Some("null"));
        assert_eq!(ids(&bench.claim(claim()).await), [1]);
        bench.signal("tea", None, "1").await;
        assert_eq!(bench.step_of(JobId(1), "tea").await.as_deref(), Some("null"), "too late for that step");
    });
}

#[test]
fn time_in_which_nobody_had_the_file_counts_to_the_limit() {
    on_every_store(async |bench| {
        let first = bench.started().await;
        bench.wait(first.lease, listen("tea", "tea", Some(5_000))).await;
        bench.reopen_after(|clock| clock.pass(Duration::from_secs(5))).await;
        bench.engine_looks().await;
        assert_eq!(bench.step_of(JobId(1), "tea").await.as_deref(), Some("null"));
    });
}

#[test]
fn a_key_stands_for_one_signal_of_its_name() {
    on_every_store(async |bench| {
        assert!(bench.signal("tea", Some("k"), "1").await);
        assert!(!bench.signal("tea", Some("k"), " 1").await);
        assert!(bench.signal("coffee", Some("k"), "1").await);
        let lease = bench.started().await.lease;
        bench.wait(lease, listen("tea", "tea", None)).await.unwrap();
        bench.reopen().await;
        assert!(!bench.signal("tea", Some("k"), "1").await, "although it was taken");
        let refusal = bench.refused(signal("tea", Some("k"), "2")).await;
        assert!(matches!(refusal, Refusal::SignalConflict { .. }), "{refusal}");
    });
}

#[test]
fn whoever_has_no_lease_takes_no_signal_and_ends_no_attempt() {
    on_every_store(async |bench| {
        let first = bench.started().await;
        bench.signal("tea", None, "1").await;
        bench.pass(Duration::from_secs(31)).await;
        for on in [listen("tea", "a", None), On::Condition { what: "no".into(), again_ms: 1 }] {
            let refusal = bench.refused(Request::Wait { lease: first.lease, on }).await;
            assert!(matches!(refusal, Refusal::LeaseExpired { .. } | Refusal::AttemptEnded { .. }), "{refusal}");
        }
        bench.pass(Duration::from_secs(3_600)).await;
        let second = bench.claim_one().await;
        assert_eq!(bench.wait(second.lease, listen("tea", "a", None)).await.as_deref(), Some(r#"{"sent":1}"#));
    });
}

#[test]
fn a_repeated_wait_gets_its_first_answer() {
    on_every_store(async |bench| {
        let lease = bench.started().await.lease;
        let (id, wait) = (bench.request_id(), Request::Wait { lease, on: listen("tea", "tea", None) });
        assert_eq!(bench.call_as(id, wait.clone()).await, Ok(Reply::Suspended));
        bench.signal("tea", None, "1").await;
        assert_eq!(bench.call_as(id, wait).await, Ok(Reply::Suspended));
    });
}

#[test]
fn a_job_waits_until_others_have_ended() {
    on_every_store(async |bench| {
        let (one, other) = (bench.running().await, bench.running().await);
        let waiting = bench.enqueue(after(&[1, 2, 2], Unmet::Cancel)).await;
        let (reason, until, bound) = bench.why(waiting).await;
        let jobs = vec![JobId(1), JobId(2)];
        assert_eq!(reason, Reason::Jobs { jobs, open: 2, unmet: Some(Unmet::Cancel) });
        assert_eq!((until, bound), (Until::Ends, Bound::Event));
        bench.end_with_result(&one).await;
        assert_eq!(ids(&bench.claim(claim()).await), NOTHING);
        bench.reopen().await;
        let (reason, ..) = bench.why(waiting).await;
        assert_eq!(reason, Reason::Jobs { jobs: vec![JobId(2)], open: 1, unmet: Some(Unmet::Cancel) });
        let again = bench.claim_one().await;
        assert_eq!(again.lease.job, other.lease.job, "the opening took it back");
        bench.end_with_result(&again).await;
        assert_eq!(ids(&bench.claim(claim()).await), [waiting.0]);
    });
}

#[test]
fn what_became_of_another_decides() {
    for (unmet, expected) in
        [(Unmet::Cancel, State::Cancelled), (Unmet::Discard, State::Discarded), (Unmet::Run, State::Waiting)]
    {
        on_every_store(async |bench| {
            let one = bench.running().await;
            let waiting = bench.enqueue(after(&[1], unmet)).await;
            let last = bench.enqueue(after(&[waiting.0], Unmet::Cancel)).await;
            bench.discard(&one).await;
            assert_eq!(bench.state(waiting.0).await, expected);
            if unmet == Unmet::Run {
                assert_eq!(ids(&bench.claim(claim()).await), [waiting.0]);
                return;
            }
            assert_eq!(bench.state(last.0).await, State::Cancelled, "what waits for it follows");
            bench.reopen().await;
            let says = bench.explain(waiting).await.to_string();
            assert!(says.ends_with("after 0 attempts, because job 1, for which it waited, was discarded."), "{says}");
        });
    }
}

#[test]
fn what_can_never_be_met_is_said_at_once() {
    on_every_store(async |bench| {
        let one = bench.running().await;
        bench.discard(&one).await;
        for unmet in [Unmet::Cancel, Unmet::Discard] {
            let refusal = bench.refused(Request::Enqueue(after(&[1], unmet))).await;
            assert_eq!(refusal, Refusal::NeverMet { job: JobId(1), state: State::Discarded });
        }
        let refusal = bench.refused(Request::Enqueue(after(&[9], Unmet::Run))).await;
        assert_eq!(refusal, Refusal::UnknownJob { job: JobId(9) });
        let runs = bench.enqueue(after(&[1], Unmet::Run)).await;
        assert_eq!(ids(&bench.claim(claim()).await), [runs.0]);
        let refusal = bench.refused(Request::Enqueue(after(&vec![1; limits::WAITS_MAX + 1], Unmet::Run))).await;
        assert!(matches!(refusal, Refusal::Limit { .. }), "{refusal}");
        let at_once = bench.enqueue(after(&[], Unmet::Cancel)).await;
        assert_eq!(ids(&bench.claim(claim()).await), [at_once.0], "one that waits for none");
    });
}

#[test]
fn a_delay_counts_although_others_are_waited_for() {
    on_every_store(async |bench| {
        let one = bench.running().await;
        let when = outlive::protocol::When::After(10_000);
        let waiting = bench.enqueue(Enqueue { when, ..after(&[1], Unmet::Cancel) }).await;
        bench.pass(Duration::from_secs(4)).await;
        let Doing::Waiting { blockers } = bench.explain(waiting).await.doing else { panic!("it waits") };
        let reasons: Vec<Reason> = blockers.into_iter().map(|blocker| blocker.reason).collect();
        let jobs = Reason::Jobs { jobs: vec![JobId(1)], open: 1, unmet: Some(Unmet::Cancel) };
        assert_eq!(reasons, [jobs, Reason::Delay], "both");
        bench.end_with_result(&one).await;
        let (reason, _, bound) = bench.why(waiting).await;
        assert_eq!((reason, bound), (Reason::Delay, Bound::Milliseconds { at_most: 6_000 }));
        bench.pass(Duration::from_secs(6)).await;
        assert_eq!(ids(&bench.claim(claim()).await), [waiting.0]);
    });
}

#[test]
fn a_handler_is_told_how_others_ended() {
    on_every_store(async |bench| {
        let (parent, one, other) = (bench.started().await, bench.running().await, bench.running().await);
        let join = || On::Jobs { jobs: vec![JobId(2), JobId(3)], step: "pages".into() };
        assert_eq!(bench.wait(parent.lease, join()).await, None);
        let (reason, ..) = bench.why(JobId(1)).await;
        assert_eq!(reason, Reason::Jobs { jobs: vec![JobId(2), JobId(3)], open: 2, unmet: None });
        bench.end_with_result(&one).await;
        bench.discard(&other).await;
        let again = bench.claim_one().await;
        assert_eq!(again.lease.job, JobId(1));
        let told = r#"[{"job":2,"state":"completed"},{"job":3,"state":"discarded"}]"#;
        assert_eq!(bench.wait(again.lease, join()).await.as_deref(), Some(told));
        let at_once = On::Jobs { jobs: vec![JobId(3)], step: "more".into() };
        let told = r#"[{"job":3,"state":"discarded"}]"#;
        assert_eq!(bench.wait(again.lease, at_once).await.as_deref(), Some(told));
    });
}

#[test]
fn jobs_do_not_wait_for_each_other() {
    on_every_store(async |bench| {
        let one = bench.started().await;
        bench.enqueue(after(&[1], Unmet::Cancel)).await;
        let last = bench.enqueue(after(&[2], Unmet::Cancel)).await;
        for through in [JobId(1), JobId(2), last] {
            let on = On::Jobs { jobs: vec![through], step: "a".into() };
            let refusal = bench.refused(Request::Wait { lease: one.lease, on }).await;
            assert_eq!(refusal, Refusal::WaitsForItself { job: JobId(1), through });
        }
        bench.end_with_result(&one).await;
    });
}

#[test]
fn a_condition_gives_the_attempt_back_and_says_what_is_wrong() {
    on_every_store(async |bench| {
        let first = bench.started().await;
        let on = On::Condition { what: "/mnt/tapes is not mounted".into(), again_ms: 30_000 };
        assert_eq!(bench.wait(first.lease, on).await, None);
        bench.reopen().await;
        let (reason, until, bound) = bench.why(JobId(1)).await;
        assert_eq!(reason, Reason::Condition { what: "/mnt/tapes is not mounted".into() });
        assert!(matches!(until, Until::Time { .. }), "{until:?}");
        assert_eq!(bound, Bound::Milliseconds { at_most: 30_000 });
        bench.pass(Duration::from_secs(30)).await;
        let second = bench.claim_one().await;
        assert_eq!((second.attempt, second.failures), (2, 0));
        let (snoozes, releases) = (bench.look(JobId(1)).await.snoozes, bench.look(JobId(1)).await.releases);
        assert_eq!((snoozes, releases), (0, 0));
    });
}

#[test]
fn whoever_waits_can_be_cancelled() {
    on_every_store(async |bench| {
        let first = bench.started().await;
        bench.wait(first.lease, listen("tea", "tea", None)).await;
        assert!(bench.cancel(JobId(1)).await);
        assert!(bench.signal("tea", None, "1").await);
        assert_eq!(bench.step_of(JobId(1), "tea").await, None);
        let second = bench.started().await;
        assert!(!bench.cancel(second.lease.job).await);
        assert_eq!(bench.wait(second.lease, listen("coffee", "coffee", None)).await, None);
        assert_eq!(bench.state(second.lease.job.0).await, State::Cancelled, "it was asked to stop before it waited");
        bench.signal("coffee", None, "1").await;
    });
}

/// What was asked to stop before it waited has ended, and nobody waits for it any more.
#[test]
fn what_stops_instead_of_waiting_is_in_nobodys_way() {
    on_every_store(async |bench| {
        let (one, other) = (bench.started().await, bench.running().await);
        bench.cancel(one.lease.job).await;
        let on = |job: JobId| On::Jobs { jobs: vec![job], step: "a".into() };
        assert_eq!(bench.wait(one.lease, on(other.lease.job)).await, None);
        assert_eq!(bench.state(1).await, State::Cancelled);
        let told = r#"[{"job":1,"state":"cancelled"}]"#;
        assert_eq!(bench.wait(other.lease, on(JobId(1))).await.as_deref(), Some(told));
        bench.signal("tea", None, "1").await;
        let (third, fourth) = (bench.running().await, bench.running().await);
        bench.cancel(third.lease.job).await;
        assert_eq!(bench.wait(third.lease, listen("tea", "tea", None)).await, None);
        assert!(bench.wait(fourth.lease, listen("tea", "tea", None)).await.is_some(), "it is left for others");
    });
}

#[test]
fn nothing_to_wait_for_is_there() {
    on_every_store(async |bench| {
        let lease = bench.started().await.lease;
        assert_eq!(bench.wait(lease, On::Jobs { jobs: vec![], step: "a".into() }).await.as_deref(), Some("[]"));
    });
}

/// What is asked next in a transaction sees what follows from what was asked before.
#[test]
fn a_transaction_sees_what_its_own_ends_bring_about() {
    on_every_store(async |bench| {
        let key = || Some(outlive::protocol::Key { name: "k".into(), scope: outlive::protocol::Scope::WhilePending });
        bench.enqueue(job("a")).await;
        bench.enqueue(Enqueue { key: key(), ..after(&[1], Unmet::Cancel) }).await;
        let begin = Begin { id: bench.request_id(), access: Access::Write, limit_ms: 1_000 };
        let open = bench.outlive().service().begin(begin).await.expect("it opens");
        open.say(Said::Command(Request::Cancel { job: JobId(1) })).await.expect("it is taken");
        let again = Request::Enqueue(Enqueue { key: key(), ..job("b") });
        let heard = open.say(Said::Command(again)).await;
        assert_eq!(heard, Ok(Heard::Reply(Reply::Enqueued { job: JobId(3), fresh: true })));
        assert_eq!(open.say(Said::Commit).await, Ok(Heard::Committed));
        drop(open);
        bench.engine_looks().await;
        assert_eq!((bench.state(2).await, bench.state(3).await), (State::Cancelled, State::Waiting));
    });
}

#[test]
fn a_signal_in_a_transaction_is_sent_with_it() {
    on_every_store(async |bench| {
        let first = bench.started().await;
        bench.wait(first.lease, listen("tea", "tea", None)).await;
        for commits in [false, true] {
            let begin = Begin { id: bench.request_id(), access: Access::Write, limit_ms: 1_000 };
            let open = bench.outlive().service().begin(begin).await.expect("it opens");
            let heard = open.say(Said::Command(signal("tea", None, "1"))).await;
            assert_eq!(heard, Ok(Heard::Reply(Reply::Signalled { fresh: true })));
            if commits {
                assert_eq!(open.say(Said::Commit).await, Ok(Heard::Committed));
            }
            drop(open);
            bench.engine_looks().await;
            assert_eq!(bench.step_of(JobId(1), "tea").await.is_some(), commits);
        }
        assert_eq!(ids(&bench.claim(claim()).await), [1]);
    });
}

#[test]
fn what_a_transaction_ends_and_enqueues_waits_as_if_outside() {
    on_every_store(async |bench| {
        let one = bench.running().await;
        bench.enqueue(after(&[1], Unmet::Cancel)).await;
        let begin = Begin { id: bench.request_id(), access: Access::Write, limit_ms: 1_000 };
        let open = bench.outlive().service().begin(begin).await.expect("it opens");
        let said = [
            Request::Enqueue(after(&[1, 2], Unmet::Cancel)),
            Request::Complete { lease: one.lease, result: None },
            Request::Cancel { job: JobId(2) },
        ];
        for request in said {
            open.say(Said::Command(request)).await.expect("it is taken");
        }
        assert_eq!(open.say(Said::Commit).await, Ok(Heard::Committed));
        drop(open);
        assert_eq!(bench.state(2).await, State::Cancelled);
        assert_eq!(bench.state(3).await, State::Cancelled, "job 2 ended without a result in the same commit");
        bench.reopen().await;
        assert_eq!(bench.state(3).await, State::Cancelled);
    });
}

#[test]
fn a_wait_says_what_is_wrong_with_it() {
    on_every_store(async |bench| {
        let lease = bench.started().await.lease;
        let wrong = [
            listen("", "a", None),
            listen("tea", "a\nb", None),
            listen("tea", "a", Some(u64::MAX)),
            On::Jobs { jobs: vec![JobId(1); limits::WAITS_MAX + 1], step: "a".into() },
            On::Condition { what: "no".into(), again_ms: u64::MAX },
        ];
        for on in wrong {
            let refusal = bench.refused(Request::Wait { lease, on: on.clone() }).await;
            assert!(matches!(refusal, Refusal::Limit { .. }), "{on:?}: {refusal}");
        }
        for request in [signal("", None, "1"), signal("tea", Some(""), "1"), signal("tea", None, "one")] {
            let refusal = bench.refused(request).await;
            assert!(matches!(refusal, Refusal::Limit { .. }), "{refusal}");
        }
        assert_eq!(
            bench.call(Request::Obey { lease }).await.map_err(|it| matches!(it, CallError::Refused(_))),
            Err(true)
        );
        assert_eq!(bench.state(1).await, State::Running);
    });
}
