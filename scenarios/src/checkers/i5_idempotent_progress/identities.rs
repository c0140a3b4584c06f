//! What a job is called outside of the queue, where its idempotency keys come from.

use crate::checkers::{Facts, Finding, Report};
use outlive::JobId;
use outlive::protocol::{Reply, Request};
use std::collections::BTreeMap;

pub fn check(facts: &Facts, report: &mut Report) {
    let mut names: BTreeMap<JobId, &str> = BTreeMap::new();
    let mut jobs: BTreeMap<&str, JobId> = BTreeMap::new();
    for (call, at, answer) in facts.answered() {
        let (Request::Claim(_), Ok(Reply::Claimed { grants })) = (&call.what.request, answer) else { continue };
        for grant in grants {
            let (job, name) = (grant.lease.job, &*grant.identity);
            let (known_as, is_of) = (*names.entry(job).or_insert(name), *jobs.entry(name).or_insert(job));
            report.expect("I5.t", known_as == name && is_of == job, || {
                let says = if known_as == name {
                    format!("job {job} is called {name} to the outside, and so is job {is_of}")
                } else {
                    format!(
                        "job {job} is called {name} to the outside, and was called {known_as} in an earlier attempt"
                    )
                };
                let found = Finding::new("name of a job not its own", says).job(job).attempt(grant.lease.token);
                found.call(call.number).at(at)
            });
        }
    }
}
