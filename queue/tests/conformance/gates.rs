//! Limits of queues, and pauses: by people, and because a service is down.

use crate::bench::{Bench, LEASE, NOTHING, answered, claim, ids, job, on_every_store};
use outlive::job::explain::{Doing, Reason};
use outlive::job::{AttemptEnd, Gate, JobId, Lease, Place, Rate, Refusal, State};
use outlive::protocol::{CallError, Claim, Enqueue, GatesView, Granted, On, PauseView, QueueLimits, Reply, Request};
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

fn limits() -> QueueLimits {
    QueueLimits { queue: "default".into(), at_once: None, at_once_per_key: None, rate: None }
}

fn at_once(jobs: u32) -> Request {
    Request::Limit(QueueLimits { at_once: Some(jobs), ..limits() })
}

fn per_key(jobs: u32) -> Request {
    Request::Limit(QueueLimits { at_once_per_key: Some(jobs), ..limits() })
}

fn rate(jobs: u32, per_ms: u64, burst: u32) -> Request {
    Request::Limit(QueueLimits { rate: Some(Rate { jobs, per_ms, burst }), ..limits() })
}

fn of_key(key: &str) -> Enqueue {
    Enqueue { concurrency_key: Some(key.into()), ..job("a") }
}

fn pause(gate: Gate) -> Request {
    Request::Pause { gate, by: "Ada".into(), why: "the bank counts twice".into() }
}

fn down(lease: Lease, why: &str) -> Request {
    Request::Wait { lease, on: On::Service { why: why.into(), probe_ms: 10_000 } }
}

impl Bench {
    async fn enqueue_all(&mut self, jobs: impl IntoIterator<Item = Enqueue>) -> Vec<JobId> {
        let mut all = Vec::new();
        for job in jobs {
            all.push(self.enqueue(job).await);
        }
        all
    }

    /// The jobs that a claim for up to ten gets.
    async fn claimed(&mut self) -> Vec<Granted> {
        self.claim(claim()).await
    }

    async fn resume(&mut self, gate: Gate) -> bool {
        match self.call(Request::Resume { gate }).await {
            Ok(Reply::Resumed { was_paused }) => was_paused,
            other => panic!("not resumed: {other:?}"),
        }
    }

    async fn gates(&mut self) -> GatesView {
        match self.call(Request::Gates).await {
            Ok(Reply::Gated(view)) => view,
            other => panic!("no gates: {other:?}"),
        }
    }

    /// All reasons why a job waits.
    async fn reasons(&mut self, job: JobId) -> Vec<Reason> {
        match self.explain(job).await.doing {
            Doing::Waiting { blockers } => blockers.into_iter().map(|blocker| blocker.reason).collect(),
            doing => panic!("it does not wait: {doing:?}"),
        }
    }
}

#[test]
fn no_more_jobs_of_a_queue_are_leased_at_once_than_its_limit() {
    on_every_store(async |bench| {
        bench.done(at_once(2)).await;
        let other = Enqueue { queue: "other".into(), ..job("a") };
        let all = bench.enqueue_all([job("a"), job("b"), job("a"), job("a"), other]).await;
        let first = bench.claimed().await;
        assert_eq!(ids(&first), [1, 2]);
        assert_eq!(ids(&bench.claimed().await), NOTHING);
        let other = bench.claim(Claim { queues: vec!["default".into(), "other".into()], ..claim() }).await;
        assert_eq!(ids(&other), [all[4].0], "it is a limit of the one queue");
        let reasons = bench.reasons(all[2]).await;
        let Reason::Slots { queue, concurrency_key, at_once, held, holders, first_expires_in_ms, ahead } = &reasons[0]
        else {
            panic!("{reasons:?}")
        };
        assert_eq!((queue.as_str(), concurrency_key, *at_once, *held), ("default", &None, 2, 2));
        assert_eq!((&holders[..], *first_expires_in_ms, ahead), (&[JobId(1), JobId(2)][..], 30_000, &None));
        assert!(matches!(reasons[1], Reason::Line { ahead: Place::Exactly(0), .. }), "{reasons:?}");
        bench.done(Request::Complete { lease: first[1].lease, result: None }).await;
        assert_eq!(ids(&bench.claimed().await), [all[2].0], "one slot was free");
        assert_eq!(ids(&bench.claimed().await), NOTHING);
    });
}

