//! The program that gets killed: an ordinary one with a queue inside. Nothing in here knows of the
//! kill, or does anything about it.

use crate::Problem;
use outlive::job::{Backoff, JobId, Limits, State};
use outlive::{Context, Done, Enqueued, Failure, Job, Options, Outlive};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The queue's file.
pub const FILE: &str = "jobs.db";
/// What handlers write to: an effect outside of the queue, which happens once for each start.
pub const LOG: &str = "handlers.log";
/// A job each.
pub const PHOTOS: [&str; 3] = ["cat.jpg", "dog.jpg", "owl.jpg"];

const WORK: Duration = Duration::from_secs(2);
const LOOK: Duration = Duration::from_millis(50);
/// A program that is not done by then gives up: nobody may be left to wait for it.
const PATIENCE: Duration = Duration::from_secs(60);
const SHORT_CRASH_BACKOFF: Duration = Duration::from_millis(400);

#[derive(Serialize, Deserialize)]
pub struct Resize {
    photo: String,
}

impl Job for Resize {
    const KIND: &'static str = "resize";
    type Output = String;
}

async fn resize(context: Context, job: Resize) -> Result<Done<String>, Failure> {
    let start = Start { job: context.job(), attempt: context.attempt() };
    context.state::<HandlerLog>().append(&start)?;
    println!("{start}");
    context.sleep(WORK).await;
    Ok(Done::complete(format!("{} resized by {}", job.photo, Attempt(context.attempt()))))
}

/// Opens the queue in `folder`, enqueues the jobs unless they are there, and works until all are
/// completed.
pub fn run(folder: &Path, default_settings: bool) -> Result<(), Problem> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    runtime.block_on(async {
        let work = work(folder, options(default_settings));
        tokio::time::timeout(PATIENCE, work).await.map_err(|_| "the program's jobs took too long")?
    })
}

async fn work(folder: &Path, options: Options) -> Result<(), Problem> {
    let outlive = Outlive::open_with(folder.join(FILE), options).await?;
    println!("opened the file");
    let mut jobs = Vec::new();
    let mut again = false;
    for photo in PHOTOS {
        let Enqueued { job, fresh } = outlive.enqueue(Resize { photo: photo.into() }).key(photo).await?;
        println!("job {job}, {} {photo}, {}", Resize::KIND, if fresh { "enqueued" } else { "is in the file already" });
        jobs.push(job);
        again |= !fresh;
    }
    if again {
        println!("Why does job {0} not run? {1}", jobs[0], outlive.explain(jobs[0]).await?);
    }
    let log = HandlerLog(folder.join(LOG));
    let worker = outlive.worker().handle(resize).state(log).concurrency(PHOTOS.len()).start()?;
    for job in jobs {
        loop {
            match outlive.look(job).await?.state {
                State::Completed => break,
                state if state.is_terminal() => return Err(format!("job {job} was {state}").into()),
                _ => tokio::time::sleep(LOOK).await,
            }
        }
        println!("job {job} completed");
    }
    // Nothing runs any more, so there is nothing to wait for or to give back.
    drop(worker);
    Ok(())
}

/// What the file is opened with.
pub fn options(default_settings: bool) -> Options {
    let mut options = Options::default();
    if !default_settings {
        let crash_backoff = Backoff { first: SHORT_CRASH_BACKOFF, ..options.limits.crash_backoff };
        options.limits = Limits { crash_backoff, ..options.limits };
    }
    options
}

/// The settings, as a person is told of them.
pub fn settings_in_words(default_settings: bool) -> String {
    if default_settings {
        return "the defaults of the queue and its worker".into();
    }
    let [short, default] = [options(false), options(true)].map(|it| it.limits.crash_backoff.first.as_secs_f64());
    format!("shortened for the demo: crash backoff {short} s instead of {default} s")
}

/// A handler has started. Its words are a line of the log, and a line that the program prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Start {
    pub job: JobId,
    pub attempt: u32,
}

impl fmt::Display for Start {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "job {} {} started", self.job, Attempt(self.attempt))
    }
}

impl Start {
    /// Reads the words back.
    pub fn parse(line: &str) -> Option<Self> {
        let (job, attempt) = line.strip_prefix("job ")?.strip_suffix(" started")?.split_once(" attempt ")?;
        Some(Self { job: JobId(job.parse().ok()?), attempt: attempt.parse().ok()? })
    }
}

struct Attempt(u32);

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "attempt {}", self.0)
    }
}

struct HandlerLog(PathBuf);

impl HandlerLog {
    /// Appends a line in one write, so that handlers do not write into each other's lines.
    fn append(&self, start: &Start) -> io::Result<()> {
        let mut file = OpenOptions::new().create(true).append(true).open(&self.0)?;
        file.write_all(format!("{start}\n").as_bytes())
    }
}
