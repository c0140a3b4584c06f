//! I2: claims expire without cooperation.

mod limits;
mod timeouts;

use super::{Checker, Facts, Finding, Grant, Report};
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
        ("I2.g", "no more leases of a queue, or of a key in it, are held at once than its limits allow"),
        ("I2.h", "in no time do more attempts of a queue begin than its rate allows"),
        ("I2.i", "no lease is renewed a lease's length after its attempt has taken all the time that it may"),
        ("I2.j", "no handler that can be dropped runs longer than its attempt may, unless its process slept"),
    ],
    check,
};

fn check(evidence: &Evidence, facts: &Facts, report: &mut Report) {
    windows(facts, report);
    expiry(facts, report);
    foreign(facts, report);
    one_process(evidence, facts, report);
    handlers(evidence, facts, report);
    limits::check(evidence, facts, report);
    timeouts::check(evidence, facts, report);
}

/// A timer may be this late.
const LATE: Duration = Duration::from_millis(2);

fn handlers(evidence: &Evidence, facts: &Facts, report: &mut Report) {
    let attempts: BTreeMap<(JobId, u32), &Grant> =
        facts.grants.values().map(|grant| ((grant.lease.job, grant.attempt), grant)).collect();
    for entry in &evidence.entries {
        let (job, attempt, does) = match entry.event {
            Event::HandlerStarted { job, attempt, .. } => (job, attempt, "began"),
            Event::HandlerEnded { job, attempt } => (job, attempt, "was still running"),
            _ => continue,
        };
        let (Some(grant), Some(process)) = (attempts.get(&(job, attempt)), entry.process) else { continue };
        let until = grant.trust_ends() + LATE;
        report.expect("I2.f", entry.at <= until || facts.slept_from(process, grant.trust_ends(), entry.at), || {
            let says = format!(
                "the handler of attempt {attempt} of job {job} {does} at {:.3?}, but its lease was trusted until {:.3?}",
                entry.at,
                grant.trust_ends()
            );
            let transition = format!("handler {does} without trust");
            Finding::new(transition, says).job(job).attempt(grant.lease.token).call(grant.call).at(entry.at)
        });
    }
}

fn windows(facts: &Facts, report: &mut Report) {
    for (job, tokens) in &facts.tokens {
        for pair in tokens.windows(2) {
            let (earlier, later) = (&facts.grants[&pair[0]], &facts.grants[&pair[1]]);
            let trusted = earlier.trusted_until(facts);
            report.expect("I2.a", trusted <= later.answered, || {
                let says = format!(
                    "job {job} was granted again (attempt {}) at {:.3?}, while attempt {} was trusted until {trusted:.3?}",
                    later.attempt, later.answered, earlier.attempt
                );
                let found = Finding::new("claim granted while another is trusted", says).job(*job);
                found.attempt(pair[0]).attempt(pair[1]).calls([earlier.call, later.call]).at(later.answered)
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
                    let says = format!(
                        "{name} of job {} was accepted at {:.3?}, but its lease expired by {expired:.3?}",
                        lease.job, call.invoked
                    );
                    let found = Finding::new(format!("{name} accepted after expiry"), says).job(lease.job);
                    found.attempt(lease.token).calls([grant.call, call.number]).at(call.invoked)
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
                let says = format!(
                    "job {job} is called running at {:.3?}, but the lease of attempt {} expired by {expired:.3?}",
                    call.invoked, grant.attempt
                );
                let found = Finding::new("called running after expiry", says).job(*job).attempt(grant.lease.token);
                found.calls([grant.call, call.number]).at(call.invoked)
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
            let (job, token) = (lease.job, lease.token);
            report.expect("I2.d", !accepted, || {
                let (which, says) = match (granted, overtaken) {
                    (None, _) => {
                        ("forged", format!("{name} with a lease on job {job} that was never granted was accepted"))
                    }
                    (_, Some(newer)) => (
                        "stale",
                        format!(
                            "{name} of job {job} under token {} was accepted at {:.3?}, after token {} was granted",
                            token.0, call.invoked, newer.lease.token.0
                        ),
                    ),
                    _ => ("foreign", format!("{name} of job {job} with the lease of a dead process was accepted")),
                };
                let grants = granted.into_iter().chain(overtaken);
                let found = Finding::new(format!("{which} {name} accepted"), says).job(job).attempt(token);
                let found = overtaken.into_iter().fold(found, |found, newer| found.attempt(newer.lease.token));
                found.calls(grants.map(|grant| grant.call)).call(call.number).at(call.invoked)
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
            let latest = latest.expect("one was");
            let says = format!(
                "complete of job {} under token {} was accepted by {at:.3?}, although token {} was granted",
                lease.job, lease.token.0, latest.0
            );
            let grants = [lease.token, latest].into_iter().filter_map(|token| Some(facts.grants.get(&token)?.call));
            let found = Finding::new("stale complete accepted", says).job(lease.job);
            found.attempt(lease.token).attempt(latest).calls(grants).call(call.number).at(at)
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
            let says = format!("process {} opened the file at {at:.3?}, while process {} had it", process.0, other.0);
            Finding::new("file opened twice", says).at(*at)
        });
    }
}
