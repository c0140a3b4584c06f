//! Liveness: once faults have ended, and no time of the calendar lies ahead, every job becomes terminal.

use super::{Checker, Facts, Finding, Report};
use crate::drive::Evidence;
use crate::image::JobRow;
use outlive::JobId;

/// See the module.
pub const CHECKER: Checker = Checker {
    invariant: "L",
    title: "once faults stop, everything comes to its end",
    clauses: &[("L.a", "every job is terminal")],
    check,
};

fn check(evidence: &Evidence, _: &Facts, report: &mut Report) {
    let Ok(rows) = &evidence.rows else { return };
    let pending: Vec<_> = rows.jobs.iter().filter(|(_, job)| !job.finished).collect();
    report.expect("L.a", pending.is_empty(), || {
        let says =
            |(id, job): &(&i64, &JobRow)| format!("job {id} is {} ({}, attempt {})", job.state, job.wait, job.attempts);
        let after = evidence.ended.saturating_sub(evidence.calm_since);
        let all: Vec<String> = pending.iter().map(says).collect();
        let (id, first) = pending[0];
        let transition = format!("{} {} for ever", first.state, first.wait).replace("  ", " ");
        Finding::new(transition, format!("{after:.0?} after the last fault: {}", all.join("; ")))
            .job(JobId(*id))
            .at(evidence.ended)
    });
}
