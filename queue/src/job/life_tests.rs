use super::*;
use crate::job::{Holder, Steady, Wall};

const START: Now = Now { steady: Steady(10_000), wall: Wall(1_000_000) };
const LEASE: Duration = Duration::from_secs(30);

fn later(duration: Duration) -> Now {
    Now { steady: START.steady.plus(duration), wall: START.wall.plus(duration) }
}

fn waiting(max_attempts: u32) -> Job {
    let new = NewJob {
        queue: "default".into(),
        kind: "k".into(),
        priority: 0,
        max_attempts,
        concurrency_key: None,
        slot: None,
        trace_parent: None,
        payload: "null".into(),
    };
    enqueue(JobId(7), new, Wait::Line, Due::now(START), None, START)
}

fn grant(token: i64) -> Grant {
    let (nonce, worker, holder) = (Nonce(9), "w".into(), Holder::Here);
    Grant { token: Token(token), nonce, worker, holder, lease: LEASE, timeout_ms: None }
}

fn running(max_attempts: u32) -> (Job, Attempt) {
    let mut job = waiting(max_attempts);
    let attempt = claim(&mut job, grant(3), START);
    (job, attempt)
}

fn error(retryable: bool) -> Report {
    Report { how: How::Error, message: "no".into(), causes: vec![], retryable, retry_after: None }
}

#[test]
fn a_lease_holds_until_it_expires_and_not_a_millisecond_longer() {
    let (_, attempt) = running(3);
    let lease = attempt.lease();
    assert!(check(Some(&attempt), lease, later(LEASE - Duration::from_millis(1))).is_ok());
    assert_eq!(
        check(Some(&attempt), lease, later(LEASE)).unwrap_err(),
        Refusal::LeaseExpired { job: JobId(7), late_ms: 0 }
    );
}

#[test]
fn a_foreign_token_or_nonce_is_stale() {
    let (_, attempt) = running(3);
    let lease = attempt.lease();
    for forged in
        [Lease { token: Token(2), ..lease }, Lease { token: Token(4), ..lease }, Lease { nonce: Nonce(8), ..lease }]
    {
        assert_eq!(check(Some(&attempt), forged, START).unwrap_err(), Refusal::StaleLease { job: JobId(7) });
    }
    assert_eq!(check(None, lease, START).unwrap_err(), Refusal::StaleLease { job: JobId(7) });
}

#[test]
fn a_heartbeat_never_shortens_a_lease() {
    let (_, mut attempt) = running(3);
    renew(&mut attempt, later(Duration::from_secs(10)));
    assert_eq!(attempt.expires, START.steady.plus(Duration::from_secs(40)));
    renew(&mut attempt, START);
    assert_eq!(attempt.expires, START.steady.plus(Duration::from_secs(40)));
}

#[test]
fn failures_are_retried_until_the_attempts_are_spent() {
    let (mut job, mut attempt) = running(2);
    let failure = fail(&mut job, &mut attempt, error(true), &Limits::default(), 0, START);
    assert_eq!(failure.next, Next::Retry { due: job.due });
    assert_eq!((job.state, job.wait, job.failures), (State::Waiting, Wait::Backoff, 1));
    let now = later(Duration::from_secs(10));
    let grant = grant(4);
    let mut attempt = claim(&mut job, grant, now);
    assert_eq!(attempt.number, 2);
    let failure = fail(&mut job, &mut attempt, error(true), &Limits::default(), 0, now);
    assert_eq!((failure.next, job.state, job.finished_at), (Next::Discard, State::Discarded, Some(now.wall)));
}

#[test]
fn a_failure_that_is_not_retryable_discards_at_once() {
    let (mut job, mut attempt) = running(25);
    let failure = fail(&mut job, &mut attempt, error(false), &Limits::default(), 0, START);
    assert_eq!((failure.next, job.state), (Next::Discard, State::Discarded));
}

#[test]
fn silence_is_a_crash_only_after_the_start_was_confirmed() {
    let (mut job, mut attempt) = running(1);
    let failure = lose(&mut job, &mut attempt, "x", &Limits::default(), 0, START);
    assert_eq!((failure.how, job.crashes, job.releases, job.state), (How::LeaseExpired, 0, 1, State::Waiting));
    assert!(job.due.is_due(START), "nothing ran, so nothing need rest");

    let (mut job, mut attempt) = running(1);
    start(&mut attempt, START);
    let failure = lose(&mut job, &mut attempt, "x", &Limits::default(), 0, START);
    assert_eq!((failure.how, job.crashes, job.releases, job.state), (How::Crash, 1, 0, State::Waiting));
    assert!(!job.due.is_due(START), "suspects must separate");
}

