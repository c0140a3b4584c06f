//! X: what holds even on a disk that does what no disk may do.

use super::facts::number_of;
use super::{CallFact, Checker, Facts, Finding, Report};
use crate::damage::{all_told, is_behind};
use crate::drive::Evidence;
use crate::event::Event;
use crate::image::{JobRow, Rows};
use crate::workload::PATH;
use outlive::JobId;
use outlive::job::{Lease, Refusal, RequestId, Template};
use outlive::protocol::{CallError, Enqueue, Reply, Request, Signal};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// See the module.
pub const CHECKER: Checker = Checker {
    invariant: "X",
    title: "nothing is invented, and what is found broken is said",
    clauses: &[
        ("X.a", "no job, payload, key, signal, worker or result is there that nobody sent"),
        ("X.b", "a lease is granted once, and none is accepted that was not, that was overtaken, or that is over"),
        ("X.c", "what is found broken is said, with the file and the remedy, and no job is stuck in silence"),
        ("X.d", "what an opening has acknowledged it knows, or it says that it is lost"),
    ],
    check,
};

fn check(evidence: &Evidence, facts: &Facts, report: &mut Report) {
    let asked = Asked::of(facts);
    invented_in_answers(facts, &asked, report);
    if let Ok(rows) = &evidence.rows {
        invented_in_rows(rows, facts, &asked, report);
    }
    leases(evidence, facts, report);
    said(evidence, facts, report);
    lost(evidence, facts, report);
}

/// What clients asked for.
struct Asked<'a> {
    /// By the number in the payload: somebody may ask for something else under the same.
    jobs: BTreeMap<u64, Vec<AskedJob<'a>>>,
    /// Results that somebody reported of each job.
    results: BTreeSet<(JobId, &'a str)>,
    /// Signals that somebody sent.
    signals: Vec<&'a Signal>,
    /// Names by which workers claimed.
    workers: BTreeSet<&'a str>,
}

/// A job that somebody asked for, by an enqueue or for the slots of a schedule.
#[derive(Clone, Copy)]
struct AskedJob<'a> {
    kind: &'a str,
    queue: &'a str,
    priority: i16,
    concurrency_key: &'a Option<String>,
    payload: &'a str,
    key: Option<&'a str>,
}

impl<'a> Asked<'a> {
    fn of(facts: &'a Facts) -> Self {
        let mut asked =
            Self { jobs: BTreeMap::new(), results: BTreeSet::new(), signals: Vec::new(), workers: BTreeSet::new() };
        for call in &facts.apart {
            match &call.what.request {
                Request::Enqueue(enqueue) => {
                    let Enqueue { kind, queue, priority, concurrency_key, payload, key, .. } = enqueue;
                    let key = key.as_ref().map(|key| &*key.name);
                    asked.hear(AskedJob { kind, queue, priority: *priority, concurrency_key, payload, key });
                }
                Request::Schedule(schedule) => {
                    let Template { kind, queue, priority, concurrency_key, payload, .. } = &schedule.job;
                    asked.hear(AskedJob { kind, queue, priority: *priority, concurrency_key, payload, key: None });
                }
                Request::Complete { lease, result: Some(result) } => drop(asked.results.insert((lease.job, result))),
                Request::Signal(signal) => asked.signals.push(signal),
                Request::Claim(claim) => drop(asked.workers.insert(&claim.worker)),
                _ => {}
            }
        }
        asked
    }

    fn hear(&mut self, job: AskedJob<'a>) {
        let number = number_of(job.payload).expect("each payload has its number");
        self.jobs.entry(number).or_default().push(job);
    }