#[test]
fn a_slot_is_free_once_its_lease_has_expired_and_not_before() {
    on_every_store(async |bench| {
        bench.done(at_once(1)).await;
        let held = bench.running().await;
        bench.enqueue(job("b")).await;
        bench.pass(LEASE / 2).await;
        bench.heartbeat(&[held.lease]).await;
        bench.pass(LEASE - SECOND).await;
        assert_eq!(ids(&bench.claimed().await), NOTHING, "its lease was renewed");
        bench.reopen().await;
        // The opening takes the lease back: its worker was in the process that is gone.
        assert_eq!(ids(&bench.claimed().await), [1]);
        assert_eq!(ids(&bench.claimed().await), NOTHING);
        bench.pass(LEASE).await;
        assert_eq!(bench.claimed().await.len(), 1);
        assert_eq!(ids(&bench.claimed().await), NOTHING);
    });
}

#[test]
fn leases_from_elsewhere_hold_their_slots_over_a_restart() {
    on_every_store(async |bench| {
        bench.done(at_once(1)).await;
        bench.enqueue_all([job("a"), job("a")]).await;
        let elsewhere = Claim { holder: outlive::job::Holder::Elsewhere, ..claim() };
        let held = bench.claim(elsewhere).await;
        assert_eq!(ids(&held), [1]);
        bench.reopen().await;
        assert_eq!(ids(&bench.claimed().await), NOTHING);
        bench.done(Request::Complete { lease: held[0].lease, result: None }).await;
        assert_eq!(ids(&bench.claimed().await), [2]);
    });
}

#[test]
fn a_claim_that_waits_gets_the_slot_that_comes_free() {
    on_every_store(async |bench| {
        bench.done(at_once(1)).await;
        let held = bench.running().await;
        bench.enqueue(job("a")).await;
        let mut waiting = bench.send(Request::Claim(Claim { wait_ms: 60_000, ..claim() }));
        bench.engine_looks().await;
        assert_eq!(answered(&mut waiting), None);
        bench.done(Request::Complete { lease: held.lease, result: None }).await;
        bench.engine_looks().await;
        let Some(Ok(Reply::Claimed { grants })) = answered(&mut waiting) else { panic!("not answered") };
        assert_eq!(ids(&grants), [2]);
    });
}

#[test]
fn each_key_has_slots_of_its_own_and_whoever_has_none_of_them_is_passed() {
    on_every_store(async |bench| {
        bench.done(per_key(1)).await;
        let keys = ["x", "x", "y", "x", "y"];
        bench.enqueue_all(keys.map(of_key)).await;
        bench.enqueue_all([job("a"), Enqueue { priority: 9, ..of_key("x") }]).await;
        let first = bench.claimed().await;
        assert_eq!(ids(&first), [7, 3, 6], "the first of x is the urgent one, and 6 has no key");
        let reasons = bench.reasons(JobId(4)).await;
        let Reason::Slots { concurrency_key, at_once: 1, held: 1, holders, ahead, .. } = &reasons[0] else {
            panic!("{reasons:?}")
        };
        assert_eq!((concurrency_key.as_deref(), &holders[..]), (Some("x"), &[JobId(7)][..]));
        assert_eq!(*ahead, Some(Place::Exactly(2)), "1 and 2");
        assert!(matches!(reasons[1], Reason::Line { ahead: Place::Exactly(2), .. }), "{reasons:?}");
        bench.done(Request::Complete { lease: first[0].lease, result: None }).await;
        assert_eq!(ids(&bench.claimed().await), [1]);
        assert_eq!(ids(&bench.claimed().await), NOTHING);
    });
}

#[test]
fn a_key_whose_first_job_nobody_asks_for_does_not_hold_up_other_kinds() {
    on_every_store(async |bench| {
        bench.done(per_key(1)).await;
        bench.enqueue_all([Enqueue { kind: "b".into(), ..of_key("x") }, of_key("x")]).await;
        let only_a = Claim { kinds: vec!["a".into()], ..claim() };
        assert_eq!(ids(&bench.claim(only_a).await), [2]);
        assert_eq!(ids(&bench.claimed().await), NOTHING);
    });
}

