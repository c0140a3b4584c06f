//! Whoever waits for the end of a job: by what was answered, when, and what else went through meanwhile.

use crate::checkers::facts::CallFact;
use crate::checkers::{Facts, Finding, Report};
use crate::drive::Evidence;
use crate::wall::Wall;
use outlive::job::State;
use outlive::job::explain::Doing;
use outlive::protocol::{Reply, Request};
use outlive::{Explanation, JobId};
use std::time::Duration;

pub fn check(evidence: &Evidence, facts: &Facts, report: &mut Report) {
    for (call, at, answer) in facts.answered() {
        let (Request::Await { job, wait_ms }, Ok(Reply::Awaited { result, explanation })) =
            (&call.what.request, answer)
        else {
            continue;
        };
        right_result(evidence, call, *job, (result.as_deref(), explanation), report);
        // All of a wait took place where the file is, and nobody slept.
        let patience = Duration::from_millis(*wait_ms);
        let waited = at - call.invoked;
        let awake = !facts.slept_from(call.process, call.invoked, at);
        if facts.is_at_store(call.process) && awake && facts.shown_at_store(waited) >= patience {
            in_time(evidence, facts, call, (*job, explanation), at, report);
        }
    }
}

/// A job's result is its row's, and only what has completed has one.
fn right_result(
    evidence: &Evidence,
    call: &CallFact,
    job: JobId,
    (result, explanation): (Option<&str>, &Explanation),
    report: &mut Report,
) {
    let Ok(rows) = &evidence.rows else { return };
    let completed = matches!(explanation.doing, Doing::Finished { outcome: State::Completed, .. });
    let read = |text: Option<&str>| text.and_then(|text| serde_json::from_str::<serde_json::Value>(text).ok());
    let stored = rows.jobs.get(&job.0).and_then(|row| row.result.as_deref()).filter(|_| completed);
    report.expect("I4.f", read(stored) == read(result), || {
        let says =
            format!("whoever waited for job {job} was told that it came to {result:?}, and its row has {stored:?}");
        Finding::new("awaited result altered", says).job(job).call(call.number).at(call.invoked)
    });
}

/// Whoever waited to the last hears of an end that was written when somebody else's change was: that came later.
fn in_time(
    evidence: &Evidence,
    facts: &Facts,
    call: &CallFact,
    (job, explanation): (JobId, &Explanation),
    at: Duration,
    report: &mut Report,
) {
    let Doing::Finished { at: ended, .. } = explanation.doing else { return };
    let Some(ended) = Wall(&evidence.wall_history).true_time(ended.0, (call.invoked, at)) else { return };
    let meanwhile = |other: &&CallFact| {
        let answered = other.reply().map(|(answered, _)| answered);
        !other.what.request.is_read()
            && other.process == call.process
            && other.invoked > ended
            && answered.is_some_and(|answered| answered + Duration::from_millis(2) < at)
    };
    let other = facts.calls.iter().find(meanwhile);
    report.expect("I4.f", other.is_none(), || {
        let other = other.expect("one was");
        let says = format!(
            "job {job} had ended by {ended:.3?}, a later {} was answered by then, and whoever waited for the end heard of \
             it at {at:.3?}, when its time was over",
            other.what.request.name()
        );
        Finding::new("end unheard", says).job(job).calls([call.number, other.number]).at(at)
    });
}
