//! I3: failure is state, not control flow.

mod deadlines;
mod judged;
mod logs;
mod retries;
mod suspects;

use super::policies::Policies;
use super::{CallFact, Checker, Facts, Finding, Grant, Report};
use crate::drive::Evidence;
use crate::event::Event;
use crate::image::{FailureRow, Rows};
use outlive::JobId;
use outlive::job::{Backoff, How, Lease, Policy, Token};
use outlive::protocol::{Reply, Reported, Request};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// See the module.
pub const CHECKER: Checker = Checker {
    invariant: "I3",
    title: "failure is state, not control flow",
    clauses: &[
        ("I3.a", "every attempt that ended badly left a failure, and every attempt but the latest has ended"),
        ("I3.b", "an acknowledged failure is written down as reported, and the decision is the right one"),
        ("I3.c", "the next attempt does not begin before the rest that was decided"),
        ("I3.d", "failures, crashes, snoozes and releases are counted apart, and right"),
        ("I3.e", "what keeps killing its workers is quarantined, and nothing else is"),
        ("I3.f", "a started attempt whose process died is a crash"),
        ("I3.g", "no attempt begins after its job's deadline, no job waits beyond it, and what was too late says so"),
        ("I3.h", "no worker runs two jobs at once that have crashed twice"),
        ("I3.i", "what somebody retried has not ended before that, and a list of those that have ended is right"),
        ("I3.j", "what a handler said is kept with its attempt, in order and once, but for the oldest lines of many"),
        ("I3.k", "what a worker decides by itself of a failure is what is said of it"),
    ],
    check,
};

fn check(evidence: &Evidence, facts: &Facts, report: &mut Report) {
    let Ok(rows) = &evidence.rows else { return };
    attempts(rows, report);
    reported(evidence, facts, rows, report);
    rests(evidence, facts, rows, report);
    counts(rows, report);
    quarantine(evidence, facts, rows, report);
    crashes(evidence, facts, rows, report);
    deadlines::check(evidence, facts, report);
    suspects::check(evidence, facts, report);
    retries::check(evidence, facts, report);
    logs::check(evidence, facts, report);
    judged::check(evidence, facts, rows, report);
}

fn attempts(rows: &Rows, report: &mut Report) {
    for (token, attempt) in &rows.attempts {
        let job = rows.jobs.get(&attempt.job);
        let latest = job.is_some_and(|job| job.attempts == attempt.number && job.state == "running");
        let needs_failure = !matches!(attempt.ended.as_deref(), Some("completed" | "snoozed" | "suspended") | None);
        let failure = rows.failures.get(token);
        let right = match attempt.ended {
            None => latest,
            Some(_) => failure.is_some() == needs_failure,
        };
        report.expect("I3.a", right, || {
            let (number, job, ended) = (attempt.number, attempt.job, attempt.ended.as_deref().unwrap_or("open"));
            let says = format!("attempt {number} of job {job} is {ended}, and its failure is {failure:?}");
            let transition = match (failure.is_some(), needs_failure) {
                (false, true) => format!("{ended} without a failure"),
                (true, false) => format!("{ended} with a failure"),
                _ => format!("{ended} for ever"),
            };
            Finding::new(transition, says).job(JobId(job)).attempt(Token(*token))
        });
    }
}

fn reported(evidence: &Evidence, facts: &Facts, rows: &Rows, report: &mut Report) {
    let policies = Policies::of(facts);
    for call in &facts.calls {
        let Some((lease, said)) = failed(call) else { continue };
        let row = rows.failures.get(&lease.token.0);
        let backoffs = |row: &FailureRow| -> Vec<Backoff> {
            let kind = rows.jobs.get(&row.job).map_or("", |job| &job.kind);
            let sent = facts.first_sent[&call.what.id];
            let answered = call.reply().map_or(sent, |(at, _)| at);
            let possible = policies.possible(kind, sent, answered);
            possible.iter().map(|it| it.backoff.unwrap_or(evidence.plan.options.limits.backoff)).collect()
        };
        let expected = |row: &FailureRow| decisions(rows, row, said, &backoffs(row), facts.wall_jumped);
        let right = row.is_some_and(|row| {
            row.how == said.how.as_str()
                && row.message == said.message
                && row.retryable == said.retryable
                && expected(row).is_none_or(|expected| expected.contains(&&*row.decision))
        });
        report.expect("I3.b", right, || {
            let expected = row.and_then(&expected);
            let job = lease.job;
            let says = format!("job {job} failed with {said:?}, what is written is {row:?}, right is {expected:?}");
            let transition = match row {
                None => "failure lost",
                Some(row) if expected.is_some_and(|it| !it.contains(&&*row.decision)) => "failure decided wrongly",
                Some(_) => "failure altered",
            };
            Finding::new(transition, says).job(job).attempt(lease.token).call(call.number).at(call.invoked)
        });
    }
}

