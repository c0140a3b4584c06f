//! What each event does to the rows of a job. Every change of a job's state is made here.

use super::{
    Attempt, AttemptEnd, Due, Event, Failure, Holder, How, Job, JobId, Lease, Limits, NewJob, Next, Nonce, Now,
    Refusal, State, Token, Unmet, Wait, WaitOn,
};
use std::sync::Arc;
use std::time::Duration;

/// What a worker is granted with a claim.
#[derive(Clone, Debug)]
pub struct Grant {
    /// The lease's fencing token.
    pub token: Token,
    /// This opening of the file.
    pub nonce: Nonce,
    /// Who claims.
    pub worker: Arc<str>,
    /// Where it is.
    pub holder: Holder,
    /// For how long.
    pub lease: Duration,
    /// How long the attempt may take from its start, in milliseconds.
    pub timeout_ms: Option<i64>,
}

/// What a worker says of a failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The kind of failure.
    pub how: How,
    /// What was said.
    pub message: Arc<str>,
    /// The causes behind it, outermost first.
    pub causes: Vec<String>,
    /// Whether another attempt could help.
    pub retryable: bool,
    /// When to try again, if not by the policy.
    pub retry_after: Option<Duration>,
}

/// What a request to cancel did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cancelled {
    /// The job is cancelled.
    Now,
    /// The job runs; its worker hears of it with its next heartbeat.
    Requested,
}

/// A job as it is enqueued.
pub fn enqueue(id: JobId, new: NewJob, wait: Wait, due: Due, deadline: Option<Due>, now: Now) -> Job {
    Job {
        id,
        new,
        enqueued_at: now.wall,
        state: State::Waiting,
        wait,
        wait_on: None,
        due,
        token: None,
        attempts: 0,
        failures: 0,
        crashes: 0,
        snoozes: 0,
        releases: 0,
        cancel_requested: false,
        deadline,
        retried_at: None,
        finished_at: None,
        result: None,
    }
}

/// Begins an attempt. The job must be waiting and due.
pub fn claim(job: &mut Job, grant: Grant, now: Now) -> Attempt {
    assert!(job.due.is_due(now), "job {} was claimed before it was due", job.id);
    advance(job, Event::Claim, now);
    job.wait_on = None;
    job.attempts += 1;
    job.token = Some(grant.token);
    Attempt {
        job: job.id,
        number: job.attempts,
        token: grant.token,
        nonce: grant.nonce,
        worker: grant.worker,
        holder: grant.holder,
        claimed_at: now.wall,
        lease_ms: super::time::milliseconds(grant.lease),
        expires: now.steady.plus(grant.lease),
        started_at: None,
        timeout_ms: grant.timeout_ms,
        overdue: None,
        end: None,
    }
}

/// Whether `lease` holds the job now. Everything that a worker says of an attempt is checked here.
///
/// `latest` is the job's latest attempt.
///
/// # Errors
/// Why it does not hold.
pub fn check(latest: Option<&Attempt>, lease: Lease, now: Now) -> Result<&Attempt, Refusal> {
    let job = lease.job;
    match latest {
        Some(attempt) if attempt.lease() == lease => match attempt.end {
            Some((_, end)) => Err(Refusal::AttemptEnded { job, end }),
            None if attempt.expires <= now.steady => {
                Err(Refusal::LeaseExpired { job, late_ms: now.steady.0 - attempt.expires.0 })
            }
            None => Ok(attempt),
        },
        _ => Err(Refusal::StaleLease { job }),
    }
}

/// Confirms that the handler is about to run, and renews the lease: the claim may have waited long
/// for its answer. From here on, silence is a crash.
pub fn start(attempt: &mut Attempt, now: Now) {
    attempt.started_at.get_or_insert(now.wall);
    if let (None, Some(timeout_ms)) = (attempt.overdue, attempt.timeout_ms) {
        // The lease on top is for its worker, which ends it by itself and says so.
        let most = timeout_ms.saturating_add(attempt.lease_ms);
        attempt.overdue = Some(now.steady.plus(Duration::from_millis(most.max(0).cast_unsigned())));
    }
    renew(attempt, now);
}

/// Renews the lease, never to an earlier time.
pub fn renew(attempt: &mut Attempt, now: Now) {
    let lease = Duration::from_millis(attempt.lease_ms.max(0).cast_unsigned());
    attempt.expires = attempt.expires.max(now.steady.plus(lease));
}

/// Whether the lease of an attempt may be renewed still.
///
/// # Errors
/// [`Refusal::Overdue`] if it has taken too long for that.
pub fn check_overdue(attempt: &Attempt, now: Now) -> Result<(), Refusal> {
    match attempt.overdue {
        Some(overdue) if overdue <= now.steady => {
            let timeout_ms = attempt.timeout_ms.unwrap_or_default().max(0).cast_unsigned();
            Err(Refusal::Overdue { job: attempt.job, timeout_ms })
        }
        _ => Ok(()),
    }
}

