//! Policies of kinds: how jobs rest after failures, how often and for how long they are tried, and how long an attempt may
//! take.

use crate::bench::{Bench, LEASE, MILLISECOND, NOTHING, answered, claim, error, ids, job, on_every_store};
use outlive::host::Host;
use outlive::job::explain::Doing;
use outlive::job::{Backoff, Due, How, JobId, Next, Policy, Refusal, State};
use outlive::protocol::{Claim, Enqueue, Granted, KindPolicy, On, Renewal, Reply, Reported, Request, When};
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

fn policy(policy: Policy) -> Request {
    Request::Policy(KindPolicy { kind: "a".into(), policy })
}

fn fixed(rest: Duration) -> Policy {
    Policy { backoff: Some(Backoff::Fixed { rest }), ..Policy::default() }
}

/// A job that leaves to the policy of its kind how it is tried.
fn plain() -> Enqueue {
    Enqueue::new("a", "{}")
}

impl Bench {
    /// How long the job of a lease rests after a failure.
    async fn rest_after_failure(&mut self, granted: &Granted) -> Option<Duration> {
        let Next::Retry { due } = self.fail(granted.lease, error("no")).await else { return None };
        let (ended_at, _) = self.look(granted.lease.job).await.history.last().unwrap().ended.unwrap();
        Some(ended_at.until(due.wall))
    }

    /// Whether a job waits, has ended as too late, or something else.
    async fn is_too_late(&mut self, job: JobId) -> bool {
        matches!(self.explain(job).await.doing, Doing::Finished { outcome: State::Discarded, too_late: true, .. })
    }
}

#[test]
fn a_kind_rests_as_its_policy_says_over_a_restart_and_others_as_before() {
    on_every_store(async |bench| {
        bench.done(policy(fixed(7 * SECOND))).await;
        bench.reopen().await;
        for _ in 0..3 {
            let granted = bench.running_as(plain()).await;
            assert_eq!(bench.rest_after_failure(&granted).await, Some(7 * SECOND));
            bench.cancel(granted.lease.job).await;
        }
        let other = bench.running_as(job("b")).await;
        let rest = bench.rest_after_failure(&other).await.unwrap();
        assert!((SECOND..=2 * SECOND).contains(&rest), "{rest:?}");
        bench.cancel(other.lease.job).await;
        // What the failure itself says goes first.
        let granted = bench.running_as(plain()).await;
        let busy = Reported { retry_after_ms: Some(1_000), ..error("busy") };
        assert!(matches!(bench.fail(granted.lease, busy).await, Next::Retry { .. }));
        bench.pass(SECOND).await;
        assert_eq!(ids(&bench.claim(claim()).await), [granted.lease.job.0]);
    });
}

#[test]
fn a_policy_is_replaced_as_a_whole_and_lifted_by_an_empty_one() {
    on_every_store(async |bench| {
        bench.done(policy(Policy { max_attempts: Some(1), ..fixed(7 * SECOND) })).await;
        let before = bench.enqueue(plain()).await;
        bench.done(policy(fixed(9 * SECOND))).await;
        let after = bench.enqueue(plain()).await;
        let named = bench.enqueue(Enqueue { max_attempts: Some(4), ..plain() }).await;
        let attempts = [bench.look(before).await.max_attempts, bench.look(after).await.max_attempts];
        assert_eq!((attempts, bench.look(named).await.max_attempts), ([1, 25], 4));
        let Ok(Reply::Gated(view)) = bench.call(Request::Gates).await else { panic!() };
        assert_eq!(view.policies, [KindPolicy { kind: "a".into(), policy: fixed(9 * SECOND) }]);
        bench.done(policy(Policy::default())).await;
        bench.done(policy(Policy::default())).await;
        bench.reopen().await;
        let Ok(Reply::Gated(view)) = bench.call(Request::Gates).await else { panic!() };
        assert_eq!(view.policies, []);
        bench.cancel(before).await;
        bench.cancel(named).await;
        let granted = bench.claim_one().await;
        let rest = bench.rest_after_failure(&granted).await.unwrap();
        assert!((SECOND..=2 * SECOND).contains(&rest), "{rest:?}");
    });
}

#[test]
fn a_kind_is_quarantined_after_as_many_crashes_as_its_policy_says() {
    on_every_store(async |bench| {
        bench.done(policy(Policy { crashes_max: Some(2), ..Policy::default() })).await;
        let id = bench.enqueue(plain()).await;
        for state in [State::Waiting, State::Quarantined] {
            let lease = bench.claim_one().await.lease;
            bench.done(Request::Start { lease }).await;
            bench.pass(LEASE).await;
            assert_eq!(bench.look(id).await.state, state);
            bench.pass(300 * SECOND).await;
        }
    });
}