/// A failure that was reported and acknowledged.
fn failed(call: &CallFact) -> Option<(Lease, &Reported)> {
    match (&call.what.request, call.reply()) {
        (Request::Fail { lease, failure }, Some((_, Reply::Failed { .. }))) => Some((*lease, failure)),
        _ => None,
    }
}

/// What may have been decided; none where a request to cancel has a say.
fn decisions(
    rows: &Rows,
    row: &FailureRow,
    said: &Reported,
    backoffs: &[Backoff],
    wall_jumped: bool,
) -> Option<Vec<&'static str>> {
    let job = rows.jobs.get(&row.job)?;
    // One that was retried may have had a deadline before, or have been asked to stop.
    if job.cancel_requested || job.retried_ms.is_some() {
        return None;
    }
    let so_far = rows.failures.values().filter(|other| other.job == row.job && other.attempt <= row.attempt);
    let count = so_far.filter(|other| counts_as_failure(other)).count();
    if !row.retryable || i64::try_from(count).expect("a count") >= job.max_attempts {
        return Some(vec!["discard"]);
    }
    // It is too late for another attempt if that would have to begin after the deadline.
    let Some(deadline) = job.deadline_wall_ms else { return Some(vec!["retry"]) };
    let ms = |rest: Duration| i64::try_from(rest.as_millis()).expect("a rest is short");
    let rests: Vec<(i64, i64)> = match said.retry_after_ms {
        Some(rest) => vec![(rest.cast_signed(), rest.cast_signed())],
        None => backoffs.iter().map(|it| (ms(shortest_rest(*it, count)), ms(longest_rest(*it, count)))).collect(),
    };
    let left = deadline - row.at_ms;
    // The clock of the file's machine drifts, and may end the time before the wall clock does.
    let drifted = left - left.abs() / 50 - (row.at_ms - job.enqueued_ms) / 50 - 2;
    let may_retry = rests.iter().any(|(shortest, _)| *shortest < left) || wall_jumped;
    let may_discard = rests.iter().any(|(_, longest)| *longest >= drifted) || wall_jumped;
    Some([("retry", may_retry), ("discard", may_discard)].into_iter().filter(|it| it.1).map(|it| it.0).collect())
}

fn counts_as_failure(row: &FailureRow) -> bool {
    matches!(row.how.as_str(), "error" | "panic" | "timeout" | "undecodable")
}