/// Stores the result. What was completed stays completed, even if a request to cancel came first.
pub fn complete(job: &mut Job, attempt: &mut Attempt, result: Option<Arc<str>>, now: Now) {
    advance(job, Event::Complete, now);
    job.result = result;
    end(attempt, AttemptEnd::Completed, now);
}

/// Records a failure and decides what follows.
pub fn fail(job: &mut Job, attempt: &mut Attempt, report: Report, limits: &Limits, random: u64, now: Now) -> Failure {
    job.failures += 1;
    let next = if job.cancel_requested {
        Next::Cancel
    } else if !report.retryable || job.failures >= job.new.max_attempts {
        Next::Discard
    } else {
        let rest = report.retry_after.unwrap_or_else(|| limits.backoff.rest(job.failures, random));
        Next::Retry { due: Due::after(now, rest) }
    };
    end(attempt, AttemptEnd::Failed, now);
    follow(job, attempt, report, next, Wait::Backoff, now)
}

/// Ends an attempt of which nothing will be heard any more: its lease has expired, or its process
/// is proven dead. Only an attempt that had confirmed its start counts as a crash.
///
/// One whose lease was renewed when it had taken all the time that it may is no crash: its worker was there, and did not end it.
pub fn lose(job: &mut Job, attempt: &mut Attempt, why: &str, limits: &Limits, random: u64, now: Now) -> Failure {
    if attempt.overdue.is_some_and(|overdue| overdue < attempt.expires) {
        let timeout = Duration::from_millis(attempt.timeout_ms.unwrap_or_default().max(0).cast_unsigned());
        let timeout = humantime::format_duration(timeout);
        let message = format!("it took longer than {timeout}, and its worker did not end it").into();
        let (how, causes) = (How::Timeout, Vec::new());
        return fail(
            job,
            attempt,
            Report { how, message, causes, retryable: true, retry_after: None },
            limits,
            random,
            now,
        );
    }
    let started = attempt.started_at.is_some();
    let (how, attempt_end) =
        if started { (How::Crash, AttemptEnd::Crashed) } else { (How::LeaseExpired, AttemptEnd::Expired) };
    let (next, wait) = if started {
        job.crashes += 1;
        let rest = limits.crash_backoff.rest(job.crashes, random);
        let quarantine = job.crashes >= limits.crashes_max;
        (if quarantine { Next::Quarantine } else { Next::Retry { due: Due::after(now, rest) } }, Wait::CrashBackoff)
    } else {
        job.releases += 1;
        (Next::Retry { due: Due::now(now) }, Wait::Line)
    };
    let next = if job.cancel_requested { Next::Cancel } else { next };
    end(attempt, attempt_end, now);
    let report = Report { how, message: why.into(), causes: Vec::new(), retryable: true, retry_after: None };
    follow(job, attempt, report, next, wait, now)
}

/// Gives the attempt back: the job is as runnable as before, and the attempt is not held against it.
pub fn release(job: &mut Job, attempt: &mut Attempt, why: Arc<str>, now: Now) -> Failure {
    job.releases += 1;
    let next = if job.cancel_requested { Next::Cancel } else { Next::Retry { due: Due::now(now) } };
    end(attempt, AttemptEnd::Released, now);
    let report = Report { how: How::Shutdown, message: why, causes: Vec::new(), retryable: true, retry_after: None };
    follow(job, attempt, report, next, Wait::Line, now)
}

/// Puts the job back for later, without spending an attempt.
pub fn snooze(job: &mut Job, attempt: &mut Attempt, delay: Duration, now: Now) {
    job.snoozes += 1;
    end(attempt, AttemptEnd::Snoozed, now);
    if job.cancel_requested {
        advance(job, Event::Cancel, now);
    } else {
        advance(job, Event::Retry, now);
        job.wait = Wait::Snooze;
        job.due = Due::after(now, delay);
    }
}

/// Ends the attempt until something happens, or until `due` at the latest; no attempt is spent.
pub fn suspend(job: &mut Job, attempt: &mut Attempt, (wait, on): (Wait, Option<WaitOn>), due: Due, now: Now) {
    end(attempt, AttemptEnd::Suspended, now);
    if job.cancel_requested {
        advance(job, Event::Cancel, now);
    } else {
        advance(job, Event::Retry, now);
        (job.wait, job.wait_on, job.due) = (wait, on, due);
    }
}

/// What the job waited for has happened: it waits for its turn.
pub fn go_on(job: &mut Job, now: Now) {
    assert!(job.state == State::Waiting, "job {} is {} and waits for nothing", job.id, job.state);
    (job.wait, job.wait_on, job.due) = (Wait::Line, None, Due::now(now));
}

