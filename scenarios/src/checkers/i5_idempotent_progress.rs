//! I5: progress is idempotent by default.

mod effects;
mod identities;
mod keys;
mod progress;
mod settled;
mod signals;
mod slots;
mod steps;

use super::facts::{is_decided_anew, may_recur, number_of};
use super::{CallFact, Checker, Facts, Finding, Report};
use crate::drive::Evidence;
use crate::event::Event;
use outlive::JobId;
use outlive::job::{Holder, Lease, Refusal, RequestId};
use outlive::protocol::{CallError, Claim, Reply, Request};
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
        ("I5.e", "a key stands for one job, for as long as its scope lasts"),
        ("I5.f", "an enqueue that was repeated because its outcome was unknown made one job"),
        ("I5.g", "an effect in the caller's own tables is there once, with its completion, or not at all"),
        ("I5.h", "the jobs that follow an effect are there once, with the effect, or not at all"),
        ("I5.i", "what the caller's own rows add up to is kept"),
        ("I5.j", "a step has one result: the first that was stored"),
        ("I5.k", "a step whose result an earlier attempt was told of does not run again"),
        ("I5.l", "a step's effect in the caller's own tables is there once, with the step, or not at all"),
        ("I5.m", "a transaction whose commit was not answered is settled as what it is"),
        ("I5.n", "whoever reads the caller's own rows sees whole transactions"),
        ("I5.o", "a key whose scope has ended stands for nothing"),
        ("I5.p", "how far a job has come is never less than what was acknowledged, nor anything else"),
        ("I5.q", "an acknowledged signal is in the file once, as it was sent"),
        ("I5.r", "each signal is taken by one step, the oldest first, and no step has one that is not its own"),
        ("I5.s", "a slot of a schedule has one job, not before its time, as the schedule asks for it"),
        ("I5.t", "a job has one idempotency key for an effect in all its attempts, and no other job has it"),
    ],
    check,
};

fn check(evidence: &Evidence, facts: &Facts, report: &mut Report) {
    completions(evidence, facts, report);
    repeats(facts, report);
    keys::check(evidence, facts, report);
    identities::check(evidence, facts, report);
    repeated_enqueues(evidence, facts, report);
    if let Ok(rows) = &evidence.rows {
        effects::check(rows, report);
        signals::check(facts, rows, report);
        slots::check(facts, rows, report);
    }
    steps::check(evidence, facts, report);
    progress::check(evidence, facts, report);
    settled::check(evidence, facts, report);
}

fn completions(evidence: &Evidence, facts: &Facts, report: &mut Report) {
    let mut completed: BTreeMap<JobId, Completed<'_>> = BTreeMap::new();
    for (call, at, answer) in facts.answered() {
        let (Request::Complete { lease, result }, Ok(Reply::Done)) = (&call.what.request, answer) else { continue };
        let this = Completed { request: call.what.id, call: call.number, lease: *lease, at, result: result.as_ref() };
        let first = completed.entry(lease.job).or_insert(this);
        let again = first.request != call.what.id;
        report.expect("I5.a", !again, || {
            let says = format!("job {} was completed at {:.3?}, and again at {at:.3?}", lease.job, first.at);
            let found = Finding::new("complete accepted twice", says).job(lease.job).attempt(first.lease.token);
            found.attempt(lease.token).calls([first.call, call.number]).at(at)
        });
    }
    let mut begun: BTreeMap<JobId, Vec<&Entry<Event>>> = BTreeMap::new();
    for entry in &evidence.entries {
        if let Event::HandlerStarted { job, .. } = entry.event {
            begun.entry(job).or_default().push(entry);
        }
    }
    for (job, Completed { call, lease, at, result, .. }) in &completed {
        let tokens = facts.tokens.get(job).into_iter().flatten();
        let again = tokens.map(|token| &facts.grants[token]).find(|grant| grant.claimed > *at);
        let started = begun.get(job).into_iter().flatten().find(|entry| {
            // Who slept meanwhile goes on with what it had begun, and is turned away with it.
            let asleep = || entry.process.is_some_and(|process| facts.slept_from(process, *at, entry.at));
            entry.at > *at && !asleep()
        });
        report.expect("I5.c", again.is_none() && started.is_none(), || {
            let when = again.map(|grant| grant.answered).or(started.map(|entry| entry.at));
            let when = when.expect("it ran");
            let says = format!("job {job} was completed at {at:.3?}, and ran again at {when:.3?}");
            let transition = if again.is_some() { "completed job granted" } else { "completed job begun" };
            let found = Finding::new(transition, says).job(*job).attempt(lease.token).call(*call).at(when);
            again.into_iter().fold(found, |found, grant| found.attempt(grant.lease.token).call(grant.call))
        });
        let Ok(rows) = &evidence.rows else { continue };
        let stored = rows.jobs.get(&job.0).and_then(|row| row.result.as_ref());
        let same = |text: Option<&String>| text.and_then(|text| serde_json::from_str::<serde_json::Value>(text).ok());
        report.expect("I5.d", same(stored) == same(*result), || {
            let transition = if stored.is_some() { "result altered" } else { "result lost" };
            let says = format!("job {job} was completed with {result:?}, and its row has {stored:?}");
            Finding::new(transition, says).job(*job).attempt(lease.token).call(*call).at(*at)
        });
    }
}