#[test]
fn limits_can_be_changed_and_lifted_and_stand_after_a_restart() {
    on_every_store(async |bench| {
        bench.done(per_key(1)).await;
        bench.enqueue_all(["x", "x", "x", "x"].map(of_key)).await;
        assert_eq!(bench.claimed().await.len(), 1);
        bench.done(per_key(2)).await;
        assert_eq!(bench.claimed().await.len(), 1);
        bench.done(per_key(1)).await;
        assert_eq!(ids(&bench.claimed().await), NOTHING, "two run, and no more begin");
        bench.reopen().await;
        assert_eq!(bench.claimed().await.len(), 1, "both were taken back, and one may run");
        bench.done(Request::Limit(limits())).await;
        assert_eq!(bench.claimed().await.len(), 3);
        assert_eq!(bench.gates().await.limits, []);
        bench.reopen().await;
        assert_eq!(bench.gates().await.limits, [], "nothing is kept of limits that limit nothing");
    });
}

#[test]
fn a_rate_spaces_attempts_and_its_bucket_outlives_the_process() {
    on_every_store(async |bench| {
        bench.done(rate(10, 1_000, 3)).await;
        bench.enqueue_all((0..9).map(|_| job("a"))).await;
        assert_eq!(bench.claimed().await.len(), 3);
        assert_eq!(ids(&bench.claimed().await), NOTHING);
        let reasons = bench.reasons(JobId(9)).await;
        let expected =
            Reason::Rate { queue: "default".into(), rate: Rate { jobs: 10, per_ms: 1_000, burst: 3 }, next_in_ms: 100 };
        assert_eq!(reasons[0], expected);
        bench.pass(SECOND / 10).await;
        assert_eq!(bench.claimed().await.len(), 1);
        bench.reopen().await;
        assert_eq!(ids(&bench.claimed().await), NOTHING, "the bucket is as empty as it was");
        bench.pass(SECOND / 5).await;
        assert_eq!(bench.claimed().await.len(), 2);
        bench.pass(SECOND).await;
        assert_eq!(bench.claimed().await.len(), 3, "no more than a burst after a rest");
    });
}

#[test]
fn a_claim_that_waits_gets_a_job_when_the_rate_allows_one() {
    on_every_store(async |bench| {
        bench.done(rate(1, 10_000, 1)).await;
        bench.enqueue_all([job("a"), job("a")]).await;
        assert_eq!(bench.claimed().await.len(), 1);
        let mut waiting = bench.send(Request::Claim(Claim { wait_ms: 60_000, ..claim() }));
        bench.pass(9 * SECOND).await;
        assert_eq!(answered(&mut waiting), None);
        bench.pass(SECOND).await;
        assert!(matches!(answered(&mut waiting), Some(Ok(Reply::Claimed { grants })) if grants.len() == 1));
    });
}

#[test]
fn to_say_the_same_rate_again_fills_no_bucket() {
    on_every_store(async |bench| {
        for _ in 0..3 {
            bench.done(rate(1, 10_000, 1)).await;
            bench.enqueue(job("a")).await;
            bench.claimed().await;
        }
        assert_eq!(bench.look(JobId(1)).await.state, State::Running);
        assert_eq!(bench.look(JobId(2)).await.state, State::Waiting);
    });
}

#[test]
fn nothing_begins_that_is_paused_until_it_is_resumed_and_says_who_paused_it() {
    for gate in [Gate::queue("default"), Gate::kind("a")] {
        on_every_store(async |bench| {
            let running = bench.running().await;
            let waiting = bench.enqueue(job("a")).await;
            let delayed = Enqueue { when: outlive::protocol::When::After(60_000), ..job("a") };
            let delayed = bench.enqueue(delayed).await;
            bench.done(pause(gate.clone())).await;
            bench.reopen().await;
            assert_eq!(ids(&bench.claimed().await), NOTHING);
            for job in [running.lease.job, waiting] {
                let reasons = bench.reasons(job).await;
                let Reason::Paused { gate: paused, by, why, .. } = &reasons[0] else { panic!("{reasons:?}") };
                assert_eq!((paused, by.as_str(), why.as_str()), (&gate, "Ada", "the bank counts twice"));
                assert!(matches!(reasons[1..], [Reason::Line { .. }]), "{reasons:?}");
            }
            let reasons = bench.reasons(delayed).await;
            assert!(matches!(reasons[..], [Reason::Delay, Reason::Paused { .. }]), "{reasons:?}");
            let says = bench.explain(waiting).await.to_string();
            assert!(says.contains(&format!("until somebody resumes {gate}, which Ada has paused (since")), "{says}");
            assert!(bench.resume(gate.clone()).await);
            assert!(!bench.resume(gate.clone()).await, "it was not paused any more");
            assert_eq!(ids(&bench.claimed().await), [1, 2]);
        });
    }
}

