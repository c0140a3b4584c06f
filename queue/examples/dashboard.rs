//! A dashboard: what the queue does, as figures that Prometheus collects.
#![allow(clippy::disallowed_types, reason = "a program brings its own runtime")]

use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use outlive::server::{Renderer, ServeError, ServeOptions, Server};
use outlive::{Context, Done, Failure, Job, Outlive};
use serde::{Deserialize, Serialize};
use std::time::Duration;

#[derive(Serialize, Deserialize)]
pub(crate) struct Brew {
    pub(crate) cups: u32,
}

impl Job for Brew {
    const KIND: &'static str = "brew";
    type Output = ();
}

pub(crate) async fn brew(ctx: Context, job: Brew) -> Result<Done<()>, Failure> {
    if job.cups == 0 {
        return Err(Failure::discard("nobody wants any"));
    }
    if job.cups > 10 && ctx.attempt() == 1 {
        return Ok(Done::snooze(Duration::from_millis(1)));
    }
    Ok(Done::complete(()))
}

pub(crate) fn count() -> Result<PrometheusHandle, BuildError> {
    let seconds = Matcher::Suffix("_seconds".into());
    let builder = PrometheusBuilder::new().set_buckets_for_metric(seconds, &[0.01, 0.1, 1.0, 10.0, 100.0])?;
    builder.install_recorder()
}

pub(crate) async fn serve(outlive: &Outlive, address: &str, counted: PrometheusHandle) -> Result<Server, ServeError> {
    let metrics = Some(Renderer::new(move || counted.render()));
    Server::start(outlive, address, ServeOptions { metrics, ..ServeOptions::default() }).await
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let counted = count()?;
    let outlive = Outlive::open("brews.db").await?;
    let _server = serve(&outlive, "127.0.0.1:7400", counted.clone()).await?;
    let _worker = outlive.worker().handle(brew).start()?;
    for cups in [1, 12] {
        let job = outlive.enqueue(Brew { cups }).await?.job;
        outlive.result::<()>(job).await?;
    }
    println!("{}", counted.render());
    Ok(())
}
