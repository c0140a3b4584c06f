//! Forgetting: only what has ended, only after its time, and then all of it.

use crate::checkers::{Facts, Finding, Report};
use crate::drive::Evidence;
use crate::image::{EndRow, Rows};
use outlive::JobId;
use outlive::protocol::{Reply, Request};
use std::collections::BTreeMap;
use std::time::Duration;

/// Both clocks have whole milliseconds.
const MARGIN: Duration = Duration::from_millis(5);
/// What is forgotten in small steps, some at a time, may take this long after its time.
const SLACK: Duration = Duration::from_secs(15);

/// After how long what has ended is forgotten at the latest, if it is to be kept for `kept`.
pub fn forgotten_after(kept: Duration) -> Duration {
    kept + kept / 16 + SLACK
}

pub fn check(evidence: &Evidence, facts: &Facts, rows: &Rows, report: &mut Report) {
    let kept: BTreeMap<&str, Option<Duration>> =
        evidence.plan.options.retention.by_state().map(|(state, kept)| (state.as_str(), kept)).into();
    let completed = completed(facts);
    for (id, seen) in &rows.forgotten {
        let (job, state) = (JobId(*id), &*rows.jobs[id].state);
        let alive = facts.written_by(seen.alive);
        let ended_from = completed.get(&job).copied().unwrap_or_default().max(alive);
        let was_there = seen.gone.saturating_sub(ended_from);
        let holds = kept[state].is_some_and(|kept| was_there + MARGIN >= facts.least_rest(kept));
        report.expect("I1.j", holds, || {
            let says = format!(
                "job {job} was {state} at {ended_from:.1?} at the earliest, is to be kept for {:?}, and was gone by {:.1?}",
                kept[state], seen.gone
            );
            Finding::new(format!("{state} forgotten too early"), says).job(job).at(seen.gone)
        });
    }
    for (id, row) in rows.jobs.iter().filter(|(id, row)| row.finished && !rows.forgotten.contains_key(id)) {
        let mut ends = rows.ends.values().filter(|end| end.job == *id);
        let is_there = ends.any(|end| end.state == row.state && Some(end.finished_ms) == row.finished_ms);
        report.expect("I1.k", is_there, || {
            let says = format!("job {id} is {}, and nothing in the file says when it is to be forgotten", row.state);
            Finding::new("end unwritten", says).job(JobId(*id))
        });
    }
    if evidence.ended.saturating_sub(evidence.calm_since) > SLACK {
        for (id, end) in &rows.ends {
            let Some(kept) = kept[&*end.state] else { continue };
            let (longest, age) = (forgotten_after(kept), rows.steady_ms - end.at_steady_ms);
            // The file does not know of time that goes by while nobody writes.
            let settled = evidence.settled.filter(|settled| *id <= settled.last_end);
            let surely = settled.map_or(Duration::ZERO, |settled| evidence.ended.saturating_sub(settled.at));
            let is_overdue = age > longest.as_millis().try_into().expect("a run is short") || surely > longest;
            report.expect("I1.k", !is_overdue, || {
                let EndRow { job, state, .. } = end;
                let since = if surely > longest {
                    format!("at least {surely:.1?}")
                } else {
                    format!("{age} ms of steady time")
                };
                let says = format!("job {job} is {state} since {since}, and is to be kept for {kept:?}");
                Finding::new("never forgotten", says).job(JobId(*job))
            });
        }
    }
    for (job, what) in &rows.orphans {
        report.expect("I1.k", false, || {
            let says = format!("job {job} is not in the file, and {what} of it is");
            Finding::new("forgotten in part", says).job(JobId(*job))
        });
    }
}

/// From when on jobs may have been completed that surely were.
fn completed(facts: &Facts) -> BTreeMap<JobId, Duration> {
    let calls = facts.calls.iter().filter_map(|call| match (&call.what.request, call.reply()?.1) {
        (Request::Complete { lease, .. }, Reply::Done) => Some((lease.job, facts.first_sent[&call.what.id])),
        _ => None,
    });
    calls.collect()
}