#[test]
fn crashes_quarantine_and_never_discard() {
    let mut job = waiting(1);
    let limits = Limits { crashes_max: 3, ..Limits::default() };
    for crash in 1..=3 {
        job.due = Due::now(START);
        let grant = grant(i64::from(crash));
        let mut attempt = claim(&mut job, grant, START);
        start(&mut attempt, START);
        lose(&mut job, &mut attempt, "x", &limits, 0, START);
        assert_eq!(job.state, if crash < 3 { State::Waiting } else { State::Quarantined });
    }
    assert_eq!((job.crashes, job.failures), (3, 0));
}

#[test]
fn snooze_and_release_spend_no_attempt() {
    let (mut job, mut attempt) = running(1);
    snooze(&mut job, &mut attempt, Duration::from_secs(60), START);
    assert_eq!((job.state, job.wait, job.failures, job.snoozes), (State::Waiting, Wait::Snooze, 0, 1));
    assert!(!job.due.is_due(later(Duration::from_secs(59))) && job.due.is_due(later(Duration::from_secs(60))));

    let (mut job, mut attempt) = running(1);
    let failure = release(&mut job, &mut attempt, "bye".into(), START);
    assert_eq!((failure.how, job.failures, job.releases), (How::Shutdown, 0, 1));
    assert!(job.due.is_due(START));
}

#[test]
fn a_request_to_cancel_wins_over_every_end_but_completion() {
    let ask = || {
        let (mut job, attempt) = running(5);
        assert_eq!(cancel(&mut job, START), Ok(Cancelled::Requested));
        (job, attempt)
    };
    let limits = Limits::default();
    let (mut job, mut attempt) = ask();
    complete(&mut job, &mut attempt, Some("1".into()), START);
    assert_eq!(job.state, State::Completed);
    let (mut job, mut attempt) = ask();
    assert_eq!(fail(&mut job, &mut attempt, error(true), &limits, 0, START).next, Next::Cancel);
    assert_eq!(job.state, State::Cancelled);
    let (mut job, mut attempt) = ask();
    assert_eq!(lose(&mut job, &mut attempt, "x", &limits, 0, START).next, Next::Cancel);
    assert_eq!(job.state, State::Cancelled);
    let (mut job, mut attempt) = ask();
    assert_eq!(release(&mut job, &mut attempt, "x".into(), START).next, Next::Cancel);
    assert_eq!(job.state, State::Cancelled);
    let (mut job, mut attempt) = ask();
    snooze(&mut job, &mut attempt, LEASE, START);
    assert_eq!(job.state, State::Cancelled);
    let (mut job, mut attempt) = ask();
    assert_eq!(obey(&mut job, &mut attempt, START).how, How::Cancelled);
    assert_eq!(job.state, State::Cancelled);
    assert_eq!(cancel(&mut job, START), Err(Refusal::Finished { job: JobId(7), state: State::Cancelled }));
}

#[test]
fn a_waiting_job_is_cancelled_at_once() {
    let mut job = waiting(1);
    assert_eq!(cancel(&mut job, START), Ok(Cancelled::Now));
    assert_eq!((job.state, job.finished_at), (State::Cancelled, Some(START.wall)));
}

#[test]
fn an_attempt_that_takes_too_long_keeps_its_lease_no_longer() {
    let timeout = Duration::from_secs(60);
    let mut job = waiting(3);
    let mut attempt = claim(&mut job, Grant { timeout_ms: Some(60_000), ..grant(3) }, START);
    // The time counts from the start, not from the claim.
    start(&mut attempt, later(LEASE / 2));
    let overdue = LEASE / 2 + timeout + LEASE;
    assert!(check_overdue(&attempt, later(overdue - Duration::from_millis(1))).is_ok());
    let refused = check_overdue(&attempt, later(overdue));
    assert_eq!(refused, Err(Refusal::Overdue { job: JobId(7), timeout_ms: 60_000 }));
    // It was renewed when its time was over, which only a living worker does.
    renew(&mut attempt, later(overdue - Duration::from_millis(1)));
    let failure = lose(&mut job, &mut attempt, "x", &Limits::default(), 0, later(overdue + LEASE));
    assert_eq!((failure.how, job.failures, job.crashes, job.state), (How::Timeout, 1, 0, State::Waiting));
    assert_eq!(&*failure.message, "it took longer than 1m, and its worker did not end it");
}

#[test]
fn no_attempt_begins_after_the_deadline() {
    let deadline = Due::after(START, Duration::from_secs(10));
    let rest = |secs| Report { retry_after: Some(Duration::from_secs(secs)), ..error(true) };
    for (secs, state) in [(9, State::Waiting), (10, State::Discarded), (3_600, State::Discarded)] {
        let mut job = Job { deadline: Some(deadline), ..waiting(3) };
        let mut attempt = claim(&mut job, grant(3), START);
        let failure = fail(&mut job, &mut attempt, rest(secs), &Limits::default(), 0, START);
        assert_eq!((job.state, job.wait_on.is_some()), (state, state == State::Discarded), "{secs}");
        assert_eq!(failure.next == Next::Discard, state == State::Discarded, "{secs}");
    }
}
