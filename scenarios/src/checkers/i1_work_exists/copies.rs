//! Copies of the file, made while it is in use.

use crate::checkers::{Facts, Finding, Report, number_of};
use crate::drive::{Copied, Evidence};
use crate::image::Rows;
use outlive::JobId;
use outlive::protocol::{Reply, Request};
use std::collections::BTreeMap;
use std::time::Duration;

pub fn check(evidence: &Evidence, facts: &Facts, report: &mut Report) {
    for copy in &evidence.copies {
        let rows = match &copy.rows {
            Ok(rows) => rows,
            Err(why) => {
                let found =
                    || Finding::new("copy not whole", format!("{} is not whole: {why}", copy.path)).at(copy.made);
                report.expect("I1.m", false, found);
                continue;
            }
        };
        enqueued(copy, rows, (evidence, facts), report);
        completed(copy, rows, facts, report);
    }
}

/// What was acknowledged before is there, and nothing that was asked for afterwards.
fn enqueued(copy: &Copied, rows: &Rows, (evidence, facts): (&Evidence, &Facts), report: &mut Report) {
    let mut first_asked: BTreeMap<u64, Duration> = BTreeMap::new();
    for call in &facts.apart {
        let Request::Enqueue(asked) = &call.what.request else { continue };
        if let Some(number) = number_of(&asked.payload) {
            let first = first_asked.entry(number).or_insert(call.invoked);
            *first = (*first).min(call.invoked);
        }
        let Some((at, Reply::Enqueued { job, .. })) = call.reply() else { continue };
        if at < copy.asked {
            // What has ended may be forgotten by then.
            let is_there = rows.jobs.contains_key(&job.0) || may_be_forgotten(evidence, *job, copy.made);
            report.expect("I1.m", is_there, || {
                let says = format!(
                    "job {job} was acknowledged at {at:.3?}, and is not in {}, which was asked for at {:.3?}",
                    copy.path, copy.asked
                );
                Finding::new("enqueue not copied", says).job(*job).call(call.number).at(copy.made)
            });
        }
    }
    for (id, row) in &rows.jobs {
        let asked = number_of(&row.payload).and_then(|number| first_asked.get(&number));
        let holds = row.slot.is_some() || asked.is_some_and(|asked| *asked <= copy.made);
        report.expect("I1.m", holds, || {
            let says =
                format!("job {id} is in {}, which was made at {:.3?}, and was asked for later", copy.path, copy.made);
            Finding::new("copied from the future", says).job(JobId(*id)).at(copy.made)
        });
    }
}

/// Whether a job may have ended by then, and be forgotten.
fn may_be_forgotten(evidence: &Evidence, job: JobId, by: Duration) -> bool {
    let Ok(rows) = &evidence.rows else { return true };
    let seen = rows.forgotten.get(&job.0).map(|seen| seen.alive <= by);
    // One that the archive has never seen came and went between two looks.
    seen.unwrap_or(!rows.jobs.contains_key(&job.0))
}

/// A completion that was acknowledged before is there; one that nobody had asked for is not.
fn completed(copy: &Copied, rows: &Rows, facts: &Facts, report: &mut Report) {
    let mut completions: BTreeMap<i64, (Duration, Option<Duration>)> = BTreeMap::new();
    for call in &facts.calls {
        if let Request::Complete { lease, .. } = &call.what.request {
            let done = call.reply().map(|(at, _)| at);
            let known = completions.entry(lease.job.0).or_insert((call.invoked, done));
            known.0 = known.0.min(call.invoked);
            known.1 = match (known.1, done) {
                (Some(one), Some(other)) => Some(one.min(other)),
                (one, other) => one.or(other),
            };
        }
    }
    for (job, (asked, done)) in completions {
        let Some(row) = rows.jobs.get(&job) else { continue };
        let is_completed = row.state == "completed";
        let must = done.is_some_and(|done| done < copy.asked);
        let may = asked <= copy.made;
        report.expect("I1.m", if is_completed { may } else { !must }, || {
            let says =
                format!("job {job} is {} in {}, which was asked for at {:.3?}", row.state, copy.path, copy.asked);
            Finding::new("completion not copied", says).job(JobId(job)).at(copy.made)
        });
    }
}
