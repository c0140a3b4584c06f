//! I2: claims expire without cooperation.

use super::{Checker, Facts, Grant, Report};
use crate::drive::Evidence;
use crate::event::Event;
use outlive::JobId;
use outlive::job::explain::Doing;
use outlive::protocol::{Reply, Request};
use std::collections::BTreeMap;
use std::time::Duration;

/// See the module.
pub const CHECKER: Checker = Checker {
    invariant: "I2",
    title: "claims expire without cooperation",
    clauses: &[
        ("I2.a", "no job is granted while an earlier holder still trusts its lease"),
        ("I2.b", "an expired lease is refused, even if nobody has the job since"),
        ("I2.c", "a job whose lease has expired is not called running"),
        ("I2.d", "a stale, forged or foreign lease changes nothing"),
        ("I2.e", "one process at a time has the file"),
        ("I2.f", "no handler begins or goes on once its lease is not trusted any more, unless its process slept"),
    ],
    check,
};

fn check(evidence: &Evidence, facts: &Facts, report: &mut Report) {
    windows(facts, report);
    expiry(facts, report);
    foreign(facts, report);
    one_process(evidence, facts, report);
    handlers(evidence, facts, report);
}

/// A timer may be this late.
const LATE: Duration = Duration::from_millis(2);

fn handlers(evidence: &Evidence, facts: &Facts, report: &mut Report) {
    let attempts: BTreeMap<(JobId, u32), &Grant> =
        facts.grants.values().map(|grant| ((grant.lease.job, grant.attempt), grant)).collect();
    for entry in &evidence.entries {
        let (job, attempt, does) = match entry.event {
            Event::HandlerStarted { job, attempt } => (job, attempt, "began"),
            Event::HandlerEnded { job, attempt } => (job, attempt, "was still running"),
            _ => continue,
        };
        let (Some(grant), Some(process)) = (attempts.get(&(job, attempt)), entry.process) else { continue };
        let until = grant.trust_ends() + LATE;
        report.expect("I2.f", entry.at <= until || facts.slept_from(process, grant.trust_ends(), entry.at), || {
            format!(
                "the handler of attempt {attempt} of job {job} {does} at {:.3?}, but its lease was trusted until {:.3?}",
                entry.at,
                grant.trust_ends()
            )
        });
    }
}

fn windows(facts: &Facts, report: &mut Report) {
    for (job, tokens) in &facts.tokens {
        for pair in tokens.windows(2) {
            let (earlier, later) = (&facts.grants[&pair[0]], &facts.grants[&pair[1]]);
            let trusted = earlier.trusted_until(facts);
            report.expect("I2.a", trusted <= later.answered, || {
                format!(
                    "job {job} was granted again (attempt {}) at {:.3?}, while attempt {} was trusted until {trusted:.3?}",
                    later.attempt, later.answered, earlier.attempt
                )
            });
        }
    }
}

fn expiry(facts: &Facts, report: &mut Report) {
    for call in &facts.calls {
        for (lease, accepted) in call.judged_leases() {
            let Some(grant) = facts.grants.get(&lease.token).filter(|grant| grant.lease == lease) else { continue };
            let expired = grant.surely_expired_as_of(call.invoked);
            // What a repeat is told may have been answered in time.
            if call.invoked > expired && !facts.is_told_again(call) {
                report.expect("I2.b", !accepted, || {
                    let name = call.what.request.name();
                    format!(
                        "{name} of job {} was accepted at {:.3?}, but its lease expired by {expired:.3?}",
                        lease.job, call.invoked
                    )
                });
            }
        }
        let (Request::Explain { job }, Some((_, Reply::Explained(explanation)))) = (&call.what.request, call.reply())
        else {
            continue;
        };
        let latest = facts.tokens.get(job).and_then(|tokens| tokens.last()).map(|token| &facts.grants[token]);
        let Some(grant) = latest.filter(|grant| grant.attempt == explanation.attempts) else { continue };
        let expired = grant.surely_expired_as_of(call.invoked);
        if call.invoked > expired && grant.answered < call.invoked {
            let running = matches!(explanation.doing, Doing::Running { .. });
            report.expect("I2.c", !running, || {
                format!(
                    "job {job} is called running at {:.3?}, but the lease of attempt {} expired by {expired:.3?}",
                    call.invoked, grant.attempt
                )
            });
        }
    }
}

fn foreign(facts: &Facts, report: &mut Report) {
    for call in &facts.calls {
        for (lease, accepted) in call.judged_leases() {
            let granted = facts.grants.get(&lease.token).filter(|grant| grant.lease == lease);
            let newer = facts.tokens.get(&lease.job).into_iter().flatten().rev().map(|token| &facts.grants[token]);
            let newer = newer.take_while(|grant| grant.lease.token > lease.token);
            let overtaken = newer.last().filter(|grant| grant.answered < call.invoked);
            let other_process = granted.filter(|grant| grant.process != facts.sender(call));
            if granted.is_some() && overtaken.is_none() && other_process.is_none() || facts.is_told_again(call) {
                continue;
            }
            let name = call.what.request.name();
            report.expect("I2.d", !accepted, || match (granted, overtaken) {
                (None, _) => format!("{name} with a lease on job {} that was never granted was accepted", lease.job),
                (_, Some(newer)) => format!(
                    "{name} of job {} under token {} was accepted at {:.3?}, after token {} was granted",
                    lease.job, lease.token.0, call.invoked, newer.lease.token.0
                ),
                _ => format!("{name} of job {} with the lease of a dead process was accepted", lease.job),
            });
        }
    }
    completed_by_the_latest(facts, report);
}

/// Whenever a completion was heard: after it nothing is granted, so a later grant shows that it was stale.
fn completed_by_the_latest(facts: &Facts, report: &mut Report) {
    for (call, at, answer) in facts.answered() {
        let (Request::Complete { lease, .. }, Ok(Reply::Done)) = (&call.what.request, answer) else { continue };
        let latest = facts.tokens.get(&lease.job).and_then(|tokens| tokens.last()).copied();
        report.expect("I2.d", latest.is_none_or(|latest| latest <= lease.token), || {
            format!(
                "complete of job {} under token {} was accepted by {at:.3?}, although token {} was granted",
                lease.job,
                lease.token.0,
                latest.expect("one was").0
            )
        });
    }
}

fn one_process(evidence: &Evidence, facts: &Facts, report: &mut Report) {
    let opened: Vec<_> = evidence
        .entries
        .iter()
        .filter(|entry| matches!(entry.event, Event::Opened))
        .filter_map(|entry| Some((entry.process?, entry.at)))
        .collect();
    for (i, (process, at)) in opened.iter().enumerate() {
        let living = opened[..i].iter().find(|(other, _)| facts.deaths.get(other).is_none_or(|death| death > at));
        report.expect("I2.e", living.is_none(), || {
            let other = living.expect("one lives").0;
            format!("process {} opened the file at {at:.3?}, while process {} had it", process.0, other.0)
        });
    }
}
