//! Who asks for which jobs: claims get what they asked for, and a job in line is told who asks for its like.

use super::blockers;
use crate::checkers::facts::CallFact;
use crate::checkers::{Facts, Finding, Report};
use crate::drive::Evidence;
use crate::event::Event;
use outlive::JobId;
use outlive::job::explain::Reason;
use outlive::protocol::{Claim, Reply, Request};
use std::time::Duration;

/// What a clock of the store gains or loses at the most on the time that passes, as a part of it, and what is rounded off.
const DRIFT: f64 = 0.02;
const ROUNDED: Duration = Duration::from_millis(2);

pub fn check(evidence: &Evidence, facts: &Facts, report: &mut Report) {
    grants(facts, report);
    sightings(evidence, facts, report);
}

fn asks_for(claim: &Claim, queue: &str, kind: &str) -> bool {
    claim.queues.iter().any(|it| it == queue) && claim.kinds.iter().any(|it| it == kind)
}

fn grants(facts: &Facts, report: &mut Report) {
    for (call, at, answer) in facts.answered() {
        let (Request::Claim(claim), Ok(Reply::Claimed { grants })) = (&call.what.request, answer) else { continue };
        for grant in grants {
            report.expect("I4.n", asks_for(claim, &grant.queue, &grant.kind), || {
                let says = format!(
                    "job {} of queue {} and kind {} was granted to a claim for queues {:?} and kinds {:?}",
                    grant.lease.job, grant.queue, grant.kind, claim.queues, claim.kinds
                );
                let found = Finding::new("job granted that was not asked for", says).job(grant.lease.job);
                found.attempt(grant.lease.token).call(call.number).at(at)
            });
        }
    }
}

/// Compares what was said of who asks for the like of a job with the claims that were made.
fn sightings(evidence: &Evidence, facts: &Facts, report: &mut Report) {
    let opened = evidence.entries.iter().filter(|entry| matches!(entry.event, Event::Opened));
    let opened: Vec<Duration> = opened.map(|entry| entry.at).collect();
    let claims: Vec<(&CallFact, &Claim)> = facts.calls.iter().filter_map(claim).collect();
    for (call, at, answer) in facts.answered() {
        let (Request::Explain { job }, Ok(Reply::Explained(explanation))) = (&call.what.request, answer) else {
            continue;
        };
        for blocker in blockers(explanation).unwrap_or_default() {
            let Reason::Line { queue, claims_waiting, asked_ms_ago, .. } = &blocker.reason else { continue };
            let alike = || claims.iter().filter(|(_, claim)| asks_for(claim, queue, &explanation.kind));
            if asked_ms_ago.is_some() || *claims_waiting > 0 {
                let could_be_seen = alike().any(|(claim, _)| claim.invoked <= at);
                report.expect("I4.o", could_be_seen, || {
                    let says = format!("it is said that somebody asks for jobs like {job}, and nobody ever has");
                    found("worker made up", says, *job, call, at)
                });
            }
            // Whoever asked in the same opening, and was answered before anybody wanted to know, was surely seen.
            let opening = opened.iter().rev().find(|opened| **opened <= call.invoked);
            let Some(opening) = opening.filter(|_| !opened.iter().any(|it| (call.invoked..=at).contains(it))) else {
                continue;
            };
            let seen = alike().filter(|(claim, _)| {
                let is_first = facts.first_sent.get(&claim.what.id) == Some(&claim.invoked);
                let is_answered = claim.reply().is_some_and(|(answered, _)| answered < call.invoked);
                is_first && is_answered && claim.invoked >= *opening
            });
            let Some((latest, _)) = seen.max_by_key(|(claim, _)| claim.invoked) else { continue };
            let most = (at - latest.invoked).mul_f64(1.0 + DRIFT) + ROUNDED;
            let is_said = asked_ms_ago.is_some_and(|ago| Duration::from_millis(ago) <= most);
            report.expect("I4.o", is_said, || {
                let said = asked_ms_ago.map_or("never".to_owned(), |ago| format!("{ago} ms ago for the last time"));
                let says = format!(
                    "it is said that jobs like {job} were asked for {said}, and somebody has at {:.3?}, and was answered",
                    latest.invoked
                );
                found("worker unseen", says, *job, call, at).call(latest.number)
            });
        }
    }
}

fn found(transition: &str, says: String, job: JobId, call: &CallFact, at: Duration) -> Finding {
    Finding::new(transition, says).job(job).call(call.number).at(at)
}

fn claim(call: &CallFact) -> Option<(&CallFact, &Claim)> {
    if let Request::Claim(claim) = &call.what.request { Some((call, claim)) } else { None }
}
