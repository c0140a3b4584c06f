//! Parcels: what a handler says is kept with its attempt.
#![allow(clippy::disallowed_types, reason = "a program brings its own runtime")]

use outlive::job::{JobId, Level};
use outlive::{Context, Done, Error, Failure, Job, LogLayer, Outlive};
use serde::{Deserialize, Serialize};
use tracing_subscriber::prelude::*;

#[derive(Serialize, Deserialize)]
pub(crate) struct Parcel {
    pub(crate) order: u32,
    pub(crate) kilos: u32,
}

impl Job for Parcel {
    const KIND: &'static str = "parcel";
    type Output = ();
}

pub(crate) fn keep_what_is_said() {
    tracing_subscriber::registry().with(LogLayer::at(tracing::Level::INFO)).init();
}

pub(crate) async fn ship(ctx: Context, parcel: Parcel) -> Result<Done<()>, Failure> {
    tracing::info!(order = parcel.order, "packing");
    let weight = tracing::info_span!("weighing").in_scope(|| {
        tracing::warn!("the scale is not level");
        parcel.kilos + 1
    });
    if weight > 30 {
        return Err(Failure::discard("no carrier takes it"));
    }
    ctx.log(Level::Info, format!("the label says {weight} kg"));
    Ok(Done::complete(()))
}

pub(crate) async fn send(outlive: &Outlive, parcel: Parcel, traceparent: Option<&str>) -> Result<JobId, Error> {
    let mut job = outlive.enqueue(parcel);
    if let Some(parent) = traceparent.and_then(|header| header.parse().ok()) {
        job = job.trace_parent(parent);
    }
    Ok(job.await?.job)
}

pub(crate) async fn what_it_said(outlive: &Outlive, job: JobId) -> Result<(), Error> {
    for attempt in outlive.look(job).await?.history {
        println!("attempt {}, of {}:", attempt.number, attempt.worker);
        for line in attempt.log.lines {
            println!("{line}");
        }
    }
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    keep_what_is_said();
    let outlive = Outlive::open("parcels.db").await?;
    let header = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let job = send(&outlive, Parcel { order: 7, kilos: 3 }, Some(header)).await?;
    let worker = outlive.worker().handle(ship).start()?;
    outlive.result::<()>(job).await?;
    worker.stop(std::time::Duration::from_secs(1)).await;
    what_it_said(&outlive, job).await
}
