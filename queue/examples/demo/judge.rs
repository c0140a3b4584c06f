//! What the file says afterwards, shown and judged.

use crate::Problem;
use crate::program::{self, PHOTOS, Resize, Start};
use crate::story::{COLUMNS, Story, wrapped};
use outlive::job::{AttemptEnd, JobId, Refusal, State};
use outlive::protocol::{AttemptView, JobView};
use outlive::{Error, Outlive};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

/// The longest wait for the file's answers.
const PATIENCE: Duration = Duration::from_secs(60);
/// Puts a failure below its attempt.
const FAILURE_LEAD: &str = "        ";

/// Opens the file, shows what is in it, and says what is wrong with it.
///
/// `pids` are the programs that had the file, in order.
pub fn judge(story: &Story, folder: &Path, pids: [u32; 2]) -> Result<(), Problem> {
    let log = fs::read_to_string(folder.join(program::LOG))?;
    let starts = read_log(&log)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    let reading = async {
        let outlive = Outlive::open(folder.join(program::FILE)).await?;
        story.say("opened the file to look at it");
        let mut views = Vec::new();
        for &job in starts.keys() {
            views.push(outlive.look(job).await?);
        }
        let next = JobId(starts.keys().max().map_or(1, |job| job.0 + 1));
        let another = !matches!(outlive.look(next).await, Err(Error::Refused(Refusal::UnknownJob { .. })));
        Ok::<_, Error>((views, another.then_some(next)))
    };
    let reading = runtime.block_on(async { tokio::time::timeout(PATIENCE, reading).await });
    let (views, another) = reading.map_err(|_| "the file took too long to answer")??;
    show(story, &views, &log);
    if let Some(another) = another {
        return Err(format!("job {another} is in the file, and nobody enqueued it").into());
    }
    if views.len() != PHOTOS.len() {
        return Err(format!("{} jobs have started instead of {}", views.len(), PHOTOS.len()).into());
    }
    views.iter().try_for_each(|view| check(view, &starts[&view.id], pids))
}

/// The attempts of each job that have started, in the order of the log.
fn read_log(log: &str) -> Result<BTreeMap<JobId, Vec<u32>>, Problem> {
    let mut starts: BTreeMap<JobId, Vec<u32>> = BTreeMap::new();
    for line in log.lines() {
        let start = Start::parse(line).ok_or_else(|| format!("the handlers' log has the line {line:?}"))?;
        starts.entry(start.job).or_default().push(start.attempt);
    }
    Ok(starts)
}

fn show(story: &Story, views: &[JobView], log: &str) {
    println!();
    println!("What the file says of each job (times since the beginning):");
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
fn check(view: &JobView, starts: &[u32], pids: [u32; 2]) -> Result<(), Problem> {
    let job = view.id;
    let ends: Vec<_> = view.history.iter().map(|attempt| attempt.ended.map(|(_, end)| end)).collect();
    let workers: Vec<_> = view.history.iter().map(|attempt| attempt.worker.as_str()).collect();
    let [first, second] = pids.map(|pid| format!("pid {pid}"));
    let rules = [
        (view.kind == <Resize as outlive::Job>::KIND, "is of another kind".to_owned()),
        (view.state == State::Completed, format!("is {} instead of completed", view.state)),
        (view.attempts == 2, format!("had {} attempts instead of 2", view.attempts)),
        (view.crashes == 1, format!("counts {} crashes instead of 1", view.crashes)),
        (view.failures == 0, format!("counts {} failures instead of none", view.failures)),
        (starts == [1, 2], format!("started attempts {starts:?} instead of 1 and 2")),
        (
            ends == [Some(AttemptEnd::Crashed), Some(AttemptEnd::Completed)],
            format!("has attempts that ended {ends:?} instead of crashed and completed"),
        ),
        (workers == [first, second], format!("was worked by {workers:?} instead of {pids:?}")),
        (
            view.result.as_ref().is_some_and(|result| result.ends_with("resized by attempt 2\"")),
            format!("has the result {:?} instead of that of attempt 2", view.result),
        ),
    ];
    match rules.iter().find(|(holds, _)| !holds) {
        Some((_, wrong)) => Err(format!("job {job} {wrong}").into()),
        None => Ok(()),
    }
}
