//! I5: progress is idempotent by default.

use super::facts::number_of;
use super::{Checker, Facts, Report};
use crate::drive::Evidence;
use crate::event::Event;
use outlive::JobId;
use outlive::job::RequestId;
use outlive::protocol::{CallError, Reply, Request};
use outlive_sim::Entry;
use std::collections::BTreeMap;
use std::time::Duration;

/// See the module.
pub const CHECKER: Checker = Checker {
    invariant: "I5",
    title: "progress is idempotent by default",
    clauses: &[
        ("I5.a", "a job is completed once, however often it ran"),
        ("I5.b", "a repeated request gets its first answer"),
        ("I5.c", "a completed job never runs again"),
        ("I5.d", "the stored result is the accepted one"),
        ("I5.e", "a key stands for one job"),
        ("I5.f", "an enqueue that was repeated because its outcome was unknown made one job"),
    ],
    check,
};

fn check(evidence: &Evidence, facts: &Facts, report: &mut Report) {
    completions(evidence, facts, report);
    repeats(facts, report);
    keys(facts, report);
    repeated_enqueues(evidence, facts, report);
}

fn completions(evidence: &Evidence, facts: &Facts, report: &mut Report) {
    let mut completed: BTreeMap<JobId, (RequestId, Duration, Option<&String>)> = BTreeMap::new();
    for (call, at, answer) in facts.answered() {
        let (Request::Complete { lease, result }, Ok(Reply::Done)) = (&call.what.request, answer) else { continue };
        let first = completed.entry(lease.job).or_insert((call.what.id, at, result.as_ref()));
        let again = first.0 != call.what.id;
        report.expect("I5.a", !again, || {
            format!("job {} was completed at {:.3?}, and again at {at:.3?}", lease.job, first.1)
        });
    }
    let mut begun: BTreeMap<JobId, Vec<&Entry<Event>>> = BTreeMap::new();
    for entry in &evidence.entries {
        if let Event::HandlerStarted { job, .. } = entry.event {
            begun.entry(job).or_default().push(entry);
        }
    }
    for (job, (_, at, result)) in &completed {
        let tokens = facts.tokens.get(job).into_iter().flatten();
        let again = tokens.map(|token| &facts.grants[token]).find(|grant| grant.claimed > *at);
        let started = begun.get(job).into_iter().flatten().find(|entry| {
            // Who slept meanwhile goes on with what it had begun, and is turned away with it.
            let asleep = || entry.process.is_some_and(|process| facts.slept_from(process, *at, entry.at));
            entry.at > *at && !asleep()
        });
        report.expect("I5.c", again.is_none() && started.is_none(), || {
            let when = again.map(|grant| grant.answered).or(started.map(|entry| entry.at));
            format!("job {job} was completed at {at:.3?}, and ran again at {:.3?}", when.expect("it ran"))
        });
        let Ok(rows) = &evidence.rows else { continue };
        let stored = rows.jobs.get(&job.0).and_then(|row| row.result.as_ref());
        let same = |text: Option<&String>| text.and_then(|text| serde_json::from_str::<serde_json::Value>(text).ok());
        report.expect("I5.d", same(stored) == same(*result), || {
            format!("job {job} was completed with {result:?}, and its row has {stored:?}")
        });
    }
}

fn repeats(facts: &Facts, report: &mut Report) {
    let mut first: BTreeMap<RequestId, &Reply> = BTreeMap::new();
    for (call, at, answer) in facts.answered() {
        let remembered = match &call.what.request {
            Request::Heartbeat { .. } | Request::Start { .. } | Request::Explain { .. } | Request::Look { .. } => false,
            // A claim that got nothing may as well get something.
            Request::Claim(_) => !matches!(answer, Ok(Reply::Claimed { grants }) if grants.is_empty()),
            _ => true,
        };
        if !remembered {
            continue;
        }
        let name = call.what.request.name();
        match (first.get(&call.what.id), answer) {
            (None, Ok(reply)) => drop(first.insert(call.what.id, reply)),
            (Some(before), Ok(reply)) => report.expect("I5.b", same(before, reply), || {
                format!("{name} {} was answered {before:?}, and at {at:.3?} {reply:?}", call.what.id)
            }),
            (Some(before), Err(CallError::Refused(refusal))) => report.expect("I5.b", false, || {
                format!("{name} {} was answered {before:?}, and refused at {at:.3?}: {refusal}", call.what.id)
            }),
            _ => {}
        }
    }
}

/// A claim's answer is its leases: counts of the job may have moved on since.
fn same(before: &Reply, now: &Reply) -> bool {
    match (before, now) {
        (Reply::Claimed { grants: before }, Reply::Claimed { grants: now }) => {
            before.iter().map(|it| it.lease).eq(now.iter().map(|it| it.lease))
        }
        _ => before == now,
    }
}

fn keys(facts: &Facts, report: &mut Report) {
    let mut jobs: BTreeMap<(&str, &str), JobId> = BTreeMap::new();
    for (call, _, answer) in facts.answered() {
        let (Request::Enqueue(asked), Ok(Reply::Enqueued { job, .. })) = (&call.what.request, answer) else { continue };
        let Some(key) = &asked.key else { continue };
        let first = *jobs.entry((&asked.kind, key)).or_insert(*job);
        report.expect("I5.e", first == *job, || format!("key {key:?} stands for job {first}, and for job {job}"));
    }
}

fn repeated_enqueues(evidence: &Evidence, facts: &Facts, report: &mut Report) {
    let Ok(rows) = &evidence.rows else { return };
    let mut made: BTreeMap<u64, usize> = BTreeMap::new();
    for number in rows.jobs.values().filter_map(|row| number_of(&row.payload)) {
        *made.entry(number).or_default() += 1;
    }
    let mut tries: BTreeMap<RequestId, (u64, bool)> = BTreeMap::new();
    for call in &facts.calls {
        let Request::Enqueue(asked) = &call.what.request else { continue };
        let Some(number) = number_of(&asked.payload) else { continue };
        let unknown =
            matches!(call.answer.as_ref().map(|(_, answer)| &**answer), None | Some(Err(CallError::Unknown { .. })));
        if let Some((number, true)) = tries.get(&call.what.id).copied() {
            let jobs = made.get(&number).copied().unwrap_or(0);
            report.expect("I5.f", jobs <= 1, || {
                format!("enqueue {} was repeated because its outcome was unknown, and made {jobs} jobs", call.what.id)
            });
        }
        tries.insert(call.what.id, (number, unknown));
    }
}
