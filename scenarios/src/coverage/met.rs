//! What runs met, by name: each feature, request, reason to wait, end of an attempt, kind of failure, and refusal. A large
//! batch must meet all of them: what no seed meets is not tested, whatever the clauses say.

use crate::checkers::Facts;
use crate::drive::Evidence;
use crate::event::Event;
use crate::workload::{Act, Intent, Plan, Workload};
use outlive::Retention;
use outlive::job::explain::Doing;
use outlive::job::{AttemptEnd, Backoff, CatchUp, How, Policy};
use outlive::protocol::{CallError, Renewal, Reply};
use outlive_sim::Seed;
use serde::Serialize;
use std::collections::BTreeSet;

/// Something that was met: of which sort, and its name.
pub type Met = (String, String);

const REQUESTS: [&str; 31] = [
    "enqueue",
    "enqueue-all",
    "claim",
    "heartbeat",
    "start",
    "step",
    "progress",
    "log",
    "complete",
    "fail",
    "release",
    "snooze",
    "wait",
    "signal",
    "obey",
    "cancel",
    "retry",
    "bulk",
    "list",
    "limit",
    "policy",
    "schedule",
    "unschedule",
    "schedules",
    "pause",
    "resume",
    "settle",
    "explain",
    "look",
    "gates",
    "await",
];
/// All but `lease-expired`: the loss of a lease is written before anybody is answered, unless 256 others are due. A
/// conformance test has so many.
const REASONS: [&str; 14] = [
    "delay",
    "schedule",
    "backoff",
    "crash-backoff",
    "snooze",
    "condition",
    "signal",
    "jobs",
    "paused",
    "service-down",
    "suspect",
    "slots",
    "rate",
    "line",
];
/// All but `internal`, which would be a bug of ours.
const REFUSALS: [&str; 18] = [
    "unknown-job",
    "forgotten",
    "stale-lease",
    "lease-expired",
    "attempt-ended",
    "overdue",
    "finished",
    "not-retryable",
    "key-conflict",
    "never-met",
    "waits-for-itself",
    "signal-conflict",
    "one-of-many",
    "request-id-reused",
    "limit",
    "storage-full",
    "statement",
    "rolled-back",
];

/// What is done with the file itself.
const DONE_WITH_THE_FILE: [&str; 2] = ["copied", "made smaller"];

/// Everything that there is to be met.
pub fn all() -> impl Iterator<Item = Met> {
    let features = features(&Plan::of_seed(Seed(0), Workload::Both)).into_iter().map(|(name, _)| name);
    let of = |sort: &'static str, names: Vec<String>| names.into_iter().map(move |name| (sort.to_owned(), name));
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    of("feature", features.collect())
        .chain(of("request", words(&REQUESTS)))
        .chain(of("wait", words(&REASONS)))
        .chain(of("attempt", AttemptEnd::ALL.iter().map(ToString::to_string).collect()))
        .chain(of("failure", How::ALL.iter().map(ToString::to_string).collect()))
        .chain(of("refusal", words(&REFUSALS)))
        .chain(of("file", words(&DONE_WITH_THE_FILE)))
}

/// What a run met.
pub fn met(evidence: &Evidence, facts: &Facts) -> BTreeSet<Met> {
    let mut met = BTreeSet::new();
    let mut meet = |sort: &str, name: String| {
        met.insert((sort.to_owned(), name));
    };
    for (name, _) in features(&evidence.plan).into_iter().filter(|(_, on)| *on) {
        meet("feature", name);
    }
    for (call, _, answer) in facts.answered() {
        match answer {
            Ok(reply) => {
                meet("request", call.what.request.name().to_owned());
                if let Reply::Explained(it) | Reply::Awaited { explanation: it, .. } = reply
                    && let Doing::Waiting { blockers } = &it.doing
                {
                    blockers.iter().for_each(|blocker| meet("wait", tag(&blocker.reason, "reason")));
                }
                if let Reply::Renewed { leases } = reply {
                    for renewal in leases {
                        if let Renewal::Lost { why } = renewal {
                            meet("refusal", tag(why, "refused"));
                        }
                    }
                }
            }
            Err(CallError::Refused(why)) => meet("refusal", tag(why, "refused")),
            Err(_) => {}
        }
    }
    for entry in &evidence.entries {
        match &entry.event {
            Event::Refused(why) => meet("refusal", tag(why, "refused")),
            Event::CopyMade { failed: None, .. } => meet("file", "copied".to_owned()),
            Event::Compacted(Ok(made)) if made.freed_bytes() > 0 => meet("file", "made smaller".to_owned()),
            _ => {}
        }
    }
    if let Ok(rows) = &evidence.rows {
        rows.attempts.values().filter_map(|it| it.ended.clone()).for_each(|end| meet("attempt", end));
        rows.failures.values().for_each(|it| meet("failure", it.how.clone()));
    }
    met
}