/// The jobs for which the job waited have ended: it waits for what it was enqueued with.
pub fn let_run(job: &mut Job, now: Now) {
    assert!(job.state == State::Waiting, "job {} is {} and waits for nothing", job.id, job.state);
    job.wait_on = None;
    job.wait = match job.due {
        Due { steady: None, .. } => Wait::Schedule,
        due if due.is_due(now) => Wait::Line,
        _ => Wait::Delay,
    };
}

/// What the job waited for can't be any more: another one has ended without a result.
pub fn give_up(job: &mut Job, unmet: Unmet, (other, state): (JobId, State), now: Now) {
    let event = match unmet {
        Unmet::Cancel => Event::Cancel,
        Unmet::Discard => Event::Discard,
        Unmet::Run => unreachable!("job {} runs all the same", job.id),
    };
    advance(job, event, now);
    job.wait_on = Some(WaitOn::Unmet { job: other, state });
}

/// Ends a job that waits, and of which no attempt may begin any more.
pub fn discard_late(job: &mut Job, now: Now) {
    assert!(job.state == State::Waiting, "job {} is {} and can't come too late", job.id, job.state);
    advance(job, Event::Discard, now);
    job.wait_on = Some(WaitOn::TooLate {});
}

/// Ends the attempt because somebody asked for the job to stop, and its worker has obeyed.
pub fn obey(job: &mut Job, attempt: &mut Attempt, now: Now) -> Failure {
    assert!(job.cancel_requested, "job {} obeys a request that nobody made", job.id);
    end(attempt, AttemptEnd::Cancelled, now);
    let message = "stopped because somebody asked for it".into();
    let report = Report { how: How::Cancelled, message, causes: Vec::new(), retryable: false, retry_after: None };
    follow(job, attempt, report, Next::Cancel, Wait::Line, now)
}

/// Lets a job that has ended without a result wait for its turn once more. What it has behind it stays with it: its steps, its
/// attempts, and their counts. So one more failure discards again what had been discarded because its attempts were spent,
/// and one more crash quarantines again.
///
/// # Errors
/// [`Refusal::NotRetryable`] if it has a result, or has not ended.
pub fn revive(job: &mut Job, now: Now) -> Result<(), Refusal> {
    if job.state.after(Event::Revive).is_none() {
        return Err(Refusal::NotRetryable { job: job.id, state: job.state });
    }
    advance(job, Event::Revive, now);
    (job.wait, job.wait_on, job.due, job.deadline) = (Wait::Line, None, Due::now(now), None);
    (job.cancel_requested, job.finished_at, job.retried_at) = (false, None, Some(now.wall));
    Ok(())
}

/// Asks for the job to stop.
///
/// # Errors
/// [`Refusal::Finished`] if it is terminal.
pub fn cancel(job: &mut Job, now: Now) -> Result<Cancelled, Refusal> {
    match job.state {
        State::Waiting => {
            advance(job, Event::Cancel, now);
            Ok(Cancelled::Now)
        }
        State::Running => {
            job.cancel_requested = true;
            Ok(Cancelled::Requested)
        }
        state => Err(Refusal::Finished { job: job.id, state }),
    }
}

fn end(attempt: &mut Attempt, how: AttemptEnd, now: Now) {
    assert!(attempt.end.is_none(), "attempt {} of job {} ended twice", attempt.number, attempt.job);
    attempt.end = Some((now.wall, how));
}

/// Writes the decision into the job, and both into the failure's row.
fn follow(job: &mut Job, attempt: &Attempt, report: Report, next: Next, wait: Wait, now: Now) -> Failure {
    let is_too_late = |due: Due| job.deadline.is_some_and(|deadline| deadline.wait(now) <= due.wait(now));
    let next = match next {
        Next::Retry { due } if is_too_late(due) => {
            job.wait_on = Some(WaitOn::TooLate {});
            Next::Discard
        }
        next => next,
    };
    match next {
        Next::Retry { due } => {
            advance(job, Event::Retry, now);
            job.due = due;
            job.wait = wait;
        }
        Next::Discard => advance(job, Event::Discard, now),
        Next::Quarantine => advance(job, Event::Quarantine, now),
        Next::Cancel => advance(job, Event::Cancel, now),
    }
    let Report { how, message, causes, retryable, .. } = report;
    let (attempt, token) = (attempt.number, attempt.token);
    Failure { job: job.id, attempt, token, at: now.wall, how, message, causes, retryable, next }
}

fn advance(job: &mut Job, event: Event, now: Now) {
    let Some(state) = job.state.after(event) else {
        panic!("job {} is {} and can't {event}", job.id, job.state);
    };
    job.state = state;
    if state.is_terminal() {
        job.finished_at = Some(now.wall);
    }
}

#[cfg(test)]
#[path = "life_tests.rs"]
mod tests;
