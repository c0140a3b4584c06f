//! Waits for signals and for other jobs: by the rows alone.

use crate::checkers::{Facts, Finding, Report};
use crate::drive::Evidence;
use crate::image::{JobRow, Rows};
use outlive::JobId;
use outlive::job::Unmet;
use outlive::protocol::{Reply, Request};
use std::collections::{BTreeMap, BTreeSet};

pub fn check(evidence: &Evidence, facts: &Facts, report: &mut Report) {
    let Ok(rows) = &evidence.rows else { return };
    unheard(rows, report);
    let asked = asked(facts);
    for ((id, step), others) in &rows.waits {
        let Some(job) = rows.jobs.get(id) else { continue };
        if step.is_empty() {
            before(facts, rows, (*id, job), others, asked.get(id).copied(), report);
        } else {
            joined(rows, (*id, step), others, report);
        }
    }
}

/// What becomes of each job that waits for others if one of these ends without a result, for all that was asked for.
fn asked(facts: &Facts) -> BTreeMap<i64, Unmet> {
    let asked = facts.answered_apart().filter_map(|(call, _, answer)| match (&call.what.request, answer) {
        (Request::Enqueue(asked), Ok(Reply::Enqueued { job, .. })) => Some((job.0, asked.after.as_ref()?.unmet)),
        _ => None,
    });
    asked.collect()
}

/// No job waits for a signal that is there.
pub fn unheard(rows: &Rows, report: &mut Report) {
    for (id, job) in &rows.jobs {
        let Some(on) = job.wait_on.as_ref().filter(|on| job.state == "waiting" && on["on"] == "signal") else {
            continue;
        };
        let there = rows.signals.iter().find(|(_, row)| row.taken.is_none() && on["name"] == *row.name);
        report.expect("I4.g", there.is_none(), || {
            let says = format!("job {id} waits for a signal {}, and nobody has taken {there:?}", on["name"]);
            Finding::new("signal unheard", says).job(JobId(*id))
        });
    }
}

/// A job that waits for others before it may run has not run before, and has ended as it was asked for if it must not.
fn before(
    facts: &Facts,
    rows: &Rows,
    (id, job): (i64, &JobRow),
    others: &[i64],
    unmet: Option<Unmet>,
    report: &mut Report,
) {
    let Some(unmet) = unmet else { return };
    // Whoever retries it does not let it wait for others again.
    if job.retried_ms.is_some() {
        return;
    }
    let first = rows.attempts.values().find(|attempt| attempt.job == id && attempt.number == 1);
    for other in others {
        let Some(it) = rows.jobs.get(other).filter(|it| it.retried_ms.is_none()) else { continue };
        let early = first.filter(|attempt| {
            let ended_later = it.finished_ms.is_none_or(|ended| ended > attempt.claimed_ms);
            // A clock that was set back shows later times first.
            ended_later && (it.finished_ms.is_none() || !facts.wall_jumped)
        });
        report.expect("I4.h", early.is_none(), || {
            let says = format!("job {id} ran although job {other}, for which it waited, had not ended: {it:?}");
            Finding::new("ran before what it waited for", says).job(JobId(id)).job(JobId(*other))
        });
        let must_not = it.finished && it.state != "completed" && unmet != Unmet::Run;
        report.expect("I4.h", !(must_not && first.is_some()), || {
            let says = format!("job {id} ran although job {other}, for which it waited, was {}", it.state);
            Finding::new("ran although it must not", says).job(JobId(id)).job(JobId(*other))
        });
    }
    if let Some(on) = job.wait_on.as_ref().filter(|on| on["on"] == "unmet") {
        let other = on["job"].as_i64().and_then(|other| rows.jobs.get(&other));
        let ended = if unmet == Unmet::Discard { "discarded" } else { "cancelled" };
        let right = job.state == ended
            && unmet != Unmet::Run
            && other.is_some_and(|it| on["state"] == it.state || it.retried_ms.is_some());
        report.expect("I4.h", right, || {
            let says =
                format!("job {id} was to be {unmet:?}ed and is {} because of {on}, which is {other:?}", job.state);
            Finding::new("ended wrongly because of another", says).job(JobId(id))
        });
    }
}

/// The states out of which a job can be retried.
const ENDS_TO_RETRY: [&str; 3] = ["discarded", "cancelled", "quarantined"];

/// Whether a job waits or has waited for another, through others too.
fn leads_to(rows: &Rows, from: i64, to: i64) -> bool {
    let (mut seen, mut open) = (BTreeSet::new(), vec![from]);
    while let Some(job) = open.pop() {
        let others = rows.waits.range((job, String::new())..(job + 1, String::new()));
        open.extend(others.flat_map(|(_, others)| others).copied().filter(|other| seen.insert(*other)));
    }
    seen.contains(&to)
}

/// What a handler was told of the ends of other jobs is how these ended.
fn joined(rows: &Rows, (id, step): (i64, &str), others: &[i64], report: &mut Report) {
    let Some(row) = rows.steps.get(&(id, step.to_owned())) else { return };
    // Of one that had been forgotten there is no more to be told than that it had ended.
    let told: Vec<(i64, Option<String>)> = serde_json::from_str::<Vec<serde_json::Value>>(&row.result)
        .unwrap_or_default()
        .iter()
        .filter_map(|it| Some((it["job"].as_i64()?, it["state"].as_str().map(str::to_owned))))
        .collect();
    let told_of = |other: i64| told.iter().find(|(job, _)| *job == other);
    // What was retried had ended before, nobody knows how; only completed it had not. One that waits for this job since is
    // not waited for.
    let before = |other: i64| {
        let may_be = |state: &str| ENDS_TO_RETRY.contains(&state) || state == "waiting" && leads_to(rows, other, id);
        told_of(other).filter(|(_, state)| state.as_deref().is_some_and(may_be))
    };
    // One for which a job had waited is kept until that has ended, too. It may have been retried since.
    let was_forgotten = |other: i64| {
        let is_gone = rows.forgotten.contains_key(&other) || !rows.jobs.contains_key(&other);
        let waits_again = rows.jobs.get(&id).is_some_and(|job| job.retried_ms.is_some());
        told_of(other).filter(|(_, state)| state.is_none() && is_gone && waits_again)
    };
    let is = |other: &i64| {
        if let Some(forgotten) = was_forgotten(*other) {
            return Some(forgotten.clone());
        }
        let row = rows.jobs.get(other)?;
        let before = before(*other).filter(|_| row.retried_ms.is_some());
        before.cloned().or_else(|| row.finished.then(|| (*other, Some(row.state.clone()))))
    };
    let ended: Option<Vec<(i64, Option<String>)>> = others.iter().map(is).collect();
    let mut expected = ended.unwrap_or_default();
    expected.sort();
    report.expect("I4.h", told == expected, || {
        let says =
            format!("step {step} of job {id} was told that jobs ended as {told:?}, and they ended as {expected:?}");
        Finding::new("told of wrong ends", says).job(JobId(id))
    });
}