/// The features of a plan, and whether each takes part.
fn features(plan: &Plan) -> Vec<(String, bool)> {
    let flags = serde_json::to_value(plan.features).expect("features are JSON");
    let flags = flags.as_object().into_iter().flatten().map(|(name, on)| (name.clone(), *on == true));
    let finds_down = |intent: &Intent| {
        let acts = intent.script().map(|script| script.acts).unwrap_or_default();
        acts.iter().any(|act| matches!(act, Act::ServiceDown(_)))
    };
    let any_limit = |is: fn(&outlive::protocol::QueueLimits) -> bool| plan.limits.iter().any(is);
    let any_policy = |is: fn(&Policy) -> bool| plan.policies.iter().any(|it| is(&it.policy));
    let any_schedule = |catch_up: CatchUp| plan.schedules.iter().any(|it| it.catch_up == catch_up);
    let others = [
        ("keys that end", plan.intents.iter().any(Intent::recurs)),
        ("services that are down", plan.intents.iter().any(finds_down)),
        ("limits of leases", any_limit(|it| it.at_once.is_some())),
        ("limits of leases of a key", any_limit(|it| it.at_once_per_key.is_some())),
        ("rates", any_limit(|it| it.rate.is_some())),
        ("fixed rests", any_policy(|it| matches!(it.backoff, Some(Backoff::Fixed { .. })))),
        ("growing rests of a kind", any_policy(|it| matches!(it.backoff, Some(Backoff::Exponential { .. })))),
        ("attempts of a kind", any_policy(|it| it.max_attempts.is_some())),
        ("crashes of a kind", any_policy(|it| it.crashes_max.is_some())),
        ("time-outs", any_policy(|it| it.timeout_ms.is_some())),
        ("deadlines of a kind", any_policy(|it| it.max_age_ms.is_some())),
        ("schedules that skip", any_schedule(CatchUp::Skip)),
        ("schedules that have the latest", any_schedule(CatchUp::Latest)),
        ("schedules that have all", any_schedule(CatchUp::All)),
        ("deploys", plan.deploy.is_some()),
        ("retention", plan.options.retention != Retention::FOREVER),
        ("ageing", plan.options.ageing.is_some()),
        ("checksums", plan.options.page_checksums),
        ("deadlines", plan.intents.iter().any(|intent| intent.enqueue.max_age_ms.is_some())),
    ];
    flags.chain(others.map(|(name, on)| (name.to_owned(), on))).collect()
}

/// The word that tells a value from others of its type.
fn tag(value: &impl Serialize, name: &str) -> String {
    let value = serde_json::to_value(value).expect("what goes over a wire is JSON");
    value[name].as_str().unwrap_or_else(|| panic!("{value} has no {name}")).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use outlive::job::{JobId, Refusal, State};

    #[test]
    fn what_is_met_is_among_what_there_is() {
        let all: BTreeSet<Met> = all().collect();
        let met = [
            Refusal::WaitsForItself { job: JobId(1), through: JobId(2) },
            Refusal::NeverMet { job: JobId(1), state: State::Discarded },
            Refusal::RequestIdReused,
            Refusal::Statement { why: String::new() },
        ];
        for refusal in met {
            assert!(all.contains(&("refusal".into(), tag(&refusal, "refused"))), "{refusal}");
        }
        assert!(all.contains(&("feature".into(), "pauses".into())));
        assert_eq!(all.len(), super::all().count(), "none is there twice");
    }
}