#[test]
fn what_runs_goes_on_while_its_queue_is_paused() {
    on_every_store(async |bench| {
        let running = bench.running().await;
        bench.done(pause(Gate::queue("default"))).await;
        bench.heartbeat(&[running.lease]).await;
        bench.done(Request::Complete { lease: running.lease, result: None }).await;
        assert_eq!(bench.look(running.lease.job).await.state, State::Completed);
    });
}

#[test]
fn whoever_pauses_again_is_asked_and_the_pause_is_as_old_as_it_was() {
    on_every_store(async |bench| {
        let gate = Gate::kind("a");
        bench.done(pause(gate.clone())).await;
        let since = bench.gates().await.pauses[0].since;
        bench.pass(SECOND).await;
        bench.done(Request::Pause { gate: gate.clone(), by: "Grace".into(), why: "still".into() }).await;
        let paused = PauseView { gate, by: "Grace".into(), why: "still".into(), since, probe: None };
        assert_eq!(bench.gates().await.pauses, [paused]);
    });
}

#[test]
fn a_service_that_is_down_pauses_its_kind_and_spends_no_attempt() {
    on_every_store(async |bench| {
        let first = bench.running().await;
        bench.enqueue_all([job("a"), job("b")]).await;
        assert_eq!(bench.call(down(first.lease, "no smtp")).await, Ok(Reply::Suspended));
        assert_eq!(ids(&bench.claimed().await), [3], "kind b needs another service");
        let view = bench.look(JobId(1)).await;
        assert_eq!((view.state, view.attempts, view.failures), (State::Waiting, 1, 0));
        assert!(matches!(view.history[0].ended, Some((_, AttemptEnd::Suspended))), "{view:?}");
        let reasons = bench.reasons(JobId(2)).await;
        let Reason::ServiceDown { by, why, probe, probe_in_ms, .. } = &reasons[0] else { panic!("{reasons:?}") };
        assert_eq!((by.as_str(), why.as_str(), *probe, *probe_in_ms), ("w1", "no smtp", None, 10_000));
        bench.pass(10 * SECOND).await;
        let probe = bench.claimed().await;
        assert_eq!(ids(&probe), [2], "one, and not the one that has tried");
        let reasons = bench.reasons(JobId(1)).await;
        assert!(matches!(reasons[0], Reason::ServiceDown { probe: Some(JobId(2)), .. }), "{reasons:?}");
        bench.done(Request::Complete { lease: probe[0].lease, result: None }).await;
        assert_eq!(ids(&bench.claimed().await), [1]);
        assert_eq!(bench.gates().await.pauses, []);
    });
}

#[test]
fn however_a_probe_ends_another_follows_unless_it_completes() {
    on_every_store(async |bench| {
        let first = bench.running().await;
        bench.enqueue_all([job("a"), job("a"), job("a")]).await;
        bench.call(down(first.lease, "no smtp")).await.unwrap();
        let failed = || outlive::protocol::Reported {
            how: outlive::job::How::Error,
            message: "odd".into(),
            causes: Vec::new(),
            retryable: false,
            retry_after_ms: None,
        };
        for how in 0..5 {
            bench.pass(10 * SECOND).await;
            let probe = bench.claimed().await;
            assert_eq!(probe.len(), 1, "{how}");
            let lease = probe[0].lease;
            match how {
                0 => assert_eq!(bench.call(down(lease, "still no smtp")).await, Ok(Reply::Suspended)),
                1 => drop(bench.fail(lease, failed()).await),
                2 => bench.done(Request::Release { lease, why: "stop".into() }).await,
                3 => bench.done(Request::Snooze { lease, delay_ms: 1 }).await,
                _ => bench.reopen().await,
            }
            bench.pass(9 * SECOND).await;
            assert_eq!(ids(&bench.claimed().await), NOTHING, "{how}: it rests first");
            let pauses = bench.gates().await.pauses;
            assert_eq!((pauses.len(), pauses[0].why.as_str()), (1, "still no smtp"), "{how}");
        }
        bench.pass(SECOND).await;
        let probe = bench.claimed().await;
        bench.done(Request::Complete { lease: probe[0].lease, result: None }).await;
        assert_eq!(bench.claimed().await.len(), 2, "what is left");
    });
}

