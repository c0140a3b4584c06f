//! Jobs that may be what kills their workers: by the rows, and by who was granted what.

use crate::checkers::{CallFact, Facts, Finding, Report};
use crate::drive::Evidence;
use crate::image::{AttemptRow, Rows};
use outlive::JobId;
use outlive::job::Token;
use outlive::protocol::Request;
use outlive_sim::ProcessId;
use std::collections::BTreeMap;

/// Crashes from which on a job is one of them.
const CRASHES: usize = 2;

/// A worker elsewhere, by its process and its name; none for all where the file is.
type Worker<'a> = Option<(ProcessId, &'a str)>;

/// On no worker do two of them run at once. What runs in the process that has the file dies with it, whatever its worker is
/// called.
pub fn check(evidence: &Evidence, facts: &Facts, report: &mut Report) {
    let Ok(rows) = &evidence.rows else { return };
    if facts.wall_jumped {
        return;
    }
    let names: BTreeMap<u64, &str> = facts.calls.iter().filter_map(name).collect();
    let mut of_workers: BTreeMap<Worker<'_>, Vec<(i64, &AttemptRow)>> = BTreeMap::new();
    for (token, attempt) in rows.attempts.iter().filter(|(token, attempt)| is_suspect(rows, **token, attempt)) {
        let Some(grant) = facts.grants.get(&Token(*token)) else { continue };
        let name = names.get(&grant.call).copied().unwrap_or_default();
        let elsewhere = Some((grant.process, name)).filter(|(process, _)| !facts.is_at_store(*process));
        of_workers.entry(elsewhere).or_default().push((*token, attempt));
    }
    for attempts in of_workers.values() {
        for (place, (token, attempt)) in attempts.iter().enumerate() {
            let beside = attempts[..place].iter().find(|(_, it)| it.ended_ms.is_none_or(|at| at > attempt.claimed_ms));
            report.expect("I3.h", beside.is_none(), || {
                let (other, earlier) = beside.expect("it is there");
                let says = format!(
                    "job {}, which had crashed {CRASHES} times or more, was granted to {} beside job {}, which had as well",
                    attempt.job, attempt.worker, earlier.job
                );
                let found = Finding::new("suspects granted together", says).job(JobId(attempt.job));
                found.attempt(Token(*other)).attempt(Token(*token))
            });
        }
    }
}

/// Which worker a claim named: of what runs elsewhere the file knows no more.
fn name(call: &CallFact) -> Option<(u64, &str)> {
    if let Request::Claim(claim) = &call.what.request { Some((call.number, &claim.worker)) } else { None }
}

/// Whether a job had crashed so often when this attempt of it began.
fn is_suspect(rows: &Rows, token: i64, attempt: &AttemptRow) -> bool {
    let earlier = rows.attempts.range(..token).filter(|(_, it)| it.job == attempt.job);
    earlier.filter(|(_, it)| it.ended.as_deref() == Some("crashed")).count() >= CRASHES
}
