//! Steps: by what their holders were told, by what handlers did, and by the rows at the end.

use crate::checkers::facts::same_json as same;
use crate::checkers::{Facts, Finding, Report};
use crate::drive::Evidence;
use crate::event::Event;
use outlive::JobId;
use outlive::job::Token;
use outlive::protocol::{Reply, Request};
use std::collections::BTreeMap;
use std::time::Duration;

/// What somebody was told first of a step.
struct Told<'a> {
    call: u64,
    token: Token,
    at: Duration,
    result: &'a str,
}

pub fn check(evidence: &Evidence, facts: &Facts, report: &mut Report) {
    let told = results(evidence, facts, report);
    runs(evidence, facts, &told, report);
}

type Results<'a> = BTreeMap<(JobId, &'a str), Told<'a>>;

fn results<'a>(evidence: &Evidence, facts: &'a Facts, report: &mut Report) -> Results<'a> {
    let mut told: Results<'a> = BTreeMap::new();
    for (call, at, answer) in facts.answered() {
        let (Request::Step { lease, name, .. }, Ok(Reply::Stepped { result })) = (&call.what.request, answer) else {
            continue;
        };
        let this = Told { call: call.number, token: lease.token, at, result };
        let first = told.entry((lease.job, name)).or_insert(this);
        let stored = evidence.rows.as_ref().ok().map(|rows| rows.steps.get(&(lease.job.0, name.clone())));
        let is_kept = stored.is_none_or(|row| row.is_some_and(|row| same(&row.result, result)));
        report.expect("I5.j", same(first.result, result) && is_kept, || {
            let (job, before) = (lease.job, first.result);
            let transition = match stored {
                Some(None) => "step lost",
                _ if is_kept => "step answered anew",
                _ => "step altered",
            };
            let row = stored.flatten();
            let says =
                format!("step {name} of job {job} came to {before}, was told as {result}, and its row is {row:?}");
            let found = Finding::new(transition, says).job(job).attempt(first.token).attempt(lease.token);
            found.calls([first.call, call.number]).at(at)
        });
    }
    told
}

fn runs(evidence: &Evidence, facts: &Facts, told: &Results<'_>, report: &mut Report) {
    for entry in &evidence.entries {
        let Event::StepRan { job, attempt, name } = &entry.event else { continue };
        let Some(first) = told.get(&(*job, name.as_str())) else { continue };
        let tokens = facts.tokens.get(job).into_iter().flatten();
        let grant = tokens.map(|token| &facts.grants[token]).find(|grant| grant.attempt == *attempt);
        // Whoever claimed before the result was there may run it, and is told of the first one.
        let Some(grant) = grant.filter(|grant| grant.claimed > first.at) else { continue };
        report.expect("I5.k", false, || {
            let says = format!(
                "step {name} of job {job} had come to {} at {:.3?}, and attempt {attempt} ran it again at {:.3?}",
                first.result, first.at, entry.at
            );
            let found = Finding::new("step run again", says).job(*job).attempt(first.token);
            found.attempt(grant.lease.token).call(first.call).at(entry.at)
        });
    }
    // A later attempt that asked for what is kept of its job, as handlers with steps do, was put to the test.
    for ((job, _), first) in told {
        let tokens = facts.tokens.get(job).into_iter().flatten();
        let later = tokens.map(|token| &facts.grants[token]).filter(|grant| grant.claimed > first.at);
        let asked = later.filter(|grant| {
            facts.calls.iter().any(|call| {
                matches!(call.what.request, Request::Look { job: of } if of == *job)
                    && call.process == grant.process
                    && call.invoked > grant.claimed
                    && call.reply().is_some()
            })
        });
        (0..asked.count()).for_each(|_| report.expect("I5.k", true, || unreachable!("it holds")));
    }
}