#[test]
fn a_job_that_finds_its_service_down_each_time_does_not_keep_the_others() {
    on_every_store(async |bench| {
        for _ in 0..2 {
            bench.enqueue(job("a")).await;
        }
        let bad = bench.claimed().await;
        for granted in &bad {
            bench.call(down(granted.lease, "it does not like me")).await.unwrap();
        }
        let good = bench.enqueue(job("a")).await;
        for _ in 0..4 {
            bench.pass(10 * SECOND).await;
            let probe = bench.claim_one().await.lease;
            if probe.job == good {
                bench.done(Request::Complete { lease: probe, result: None }).await;
                assert_eq!(bench.gates().await.pauses, []);
                return;
            }
            bench.reopen().await;
            bench.pass(SECOND).await;
        }
        panic!("the good one was never let through");
    });
}

#[test]
fn a_probe_goes_on_over_a_restart_if_its_worker_does() {
    on_every_store(async |bench| {
        let first = bench.running().await;
        bench.enqueue(job("a")).await;
        bench.call(down(first.lease, "no smtp")).await.unwrap();
        bench.pass(10 * SECOND).await;
        let elsewhere = || Claim { holder: outlive::job::Holder::Elsewhere, ..claim() };
        let probe = bench.claim(elsewhere()).await;
        assert_eq!(probe.len(), 1);
        bench.reopen().await;
        bench.pass(20 * SECOND).await;
        assert_eq!(ids(&bench.claimed().await), NOTHING, "the first one is still under way");
        bench.done(Request::Complete { lease: probe[0].lease, result: None }).await;
        assert_eq!(bench.claimed().await.len(), 1);
    });
}

#[test]
fn those_that_had_begun_before_the_pause_neither_end_it_nor_delay_its_end() {
    on_every_store(async |bench| {
        bench.enqueue_all([job("a"), job("a"), job("a"), job("a")]).await;
        let all = bench.claim(Claim { most: 3, ..claim() }).await;
        bench.call(down(all[0].lease, "no smtp")).await.unwrap();
        bench.pass(5 * SECOND).await;
        bench.call(down(all[1].lease, "no route")).await.unwrap();
        bench.done(Request::Complete { lease: all[2].lease, result: None }).await;
        assert_eq!(ids(&bench.claimed().await), NOTHING);
        let pauses = bench.gates().await.pauses;
        assert_eq!((pauses[0].why.as_str(), pauses[0].probe.unwrap().in_ms), ("no route", 5_000));
        bench.pass(5 * SECOND).await;
        assert_eq!(bench.claimed().await.len(), 1);
    });
}

#[test]
fn a_person_can_resume_what_a_handler_has_paused_and_pause_it_beside() {
    on_every_store(async |bench| {
        let first = bench.running().await;
        bench.call(down(first.lease, "no smtp")).await.unwrap();
        bench.done(pause(Gate::kind("a"))).await;
        let reasons = bench.reasons(JobId(1)).await;
        assert!(matches!(reasons[..], [Reason::Paused { .. }, Reason::ServiceDown { .. }, Reason::Line { .. }]));
        bench.pass(10 * SECOND).await;
        assert_eq!(ids(&bench.claimed().await), NOTHING, "not even to find out whether it is back");
        assert!(bench.resume(Gate::kind("a")).await);
        assert_eq!(bench.claimed().await.len(), 1);
    });
}

