//! The program of act 1: an ordinary one with a queue inside. Nothing in here knows of the kill, or
//! does anything about it.

use crate::Problem;
use crate::patience::wait_for;
use crate::settings::Settings;
use crate::work::{FILE, HandlerLog, Resize, resize};
use outlive::job::State;
use outlive::{Enqueued, Job, Options, Outlive};
use std::path::Path;
use std::time::Duration;

/// A job each.
pub const PHOTOS: [&str; 3] = ["cat.jpg", "dog.jpg", "owl.jpg"];

const LOOK: Duration = Duration::from_millis(50);

/// Opens the queue in `folder`, enqueues the jobs unless they are there, and works until all are
/// completed.
pub fn run(folder: &Path, settings: Settings) -> Result<(), Problem> {
    wait_for("working the jobs", work(folder, settings.options()))
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
    let worker = outlive.worker().handle(resize).state(HandlerLog::of(folder)).start()?;
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
