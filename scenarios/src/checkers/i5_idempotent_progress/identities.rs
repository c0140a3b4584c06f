//! What a job is called outside of the queue: claims are told, and handlers have their idempotency keys from it.

use crate::checkers::{Facts, Finding, Report};
use crate::drive::Evidence;
use crate::event::Event;
use crate::workload::EFFECT;
use outlive::JobId;
use outlive::protocol::{Reply, Request};
use std::collections::BTreeMap;

pub fn check(evidence: &Evidence, facts: &Facts, report: &mut Report) {
    let mut told: Vec<(JobId, String)> = Vec::new();
    for (call, _, answer) in facts.answered() {
        if let (Request::Claim(_), Ok(Reply::Claimed { grants })) = (&call.what.request, answer) {
            told.extend(grants.iter().map(|grant| (grant.lease.job, format!("{}-{EFFECT}", grant.identity))));
        }
    }
    for entry in &evidence.entries {
        if let Event::HandlerStarted { job, key, .. } = &entry.event {
            told.push((*job, key.clone()));
        }
    }
    let mut keys: BTreeMap<JobId, &str> = BTreeMap::new();
    let mut jobs: BTreeMap<&str, JobId> = BTreeMap::new();
    for (job, key) in &told {
        let (first, owner) = (*keys.entry(*job).or_insert(key), *jobs.entry(key).or_insert(*job));
        report.expect("I5.t", first == key && owner == *job, || {
            let says = match first == key {
                true => format!("job {job} has the idempotency key {key}, and so has job {owner}"),
                false => format!("job {job} has the idempotency key {key}, and had {first} before"),
            };
            Finding::new("idempotency key not its own", says).job(*job)
        });
    }
}
