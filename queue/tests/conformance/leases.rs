//! Leases: until when they hold, and for whom.

use crate::bench::{Bench, LEASE, MILLISECOND, claim, error, ids, job, on_every_store};
use crate::host::WALL_START;
use outlive::host::Host;
use outlive::job::{AttemptEnd, How, JobId, Lease, Nonce, Refusal, State, Token};
use outlive::limits;
use outlive::protocol::{Claim, Renewal, Request};

/// Every request that is made with a lease.
fn all_requests(lease: Lease) -> Vec<Request> {
    vec![
        Request::Start { lease },
        Request::Complete { lease, result: Some("1".into()) },
        Request::Fail { lease, failure: error("no") },
        Request::Release { lease, why: "bye".into() },
        Request::Snooze { lease, delay_ms: 1 },
        Request::Obey { lease },
    ]
}

/// Nothing that is said under `lease` changes its job, and all of it is refused like this.
async fn changes_nothing(bench: &mut Bench, lease: Lease, expected: &Refusal) {
    let before = bench.look(lease.job).await;
    for request in all_requests(lease) {
        assert_eq!(bench.refused(request).await, *expected);
    }
    assert_eq!(bench.heartbeat(&[lease]).await, [Renewal::Lost { why: expected.clone() }]);
    assert_eq!(bench.look(lease.job).await, before);
}

#[test]
fn a_lease_holds_to_its_last_millisecond() {
    on_every_store(async |bench| {
        let lease = bench.started().await.lease;
        bench.pass(LEASE - MILLISECOND).await;
        bench.done(Request::Complete { lease, result: None }).await;
        assert_eq!(bench.look(lease.job).await.state, State::Completed);
    });
}

#[test]
fn an_expired_lease_is_refused_even_if_nobody_claimed_its_job() {
    on_every_store(async |bench| {
        let lease = bench.started().await.lease;
        bench.pass(LEASE).await;
        assert_eq!(bench.look(lease.job).await.state, State::Waiting);
        let refusal = Refusal::AttemptEnded { job: lease.job, end: AttemptEnd::Crashed };
        changes_nothing(bench, lease, &refusal).await;
    });
}

#[test]
fn an_expired_lease_is_refused_before_its_loss_is_written() {
    on_every_store(async |bench| {
        let count = limits::GROUP_DUE_MAX + 1;
        for _ in 0..count {
            bench.enqueue(job("a")).await;
        }
        let leases: Vec<_> =
            bench.claim(Claim { most: 1_000, ..claim() }).await.into_iter().map(|it| it.lease).collect();
        assert_eq!(leases.len(), count);
        let lease = leases[count - 1];
        // The engine rests, and is not told that time has passed: its next group writes as many
        // losses as a group may, and all but the last one.
        let host = bench.host.clone();
        host.clock().somebody_sleeps().await;
        host.clock().pass(LEASE + 5 * MILLISECOND);
        let refusal = bench.refused(Request::Complete { lease, result: None }).await;
        assert_eq!(refusal, Refusal::LeaseExpired { job: lease.job, late_ms: 5 });
        bench.engine_looks().await;
        let failure = bench.look(lease.job).await.history[0].failure.clone().unwrap();
        assert_eq!(failure.how, How::LeaseExpired);
    });
}

#[test]
fn a_job_moves_on_when_its_lease_expires_and_the_old_lease_is_stale() {
    on_every_store(async |bench| {
        let old = bench.running().await;
        bench.pass(LEASE).await;
        let new = bench.claim_one().await;
        assert_eq!((new.lease.job, new.attempt), (old.lease.job, 2));
        assert!(new.lease.token > old.lease.token);
        let ended = Refusal::AttemptEnded { job: old.lease.job, end: AttemptEnd::Expired };
        changes_nothing(bench, old.lease, &ended).await;
        bench.done(Request::Complete { lease: new.lease, result: None }).await;
    });
}

