//! What workers decide by themselves of failures: what they are told of each, and what they say of it.

use super::counts_as_failure;
use crate::checkers::{Facts, Finding, Report};
use crate::drive::Evidence;
use crate::image::Rows;
use crate::workload::{RESTS, SAID_BY_HAND, Sentence, sentence};
use outlive::job::{How, Lease};
use outlive::protocol::{Reported, Request};
use std::time::Duration;

pub fn check(evidence: &Evidence, facts: &Facts, rows: &Rows, report: &mut Report) {
    if !evidence.plan.features.judges {
        return;
    }
    for call in &facts.calls {
        let Request::Fail { lease, failure } = &call.what.request else { continue };
        let Lease { job, token, .. } = *lease;
        // Whoever claims by hand decides nothing.
        if failure.message == SAID_BY_HAND || !rows.jobs.contains_key(&job.0) {
            continue;
        }
        let before = rows.failures.range(..token.0).filter(|(_, row)| row.job == job.0 && counts_as_failure(row));
        let failures = 1 + u32::try_from(before.count()).expect("a count");
        let decided = sentence(failure.how, failures);
        report.expect("I3.k", is_as_decided(failure, decided), || {
            let says = format!("{decided:?} is decided of failure {failures} of job {job}, and said is: {failure:?}");
            let found = Finding::new("failure not as its worker decides", says).job(job).attempt(token);
            found.call(call.number).at(call.invoked)
        });
    }
}

fn is_as_decided(said: &Reported, decided: Sentence) -> bool {
    let panicked = said.causes.iter().any(|cause| cause.contains("panicked, so the policy of its kind did"));
    let after_ms = |rest: Duration| u64::try_from(rest.as_millis()).ok();
    // What a handler returns may say when, or that it would not help; what became of it instead says neither.
    let is_as_it_was = said.how == How::Error && said.retry_after_ms != after_ms(RESTS)
        || said.how != How::Error && said.retryable && said.retry_after_ms.is_none();
    match decided {
        Sentence::AsItIs => !panicked && is_as_it_was,
        Sentence::After(rest) => !panicked && said.retry_after_ms == after_ms(rest),
        Sentence::ForGood => !panicked && !said.retryable && said.retry_after_ms.is_none(),
        Sentence::Nobody => panicked && is_as_it_was,
    }
}