#[test]
fn a_probe_that_completes_in_a_transaction_ends_the_pause_with_it() {
    use outlive::protocol::{Access, Begin, Heard, Said};
    on_every_store(async |bench| {
        let first = bench.running().await;
        bench.enqueue(job("a")).await;
        bench.call(down(first.lease, "no smtp")).await.unwrap();
        bench.pass(10 * SECOND).await;
        let lease = bench.claim_one().await.lease;
        let begin = Begin { id: bench.request_id(), access: Access::Write, limit_ms: 1_000 };
        let open = bench.outlive().service().begin(begin).await.unwrap();
        let complete = Request::Complete { lease, result: None };
        assert_eq!(open.say(Said::Command(complete)).await, Ok(Heard::Reply(Reply::Done)));
        assert_eq!(open.say(Said::Commit).await, Ok(Heard::Committed));
        assert_eq!(bench.gates().await.pauses, []);
        bench.reopen().await;
        assert_eq!(bench.claimed().await.len(), 1);
    });
}

#[test]
fn whoever_asks_hears_whether_a_worker_was_seen() {
    on_every_store(async |bench| {
        let id = bench.enqueue(Enqueue { kind: "rare".into(), ..job("a") }).await;
        let asked = async |bench: &mut Bench| match bench.reasons(id).await.remove(0) {
            Reason::Line { asked_ms_ago, .. } => asked_ms_ago,
            other => panic!("{other:?}"),
        };
        bench.claimed().await;
        assert_eq!(asked(bench).await, None, "nobody has asked for its kind");
        let claim = Claim { worker: "w9".into(), kinds: vec!["rare".into()], queues: vec!["other".into()], ..claim() };
        bench.claim(claim.clone()).await;
        assert_eq!(asked(bench).await, None, "nor for its kind in its queue");
        bench.done(pause(Gate::kind("rare"))).await;
        bench.claim(Claim { queues: vec!["default".into()], ..claim }).await;
        bench.pass(3 * SECOND).await;
        bench.resume(Gate::kind("rare")).await;
        assert_eq!(asked(bench).await, Some(3_000));
        let workers = bench.gates().await.workers;
        assert_eq!(
            workers.iter().map(|it| it.worker.as_str()).collect::<Vec<_>>(),
            ["w1", "w9", "w9"],
            "with these queues and with those"
        );
        assert_eq!((workers[1].ago_ms, &workers[1].kinds), (3_000, &vec!["rare".to_owned()]));
    });
}

#[test]
fn what_is_beyond_a_limit_is_named_with_the_remedy() {
    on_every_store(async |bench| {
        let long = "x".repeat(129);
        let mut said = String::new();
        let lease = bench.running().await.lease;
        for request in [
            at_once(0),
            per_key(0),
            rate(0, 1_000, 1),
            rate(1_000_001, 1_000, 1),
            rate(1, 0, 1),
            rate(1, 31 * 86_400_000 + 1, 1),
            rate(5, 1_000, 0),
            rate(5, 1_000, 1_000_001),
            Request::Limit(QueueLimits { queue: String::new(), ..limits() }),
            pause(Gate::kind(long.clone())),
            Request::Pause { gate: Gate::kind("a"), by: String::new(), why: String::new() },
            Request::Pause { gate: Gate::kind("a"), by: "Ada".into(), why: " ".into() },
            Request::Wait { lease, on: On::Service { why: String::new(), probe_ms: 1_000 } },
            Request::Resume { gate: Gate::queue("") },
            Request::Enqueue(of_key(&long)),
            Request::Wait { lease, on: On::Service { why: "no".into(), probe_ms: 99 } },
            Request::Wait { lease, on: On::Service { why: "no".into(), probe_ms: 86_400_001 } },
        ] {
            let refusal = bench.refused(request).await;
            assert!(matches!(refusal, Refusal::Limit { .. }), "{refusal:?}");
            said.push_str(&format!("{refusal}\n"));
        }
        insta::assert_snapshot!("beyond_a_limit_of_gates", said);
        let view = bench.gates().await;
        assert_eq!((view.limits, view.pauses), (vec![], vec![]));
    });
}

#[test]
fn a_stale_lease_pauses_nothing() {
    on_every_store(async |bench| {
        let lease = bench.running().await.lease;
        bench.pass(LEASE).await;
        let answer = bench.call(down(lease, "no smtp")).await;
        assert!(matches!(answer, Err(CallError::Refused(_))), "{answer:?}");
        assert_eq!(bench.gates().await.pauses, []);
    });
}
