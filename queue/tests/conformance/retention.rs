//! Retention: what has ended is forgotten after its time, and not before, whatever the wall clock shows.

use crate::bench::{Bench, MILLISECOND, error, job, on_every_store_with};
use crate::host::WALL_START;
use outlive::job::{JobId, Refusal, Rhythm, State, Template, Unmet};
use outlive::limits;
use outlive::protocol::{After, CallError, Enqueue, Key, On, Reply, Request, Schedule, Scope, Signal};
use outlive::{Options, Retention};
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);
const KEPT: Duration = Duration::from_secs(160);
/// A look at what is to be forgotten comes this long after the one before, at the most.
const LOOK: Duration = Duration::from_secs(10);

fn keeping(retention: Retention) -> Options {
    Options { retention, ..Options::default() }
}

fn all_alike() -> Options {
    let kept = Some(KEPT);
    keeping(Retention { completed: kept, cancelled: kept, discarded: kept, quarantined: kept })
}

/// What there is of a job: its state, or that it was forgotten.
#[derive(Debug, PartialEq, Eq)]
enum There {
    Is(State),
    Forgotten,
}
use There::{Forgotten, Is};

impl Bench {
    async fn there(&mut self, job: JobId) -> There {
        match self.call(Request::Look { job }).await {
            Ok(Reply::Looked(view)) => Is(view.state),
            Err(CallError::Refused(Refusal::Forgotten { job: named })) if named == job => Forgotten,
            other => panic!("{other:?}"),
        }
    }

    async fn completed(&mut self, enqueue: Enqueue) -> JobId {
        let granted = self.running_as(enqueue).await;
        self.done(Request::Complete { lease: granted.lease, result: Some("1".into()) }).await;
        granted.lease.job
    }
}

fn keyed(scope: Scope) -> Enqueue {
    Enqueue { key: Some(Key { name: "k".into(), scope }), ..job("a") }
}

#[test]
fn what_has_ended_is_kept_for_its_time_and_then_forgotten() {
    on_every_store_with(all_alike(), async |bench| {
        let granted = bench.running().await;
        let lease = granted.lease;
        bench.done(Request::Start { lease }).await;
        bench.done(Request::Complete { lease, result: None }).await;
        let waiting = bench.enqueue(Enqueue { queue: "other".into(), ..job("a") }).await;
        bench.pass(KEPT - MILLISECOND).await;
        assert_eq!(bench.there(lease.job).await, Is(State::Completed));
        bench.pass(LOOK).await;
        assert_eq!(bench.there(lease.job).await, Forgotten);
        assert_eq!(bench.there(waiting).await, Is(State::Waiting), "nothing happens to what has not ended");
        let refused = bench.refused(Request::Complete { lease, result: None }).await;
        assert_eq!(refused, Refusal::Forgotten { job: lease.job });
        let never = JobId(waiting.0 + 1);
        assert_eq!(bench.refused(Request::Look { job: never }).await, Refusal::UnknownJob { job: never });
    });
}

#[test]
fn each_state_has_its_own_time() {
    let retention = Retention { completed: Some(KEPT), discarded: Some(3 * KEPT), ..Retention::FOREVER };
    on_every_store_with(keeping(retention), async |bench| {
        let lease = bench.running().await.lease;
        let failure = outlive::protocol::Reported { retryable: false, ..error("no") };
        bench.fail(lease, failure).await;
        let (discarded, completed) = (lease.job, bench.completed(job("a")).await);
        let cancelled = bench.enqueue(job("a")).await;
        bench.cancel(cancelled).await;
        bench.pass(2 * KEPT).await;
        assert_eq!(bench.there(completed).await, Forgotten);
        assert_eq!(bench.there(discarded).await, Is(State::Discarded));
        bench.pass(2 * KEPT).await;
        assert_eq!(bench.there(discarded).await, Forgotten);
        bench.pass(100 * KEPT).await;
        assert_eq!(bench.there(cancelled).await, Is(State::Cancelled));
    });
}

