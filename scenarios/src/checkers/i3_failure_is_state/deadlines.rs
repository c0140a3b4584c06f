//! Deadlines of jobs: by the times in the rows, and by what people were told.

use crate::checkers::{Facts, Finding, Report};
use crate::drive::Evidence;
use crate::image::{JobRow, Rows};
use outlive::JobId;
use outlive::job::Token;
use outlive::job::explain::Doing;
use outlive::protocol::{Reply, Request};
use outlive_sim::WALL_START;

pub fn check(evidence: &Evidence, facts: &Facts, report: &mut Report) {
    let Ok(rows) = &evidence.rows else { return };
    // A clock that runs back makes what is late early again.
    if facts.wall_jumped {
        return;
    }
    attempts(rows, report);
    explanations(facts, report);
    ends(rows, report);
}

/// No attempt begins after its job's deadline.
fn attempts(rows: &Rows, report: &mut Report) {
    for (token, attempt) in &rows.attempts {
        let Some(job) = rows.jobs.get(&attempt.job) else { continue };
        let Some(deadline) = job.deadline_wall_ms else { continue };
        report.expect("I3.g", attempt.claimed_ms < deadline, || {
            let late = attempt.claimed_ms - deadline;
            let says = format!("attempt {} of job {} began {late} ms after its deadline", attempt.number, job.id);
            Finding::new("attempt begun too late", says).job(JobId(job.id)).attempt(Token(*token))
        });
    }
}

/// What waits is not past its deadline.
fn explanations(facts: &Facts, report: &mut Report) {
    for (call, _, answer) in facts.answered() {
        let (Request::Explain { job }, Ok(Reply::Explained(explanation))) = (&call.what.request, answer) else {
            continue;
        };
        let Some(begins_by) = explanation.begins_by else { continue };
        let asked = i64::try_from((WALL_START + call.invoked).as_millis()).expect("a date of our time");
        let waits = matches!(explanation.doing, Doing::Waiting { .. });
        report.expect("I3.g", !waits || asked < begins_by.0, || {
            let says = format!("job {job} is said to wait {} ms after its deadline", asked - begins_by.0);
            Finding::new("waiting too late", says).job(*job).call(call.number).at(call.invoked)
        });
    }
}

/// What has ended because it was too late had a deadline, and it had passed, or no attempt could begin before it.
fn ends(rows: &Rows, report: &mut Report) {
    for job in rows.jobs.values().filter(|job| is_too_late(job)) {
        let latest = rows.failures.values().filter(|it| it.job == job.id).max_by_key(|it| it.attempt);
        let by_time = job.deadline_wall_ms.zip(job.finished_ms).is_some_and(|(by, at)| by <= at + SLACK_MS);
        let by_failure = latest.is_some_and(|it| it.attempt == job.attempts && it.decision == "discard");
        let has_one = job.deadline_wall_ms.is_some();
        report.expect("I3.g", job.state == "discarded" && has_one && (by_time || by_failure), || {
            let says = format!("job {} is {} as too late, by {:?}", job.id, job.state, job.deadline_wall_ms);
            Finding::new("ended as too late wrongly", says).job(JobId(job.id))
        });
    }
}

/// By how much the file's clock may be ahead of the wall clock in a run, in milliseconds.
const SLACK_MS: i64 = 2_000;

/// Whether a job has ended because no attempt of it could begin in time.
pub fn is_too_late(job: &JobRow) -> bool {
    job.finished && job.wait_on.as_ref().is_some_and(|on| on["on"] == "too-late")
}