#[test]
fn policies_beyond_their_limits_are_refused_with_what_to_do() {
    on_every_store(async |bench| {
        let mut said = String::new();
        let none = Policy::default();
        let growing = |first, longest| Some(Backoff::Exponential { first, longest });
        for wrong in [
            Policy { max_attempts: Some(0), ..none },
            Policy { max_age_ms: Some(0), ..none },
            Policy { timeout_ms: Some(u64::MAX), ..none },
            Policy { crashes_max: Some(0), ..none },
            fixed(Duration::ZERO),
            Policy { backoff: growing(Duration::ZERO, SECOND), ..none },
            Policy { backoff: growing(2 * SECOND, SECOND), ..none },
        ] {
            said += &format!("{}\n", bench.refused(policy(wrong)).await);
        }
        let nameless = Request::Policy(KindPolicy { kind: String::new(), policy: fixed(SECOND) });
        said += &format!("{}\n", bench.refused(nameless).await);
        said += &bench.refused(Request::Enqueue(Enqueue { max_age_ms: Some(0), ..plain() })).await.to_string();
        insta::assert_snapshot!("policies_beyond_their_limits", said);
    });
}

// Deadlines.

#[test]
fn what_waits_too_long_is_discarded_by_itself_and_says_so() {
    on_every_store(async |bench| {
        bench.done(policy(Policy { max_age_ms: Some(60_000), ..Policy::default() })).await;
        let [idle, delayed] =
            [bench.enqueue(plain()).await, bench.enqueue(Enqueue { when: When::After(3_600_000), ..plain() }).await];
        let longer = bench.enqueue(Enqueue { max_age_ms: Some(61_000), ..plain() }).await;
        let for_ever = bench.enqueue(job("b")).await;
        bench.pass(60 * SECOND - MILLISECOND).await;
        insta::assert_snapshot!("a_job_with_a_deadline_waits", bench.explain(idle).await.to_string());
        assert!(!bench.is_too_late(idle).await && !bench.is_too_late(delayed).await);
        // Nobody asks, nobody claims: the engine alone writes it down, and the opening finds it.
        bench.pass(MILLISECOND).await;
        bench.reopen().await;
        assert!(bench.is_too_late(idle).await && bench.is_too_late(delayed).await);
        insta::assert_snapshot!("a_job_was_too_late", bench.explain(idle).await.to_string());
        assert_eq!(ids(&bench.claim(claim()).await), [longer.0, for_ever.0]);
    });
}

#[test]
fn time_in_which_the_file_was_closed_counts_for_a_deadline() {
    on_every_store(async |bench| {
        let id = bench.enqueue(Enqueue { max_age_ms: Some(60_000), ..plain() }).await;
        bench.reopen_after(|clock| clock.pass(60 * SECOND)).await;
        assert!(bench.is_too_late(id).await);
    });
}

#[test]
fn more_than_one_group_writes_down_are_too_late_and_none_of_them_is_granted() {
    on_every_store(async |bench| {
        for _ in 0..300 {
            bench.enqueue(Enqueue { max_age_ms: Some(60_000), ..plain() }).await;
        }
        let last = bench.enqueue(plain()).await;
        // A claim waits until all of them are written down, and is granted what is left.
        bench.host.clock().pass(60 * SECOND);
        let waiting = Claim { wait_ms: 20_000, ..claim() };
        assert_eq!(ids(&bench.claim(waiting).await), [last.0]);
        for id in 1..=300 {
            assert!(bench.is_too_late(JobId(id)).await, "{id}");
        }
    });
}

#[test]
fn a_failure_whose_retry_would_come_too_late_is_the_last() {
    on_every_store(async |bench| {
        bench.done(policy(fixed(7 * SECOND))).await;
        let aged = |ms| Enqueue { max_age_ms: Some(ms), ..plain() };
        let in_time = bench.running_as(aged(7_001)).await;
        assert_eq!(bench.rest_after_failure(&in_time).await, Some(7 * SECOND));
        let late = bench.running_as(aged(7_000)).await;
        assert_eq!(bench.rest_after_failure(&late).await, None);
        assert!(bench.is_too_late(late.lease.job).await);
        insta::assert_snapshot!("no_retry_in_time", bench.explain(late.lease.job).await.to_string());
        // One that runs at its deadline may end as it likes.
        bench.cancel(in_time.lease.job).await;
        let running = bench.running_as(aged(1_000)).await.lease;
        bench.pass(SECOND).await;
        bench.done(Request::Complete { lease: running, result: None }).await;
    });
}

#[test]
fn what_waits_for_a_signal_or_for_jobs_ends_at_its_deadline_too() {
    on_every_store(async |bench| {
        let aged = Enqueue { max_age_ms: Some(60_000), ..plain() };
        let lease = bench.running_as(aged.clone()).await.lease;
        let on = On::Signal { name: "s".into(), step: "s".into(), limit_ms: None };
        assert_eq!(bench.call(Request::Wait { lease, on }).await, Ok(Reply::Suspended));
        let other = bench.enqueue(job("b")).await;
        let after = outlive::protocol::After { jobs: vec![lease.job], unmet: outlive::job::Unmet::Cancel };
        let dependent = bench.enqueue(Enqueue { after: Some(after), ..job("b") }).await;
        bench.pass(60 * SECOND).await;
        assert!(bench.is_too_late(lease.job).await);
        assert_eq!(bench.look(dependent).await.state, State::Cancelled);
        assert_eq!(ids(&bench.claim(claim()).await), [other.0]);
    });
}

