//! What handlers said: by what the queue was told, what it answered, and what is kept.

use crate::checkers::facts::CallFact;
use crate::checkers::{Facts, Finding, Report};
use crate::drive::Evidence;
use outlive::JobId;
use outlive::job::{Lease, LogLine, Token};
use outlive::limits::{LOG_BYTES_MAX, LOG_LINE_BYTES_MAX, LOG_LINES_MAX};
use outlive::protocol::{Reply, Request};
use std::collections::BTreeMap;
use std::time::Duration;

/// What the queue was told of an attempt.
#[derive(Default)]
struct Told<'a> {
    /// Each line by its number, and when somebody had first been answered that it is kept.
    lines: BTreeMap<u64, (&'a LogLine, Option<Duration>)>,
    /// The last call of those.
    call: u64,
}

pub fn check(evidence: &Evidence, facts: &Facts, report: &mut Report) {
    let told = told(facts, report);
    if let Ok(rows) = &evidence.rows {
        for (lease, told) in &told {
            let row = rows.logs.get(&lease.token.0);
            let (kept, last) = row.map_or((&[][..], 0), |row| (&row.lines, row.last));
            judge(*lease, told, kept, u64::try_from(last).unwrap_or(0), evidence.ended, report);
        }
        for (token, row) in &rows.logs {
            let known = told.keys().any(|lease| lease.token.0 == *token && lease.job.0 == row.job);
            report.expect("I3.j", known, || {
                let says = format!("attempt {token} of job {} has said {:?}, and nobody was told", row.job, row.lines);
                Finding::new("lines invented", says).job(JobId(row.job)).attempt(Token(*token))
            });
        }
    }
    for (call, _, answer) in facts.answered() {
        let (Request::Look { job }, Ok(Reply::Looked(view))) = (&call.what.request, answer) else { continue };
        for (lease, told) in told.iter().filter(|(lease, _)| lease.job == *job) {
            let Some(grant) = facts.grants.get(&lease.token) else { continue };
            let Some(attempt) = view.history.iter().find(|it| it.number == grant.attempt) else { continue };
            let kept = &attempt.log.lines;
            judge(*lease, told, kept, attempt.log.dropped + kept.len() as u64, call.invoked, report);
        }
    }
}

/// What was told by leases that were granted. No other is heard.
fn told<'a>(facts: &'a Facts, report: &mut Report) -> BTreeMap<Lease, Told<'a>> {
    let mut told: BTreeMap<Lease, Told<'_>> = BTreeMap::new();
    for call in &facts.calls {
        let Request::Log { lease, first, lines } = &call.what.request else { continue };
        let heard = call.reply().map(|(at, _)| at);
        let granted = is_granted(facts, *lease);
        report.expect("I3.j", heard.is_none() || granted, || forged(call, *lease));
        if !granted {
            continue;
        }
        let told = told.entry(*lease).or_default();
        told.call = call.number;
        for (number, line) in (*first..).zip(lines) {
            let known = told.lines.entry(number).or_insert((line, heard));
            known.1 = [known.1, heard].into_iter().flatten().min();
        }
    }
    told
}

/// Whether this lease was granted.
fn is_granted(facts: &Facts, lease: Lease) -> bool {
    facts.grants.get(&lease.token).is_some_and(|grant| grant.lease == lease)
}

fn forged(call: &CallFact, lease: Lease) -> Finding {
    let says = format!("what was said by {lease:?} is kept, and no such lease was granted");
    Finding::new("forged lease heard", says).job(lease.job).call(call.number).at(call.invoked)
}

/// What is kept was said, in this order, and what the queue had said before `from` that it keeps is there, but for the oldest
/// lines if there are too many.
/// What is gone is counted: `last` is the number of the last line.
fn judge(lease: Lease, told: &Told<'_>, kept: &[LogLine], last: u64, from: Duration, report: &mut Report) {
    let found = |transition: &str, says: String| {
        Finding::new(transition, says).job(lease.job).attempt(lease.token).call(told.call)
    };
    let mut said = told.lines.iter();
    let mut numbers = Vec::with_capacity(kept.len());
    for line in kept {
        let number = said.find(|(_, (said, _))| *said == line).map(|(number, _)| *number);
        report.expect("I3.j", number.is_some(), || {
            let said: Vec<_> = told.lines.values().map(|(line, _)| &*line.text).collect();
            found("lines altered", format!("{line:?} is kept, and what was said is {said:?}"))
        });
        numbers.extend(number);
    }
    report.expect("I3.j", numbers.last().copied().unwrap_or(0) == last, || {
        found(
            "lines counted wrong",
            format!("{last} lines are said to have come, and the last one kept is {:?}", numbers.last()),
        )
    });
    let bytes: usize = kept.iter().map(|line| line.text.len()).sum();
    let is_full = kept.len() >= LOG_LINES_MAX || bytes + LOG_LINE_BYTES_MAX > LOG_BYTES_MAX;
    let may_be_gone = |number: u64| is_full && numbers.first().is_some_and(|first| number < *first);
    let sure = told.lines.iter().filter(|(_, (_, heard))| heard.is_some_and(|at| at < from));
    let lost: Vec<u64> =
        sure.map(|(number, _)| *number).filter(|it| !numbers.contains(it) && !may_be_gone(*it)).collect();
    report.expect("I3.j", lost.is_empty(), || {
        let says = format!("lines {lost:?} were acknowledged, and what is kept are {} lines, {numbers:?}", kept.len());
        found("lines lost", says)
    });
}