/// A clock that was wrong for a moment would take all history with it.
#[test]
fn a_wall_clock_that_jumps_forgets_nothing() {
    on_every_store_with(all_alike(), async |bench| {
        let ended = bench.completed(job("a")).await;
        bench.set_wall(WALL_START + 1_000 * KEPT).await;
        bench.pass_steady(KEPT / 2).await;
        assert_eq!(bench.there(ended).await, Is(State::Completed));
        bench.set_wall(WALL_START / 2).await;
        bench.pass_steady(KEPT / 2 + LOOK).await;
        assert_eq!(bench.there(ended).await, Forgotten);
    });
}

#[test]
fn a_restart_neither_forgets_nor_begins_anew() {
    on_every_store_with(all_alike(), async |bench| {
        let ended = bench.completed(job("a")).await;
        bench.pass(KEPT / 2).await;
        // Steady time is written with whatever is.
        bench.enqueue(job("b")).await;
        bench.reopen_after(|clock| clock.set_wall(WALL_START + 100 * KEPT)).await;
        assert_eq!(bench.there(ended).await, Is(State::Completed));
        bench.pass(KEPT / 2 + LOOK).await;
        assert_eq!(bench.there(ended).await, Forgotten);
    });
}

#[test]
fn what_was_retried_has_its_time_from_its_last_end_on() {
    on_every_store_with(all_alike(), async |bench| {
        let id = bench.enqueue(job("a")).await;
        bench.cancel(id).await;
        bench.pass(KEPT / 2).await;
        bench.done(Request::Retry { job: id }).await;
        bench.pass(KEPT).await;
        assert_eq!(bench.there(id).await, Is(State::Waiting));
        bench.cancel(id).await;
        bench.pass(KEPT / 2).await;
        assert_eq!(bench.there(id).await, Is(State::Cancelled));
        bench.pass(KEPT / 2 + LOOK).await;
        assert_eq!(bench.there(id).await, Forgotten);
    });
}

#[test]
fn a_key_that_stands_for_ever_stands_for_what_was_forgotten_too() {
    on_every_store_with(all_alike(), async |bench| {
        let first = bench.completed(keyed(Scope::Forever)).await;
        bench.pass(KEPT + LOOK).await;
        assert_eq!(bench.there(first).await, Forgotten);
        let again = bench.call(Request::Enqueue(keyed(Scope::Forever))).await;
        assert_eq!(again, Ok(Reply::Enqueued { job: first, fresh: false }));
        let other = Enqueue { payload: "2".into(), ..keyed(Scope::Forever) };
        assert!(matches!(bench.refused(Request::Enqueue(other)).await, Refusal::KeyConflict { .. }));
    });
}

#[test]
fn a_job_is_kept_for_as_long_as_its_key_stands_for_a_period() {
    on_every_store_with(all_alike(), async |bench| {
        let period = 3 * KEPT;
        let scope = Scope::PeriodMs(period.as_millis().try_into().unwrap());
        let first = bench.completed(keyed(scope)).await;
        bench.pass(2 * KEPT).await;
        assert_eq!(bench.there(first).await, Is(State::Completed));
        // It is looked at again after its time.
        bench.pass(KEPT + LOOK).await;
        bench.pass(KEPT + LOOK).await;
        assert_eq!(bench.there(first).await, Forgotten);
        let pending = bench.completed(keyed(Scope::WhilePending)).await;
        bench.pass(KEPT + LOOK).await;
        assert_eq!(bench.there(pending).await, Forgotten);
        let next = bench.call(Request::Enqueue(keyed(Scope::WhilePending))).await;
        assert!(matches!(next, Ok(Reply::Enqueued { fresh: true, .. })), "{next:?}");
    });
}

