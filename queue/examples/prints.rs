//! Prints: middleware around every attempt of a worker.
#![allow(clippy::disallowed_types, reason = "a program brings its own runtime")]

use outlive::middleware::{Attempt, Handled, HandlingFuture};
use outlive::{Context, Done, Error, Failure, Job, Outlive, WorkerBuilder};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::Duration;
use tower::layer::layer_fn;
use tower::{Service, ServiceBuilder};

#[derive(Serialize, Deserialize)]
pub(crate) struct Print {
    pub(crate) pages: u32,
}

impl Job for Print {
    const KIND: &'static str = "print";
    type Output = u32;
}

pub(crate) async fn print(_: Context, job: Print) -> Result<Done<u32>, Failure> {
    Ok(Done::complete(job.pages))
}

#[derive(Clone)]
pub(crate) struct OpenHours<S> {
    inner: S,
    is_open: Arc<AtomicBool>,
}

impl<S> Service<Attempt> for OpenHours<S>
where
    S: Service<Attempt, Response = Handled, Error = Failure, Future = HandlingFuture>,
{
    type Response = Handled;
    type Error = Failure;
    type Future = HandlingFuture;

    fn poll_ready(&mut self, cx: &mut std::task::Context<'_>) -> Poll<Result<(), Failure>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, attempt: Attempt) -> HandlingFuture {
        if self.is_open.load(Ordering::Relaxed) {
            return self.inner.call(attempt);
        }
        let why = format!("the shop is closed, and job {} is left for the morning", attempt.job());
        Box::pin(async { Err(Failure::retry_after(Duration::from_millis(100), why)) })
    }
}

pub(crate) fn worker(outlive: &Outlive, is_open: Arc<AtomicBool>) -> WorkerBuilder {
    let told = |attempt: Attempt| {
        println!("attempt {} of job {} ({})", attempt.number(), attempt.job(), attempt.kind());
        attempt
    };
    outlive
        .worker()
        .handle(print)
        .layer(ServiceBuilder::new().concurrency_limit(2).timeout(Duration::from_secs(60)).map_request(told))
        .layer(layer_fn(move |inner| OpenHours { inner, is_open: is_open.clone() }))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let outlive = Outlive::open("prints.db").await?;
    let job = outlive.enqueue(Print { pages: 3 }).await?.job;
    let _worker = worker(&outlive, Arc::new(AtomicBool::new(true))).start()?;
    println!("{} pages", outlive.result::<u32>(job).await?);
    Ok(())
}