// Time-outs.

#[test]
fn a_worker_is_told_how_long_an_attempt_may_take_and_a_repeated_claim_as_well() {
    on_every_store(async |bench| {
        bench.done(policy(Policy { timeout_ms: Some(90_000), ..Policy::default() })).await;
        bench.enqueue(plain()).await;
        let id = bench.request_id();
        let first = bench.call_as(id, Request::Claim(claim())).await;
        // What is claimed later may take as long as is said then.
        bench.done(policy(Policy::default())).await;
        let Ok(Reply::Claimed { grants }) = &first else { panic!("{first:?}") };
        assert_eq!(grants[0].timeout_ms, Some(90_000));
        bench.reopen().await;
        let again = bench.call_as(id, Request::Claim(claim())).await;
        let Ok(Reply::Claimed { grants }) = &again else { panic!("{again:?}") };
        assert_eq!(grants[0].timeout_ms, Some(90_000));
    });
}

#[test]
fn a_worker_that_only_renews_its_lease_loses_the_job_after_the_time_out_and_a_lease() {
    on_every_store(async |bench| {
        bench.done(policy(Policy { timeout_ms: Some(90_000), ..Policy::default() })).await;
        bench.enqueue(plain()).await;
        let lease = bench.claim_one().await.lease;
        bench.done(Request::Start { lease }).await;
        for _ in 0..11 {
            bench.pass(10 * SECOND).await;
            assert_eq!(bench.heartbeat(&[lease]).await, [Renewal::Renewed { cancel: false }]);
        }
        bench.pass(10 * SECOND).await;
        let why = Refusal::Overdue { job: lease.job, timeout_ms: 90_000 };
        assert_eq!(bench.heartbeat(&[lease]).await, [Renewal::Lost { why }]);
        // What it was told before holds: nobody else has the job until then.
        bench.pass(20 * SECOND - MILLISECOND).await;
        assert_eq!(ids(&bench.claim(claim()).await), NOTHING);
        bench.pass(MILLISECOND).await;
        let view = bench.look(lease.job).await;
        let failure = view.history[0].failure.as_ref().unwrap();
        assert_eq!((view.failures, view.crashes, failure.how), (1, 0, How::Timeout));
        insta::assert_snapshot!("taken_from_its_worker", bench.explain(lease.job).await.to_string());
    });
}

#[test]
fn a_worker_that_dies_before_its_time_is_over_has_crashed() {
    on_every_store(async |bench| {
        bench.done(policy(Policy { timeout_ms: Some(90_000), ..Policy::default() })).await;
        bench.enqueue(plain()).await;
        let lease = bench.claim_one().await.lease;
        bench.done(Request::Start { lease }).await;
        for _ in 0..9 {
            bench.pass(10 * SECOND).await;
            assert_eq!(bench.heartbeat(&[lease]).await, [Renewal::Renewed { cancel: false }]);
        }
        bench.pass(LEASE).await;
        let view = bench.look(lease.job).await;
        assert_eq!((view.failures, view.crashes), (0, 1));
    });
}

#[test]
fn a_worker_reports_a_time_out_as_what_it_is() {
    on_every_store(async |bench| {
        let lease = bench.started().await.lease;
        let failure = Reported { how: How::Timeout, ..error("it took longer than 30s") };
        assert!(matches!(bench.fail(lease, failure).await, Next::Retry { due: Due { .. } }));
        assert_eq!(bench.look(lease.job).await.history[0].failure.as_ref().unwrap().how, How::Timeout);
        assert_eq!(ids(&bench.claim(claim()).await), NOTHING);
    });
}

#[test]
fn a_claim_that_finds_only_what_is_too_late_gets_the_next_job_at_once() {
    on_every_store(async |bench| {
        for _ in 0..300 {
            bench.enqueue(Enqueue { max_age_ms: Some(60_000), ..plain() }).await;
        }
        let after = outlive::protocol::After { jobs: vec![JobId(300)], unmet: outlive::job::Unmet::Run };
        let dependent = bench.enqueue(Enqueue { after: Some(after), ..plain() }).await;
        bench.host.clock().pass(60 * SECOND);
        let waiting = Claim { wait_ms: 20_000, most: 1, ..claim() };
        // What waited for the last of them goes on as soon as that has ended.
        assert_eq!(ids(&bench.claim(waiting.clone()).await), [dependent.0]);
        let mut next = bench.send(Request::Claim(waiting));
        let fresh = bench.enqueue(plain()).await;
        bench.engine_looks().await;
        let Some(Ok(Reply::Claimed { grants })) = answered(&mut next) else { panic!("not granted") };
        assert_eq!(ids(&grants), [fresh.0]);
    });
}