#[test]
fn a_job_is_kept_for_as_long_as_another_one_waits_for_it() {
    on_every_store_with(all_alike(), async |bench| {
        let first = bench.completed(job("a")).await;
        let second = bench.enqueue(Enqueue { queue: "other".into(), ..job("a") }).await;
        let jobs = vec![first, second];
        let after = Some(After { jobs: jobs.clone(), unmet: Unmet::Cancel });
        let third = bench.enqueue(Enqueue { after, ..job("a") }).await;
        bench.pass(2 * KEPT).await;
        bench.reopen().await;
        assert_eq!(bench.there(first).await, Is(State::Completed));
        assert_eq!(bench.there(third).await, Is(State::Waiting));
        bench.cancel(second).await;
        assert_eq!(bench.there(third).await, Is(State::Cancelled));
        bench.pass(KEPT + LOOK).await;
        bench.pass(KEPT + LOOK).await;
        assert_eq!([bench.there(first).await, bench.there(second).await], [Forgotten, Forgotten]);
        let late = Enqueue { after: Some(After { jobs, unmet: Unmet::Run }), ..job("a") };
        assert_eq!(bench.refused(Request::Enqueue(late)).await, Refusal::Forgotten { job: first });
    });
}

/// It had waited for two, and they are gone; then it waits for what it asks for, and for no more.
#[test]
fn what_is_retried_when_those_for_which_it_had_waited_are_forgotten_runs() {
    let retention = Retention { completed: Some(KEPT), ..Retention::FOREVER };
    on_every_store_with(keeping(retention), async |bench| {
        let first = bench.completed(job("a")).await;
        let after = Some(After { jobs: vec![first], unmet: Unmet::Cancel });
        let second = bench.enqueue(Enqueue { after, ..job("a") }).await;
        bench.cancel(second).await;
        bench.pass(KEPT + LOOK).await;
        assert_eq!(bench.there(first).await, Forgotten);
        bench.done(Request::Retry { job: second }).await;
        bench.reopen().await;
        let granted = bench.claim_one().await;
        assert_eq!(granted.lease.job, second);
        bench.done(Request::Complete { lease: granted.lease, result: None }).await;
    });
}

/// As an attempt of it asks once more: what it had waited for ended, though there is nothing more to be said of that.
#[test]
fn what_is_retried_and_waits_again_for_what_is_forgotten_has_its_end() {
    let retention = Retention { completed: Some(KEPT), ..Retention::FOREVER };
    on_every_store_with(keeping(retention), async |bench| {
        let first = bench.completed(job("a")).await;
        let second = bench.enqueue(Enqueue { queue: "other".into(), ..job("a") }).await;
        let lease = bench.running().await.lease;
        bench.done(Request::Start { lease }).await;
        let on = |jobs: Vec<JobId>| On::Jobs { jobs, step: "both".into() };
        let suspended = bench.call(Request::Wait { lease, on: on(vec![first, second]) }).await;
        assert_eq!(suspended, Ok(Reply::Suspended));
        bench.cancel(lease.job).await;
        bench.pass(KEPT + LOOK).await;
        assert_eq!(bench.there(first).await, Forgotten);
        bench.cancel(second).await;
        bench.done(Request::Retry { job: lease.job }).await;
        let lease = bench.claim_one().await.lease;
        bench.done(Request::Start { lease }).await;
        let stepped = bench.call(Request::Wait { lease, on: on(vec![second]) }).await;
        let result = r#"[{"job":1,"state":null},{"job":2,"state":"cancelled"}]"#.to_owned();
        assert_eq!(stepped, Ok(Reply::Stepped { result }));
        bench.done(Request::Complete { lease, result: None }).await;
    });
}

/// Clocks have whole milliseconds, and two ends of a job may fall into one.
#[test]
fn what_ended_twice_at_one_time_is_forgotten_once() {
    on_every_store_with(all_alike(), async |bench| {
        let id = bench.enqueue(job("a")).await;
        bench.cancel(id).await;
        bench.done(Request::Retry { job: id }).await;
        bench.cancel(id).await;
        bench.pass(KEPT + LOOK).await;
        assert_eq!(bench.there(id).await, Forgotten);
    });
}