fn rests(evidence: &Evidence, facts: &Facts, rows: &Rows, report: &mut Report) {
    // A clock that jumps may cut a rest short, and rightly so.
    if facts.wall_jumped {
        return;
    }
    let limits = evidence.plan.options.limits;
    let policies = Policies::of(facts);
    let mut due: BTreeMap<(i64, i64), Duration> = BTreeMap::new();
    for call in &facts.calls {
        let Some((lease, said)) = failed(call) else { continue };
        let Some(row) = rows.failures.get(&lease.token.0).filter(|row| row.decision == "retry") else { continue };
        let count = rows.failures.range(..=lease.token.0).filter(|(_, it)| it.job == row.job && counts_as_failure(it));
        let rest = match said.retry_after_ms {
            Some(ms) => Duration::from_millis(ms),
            None => {
                let kind = rows.jobs.get(&row.job).map_or("", |job| &job.kind);
                let answered = call.reply().map_or(call.invoked, |(at, _)| at);
                let possible = policies.possible(kind, facts.first_sent[&call.what.id], answered);
                let count = count.count();
                let rests = possible.iter().map(|it| shortest_rest(it.backoff.unwrap_or(limits.backoff), count));
                rests.min().unwrap_or_default()
            }
        };
        // A repeat is told what was decided when the request was heard first.
        due.insert((row.job, row.attempt), facts.first_sent[&call.what.id] + facts.least_rest(rest));
    }
    for (token, row) in &rows.failures {
        let grant = facts.grants.get(&outlive::job::Token(*token));
        let death = grant.and_then(|grant| facts.deaths.get(&grant.process).copied());
        if let (true, "retry", Some(death)) = (row.how == How::Crash.as_str(), row.decision.as_str(), death)
            && row.message.contains("process")
        {
            let count = rows.failures.range(..=*token).filter(|(_, it)| it.job == row.job && it.how == "crash").count();
            let rest = facts.least_rest(shortest_rest(limits.crash_backoff, count));
            due.insert((row.job, row.attempt), death + rest);
        }
    }
    // Whoever gives a job another try lets it begin at once.
    let may_be_retried = |grant: &Grant| {
        facts.retried.contains(&grant.lease.job) && facts.may_be_retried_by(grant.lease.job, grant.answered)
    };
    for grant in facts.grants.values().filter(|grant| !may_be_retried(grant)) {
        let key = (grant.lease.job.0, i64::from(grant.attempt) - 1);
        if let Some(due) = due.get(&key) {
            report.expect("I3.c", *due <= grant.answered + Duration::from_millis(1), || {
                let job = grant.lease.job;
                let says = format!(
                    "attempt {} of job {job} was granted at {:.3?}, but the rest after the one before lasts until {due:.3?}",
                    grant.attempt, grant.answered
                );
                let found = Finding::new("claim granted before the rest was over", says).job(job);
                found.attempt(grant.lease.token).call(grant.call).at(grant.answered)
            });
        }
    }
}

/// The shortest rest that jitter allows after the `count`-th time: half of the full one.
fn shortest_rest(backoff: Backoff, count: usize) -> Duration {
    match backoff {
        Backoff::Exponential { .. } => longest_rest(backoff, count) / 2,
        Backoff::Fixed { rest } => rest,
    }
}

/// The longest one: the full one, which doubles each time.
fn longest_rest(backoff: Backoff, count: usize) -> Duration {
    let (first, longest) = match backoff {
        Backoff::Exponential { first, longest } => (first, longest),
        Backoff::Fixed { rest } => return rest,
    };
    let mut full = first;
    for _ in 1..count {
        full = (full * 2).min(longest);
    }
    full.min(longest)
}

fn counts(rows: &Rows, report: &mut Report) {
    for (id, job) in &rows.jobs {
        let attempts = || rows.attempts.values().filter(|attempt| attempt.job == *id);
        let ended = |how: &[&str]| {
            let ended = attempts().filter(|attempt| attempt.ended.as_deref().is_some_and(|it| how.contains(&it)));
            i64::try_from(ended.count()).expect("a count")
        };
        let failures = rows.failures.values().filter(|row| row.job == *id && counts_as_failure(row)).count();
        let counted = [
            i64::try_from(attempts().count()).expect("a count"),
            i64::try_from(failures).expect("a count"),
            ended(&["crashed"]),
            ended(&["snoozed"]),
            ended(&["released", "expired"]),
        ];
        let written = [job.attempts, job.failures, job.crashes, job.snoozes, job.releases];
        report.expect("I3.d", counted == written && ended(&["failed"]) == job.failures, || {
            let says = format!(
                "job {id} says attempts, failures, crashes, snoozes, releases {written:?}, its rows say {counted:?}"
            );
            let names = ["attempts", "failures", "crashes", "snoozes", "releases"];
            let wrong =
                names.iter().zip(counted.iter().zip(&written)).filter(|(_, (counted, written))| counted != written);
            let wrong: Vec<&str> = wrong.map(|(name, _)| *name).collect();
            Finding::new(format!("{} counted wrongly", wrong.join(" and ")), says).job(JobId(*id))
        });
    }
}