    /// What was asked for of this payload, kind and queue.
    fn of_these(&self, payload: &str, kind: &str, queue: &str) -> impl Iterator<Item = AskedJob<'a>> {
        let asked = number_of(payload).and_then(|number| self.jobs.get(&number));
        let is_it = move |it: &AskedJob<'_>| it.kind == kind && it.queue == queue && same(it.payload, payload);
        asked.into_iter().flatten().copied().filter(is_it)
    }

    /// Whether somebody asked for this job.
    fn has_row(&self, row: &JobRow) -> bool {
        let is_it =
            |it: AskedJob<'_>| i64::from(it.priority) == row.priority && *it.concurrency_key == row.concurrency_key;
        self.of_these(&row.payload, &row.kind, &row.queue).any(is_it)
    }
}

fn same(one: &str, other: &str) -> bool {
    let read = |text| serde_json::from_str::<serde_json::Value>(text).ok();
    read(one).is_some() && read(one) == read(other)
}

fn invented_in_answers(facts: &Facts, asked: &Asked<'_>, report: &mut Report) {
    for call in &facts.calls {
        let Some((at, Reply::Claimed { grants })) = call.reply() else { continue };
        for grant in grants {
            report.expect("X.a", asked.of_these(&grant.payload, &grant.kind, &grant.queue).next().is_some(), || {
                let says = format!(
                    "job {} was given to a worker as {} {} in {}, which nobody asked for",
                    grant.lease.job, grant.kind, grant.payload, grant.queue
                );
                Finding::new("granted job invented", says).job(grant.lease.job).call(call.number).at(at)
            });
        }
    }
}

fn invented_in_rows(rows: &Rows, facts: &Facts, asked: &Asked<'_>, report: &mut Report) {
    for (id, row) in &rows.jobs {
        report.expect("X.a", asked.has_row(row), || {
            let says = format!("job {id} is in the file as {row:?}, which nobody asked for");
            Finding::new("job invented", says).job(JobId(*id))
        });
        if let Some(result) = &row.result {
            let reported = asked.results.iter().any(|(job, known)| job.0 == *id && same(known, result));
            report.expect("X.a", reported, || {
                let says = format!("job {id} has the result {result}, which nobody reported");
                Finding::new("result invented", says).job(JobId(*id))
            });
        }
    }
    for ((kind, key), job) in &rows.keys {
        let asked = asked.jobs.values().flatten().any(|it| it.key == Some(key) && it.kind == *kind);
        report.expect("X.a", asked, || {
            Finding::new("key invented", format!("key {key:?} of {kind} leads to job {job}, and nobody named it"))
                .job(JobId(*job))
        });
    }
    for (number, row) in &rows.signals {
        let is_it = |it: &Signal| it.name == row.name && it.key == row.key && same(&it.payload, &row.payload);
        report.expect("X.a", asked.signals.iter().any(|it| is_it(it)), || {
            Finding::new("signal invented", format!("signal {number} is in the file as {row:?}, which nobody sent"))
        });
    }
    for (token, row) in &rows.attempts {
        report.expect("X.a", asked.workers.contains(&*row.worker), || {
            let says = format!("attempt {token} is said to be of {:?}, and no such worker claims", row.worker);
            Finding::new("worker invented", says).job(JobId(row.job)).attempt(outlive::job::Token(*token))
        });
    }
    for (token, row) in &rows.failures {
        // All else is in the store's own words.
        let ours = !matches!(row.how.as_str(), "error" | "panic" | "undecodable");
        let reported = facts.calls.iter().any(|call| match &call.what.request {
            Request::Fail { lease, failure } => lease.job.0 == row.job && failure.message == row.message,
            _ => false,
        });
        report.expect("X.a", ours || reported, || {
            let says = format!("job {} failed with {:?}, which nobody reported", row.job, row.message);
            Finding::new("failure invented", says).job(JobId(row.job)).attempt(outlive::job::Token(*token))
        });
    }
}

/// How a client was told of a lease first. An answer may come when another opening has the file, so what counts for an
/// opening is when it was asked.
struct Told {
    by: RequestId,
    asked: Duration,
    at: Duration,
}

