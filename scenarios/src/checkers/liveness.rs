//! Liveness: once faults have ended, and no time of the calendar lies ahead, every job becomes terminal.

use super::{Checker, Facts, Report};
use crate::drive::Evidence;

/// See the module.
pub const CHECKER: Checker = Checker {
    invariant: "L",
    title: "once faults stop, everything comes to its end",
    clauses: &[("L.a", "every job is terminal")],
    check,
};

fn check(evidence: &Evidence, _: &Facts, report: &mut Report) {
    let Ok(rows) = &evidence.rows else { return };
    let pending: Vec<String> = rows
        .jobs
        .iter()
        .filter(|(_, job)| !job.finished)
        .map(|(id, job)| format!("job {id} is {} ({}, attempt {})", job.state, job.wait, job.attempts))
        .collect();
    report.expect("L.a", pending.is_empty(), || {
        format!(
            "{:.0?} after the last fault: {}",
            evidence.ended.saturating_sub(evidence.calm_since),
            pending.join("; ")
        )
    });
}