#[test]
fn a_signal_with_a_key_stays_whether_somebody_took_it_or_not() {
    on_every_store_with(all_alike(), async |bench| {
        let signal = |name: &str| Signal { name: name.into(), key: Some("k".into()), payload: "7".into() };
        for name in ["paid", "heard by nobody"] {
            assert_eq!(bench.call(Request::Signal(signal(name))).await, Ok(Reply::Signalled { fresh: true }));
        }
        let lease = bench.running().await.lease;
        bench.done(Request::Start { lease }).await;
        let on = On::Signal { name: "paid".into(), step: "bill".into(), limit_ms: None };
        assert!(matches!(bench.call(Request::Wait { lease, on }).await, Ok(Reply::Stepped { .. })));
        bench.done(Request::Complete { lease, result: None }).await;
        bench.pass(KEPT - SECOND).await;
        assert_eq!(bench.call(Request::Signal(signal("paid"))).await, Ok(Reply::Signalled { fresh: false }));
        bench.pass(LOOK + LOOK).await;
        assert_eq!(bench.there(lease.job).await, Forgotten);
        for name in ["paid", "heard by nobody"] {
            assert_eq!(bench.call(Request::Signal(signal(name))).await, Ok(Reply::Signalled { fresh: false }));
        }
    });
}

/// The row of a slot outlives its job: time that comes once more brings nothing twice.
#[test]
fn a_slot_has_its_job_once_whether_that_is_forgotten_or_not() {
    on_every_store_with(all_alike(), async |bench| {
        let job = Template {
            kind: "a".into(),
            queue: "default".into(),
            priority: 0,
            max_attempts: None,
            max_age_ms: None,
            concurrency_key: None,
            payload: "{}".into(),
        };
        let (name, catch_up) = ("sweep".to_owned(), outlive::job::CatchUp::Skip);
        let asked = Schedule { name, rhythm: Rhythm::every(1_000 * KEPT), catch_up, late_ms: 2_000, job };
        assert!(bench.call(Request::Schedule(asked)).await.is_ok());
        let next = |now: Duration| {
            let every = 1_000 * KEPT.as_secs();
            Duration::from_secs((now.as_secs() / every + 1) * every)
        };
        let slot = next(WALL_START);
        bench.set_wall(slot).await;
        let lease = bench.claim_one().await.lease;
        bench.done(Request::Complete { lease, result: None }).await;
        bench.pass_steady(KEPT + LOOK).await;
        assert_eq!(bench.there(lease.job).await, Forgotten);
        for behind in [SECOND, Duration::ZERO] {
            bench.set_wall(slot - behind).await;
            bench.engine_looks().await;
        }
        let next_job = bench.enqueue(crate::bench::job("b")).await;
        assert_eq!(next_job, JobId(lease.job.0 + 1), "no job came with the slot's second time");
    });
}

#[test]
fn a_job_of_very_many_attempts_is_forgotten_in_parts() {
    on_every_store_with(all_alike(), async |bench| {
        let id = bench.enqueue(job("a")).await;
        for _ in 0..limits::FORGET_ATTEMPTS_MAX + 20 {
            let lease = bench.claim_one().await.lease;
            bench.done(Request::Snooze { lease, delay_ms: 0 }).await;
        }
        let lease = bench.claim_one().await.lease;
        bench.done(Request::Complete { lease, result: None }).await;
        let other = bench.completed(job("a")).await;
        bench.pass(KEPT + LOOK).await;
        for _ in 0..5 {
            bench.engine_looks().await;
        }
        assert_eq!([bench.there(id).await, bench.there(other).await], [Forgotten, Forgotten]);
    });
}

#[test]
fn a_retention_too_short_to_find_a_result_is_refused() {
    let retention = Retention { discarded: Some(limits::RETENTION_MIN - MILLISECOND), ..Retention::FOREVER };
    let refused = crate::bench::block_on(outlive::Local::open(
        crate::host::HandHost::new(1),
        outlive::store::memory::Memory::default(),
        keeping(retention),
    ));
    let why = refused.unwrap_err().to_string();
    assert_eq!(
        why,
        "the options can't be used: the retention of discarded jobs is 999ms, but the limit is 1s or more; whoever waits for a \
         result must find it"
    );
}