fn leases(evidence: &Evidence, facts: &Facts, report: &mut Report) {
    let opened: Vec<Duration> =
        evidence.entries.iter().filter(|entry| matches!(entry.event, Event::Opened)).map(|entry| entry.at).collect();
    let same_opening = |from: Duration, to: Duration| !opened.iter().any(|at| from < *at && *at <= to);
    let mut told: BTreeMap<Lease, Told> = BTreeMap::new();
    for call in &facts.calls {
        let Some((at, Reply::Claimed { grants })) = call.reply() else { continue };
        for grant in grants {
            let (by, asked) = (call.what.id, facts.first_sent[&call.what.id]);
            let first = told.entry(grant.lease).or_insert(Told { by, asked, at });
            first.at = first.at.min(at);
            report.expect("X.b", first.by == call.what.id, || {
                let says = format!("the very same lease {:?} was granted to two claims", grant.lease);
                Finding::new("lease granted twice", says).job(grant.lease.job).call(call.number).at(at)
            });
        }
    }
    // A claim that nobody heard the answer of leaves a lease that nobody can show.
    let mut ends: BTreeMap<Lease, (RequestId, Duration)> = BTreeMap::new();
    for call in &facts.calls {
        for (lease, accepted) in call.judged_leases() {
            let answered = call.answer.as_ref().map_or(call.invoked, |(at, _)| *at);
            let Some(first) = told.get(&lease) else {
                report.expect("X.b", !accepted, || found("forged lease accepted", call, lease, "never granted"));
                continue;
            };
            let mut others = told.range(of_job(lease.job)).filter(|(other, _)| **other != lease);
            let overtaken = others.any(|(_, other)| {
                first.at < other.asked && other.at < call.invoked && same_opening(other.asked, answered)
            });
            if overtaken && !facts.is_told_again(call) {
                report
                    .expect("X.b", !accepted, || found("overtaken lease accepted", call, lease, "granted anew since"));
            }
            if accepted && call.is_end() {
                let asked = facts.first_sent[&call.what.id];
                let (by, asked) = *ends.entry(lease).or_insert((call.what.id, asked));
                // Of an end that is gone with the tail of a log nobody knows.
                report.expect("X.b", by == call.what.id || !same_opening(asked, answered), || {
                    found("lease accepted twice", call, lease, "ended before")
                });
            }
        }
    }
}

fn of_job(job: JobId) -> std::ops::RangeInclusive<Lease> {
    use outlive::job::{Nonce, Token};
    Lease { job, token: Token(i64::MIN), nonce: Nonce(0) }..=Lease {
        job,
        token: Token(i64::MAX),
        nonce: Nonce(u64::MAX),
    }
}

fn found(transition: &str, call: &CallFact, lease: Lease, why: &str) -> Finding {
    let name = call.what.request.name();
    let says = format!("{name} with {lease:?} was accepted at {:.3?}, although it was {why}", call.invoked);
    Finding::new(transition, says).job(lease.job).attempt(lease.token).call(call.number).at(call.invoked)
}

fn said(evidence: &Evidence, facts: &Facts, report: &mut Report) {
    let told = all_told(evidence);
    for text in &told {
        report.expect("X.c", text.contains(PATH), || {
            Finding::new("damage without a file", format!("nobody knows which file this is about: {text}"))
        });
    }
    let last_opening = evidence.entries.iter().rev().find_map(|entry| match &entry.event {
        Event::OpenFailed(why) => Some(Some(why)),
        Event::Opened => Some(None),
        _ => None,
    });
    if let (true, Some(Some(why))) = (told.is_empty(), last_opening) {
        report.expect("X.c", false, || {
            Finding::new("closed in silence", format!("nobody opens the file any more, and all that is said is: {why}"))
                .at(evidence.ended)
        });
    }
    // Of a log that rots under its process the process need not know yet.
    if let (true, Ok(rows)) = (told.is_empty() && !is_behind(evidence, facts), &evidence.rows) {
        let open = open_for_a_reason(rows);
        let stuck: Vec<_> = rows.jobs.iter().filter(|(id, job)| !job.finished && !open.contains(id)).collect();
        report.expect("X.c", stuck.is_empty(), || {
            let stuck: Vec<String> =
                stuck.iter().map(|(id, job)| format!("job {id} is {} ({})", job.state, job.wait)).collect();
            let last = evidence.entries.iter().rev().find_map(|entry| match &entry.event {
                Event::OpenFailed(why) => Some(why.clone()),
                Event::Answer { answer, .. } => answer.as_ref().as_ref().err().map(ToString::to_string),
                _ => None,
            });
            let says = format!("nobody was told of damage, and {}; the last error was {last:?}", stuck.join("; "));
            Finding::new("stuck in silence", says).at(evidence.ended)
        });
    }
}