fn quarantine(evidence: &Evidence, facts: &Facts, rows: &Rows, report: &mut Report) {
    let policies = Policies::of(facts);
    for (id, job) in &rows.jobs {
        // Its crashes are later than its enqueue, and a run has one policy for each kind.
        let enqueued = facts.apart.iter().filter_map(|call| match call.reply() {
            Some((_, Reply::Enqueued { job, .. })) if job.0 == *id => Some(call.invoked),
            _ => None,
        });
        let possible = policies.possible(&job.kind, enqueued.min().unwrap_or_default(), Duration::MAX);
        let most = |policy: &Policy| policy.crashes_max.unwrap_or(evidence.plan.options.limits.crashes_max);
        let most: Vec<i64> = possible.iter().map(|policy| i64::from(most(policy))).collect();
        let (least, greatest) = (most.iter().min().copied().unwrap_or(0), most.iter().max().copied().unwrap_or(0));
        let quarantined = job.state == "quarantined";
        if quarantined || job.crashes >= least {
            let right = match quarantined {
                true => most.contains(&job.crashes) || (job.retried_ms.is_some() && job.crashes > least),
                false => {
                    let spared = job.cancel_requested || job.retried_ms.is_some();
                    job.crashes < greatest || spared && (job.crashes == greatest || job.retried_ms.is_some())
                }
            };
            report.expect("I3.e", right, || {
                let says = format!("job {id} is {} after {} crashes", job.state, job.crashes);
                let transition = if quarantined { "quarantined wrongly" } else { "not quarantined" };
                Finding::new(transition, says).job(JobId(*id))
            });
        }
    }
}

/// Whether all the time that an attempt may take was over when its process was heard of last, if it began as soon as it
/// could. What it had sent when it died may be heard later.
fn may_be_overdue(token: Token, facts: &Facts, rows: &Rows) -> bool {
    let Some(grant) = facts.grants.get(&token) else { return false };
    let (Some(died), Some(job)) = (facts.deaths.get(&grant.process), rows.jobs.get(&grant.lease.job.0)) else {
        return false;
    };
    let possible = Policies::of(facts).possible(&job.kind, grant.claimed, grant.answered);
    let shortest = possible.iter().filter_map(|policy| policy.timeout_ms).min().map(Duration::from_millis);
    let Some(over) = shortest.map(|shortest| grant.claimed + facts.least_rest(shortest)) else { return false };
    // Each renewal that nobody was answered is heard once at the most, while the lease still holds.
    let last = grant.renewals.iter().map(|(_, answered)| *answered).max().unwrap_or(grant.answered);
    let under_way = grant.renewed_unknown.iter().filter(|sent| **sent <= *died).count();
    let heard_until = last + grant.length * u32::try_from(under_way).unwrap_or(u32::MAX);
    over <= *died || under_way > 0 && (over <= heard_until || facts.was_closed(last, heard_until))
}

fn crashes(evidence: &Evidence, facts: &Facts, rows: &Rows, report: &mut Report) {
    let mut running = BTreeMap::new();
    for entry in &evidence.entries {
        match entry.event {
            Event::HandlerStarted { job, attempt, .. } => drop(running.insert((job.0, attempt), entry.process)),
            Event::HandlerEnded { job, attempt } => drop(running.remove(&(job.0, attempt))),
            _ => {}
        }
    }
    // Something was said of it, and nobody knows whether it was heard.
    let ended = facts.calls.iter().filter(|call| call.is_end()).filter_map(CallFact::lease);
    let ended: BTreeSet<Lease> = ended.collect();
    for ((job, attempt), process) in running {
        let died = process.is_some_and(|process| facts.deaths.contains_key(&process));
        let row = rows.attempts.iter().find(|(_, row)| row.job == job && row.number == i64::from(attempt));
        let said = |token: i64| ended.iter().any(|lease| lease.token.0 == token);
        if !died || row.is_some_and(|(token, row)| said(*token) || row.ended.is_none()) {
            continue;
        }
        let is_right = row.is_some_and(|(token, row)| {
            let how = rows.failures.get(token).map(|failure| &*failure.how);
            match row.ended.as_deref() {
                Some("crashed") => how == Some("crash"),
                // It went on for longer than it may before its process died.
                Some("failed") => how == Some("timeout") && may_be_overdue(Token(*token), facts, rows),
                _ => false,
            }
        });
        report.expect("I3.f", is_right, || {
            let says = format!("attempt {attempt} of job {job} ran when its process died, and its row is {row:?}");
            let died = process.and_then(|process| facts.deaths.get(&process)).copied().expect("it died");
            let found = Finding::new("crash not written", says).job(JobId(job)).at(died);
            row.into_iter().fold(found, |found, (token, _)| found.attempt(Token(*token)))
        });
    }
}