/// A completion that was accepted.
struct Completed<'a> {
    request: RequestId,
    call: u64,
    lease: Lease,
    at: Duration,
    result: Option<&'a String>,
}

fn repeats(facts: &Facts, report: &mut Report) {
    let mut first: BTreeMap<RequestId, (&CallFact, &Reply)> = BTreeMap::new();
    for (call, at, answer) in facts.answered() {
        let remembered = match &call.what.request {
            request if request.is_read() || matches!(request, Request::Settle) || is_decided_anew(request) => false,
            // A claim that got nothing may as well get something.
            Request::Claim(_) => !matches!(answer, Ok(Reply::Claimed { grants }) if grants.is_empty()),
            _ => true,
        };
        if !remembered {
            continue;
        }
        let name = call.what.request.name();
        let found = |first: u64, transition: &str, says: String| {
            let found = Finding::new(format!("repeated {name} {transition}"), says).calls([first, call.number]).at(at);
            let found = job_of(&call.what.request, answer).into_iter().fold(found, Finding::job);
            call.lease().into_iter().fold(found, |found, lease| found.attempt(lease.token))
        };
        match (first.get(&call.what.id), answer) {
            (None, Ok(reply)) => drop(first.insert(call.what.id, (call, reply))),
            (Some((before, _)), answer) if !same_request(&before.what.request, &call.what.request) => {
                let is_refused = matches!(answer, Err(CallError::Refused(Refusal::RequestIdReused)));
                report.expect(
                    "I5.b",
                    is_refused || matches!(answer, Err(it) if !matches!(it, CallError::Refused(_))),
                    || {
                        let says = format!(
                            "{name} {} has the name of another request, and was answered {answer:?}",
                            call.what.id
                        );
                        found(before.number, "under another's name", says)
                    },
                );
            }
            (Some((first, before)), Ok(reply)) => report.expect("I5.b", same(before, reply), || {
                let says = format!("{name} {} was answered {before:?}, and at {at:.3?} {reply:?}", call.what.id);
                found(first.number, "answered anew", says)
            }),
            (Some((first, before)), Err(CallError::Refused(refusal))) => report.expect("I5.b", false, || {
                let says =
                    format!("{name} {} was answered {before:?}, and refused at {at:.3?}: {refusal}", call.what.id);
                found(first.number, "refused", says)
            }),
            _ => {}
        }
    }
}

/// Whether one is the other. What comes over a wire is from elsewhere, whatever it said before.
fn same_request(one: &Request, other: &Request) -> bool {
    let from_elsewhere = |request: &Request| match request {
        Request::Claim(claim) => Request::Claim(Claim { holder: Holder::Elsewhere, ..claim.clone() }),
        request => request.clone(),
    };
    from_elsewhere(one) == from_elsewhere(other)
}

/// The one job that a call is about.
fn job_of(request: &Request, answer: &Result<Reply, CallError>) -> Option<JobId> {
    match (request, answer) {
        (_, Ok(Reply::Enqueued { job, .. })) => Some(*job),
        (Request::Cancel { job }, _) => Some(*job),
        (Request::Complete { lease, .. } | Request::Fail { lease, .. }, _) => Some(lease.job),
        (Request::Release { lease, .. } | Request::Snooze { lease, .. } | Request::Obey { lease }, _) => {
            Some(lease.job)
        }
        _ => None,
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

fn repeated_enqueues(evidence: &Evidence, facts: &Facts, report: &mut Report) {
    let Ok(rows) = &evidence.rows else { return };
    let mut made: BTreeMap<u64, usize> = BTreeMap::new();
    for number in rows.jobs.values().filter_map(|row| number_of(&row.payload)) {
        *made.entry(number).or_default() += 1;
    }
    let mut tries: BTreeMap<(RequestId, u64), bool> = BTreeMap::new();
    for call in &facts.apart {
        let Request::Enqueue(asked) = &call.what.request else { continue };
        let Some(number) = number_of(&asked.payload) else { continue };
        let unknown =
            matches!(call.answer.as_ref().map(|(_, answer)| &**answer), None | Some(Err(CallError::Unknown { .. })));
        if tries.get(&(call.what.id, number)) == Some(&true) && !may_recur(asked) {
            let jobs = made.get(&number).copied().unwrap_or(0);
            report.expect("I5.f", jobs <= 1, || {
                let id = call.what.id;
                let says = format!("enqueue {id} was repeated because its outcome was unknown, and made {jobs} jobs");
                let tries = facts.calls.iter().filter(|call| call.what.id == id).map(|call| call.number);
                let latest = rows.jobs.iter().rev().find(|(_, row)| number_of(&row.payload) == Some(number));
                let found = Finding::new("repeated enqueue made twice", says).calls(tries).at(call.invoked);
                latest.into_iter().fold(found, |found, (job, _)| found.job(JobId(*job)))
            });
        }
        tries.insert((call.what.id, number), unknown);
    }
}
