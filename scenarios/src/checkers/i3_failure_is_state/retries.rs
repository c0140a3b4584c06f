//! What people ask for jobs that have ended: by what they were told, and by the rows.

use crate::checkers::{Facts, Finding, Report};
use crate::drive::Evidence;
use crate::image::Rows;
use outlive::job::State;
use outlive::protocol::{Bulk, Reply, Request};
use outlive_sim::WALL_START;
use std::collections::BTreeMap;
use std::time::Duration;

pub fn check(evidence: &Evidence, facts: &Facts, report: &mut Report) {
    let Ok(rows) = &evidence.rows else { return };
    let wall_ms = |at: Duration| i64::try_from((WALL_START + at).as_millis()).expect("a date of our time");
    let mut retried = 0;
    for (call, at, answer) in facts.answered() {
        match (&call.what.request, answer) {
            (Request::Retry { job }, Ok(Reply::Done)) if !facts.wall_jumped => {
                // A repeat is told what was done when the request was heard first.
                let asked = wall_ms(facts.first_sent[&call.what.id]);
                let row = rows.jobs.get(&job.0);
                let since = |ms: Option<i64>| ms.is_some_and(|ms| ms >= asked);
                let stands = row.is_some_and(|row| since(row.retried_ms) && (!row.finished || since(row.finished_ms)));
                report.expect("I3.i", stands, || {
                    let says = format!("job {job} was retried at {at:.3?}, and its row is {row:?}");
                    Finding::new("retry lost", says).job(*job).call(call.number).at(at)
                });
            }
            (Request::Bulk { act: Bulk::Retry, .. }, Ok(Reply::Changed { jobs, .. })) => retried += jobs,
            (Request::List(asked), Ok(Reply::Listed { jobs, .. })) => {
                let rising = jobs.windows(2).all(|pair| pair[0].id < pair[1].id);
                let asked_for = jobs.iter().all(|it| it.state == asked.filter.state && it.id > asked.after);
                report.expect("I3.i", rising && asked_for, || {
                    let says = format!("{asked:?} was answered by {jobs:?}");
                    Finding::new("list of others", says).call(call.number).at(at)
                });
            }
            _ => {}
        }
    }
    // Whoever was told that some were retried finds that some were.
    let any = !facts.retried.is_empty();
    if retried > 0 {
        report.expect("I3.i", any, || {
            Finding::new("retry lost", format!("{retried} jobs were said to be retried, and no row says so"))
        });
    }
    listed(facts, rows, report);
}

/// What had surely been discarded before somebody asked for a list, and was neither retried nor forgotten, is in it.
fn listed(facts: &Facts, rows: &Rows, report: &mut Report) {
    let mut discarded: BTreeMap<i64, Duration> = BTreeMap::new();
    for (call, at, answer) in facts.answered() {
        if let (Request::Fail { lease, .. }, Ok(Reply::Failed { next: outlive::job::Next::Discard })) =
            (&call.what.request, answer)
            && !rows.forgotten.contains_key(&lease.job.0)
        {
            discarded.entry(lease.job.0).or_insert(at);
        }
    }
    for (call, at, answer) in facts.answered() {
        let (Request::List(asked), Ok(Reply::Listed { jobs, next: None })) = (&call.what.request, answer) else {
            continue;
        };
        let filter = &asked.filter;
        if filter.state != State::Discarded || filter.kind.is_some() || filter.queue.is_some() {
            continue;
        }
        let sure = discarded.iter().filter(|(job, since)| **since < call.invoked && **job > asked.after.0);
        let missing = sure
            .map(|(job, _)| outlive::JobId(*job))
            .find(|job| !facts.retried.contains(job) && jobs.iter().all(|listed| listed.id != *job));
        report.expect("I3.i", missing.is_none(), || {
            let job = missing.expect("one is");
            let says = format!("job {job} had been discarded, and is not among those that are");
            Finding::new("discarded job not listed", says).job(job).call(call.number).at(at)
        });
    }
}
