//! The line of a queue: who goes before whom, reckoned from rows.

use crate::checkers::facts::number_of;
use crate::checkers::{Facts, Finding, Report};
use crate::drive::Evidence;
use crate::image::{AttemptRow, JobRow, Rows};
use outlive::JobId;
use outlive::job::Token;
use outlive::protocol::{On, Reply, Request, When};
use std::collections::BTreeMap;
use std::time::Duration;

/// A place in the line of a queue: lower goes first.
pub type Place = (i64, i64);

/// The place of a job that was due at `due_wall_ms`, in a queue in which what waits ages so, or does not.
pub fn place(ageing: Option<Duration>, row: &JobRow, due_wall_ms: i64) -> Place {
    let place = match ageing {
        None => -row.priority,
        Some(ageing) => due_wall_ms - row.priority * i64::try_from(ageing.as_millis()).expect("it is short"),
    };
    (place, row.id)
}

/// A job that stood in line from when its enqueue was acknowledged until its first attempt.
struct InLine {
    since: Duration,
    begun: Token,
    place: Place,
}

pub fn check(evidence: &Evidence, facts: &Facts, rows: &Rows, report: &mut Report) {
    let ageing = evidence.plan.options.ageing;
    let in_line = in_line(evidence, facts, rows);
    let down = found_down(facts, rows);
    for (token, attempt) in &rows.attempts {
        let (Some(row), Some(grant)) = (rows.jobs.get(&attempt.job), facts.grants.get(&Token(*token))) else {
            continue;
        };
        // With ageing it counts since when it waited: only of first attempts do the rows still say that.
        if ageing.is_some() && !is_of_now(evidence, row, attempt) {
            continue;
        }
        // One that finds out whether a service is back is not the one that has tried before.
        if down.get(&*row.kind).is_some_and(|since| *since <= grant.answered) {
            continue;
        }
        let own = place(ageing, row, row.enqueued_ms);
        let others = in_line.get(&(&*row.queue, &*row.kind)).into_iter().flatten();
        let mut waiting = others.filter(|it| it.begun > Token(*token) && it.since < grant.claimed).peekable();
        if waiting.peek().is_none() {
            continue;
        }
        let passed_over = waiting.find(|it| it.place < own);
        report.expect("I4.m", passed_over.is_none(), || {
            let InLine { begun: Token(begun), place: (_, other), .. } = passed_over.expect("somebody was");
            let named = |row: &JobRow| format!("job {} (priority {})", row.id, row.priority);
            let (one, two) = (named(row), named(&rows.jobs[other]));
            let says = format!(
                "{one} was granted as {token} while {two} of the same queue and kind stood in line before it, and was \
                 granted later, as {begun}"
            );
            let found =
                Finding::new("job passed over", says).job(JobId(row.id)).attempt(Token(*token)).call(grant.call);
            found.at(grant.answered)
        });
    }
}

/// Since when, at the earliest, the service of a kind was down in a run: whether it is back is not told from outside.
fn found_down<'rows>(facts: &Facts, rows: &'rows Rows) -> BTreeMap<&'rows str, Duration> {
    let mut down = BTreeMap::new();
    for call in &facts.calls {
        if let Request::Wait { lease, on: On::Service { .. } } = &call.what.request
            && let Some(row) = rows.jobs.get(&lease.job.0)
        {
            let since = down.entry(&*row.kind).or_insert(call.invoked);
            *since = call.invoked.min(*since);
        }
    }
    down
}

/// The jobs that could run from the moment they were there, by queue and kind. Whatever lets another job of the same queue and
/// kind through lets these through too: none of them shares slots by a key, and before its first attempt none is suspected
/// of anything.
fn in_line<'rows>(
    evidence: &Evidence,
    facts: &Facts,
    rows: &'rows Rows,
) -> BTreeMap<(&'rows str, &'rows str), Vec<InLine>> {
    let mut first: BTreeMap<i64, (Token, &AttemptRow)> = BTreeMap::new();
    for (token, attempt) in rows.attempts.iter().filter(|(_, attempt)| attempt.number == 1) {
        first.entry(attempt.job).or_insert((Token(*token), attempt));
    }
    let mut acknowledged: BTreeMap<JobId, Duration> = BTreeMap::new();
    for (call, at, answer) in facts.answered_apart() {
        if let (Request::Enqueue(_), Ok(Reply::Enqueued { job, .. })) = (&call.what.request, answer) {
            acknowledged.entry(*job).and_modify(|earlier| *earlier = at.min(*earlier)).or_insert(at);
        }
    }
    let mut lines: BTreeMap<_, Vec<InLine>> = BTreeMap::new();
    for (job, since) in acknowledged {
        let (Some(row), Some((begun, attempt))) = (rows.jobs.get(&job.0), first.get(&job.0)) else { continue };
        if row.concurrency_key.is_none() && is_of_now(evidence, row, attempt) {
            let place = place(evidence.plan.options.ageing, row, row.enqueued_ms);
            lines.entry((&*row.queue, &*row.kind)).or_default().push(InLine { since, begun: *begun, place });
        }
    }
    lines
}

/// Whether it is the first attempt of a job that was due when it was enqueued, and was never out of line since: nobody has
/// retried it after it was cancelled, or had waited for too long.
fn is_of_now(evidence: &Evidence, row: &JobRow, attempt: &AttemptRow) -> bool {
    let intent = number_of(&row.payload);
    let intent = intent.and_then(|number| evidence.plan.intents.iter().find(|intent| intent.number == number));
    let is_now = intent.is_some_and(|intent| intent.enqueue.when == When::Now && intent.after.is_none());
    attempt.number == 1 && is_now && row.retried_ms.is_none()
}
