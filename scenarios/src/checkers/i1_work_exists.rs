//! I1: work exists independently of the worker.

mod copies;
mod forgetting;
mod slots;
mod together;
mod traces;

pub use forgetting::forgotten_after;

use super::facts::{is_decided_anew, may_recur, number_of};
use super::policies::Policies;
use super::{Checker, Facts, Finding, Report};
use crate::drive::Evidence;
use crate::image::{JobRow, Rows};
use outlive::job::{Next, Policy, Refusal, RequestId};
use outlive::protocol::{CallError, Enqueue, Reply, Request};
use outlive::{Effect, JobId};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// See the module.
pub const CHECKER: Checker = Checker {
    invariant: "I1",
    title: "work exists independently of the worker",
    clauses: &[
        ("I1.a", "every acknowledged enqueue is in the file, as it was asked for"),
        ("I1.b", "an enqueue is there at most once, answered or not"),
        ("I1.c", "no job is there that nobody enqueued"),
        ("I1.d", "an acknowledged end is never undone"),
        ("I1.e", "an acknowledged claim is in the file"),
        ("I1.f", "the file reads, and is whole"),
        ("I1.g", "what was said to have changed nothing has changed nothing, and never does"),
        ("I1.h", "nothing is refused because the queue's own rows contradict each other"),
        ("I1.i", "each slot of a schedule has its job, or is recorded as skipped"),
        ("I1.j", "what is forgotten had ended, and its time was over"),
        ("I1.k", "what has ended is forgotten after its time, and all of it"),
        ("I1.l", "jobs that were enqueued together are there together, or none is"),
        (
            "I1.m",
            "a copy of the file is whole, and has what was acknowledged before it was asked for, and nothing later than itself",
        ),
        ("I1.n", "each attempt is told in which trace its job was enqueued"),
    ],
    check,
};

fn check(evidence: &Evidence, facts: &Facts, report: &mut Report) {
    let rows = match &evidence.rows {
        Ok(rows) => rows,
        Err(why) => {
            let found = || Finding::new("file read", format!("the file does not read: {why}"));
            return report.expect("I1.f", false, found);
        }
    };
    report.expect("I1.f", true, || unreachable!("it holds"));
    enqueued(facts, rows, report);
    slots::check(evidence, facts, rows, report);
    forgetting::check(evidence, facts, rows, report);
    once(facts, rows, report);
    together::check(facts, rows, report);
    copies::check(evidence, facts, report);
    traces::check(evidence, facts, report);
    internal(facts, report);
    ends(facts, rows, report);
    impossible(evidence, facts, rows, report);
    for (token, grant) in &facts.grants {
        let row = rows.attempts.get(&token.0);
        let same = row.is_some_and(|row| row.job == grant.lease.job.0 && row.number == i64::from(grant.attempt));
        report.expect("I1.e", same, || {
            let (job, transition) = (grant.lease.job, if row.is_some() { "claim altered" } else { "claim lost" });
            let says = format!("job {job} was granted under token {}, but its attempt's row is {row:?}", token.0);
            Finding::new(transition, says).job(job).attempt(*token).call(grant.call).at(grant.answered)
        });
    }
}

fn enqueued(facts: &Facts, rows: &Rows, report: &mut Report) {
    let policies = Policies::of(facts);
    for call in &facts.apart {
        let (Request::Enqueue(asked), Some((at, Reply::Enqueued { job, fresh }))) = (&call.what.request, call.reply())
        else {
            continue;
        };
        let row = rows.jobs.get(&job.0);
        // What stands under a key already may have been asked for at any time before.
        let asked_from = if *fresh { facts.first_sent[&call.what.id] } else { Duration::ZERO };
        let possible = policies.possible(&asked.kind, asked_from, at);
        let tries = |row: &JobRow| {
            // Whoever retries a job lifts its deadline.
            let retried = row.retried_ms.is_some() && row.deadline_wall_ms.is_none();
            possible.iter().any(|policy| has_tries(row, asked, policy, retried))
        };
        let same = row.is_some_and(|row| {
            row.kind == asked.kind
                && row.queue == asked.queue
                && row.priority == i64::from(asked.priority)
                && row.trace_parent == asked.trace_parent.as_ref().map(|parent| parent.to_string())
                && tries(row)
                && json(&row.payload) == json(&asked.payload)
        });
        report.expect("I1.a", same, || {
            let (transition, says) = match row {
                None => ("enqueue lost", format!("job {job} was acknowledged at {at:.1?} and is not in the file")),
                Some(row) => ("enqueue altered", format!("job {job} was asked for as {asked:?}, and is {row:?}")),
            };
            Finding::new(transition, says).job(*job).call(call.number).at(at)
        });
    }
}

/// Whether a job is tried as often and for as long as was asked for, or as the policy of its kind says.
fn has_tries(row: &JobRow, asked: &Enqueue, policy: &Policy, retried: bool) -> bool {
    let attempts = asked.max_attempts.or(policy.max_attempts).unwrap_or(25);
    let age = asked.max_age_ms.or(policy.max_age_ms).map(u64::cast_signed);
    let has_deadline = retried || row.deadline_wall_ms == age.map(|age| row.enqueued_ms + age);
    row.max_attempts == i64::from(attempts) && has_deadline
}

