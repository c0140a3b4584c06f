//! Progress: by what was reported, what was told of it, and what the row says at the end.

use crate::checkers::facts::CallFact;
use crate::checkers::{Facts, Finding, Report};
use crate::drive::Evidence;
use outlive::JobId;
use outlive::job::Lease;
use outlive::protocol::{Progress, ProgressView, Reply, Request};
use std::collections::BTreeMap;
use std::time::Duration;

/// The place of a report: its attempt, and its number in that.
type Place = (u32, u64);

/// A report that somebody made.
struct Made<'a> {
    call: &'a CallFact,
    lease: Lease,
    place: Place,
    checkpoint: Option<&'a str>,
    /// When it was acknowledged, if it was.
    acknowledged: Option<Duration>,
}

pub fn check(evidence: &Evidence, facts: &Facts, report: &mut Report) {
    let made = reports(facts);
    let at_the_end =
        evidence.rows.iter().flat_map(|rows| rows.jobs.keys().map(|job| (JobId(*job), rows.progress.get(job))));
    for (job, row) in at_the_end {
        let Some(reports) = made.get(&job) else { continue };
        let kept = row.map(|row| Kept {
            place: (u32::try_from(row.attempt).unwrap_or(0), u64::try_from(row.number).unwrap_or(0)),
            checkpoint: row.checkpoint.as_deref(),
        });
        judge(job, reports, kept.as_ref(), evidence.ended, report);
    }
    for (call, _, answer) in facts.answered() {
        let (Request::Look { job }, Ok(Reply::Looked(view))) = (&call.what.request, answer) else { continue };
        let Some(reports) = made.get(job) else { continue };
        let kept = view.progress.as_ref().map(|ProgressView { attempt, number, checkpoint, .. }| Kept {
            place: (*attempt, *number),
            checkpoint: checkpoint.as_deref(),
        });
        judge(*job, reports, kept.as_ref(), call.invoked, report);
    }
}

/// What is kept of a job's progress.
struct Kept<'a> {
    place: Place,
    checkpoint: Option<&'a str>,
}

fn reports(facts: &Facts) -> BTreeMap<JobId, Vec<Made<'_>>> {
    let mut made: BTreeMap<JobId, Vec<Made<'_>>> = BTreeMap::new();
    for call in &facts.calls {
        let Request::Progress { lease, progress: Progress { number, checkpoint, .. } } = &call.what.request else {
            continue;
        };
        let Some(grant) = facts.grants.get(&lease.token).filter(|grant| grant.lease == *lease) else { continue };
        made.entry(lease.job).or_default().push(Made {
            call,
            lease: *lease,
            place: (grant.attempt, *number),
            checkpoint: checkpoint.as_deref(),
            acknowledged: call.reply().map(|(at, _)| at),
        });
    }
    made
}

/// What is kept is not behind what was acknowledged before `from`, and its checkpoint is the last one, or one that came
/// after it.
fn judge(job: JobId, reports: &[Made<'_>], kept: Option<&Kept<'_>>, from: Duration, report: &mut Report) {
    let known = |made: &&Made<'_>| made.acknowledged.is_some_and(|at| at < from);
    let Some(latest) = reports.iter().filter(known).max_by_key(|made| made.place) else { return };
    let is_ahead = kept.is_some_and(|kept| kept.place >= latest.place);
    let stored = reports.iter().filter(known).filter(|made| made.checkpoint.is_some()).max_by_key(|made| made.place);
    let is_right = stored.is_none_or(|stored| {
        let same = |made: &Made<'_>| same(made.checkpoint, kept.and_then(|kept| kept.checkpoint));
        reports.iter().any(|made| made.place >= stored.place && same(made))
    });
    report.expect("I5.p", is_ahead && is_right, || {
        let transition = if is_ahead { "checkpoint altered" } else { "progress lost" };
        let (attempt, number) = latest.place;
        let kept = kept.map(|kept| (kept.place, kept.checkpoint));
        let says = format!(
            "report {number} of attempt {attempt} of job {job} was acknowledged with {:?}, and what is kept is {kept:?}",
            latest.checkpoint
        );
        let found = Finding::new(transition, says).job(job).attempt(latest.lease.token);
        found.call(latest.call.number).at(latest.call.invoked)
    });
}

fn same(one: Option<&str>, other: Option<&str>) -> bool {
    let read = |text: Option<&str>| text.and_then(|text| serde_json::from_str::<serde_json::Value>(text).ok());
    read(one) == read(other)
}
