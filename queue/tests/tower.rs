//! Middleware around the attempts of a worker, on the real machine.
#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "these tests are about the real machine")]

use outlive::job::{AttemptEnd, Backoff, How, JobId, Limits, State};
use outlive::middleware::{Attempt, Handled, HandlingFuture, MiddlewareError};
use outlive::protocol::{FailureView, JobView};
use outlive::{Context, Done, Failure, Job, Options, Outlive};
use serde::{Deserialize, Serialize};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;
use tempfile::TempDir;
use tower::layer::layer_fn;
use tower::{Service, ServiceBuilder};

#[path = "../examples/prints.rs"]
#[allow(dead_code, reason = "the example's own main is not run")]
mod example;

const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Serialize, Deserialize)]
struct Double {
    number: u32,
}

impl Job for Double {
    const KIND: &'static str = "double";
    type Output = u32;
}

#[derive(Serialize, Deserialize)]
struct Halve {
    number: u32,
}

impl Job for Halve {
    const KIND: &'static str = "halve";
    type Output = u32;
}

async fn double(_: Context, job: Double) -> Result<Done<u32>, Failure> {
    Ok(Done::complete(2 * job.number))
}

fn halve(_: Context, job: Halve) -> Result<Done<u32>, Failure> {
    assert!(job.number.is_multiple_of(2), "{} is odd", job.number);
    Ok(Done::complete(job.number / 2))
}

async fn queue() -> (TempDir, Outlive) {
    let directory = tempfile::tempdir().unwrap();
    let millisecond = Duration::from_millis(1);
    let backoff = Backoff::Exponential { first: millisecond, longest: millisecond };
    let options = Options { limits: Limits { backoff, ..Limits::default() }, ..Options::default() };
    let outlive = Outlive::open_with(directory.path().join("queue.db"), options).await.unwrap();
    (directory, outlive)
}

/// The job once it has ended.
async fn ended(outlive: &Outlive, job: JobId) -> JobView {
    let _ = outlive.result::<u32>(job).within(PATIENCE).await;
    let view = outlive.look(job).await.unwrap();
    assert!(view.state.is_terminal(), "{view:?}");
    view
}

fn failures(view: &JobView) -> Vec<FailureView> {
    view.history.iter().filter_map(|attempt| attempt.failure.clone()).collect()
}

/// Says when an attempt comes, and what came of it.
#[derive(Clone)]
struct Told<S> {
    name: &'static str,
    said: Arc<Mutex<Vec<String>>>,
    inner: S,
}

impl<S> Service<Attempt> for Told<S>
where
    S: Service<Attempt, Response = Handled, Error = Failure, Future = HandlingFuture>,
{
    type Response = Handled;
    type Error = Failure;
    type Future = HandlingFuture;

    fn poll_ready(&mut self, context: &mut std::task::Context<'_>) -> Poll<Result<(), Failure>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, attempt: Attempt) -> HandlingFuture {
        let (name, said) = (self.name, self.said.clone());
        let about = format!("{} {} of {} in {}", attempt.kind(), attempt.number(), attempt.job(), attempt.queue());
        said.lock().unwrap().push(format!("{name}: {about}: {}", attempt.payload()));
        let called = self.inner.call(attempt);
        Box::pin(async move {
            let handled = called.await;
            let what = match &handled {
                Ok(handled) => format!("{:?}", handled.done()),
                Err(failure) => failure.message().to_owned(),
            };
            said.lock().unwrap().push(format!("{name}: {what}"));
            handled
        })
    }
}

#[tokio::test]
async fn layers_see_every_attempt_the_first_one_from_outside() {
    let (_directory, outlive) = queue().await;
    let said: Arc<Mutex<Vec<String>>> = Arc::default();
    let told = |name: &'static str| {
        let said = said.clone();
        layer_fn(move |inner| Told { name, said: said.clone(), inner })
    };
    let worker = outlive.worker().handle(double).handle_blocking(halve).layer(told("outer")).layer(told("inner"));
    let _worker = worker.start().unwrap();
    let doubled = outlive.enqueue(Double { number: 21 }).await.unwrap().job;
    assert_eq!(ended(&outlive, doubled).await.result.as_deref(), Some("42"));
    let of_double = [
        r#"outer: double 1 of 1 in default: {"number":21}"#,
        r#"inner: double 1 of 1 in default: {"number":21}"#,
        r#"inner: Complete("42")"#,
        r#"outer: Complete("42")"#,
    ];
    assert_eq!(std::mem::take(&mut *said.lock().unwrap()), of_double);

    // One that blocks its thread goes through them as well, and so does its panic.
    let halved = outlive.enqueue(Halve { number: 4 }).await.unwrap().job;
    assert_eq!(ended(&outlive, halved).await.result.as_deref(), Some("2"));
    assert_eq!(said.lock().unwrap().len(), 4, "{said:?}");
    let odd = outlive.enqueue(Halve { number: 3 }).max_attempts(1).await.unwrap().job;
    let failures = failures(&ended(&outlive, odd).await);
    assert_eq!((failures[0].how, failures[0].message.as_str()), (How::Panic, "3 is odd"));
    assert_eq!(said.lock().unwrap().len(), 6, "a panic passes through: {said:?}");
}

