//! Reports: a job for each slot of a schedule.
#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "a program brings its own runtime and clock")]

use outlive::job::{Rhythm, State};
use outlive::{Context, Done, Error, Failure, Job, Outlive};
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::time::Duration;

#[derive(Serialize, Deserialize)]
pub(crate) struct Report {}

impl Job for Report {
    const KIND: &'static str = "report";
    type Output = String;
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Sweep {}

impl Job for Sweep {
    const KIND: &'static str = "sweep";
    type Output = ();
}

pub(crate) async fn open(path: &str) -> Result<Outlive, Error> {
    let day = Duration::from_secs(24 * 3600);
    Outlive::builder().keep(State::Completed, day).keep_forever(State::Discarded).open(path).await
}

pub(crate) async fn set_up(outlive: &Outlive) -> Result<(), Error> {
    let mornings = Rhythm::cron("30 7 * * MON-FRI", "Europe/Berlin");
    outlive.schedule("daily report", mornings, Report {}).queue("reports").await?;
    let often = Rhythm::every(Duration::from_secs(1));
    outlive.schedule("sweep", often, Sweep {}).skip_after(Duration::from_secs(5)).await?;
    Ok(())
}

pub(crate) async fn report(ctx: Context, _: Report) -> Result<Done<String>, Failure> {
    let Some(slot) = ctx.slot() else { return Err(Failure::discard("a report is for a morning")) };
    // However late it runs, it is about that morning.
    Ok(Done::complete(format!("all that had happened until {}", slot.at)))
}

pub(crate) async fn sweep(_: Context, _: Sweep) -> Result<Done<()>, Failure> {
    Ok(Done::complete(()))
}

pub(crate) async fn copy(outlive: &Outlive, directory: &Path, night: u32) -> Result<u64, Error> {
    Ok(outlive.backup(directory.join(format!("reports-{night}.db"))).await?.bytes)
}

pub(crate) async fn what_is_planned(outlive: &Outlive) -> Result<(), Error> {
    for schedule in outlive.schedules().await? {
        println!("{schedule}");
    }
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let outlive = open("reports.db").await?;
    set_up(&outlive).await?;
    let worker = outlive.worker().queues(["reports", "default"]).handle(report).handle(sweep).start()?;
    tokio::time::sleep(Duration::from_secs(3)).await;
    worker.stop(Duration::from_secs(1)).await;
    println!("a copy of {} bytes", copy(&outlive, Path::new("."), 1).await?);
    what_is_planned(&outlive).await
}
