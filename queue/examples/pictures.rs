//! Two versions of a program, at work in the same queue: the second asks for more of each picture, and for a new kind of job.
#![allow(clippy::disallowed_types, reason = "a program brings its own runtime")]

use outlive::job::State;
use outlive::{Context, Done, Error, Failure, Filter, Job, Outlive, WorkerBuilder};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// What both versions know. The second one has added a field.
#[derive(Serialize, Deserialize)]
pub(crate) struct Upload {
    pub(crate) file: String,
    #[serde(default)]
    pub(crate) album: Option<String>,
}

impl Job for Upload {
    const KIND: &'static str = "upload";
    type Output = String;
}

/// What the first version asked for: jobs of it may still be there.
#[derive(Serialize, Deserialize)]
pub(crate) struct Resize {
    pub(crate) file: String,
    pub(crate) width: u32,
}

impl Job for Resize {
    const KIND: &'static str = "resize";
    type Output = String;
}

/// What the second one asks for instead: another payload, so another kind.
#[derive(Serialize, Deserialize)]
pub(crate) struct ResizeAll {
    pub(crate) file: String,
    pub(crate) widths: Vec<u32>,
}

impl Job for ResizeAll {
    const KIND: &'static str = "resize-2";
    type Output = String;
}

async fn upload(_: Context, job: Upload) -> Result<Done<String>, Failure> {
    Ok(Done::complete(format!("{} into {}", job.file, job.album.as_deref().unwrap_or("no album"))))
}

async fn resize(_: Context, job: Resize) -> Result<Done<String>, Failure> {
    Ok(Done::complete(format!("{} to {}", job.file, job.width)))
}

async fn resize_all(_: Context, job: ResizeAll) -> Result<Done<String>, Failure> {
    Ok(Done::complete(format!("{} to {:?}", job.file, job.widths)))
}

pub(crate) fn first_version(outlive: &Outlive) -> WorkerBuilder {
    outlive.worker().handle(upload).handle(resize)
}

pub(crate) fn second_version(outlive: &Outlive) -> WorkerBuilder {
    let as_before = |ctx, Resize { file, width }| resize_all(ctx, ResizeAll { file, widths: vec![width] });
    outlive.worker().handle(upload).handle(resize_all).handle(as_before)
}

pub(crate) async fn is_needed(outlive: &Outlive, kind: &str) -> Result<bool, Error> {
    for state in [State::Running, State::Waiting] {
        if outlive.list(Filter::state(state).kind(kind)).next_page().await?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let outlive = Outlive::open("pictures.db").await?;
    let old = first_version(&outlive).start()?;
    let job = outlive.enqueue(ResizeAll { file: "cat.png".into(), widths: vec![64, 512] }).await?.job;
    println!("{}", outlive.explain(job).await?);
    let _new = second_version(&outlive).start()?;
    println!("{}", outlive.result::<String>(job).await?);
    old.stop(Duration::from_secs(10)).await;
    println!("the handler of the old kind is needed: {}", is_needed(&outlive, Resize::KIND).await?);
    Ok(())
}
