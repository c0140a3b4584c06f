//! What a queue says afterwards, shown and judged.

use crate::Problem;
use crate::patience::wait_for;
use crate::story::{COLUMNS, Story, wrapped};
use crate::work::{self, HandlerLog, Resize, Step};
use outlive::job::{AttemptEnd, JobId, Refusal, State};
use outlive::protocol::{AttemptView, JobView};
use outlive::{Error, Job, Outlive};
use std::collections::BTreeMap;
use std::path::Path;

/// Puts a failure below its attempt.
const FAILURE_LEAD: &str = "        ";

/// What a job must have come to.
#[derive(Clone, Copy)]
pub struct Expected<'a> {
    /// What it was about.
    pub photo: &'a str,
    /// Whose each attempt was, and how it ended.
    pub attempts: &'a [(&'a str, AttemptEnd)],
}

/// Shows all jobs of a queue, which `source` answers for, and says what is wrong with them.
///
/// `expected` are the jobs that were enqueued, in order.
pub fn judge(
    story: &Story,
    source: &str,
    outlive: &Outlive,
    folder: &Path,
    expected: &[Expected<'_>],
) -> Result<(), Problem> {
    let views = wait_for("looking at the jobs", look_at_all(outlive))?;
    let log = HandlerLog::of(folder).read()?;
    show(story, source, &views, &log);
    if views.len() != expected.len() {
        return Err(format!("{source} has {} jobs instead of {}", views.len(), expected.len()).into());
    }
    let mut starts = read_log(&log)?;
    for (view, expected) in views.iter().zip(expected) {
        check(view, &starts.remove(&view.id).unwrap_or_default(), expected)?;
    }
    match starts.keys().next() {
        Some(job) => Err(format!("job {job} has started, and nobody enqueued it").into()),
        None => Ok(()),
    }
}

/// All jobs: their numbers are 1, 2, …
async fn look_at_all(outlive: &Outlive) -> Result<Vec<JobView>, Error> {
    let mut views = Vec::new();
    for number in 1.. {
        match outlive.look(JobId(number)).await {
            Ok(view) => views.push(view),
            Err(Error::Refused(Refusal::UnknownJob { .. })) => break,
            Err(error) => return Err(error),
        }
    }
    Ok(views)
}

/// The attempts of each job that have started, in the order of the log.
fn read_log(log: &str) -> Result<BTreeMap<JobId, Vec<u32>>, Problem> {
    let mut starts: BTreeMap<JobId, Vec<u32>> = BTreeMap::new();
    for line in log.lines() {
        let start = Step::parse(line).ok_or_else(|| format!("the handlers' log has the line {line:?}"))?;
        starts.entry(start.job).or_default().push(start.attempt);
    }
    Ok(starts)
}

fn show(story: &Story, source: &str, views: &[JobView], log: &str) {
    println!();
    println!("What {source} says of each job (times since the beginning of the act):");
    for view in views {
        println!();
        let JobView { id, kind, state, attempts, crashes, .. } = view;
        println!("  job {id} ({kind}) is {state}; attempts: {attempts}, crashes: {crashes}");
        for attempt in &view.history {
            show_attempt(story, attempt);
        }
        println!("    result     {}", view.result.as_deref().unwrap_or("none"));
    }
    println!();
    println!("What the handlers wrote to their log, an effect outside of the queue:");
    println!();
    for line in log.lines() {
        println!("  {line}");
    }
}

fn show_attempt(story: &Story, attempt: &AttemptView) {
    let started = attempt.started_at.map_or("never".into(), |at| story.seconds(at.0));
    let (at, end) = match attempt.ended {
        Some((at, AttemptEnd::Crashed)) => (story.seconds(at.0), "found crashed"),
        Some((at, end)) => (story.seconds(at.0), end.as_str()),
        None => ("never".into(), "ended"),
    };
    println!("    attempt {}  {}, started at {started}, {end} at {at}", attempt.number, attempt.worker);
    if let Some(failure) = &attempt.failure {
        for line in wrapped(&failure.message, COLUMNS - FAILURE_LEAD.len()) {
            println!("{FAILURE_LEAD}{line}");
        }
    }
}

/// Says what of a job is not as it should be.
fn check(view: &JobView, starts: &[u32], expected: &Expected<'_>) -> Result<(), Problem> {
    let Expected { photo, attempts } = *expected;
    let had: Vec<_> =
        view.history.iter().map(|attempt| (attempt.worker.as_str(), attempt.ended.map(|(_, end)| end))).collect();
    let wanted: Vec<_> = attempts.iter().map(|&(worker, end)| (worker, Some(end))).collect();
    let count = u32::try_from(attempts.len()).expect("a handful");
    let crashes = attempts.iter().filter(|(_, end)| *end == AttemptEnd::Crashed).count();
    let result = serde_json::to_string(&work::result(photo, count))?;
    let rules = [
        (view.kind == Resize::KIND, "is of another kind".to_owned()),
        (view.state == State::Completed, format!("is {} instead of completed", view.state)),
        (view.attempts == count, format!("had {} attempts instead of {count}", view.attempts)),
        (view.crashes as usize == crashes, format!("counts {} crashes instead of {crashes}", view.crashes)),
        (view.failures == 0, format!("counts {} failures instead of none", view.failures)),
        (starts.iter().copied().eq(1..=count), format!("started attempts {starts:?} instead of 1 to {count}")),
        (had == wanted, format!("had the attempts {had:?} instead of {wanted:?}")),
        (view.result.as_ref() == Some(&result), format!("has the result {:?} instead of {result}", view.result)),
    ];
    match rules.iter().find(|(holds, _)| !holds) {
        Some((_, wrong)) => Err(format!("job {} {wrong}", view.id).into()),
        None => Ok(()),
    }
}