/// Jobs that wait, and say for what, because the disk has lost what would have ended that, and nothing can tell: a signal
/// that was sent, the end of a pause, or one of these of a job for which they wait.
fn open_for_a_reason(rows: &Rows) -> BTreeSet<i64> {
    let waiting = || rows.jobs.iter().filter(|(_, job)| job.state == "waiting");
    let is_there = |name: &serde_json::Value| rows.signals.values().any(|it| it.taken.is_none() && *name == *it.name);
    let lacks_signal =
        |job: &JobRow| job.wait_on.as_ref().is_some_and(|on| on["on"] == "signal" && !is_there(&on["name"]));
    let is_paused = |job: &JobRow| rows.pauses.iter().any(|pause| !pause.is_down && pause.keeps(job));
    let mut open: BTreeSet<i64> =
        waiting().filter(|(_, job)| lacks_signal(job) || is_paused(job)).map(|(id, _)| *id).collect();
    loop {
        let waits_for_them = |id: i64, job: &JobRow| {
            let on = job.wait_on.as_ref();
            let step = match on.and_then(|on| on["on"].as_str()) {
                Some("before") => "",
                Some("jobs") => on.and_then(|on| on["step"].as_str()).unwrap_or_default(),
                _ => return false,
            };
            let others = rows.waits.get(&(id, step.to_owned())).into_iter().flatten();
            let mut others = others.filter(|other| rows.jobs.get(other).is_some_and(|it| !it.finished)).peekable();
            others.peek().is_some() && others.all(|other| open.contains(other))
        };
        let more: Vec<i64> =
            waiting().filter(|(id, job)| !open.contains(id) && waits_for_them(**id, job)).map(|(id, _)| *id).collect();
        if more.is_empty() {
            return open;
        }
        open.extend(more);
    }
}

fn lost(evidence: &Evidence, facts: &Facts, report: &mut Report) {
    let opened: Vec<Duration> =
        evidence.entries.iter().filter(|entry| matches!(entry.event, Event::Opened)).map(|entry| entry.at).collect();
    let mut acknowledged: BTreeMap<JobId, (Duration, Duration)> = BTreeMap::new();
    for (call, at, answer) in facts.answered_apart() {
        if let Ok(Reply::Enqueued { job, .. }) = answer {
            // When it was asked: the answer may come when another opening has the file.
            let latest = acknowledged.entry(*job).or_insert((call.invoked, at));
            *latest = (call.invoked, at).max(*latest);
        }
        let Request::Explain { job } = call.what.request else { continue };
        // Nothing is forgotten in these runs: what is said to be was lost.
        let unknown = matches!(answer, Err(CallError::Refused(Refusal::UnknownJob { .. } | Refusal::Forgotten { .. })));
        let before = acknowledged.get(&job).filter(|(_, heard)| *heard < call.invoked).map(|(asked, _)| *asked);
        let same_opening = |from: Duration| !opened.iter().any(|opened| from < *opened && *opened <= at);
        if let Some(from) = before.filter(|from| same_opening(*from)) {
            report.expect("X.d", !unknown, || {
                let says = format!("job {job} was acknowledged at {from:.3?}, and at {at:.3?} there is no such job");
                Finding::new("enqueue forgotten within an opening", says).job(job).call(call.number).at(at)
            });
        }
    }
}