#[test]
fn a_forged_or_foreign_lease_changes_nothing() {
    on_every_store(async |bench| {
        let lease = bench.running().await.lease;
        let other = bench.running().await.lease;
        let stale = Refusal::StaleLease { job: lease.job };
        let Lease { token: Token(token), nonce: Nonce(nonce), .. } = lease;
        for forged in [
            Lease { token: other.token, ..lease },
            Lease { token: Token(token + 1_000), ..lease },
            Lease { token: Token(-1), ..lease },
            Lease { nonce: Nonce(nonce ^ 1), ..lease },
            Lease { nonce: Nonce(0), ..lease },
        ] {
            changes_nothing(bench, forged, &stale).await;
        }
        for request in all_requests(Lease { job: JobId(99), ..lease }) {
            assert_eq!(bench.refused(request).await, Refusal::UnknownJob { job: JobId(99) });
        }
        bench.done(Request::Complete { lease, result: None }).await;
        bench.done(Request::Complete { lease: other, result: None }).await;
    });
}

#[test]
fn a_job_that_was_never_claimed_has_no_lease() {
    on_every_store(async |bench| {
        let id = bench.enqueue(job("a")).await;
        let made_up = Lease { job: id, token: Token(1), nonce: Nonce(1) };
        changes_nothing(bench, made_up, &Refusal::StaleLease { job: id }).await;
    });
}

#[test]
fn a_heartbeat_renews_a_lease_for_its_whole_length() {
    on_every_store(async |bench| {
        let lease = bench.started().await.lease;
        for _ in 0..5 {
            bench.pass(LEASE - MILLISECOND).await;
            assert_eq!(bench.heartbeat(&[lease]).await, [Renewal::Renewed { cancel: false }]);
        }
        bench.pass(LEASE).await;
        assert_eq!(bench.look(lease.job).await.crashes, 1);
    });
}

#[test]
fn a_heartbeat_answers_for_each_lease_in_order() {
    on_every_store(async |bench| {
        let lost = bench.running().await.lease;
        bench.pass(LEASE).await;
        let cancelled = bench.claim_one().await.lease;
        let held = bench.running().await.lease;
        bench.cancel(cancelled.job).await;
        let unknown = Lease { job: JobId(77), ..held };
        let renewals = bench.heartbeat(&[held, lost, unknown, cancelled, held]).await;
        let lost = Refusal::AttemptEnded { job: lost.job, end: AttemptEnd::Expired };
        assert_eq!(
            renewals,
            [
                Renewal::Renewed { cancel: false },
                Renewal::Lost { why: lost },
                Renewal::Lost { why: Refusal::UnknownJob { job: JobId(77) } },
                Renewal::Renewed { cancel: true },
                Renewal::Renewed { cancel: false },
            ]
        );
        assert_eq!(bench.heartbeat(&[]).await, []);
    });
}

#[test]
fn a_start_renews_the_lease_and_may_be_confirmed_again() {
    on_every_store(async |bench| {
        let lease = bench.running().await.lease;
        bench.pass(LEASE - MILLISECOND).await;
        bench.done(Request::Start { lease }).await;
        let started = bench.look(lease.job).await.history[0].started_at;
        bench.pass(LEASE - MILLISECOND).await;
        bench.done(Request::Start { lease }).await;
        assert_eq!(bench.look(lease.job).await.history[0].started_at, started, "the first start counts");
        assert!(started.is_some());
        bench.pass(LEASE - MILLISECOND).await;
        bench.done(Request::Complete { lease, result: None }).await;
    });
}

#[test]
fn a_wall_clock_that_jumps_neither_ends_nor_prolongs_a_lease() {
    on_every_store(async |bench| {
        let lease = bench.running().await.lease;
        bench.set_wall(WALL_START * 2).await;
        assert_eq!(bench.look(lease.job).await.state, State::Running);
        bench.set_wall(WALL_START / 2).await;
        bench.pass_steady(LEASE).await;
        assert_eq!(bench.look(lease.job).await.state, State::Waiting);
    });
}

#[test]
fn each_lease_has_the_length_that_its_claim_asked_for() {
    on_every_store(async |bench| {
        let long = bench.running().await.lease;
        bench.enqueue(job("a")).await;
        let short = bench.claim(Claim { lease_ms: 100, ..claim() }).await.remove(0).lease;
        bench.pass(100 * MILLISECOND).await;
        assert_eq!(ids(&bench.claim(claim()).await), [short.job.0]);
        assert_eq!(bench.look(long.job).await.state, State::Running);
    });
}
