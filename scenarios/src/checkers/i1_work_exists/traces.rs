//! The trace that a job is a part of.

use crate::checkers::{Facts, Finding, Report, number_of};
use crate::drive::Evidence;
use outlive::protocol::Reply;

/// Each attempt, the first one and all others, is told in which trace its job was enqueued.
pub fn check(evidence: &Evidence, facts: &Facts, report: &mut Report) {
    for call in &facts.calls {
        let Some((at, Reply::Claimed { grants })) = call.reply() else { continue };
        for granted in grants {
            let number = number_of(&granted.payload);
            let intent = evidence.plan.intents.iter().find(|intent| Some(intent.number) == number);
            let Some(intent) = intent else { continue };
            let (asked, told) = (intent.enqueue.trace_parent.as_deref().copied(), granted.trace_parent);
            report.expect("I1.n", told == asked, || {
                let job = granted.lease.job;
                let says = format!(
                    "job {job} was enqueued in the trace {asked:?}, and its attempt {} was told of {told:?}",
                    granted.attempt
                );
                let found = Finding::new("attempt out of its trace", says).job(job).attempt(granted.lease.token);
                found.call(call.number).at(at)
            });
        }
    }
}