#[derive(Debug, thiserror::Error)]
#[error("nobody may halve today")]
struct Forbidden(#[source] std::num::ParseIntError);

#[tokio::test]
async fn an_error_of_middleware_is_a_failure_with_its_causes() {
    let (_directory, outlive) = queue().await;
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = calls.clone();
    let handler = move |_: Context, job: Double| {
        counted.fetch_add(1, Ordering::Relaxed);
        async move { Ok(Done::complete(job.number)) }
    };
    let forbid = ServiceBuilder::new().filter(|attempt: Attempt| match attempt.number() {
        1 => Err(MiddlewareError::from(Forbidden("x".parse::<u8>().unwrap_err()))),
        _ => Ok(attempt),
    });
    let _worker = outlive.worker().handle(handler).layer(forbid).start().unwrap();
    let job = outlive.enqueue(Double { number: 7 }).await.unwrap().job;
    let view = ended(&outlive, job).await;
    assert_eq!((view.state, view.attempts), (State::Completed, 2));
    let [failure] = &failures(&view)[..] else { panic!("{view:?}") };
    assert_eq!((failure.how, failure.retryable), (How::Error, true));
    assert_eq!(failure.message, "nobody may halve today");
    assert_eq!(failure.causes, ["invalid digit found in string"]);
    assert_eq!(calls.load(Ordering::Relaxed), 1, "the handler was not called when it was not let through");
}

#[tokio::test]
async fn what_a_handler_fails_with_comes_through_middleware_of_any_error() {
    async fn give_up(_: Context, _: Double) -> Result<Done<u32>, Failure> {
        let error = Forbidden("x".parse::<u8>().unwrap_err());
        Err(Failure::from(error).for_good())
    }
    let (_directory, outlive) = queue().await;
    let patient = ServiceBuilder::new().timeout(PATIENCE).concurrency_limit(3).timeout(PATIENCE);
    let _worker = outlive.worker().handle(give_up).layer(patient).start().unwrap();
    let job = outlive.enqueue(Double { number: 7 }).await.unwrap().job;
    let view = ended(&outlive, job).await;
    let [failure] = &failures(&view)[..] else { panic!("{view:?}") };
    assert_eq!((view.state, failure.retryable), (State::Discarded, false));
    assert_eq!(failure.message, "nobody may halve today");
    assert_eq!(failure.causes, ["invalid digit found in string"]);
}

#[tokio::test]
async fn a_limit_is_one_of_the_worker() {
    let (_directory, outlive) = queue().await;
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let seen = (now.clone(), most.clone());
    let handler = move |context: Context, job: Double| {
        let (now, most) = seen.clone();
        async move {
            most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            context.sleep(Duration::from_millis(1)).await;
            now.fetch_sub(1, Ordering::SeqCst);
            Ok(Done::complete(job.number))
        }
    };
    let worker = outlive.worker().concurrency(8).handle(handler);
    let _worker = worker.layer(ServiceBuilder::new().concurrency_limit(1)).start().unwrap();
    let mut jobs = Vec::new();
    for number in 0..20 {
        jobs.push(outlive.enqueue(Double { number }).await.unwrap().job);
    }
    for job in jobs {
        assert_eq!(ended(&outlive, job).await.history[0].ended.unwrap().1, AttemptEnd::Completed);
    }
    assert_eq!(most.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_handler_that_blocks_keeps_its_slot_when_middleware_gives_up_on_it() {
    let (_directory, outlive) = queue().await;
    let said: Arc<Mutex<Vec<String>>> = Arc::default();
    let (go_on, wait) = std::sync::mpsc::channel::<()>();
    let (wait, told) = (Mutex::new(wait), said.clone());
    let handler = move |_: Context, job: Halve| {
        told.lock().unwrap().push(format!("{} begins", job.number));
        if job.number == 1 {
            wait.lock().unwrap().recv().unwrap();
        }
        told.lock().unwrap().push(format!("{} ends", job.number));
        Ok(Done::complete(job.number))
    };
    let impatient = ServiceBuilder::new().timeout(Duration::from_millis(500));
    let worker = outlive.worker().concurrency(1).handle_blocking(handler).layer(impatient);
    let _worker = worker.start().unwrap();
    let first = outlive.enqueue(Halve { number: 1 }).max_attempts(1).await.unwrap().job;
    let second = outlive.enqueue(Halve { number: 2 }).await.unwrap().job;
    let view = ended(&outlive, first).await;
    assert_eq!(view.state, State::Discarded);
    assert_eq!(failures(&view)[0].message, "request timed out");
    go_on.send(()).unwrap();
    assert_eq!(ended(&outlive, second).await.state, State::Completed);
    assert_eq!(*said.lock().unwrap(), ["1 begins", "1 ends", "2 begins", "2 ends"]);
}

#[tokio::test]
async fn the_prints_of_the_guide_wait_for_the_morning() {
    let (_directory, outlive) = queue().await;
    let is_open = Arc::new(AtomicBool::new(false));
    let worker = example::worker(&outlive, is_open.clone());
    let _worker = worker.start().unwrap();
    let job = outlive.enqueue(example::Print { pages: 3 }).await.unwrap().job;
    while outlive.look(job).await.unwrap().failures == 0 {
        tokio::task::yield_now().await;
    }
    is_open.store(true, Ordering::Relaxed);
    let view = ended(&outlive, job).await;
    assert_eq!(view.result.as_deref(), Some("3"));
    let said = format!("the shop is closed, and job {job} is left for the morning");
    assert_eq!(failures(&view)[0].message, said);
}
