//! The work: a job, its handler, and what a handler leaves outside of the queue. The same in both acts.

use outlive::job::JobId;
use outlive::{Context, Done, Failure, Job};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The queue's file.
pub const FILE: &str = "jobs.db";
/// How long a job takes.
pub const WORK: Duration = Duration::from_secs(3);

/// What handlers write to: an effect outside of the queue, which happens once for each start.
const LOG: &str = "handlers.log";

#[derive(Serialize, Deserialize)]
pub struct Resize {
    pub photo: String,
}

impl Job for Resize {
    const KIND: &'static str = "resize";
    type Output = String;
}

/// The handler. It needs the log as the worker's state.
pub async fn resize(context: Context, job: Resize) -> Result<Done<String>, Failure> {
    let start = Step { job: context.job(), attempt: context.attempt(), what: What::Started };
    context.state::<HandlerLog>().append(&start)?;
    println!("{start}");
    context.sleep(WORK).await;
    Ok(Done::complete(result(&job.photo, context.attempt())))
}

/// What an attempt at a photo results in.
pub fn result(photo: &str, attempt: u32) -> String {
    format!("{photo} resized by attempt {attempt}")
}

/// A handler has come this far. Its words are a line of the log, and a line that a process prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Step {
    pub job: JobId,
    pub attempt: u32,
    pub what: What,
}

/// How far a handler has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum What {
    Started,
    /// It has its result, which the queue need not have yet.
    Finished,
}

impl What {
    const ALL: [Self; 2] = [Self::Started, Self::Finished];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Started => "started",
            Self::Finished => "finished its work",
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "job {} attempt {} {}", self.job, self.attempt, self.what.as_str())
    }
}

impl Step {
    /// Reads the words back.
    pub fn parse(line: &str) -> Option<Self> {
        let (job, rest) = line.strip_prefix("job ")?.split_once(" attempt ")?;
        let (attempt, what) = rest.split_once(' ')?;
        let what = What::ALL.into_iter().find(|known| known.as_str() == what)?;
        Some(Self { job: JobId(job.parse().ok()?), attempt: attempt.parse().ok()?, what })
    }
}

/// The log of the handlers.
pub struct HandlerLog(PathBuf);

impl HandlerLog {
    /// The one in `folder`.
    pub fn of(folder: &Path) -> Self {
        Self(folder.join(LOG))
    }

    /// All that is in it.
    pub fn read(&self) -> io::Result<String> {
        std::fs::read_to_string(&self.0)
    }

    /// Appends a line in one write, so that handlers do not write into each other's lines.
    fn append(&self, start: &Step) -> io::Result<()> {
        let mut file = OpenOptions::new().create(true).append(true).open(&self.0)?;
        file.write_all(format!("{start}\n").as_bytes())
    }
}