fn once(facts: &Facts, rows: &Rows, report: &mut Report) {
    let wishes = || {
        facts.apart.iter().filter_map(|call| match &call.what.request {
            Request::Enqueue(asked) => Some((number_of(&asked.payload)?, may_recur(asked))),
            _ => None,
        })
    };
    let scheduled = facts.calls.iter().filter_map(|call| match &call.what.request {
        Request::Schedule(asked) => number_of(&asked.job.payload),
        _ => None,
    });
    let scheduled: BTreeSet<u64> = scheduled.collect();
    let asked: BTreeSet<u64> = wishes().map(|(number, _)| number).chain(scheduled.iter().copied()).collect();
    // How often these are made is what their key decides, or their schedule.
    let recurring = wishes().filter(|(_, recurs)| *recurs).map(|(number, _)| number);
    let recurring: BTreeSet<u64> = recurring.chain(scheduled).collect();
    let mut jobs: BTreeMap<u64, Vec<i64>> = BTreeMap::new();
    for (id, row) in &rows.jobs {
        let number = number_of(&row.payload);
        report.expect("I1.c", number.is_some_and(|number| asked.contains(&number)), || {
            let says = format!("job {id} is in the file, and nobody asked for {}", row.payload);
            Finding::new("job invented", says).job(JobId(*id))
        });
        jobs.entry(number.unwrap_or(0)).or_default().push(*id);
    }
    for number in asked.difference(&recurring).copied() {
        let there = jobs.get(&number).map_or(&[][..], Vec::as_slice);
        report.expect("I1.b", there.len() <= 1, || {
            let wishes = facts.apart.iter().filter(|call| match &call.what.request {
                Request::Enqueue(asked) => number_of(&asked.payload) == Some(number),
                _ => false,
            });
            Finding::new("enqueue made twice", format!("wish {number} was enqueued as jobs {there:?}"))
                .job(JobId(there[1]))
                .calls(wishes.map(|call| call.number))
        });
    }
}

fn internal(facts: &Facts, report: &mut Report) {
    for (call, at, answer) in facts.answered() {
        let why = match answer {
            Err(CallError::Refused(Refusal::Internal { message })) => Some(message),
            _ => None,
        };
        report.expect("I1.h", why.is_none(), || {
            let (name, why) = (call.what.request.name(), why.map_or("", String::as_str));
            Finding::new(format!("{name} refused by a bug"), format!("{name} was refused: {why}"))
                .call(call.number)
                .at(at)
        });
    }
}

fn ends(facts: &Facts, rows: &Rows, report: &mut Report) {
    for call in &facts.calls {
        let Some((at, reply)) = call.reply() else { continue };
        let (job, expected) = match (&call.what.request, reply) {
            (Request::Complete { lease, .. }, Reply::Done) => (lease.job, "completed"),
            (Request::Fail { lease, .. }, Reply::Failed { next: Next::Discard }) => (lease.job, "discarded"),
            (Request::Fail { lease, .. }, Reply::Failed { next: Next::Cancel }) => (lease.job, "cancelled"),
            (Request::Obey { lease }, Reply::Done) => (lease.job, "cancelled"),
            (Request::Cancel { job }, Reply::Cancelled { at_once: true }) => (*job, "cancelled"),
            _ => continue,
        };
        if facts.retried.contains(&job) && expected != "completed" {
            continue;
        }
        let state = rows.jobs.get(&job.0).map(|row| row.state.as_str());
        report.expect("I1.d", state == Some(expected), || {
            let now = state.unwrap_or("gone");
            let says = format!("job {job} was acknowledged as {expected} at {at:.1?}, and is {now}");
            let found = Finding::new(format!("{expected} undone"), says).job(job).call(call.number).at(at);
            call.lease().into_iter().fold(found, |found, lease| found.attempt(lease.token))
        });
    }
}

/// A name whose every call was answered, each with an error that says that nothing has happened.
fn impossible(evidence: &Evidence, facts: &Facts, rows: &Rows, report: &mut Report) {
    let mut told: BTreeMap<RequestId, Option<(Duration, &CallError)>> = BTreeMap::new();
    // What settles a transaction goes by the name of that, and says nothing of it if it is not heard.
    let named =
        |request: &Request| !request.is_read() && !is_decided_anew(request) && !matches!(request, Request::Settle);
    for call in facts.calls.iter().filter(|call| named(&call.what.request)) {
        // What a middlebox hears is no news to whoever asked.
        if evidence
            .plan
            .setting
            .cluster()
            .is_some_and(|machines| machines.middlebox == Some(facts.machine(call.process)))
        {
            continue;
        }
        let error = call.answer.as_ref().and_then(|(at, answer)| Some((*at, answer.as_ref().as_ref().err()?)));
        let error = error.filter(|(_, error)| error.effect() == Effect::Impossible);
        told.entry(call.what.id).and_modify(|earlier| *earlier = earlier.and(error)).or_insert(error);
    }
    for (id, error) in told {
        let Some((at, error)) = error else { continue };
        report.expect("I1.g", !rows.requests.contains(&id.0), || {
            let says =
                format!("request {id} was told at {at:.3?} that nothing was changed ({error}), and it is in the file");
            let calls: Vec<_> = facts.calls.iter().filter(|call| call.what.id == id).collect();
            let name = calls.first().map_or("request", |call| call.what.request.name());
            Finding::new(format!("{name} called impossible"), says).calls(calls.iter().map(|call| call.number)).at(at)
        });
    }
}

fn json(text: &str) -> Option<serde_json::Value> {
    serde_json::from_str(text).ok()
}
