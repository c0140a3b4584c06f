//! Middleware around the handlers of a worker, as layers of the crate `tower`: see
//! [`WorkerBuilder::layer`](crate::WorkerBuilder::layer).
//!
//! It wraps the call of a handler, and nothing else. It has no lease, can't make up how an attempt ended, and nothing
//! here starts a task or a timer: it runs where the handler would.

use super::Shared;
use super::handler::{Execution, Outcome};
use super::outcome::{Done, Failure};
use crate::host::Host;
use crate::job::{JobId, Lease, Token};
use crate::protocol::Granted;
use std::error::Error;
use std::fmt;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use tokio::sync::{OwnedSemaphorePermit, oneshot};
use tower_layer::Layer;
use tower_service::Service;

/// An attempt whose handler is about to be called: what middleware is asked with.
///
/// Its payload has been decoded already. It can't be cloned, so no middleware calls a handler twice: to try again
/// is the queue's, which writes down why.
pub struct Attempt {
    kind: String,
    queue: String,
    job: JobId,
    number: u32,
    token: Token,
    payload: String,
    /// In a mutex only so that the attempt can be borrowed over an `await`.
    work: Mutex<Work>,
}

/// How a handler has ended its attempt well. Only a handler can say so, and of its own attempt: what is given back for
/// another one is a failure of that.
#[derive(Debug, PartialEq, Eq)]
pub struct Handled {
    done: Done<String>,
    of: Token,
}

/// The handlers of a worker, and the middleware that is around them already: what a layer wraps.
pub struct Handling(Box<dyn Stacked>);

/// A call on its way through the middleware to its handler, and back.
pub type HandlingFuture = Pin<Box<dyn Future<Output = Result<Handled, Failure>> + Send>>;

/// What middleware may fail with: any error.
pub type MiddlewareError = Box<dyn Error + Send + Sync>;

/// What a handler does.
type Work = Pin<Box<dyn Future<Output = Outcome> + Send>>;

impl Attempt {
    /// The kind of its job.
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// The queue of its job.
    pub fn queue(&self) -> &str {
        &self.queue
    }

    /// The number of its job.
    pub fn job(&self) -> JobId {
        self.job
    }

    /// Which execution of the job this is: 1, 2, …
    pub fn number(&self) -> u32 {
        self.number
    }

    /// The arguments of its job, as JSON.
    pub fn payload(&self) -> &str {
        &self.payload
    }
}

impl fmt::Debug for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What is in a payload must not end up in a log by accident.
        let Self { kind, queue, job, number, .. } = self;
        let mut shown = f.debug_struct("Attempt");
        shown
            .field("kind", kind)
            .field("queue", queue)
            .field("job", job)
            .field("number", number)
            .finish_non_exhaustive()
    }
}

impl Handled {
    /// What the handler has said; its result is JSON. If a transaction has stored the result, it is not here: it is
    /// empty.
    pub fn done(&self) -> &Done<String> {
        &self.done
    }
}

/// Middleware that takes any error takes a failure too. Its causes are the error's sources, and what the handler has
/// said of trying again is kept, whatever else the error is wrapped into.
impl From<Failure> for MiddlewareError {
    fn from(failure: Failure) -> Self {
        let source = failure.causes.iter().rev().fold(None, |source, cause| {
            let cause = Cause { message: cause.clone(), source };
            Some(Box::new(cause))
        });
        Box::new(Carried { failure, source })
    }
}

/// A failure on its way through middleware that takes any error.
#[derive(Debug)]
struct Carried {
    failure: Failure,
    source: Option<Box<Cause>>,
}

/// One of its causes, and those behind it.
#[derive(Debug)]
struct Cause {
    message: String,
    source: Option<Box<Self>>,
}

impl fmt::Display for Carried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.failure.message)
    }
}

impl Error for Carried {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|cause| cause as _)
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for Cause {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|cause| cause as _)
    }
}

/// The failure that an error of middleware is: with its causes, and retryable, unless it came of a failure that is not.
fn failure(error: MiddlewareError) -> Failure {
    let error = match error.downcast::<Carried>() {
        Ok(carried) => return carried.failure,
        Err(error) => error,
    };
    let mut failure = Failure::retry(error.to_string());
    for cause in std::iter::successors(error.source(), |&cause| cause.source()) {
        failure.causes.push(cause.to_string());
        if let Some(Carried { failure: Failure { retryable, retry_after, .. }, .. }) = cause.downcast_ref() {
            (failure.retryable, failure.retry_after) = (*retryable, *retry_after);
        }
    }
    failure
}

/// A service of any type.
trait Stacked: Send {
    fn again(&self) -> Box<dyn Stacked>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Failure>>;

    fn call(&mut self, attempt: Attempt) -> HandlingFuture;
}

/// What is innermost: the handlers.
#[derive(Clone, Copy)]
struct Handlers;

impl Stacked for Handlers {
    fn again(&self) -> Box<dyn Stacked> {
        Box::new(*self)
    }

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, attempt: Attempt) -> HandlingFuture {
        let work = attempt.work.into_inner().unwrap_or_else(PoisonError::into_inner);
        let of = attempt.token;
        Box::pin(async move { work.await.map(|done| Handled { done, of }) })
    }
}

/// What a layer has made.
struct Layered<S>(S);

impl<S> Stacked for Layered<S>
where
    S: Service<Attempt, Response = Handled> + Clone + Send + 'static,
    S::Error: Into<MiddlewareError>,
    S::Future: Send + 'static,
{
    fn again(&self) -> Box<dyn Stacked> {
        Box::new(Self(self.0.clone()))
    }

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        self.0.poll_ready(context).map_err(|error| failure(error.into()))
    }

    fn call(&mut self, attempt: Attempt) -> HandlingFuture {
        let called = self.0.call(attempt);
        Box::pin(async move { called.await.map_err(|error| failure(error.into())) })
    }
}

impl Clone for Handling {
    fn clone(&self) -> Self {
        Self(self.0.again())
    }
}

impl Service<Attempt> for Handling {
    type Response = Handled;
    type Error = Failure;
    type Future = HandlingFuture;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, attempt: Attempt) -> HandlingFuture {
        self.0.call(attempt)
    }
}

/// The layers of a worker that is not started yet, the outermost first.
#[derive(Default)]
pub(crate) struct Layers(Vec<Box<dyn FnOnce(Handling) -> Handling + Send + Sync>>);

impl Layers {
    /// One more, inside of all that are there.
    pub fn add<L>(&mut self, layer: L)
    where
        L: Layer<Handling> + Send + Sync + 'static,
        L::Service: Service<Attempt, Response = Handled> + Clone + Send + 'static,
        <L::Service as Service<Attempt>>::Error: Into<MiddlewareError>,
        <L::Service as Service<Attempt>>::Future: Send + 'static,
    {
        self.0.push(Box::new(move |inner| Handling(Box::new(Layered(layer.layer(inner))))));
    }

    /// The handlers inside of all of them, or none if there are none.
    pub fn stack(self) -> Option<Stack> {
        let is_any = !self.0.is_empty();
        let handling = self.0.into_iter().rev().fold(Handling(Box::new(Handlers)), |inner, layer| layer(inner));
        is_any.then(|| Stack(Arc::new(Mutex::new(handling))))
    }
}

/// The middleware of a running worker: each attempt goes through a clone of it, so that what its services share is
/// for the whole worker.
#[derive(Clone)]
pub(crate) struct Stack(Arc<Mutex<Handling>>);

impl Stack {
    fn handling(&self) -> Handling {
        // Whoever panics while it clones leaves nothing half done here.
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The execution of an attempt inside of the worker's middleware, if it has some.
///
/// The slot stays taken until a handler that blocks its thread has returned, also if its attempt is over by then.
pub(super) fn around<H: Host>(
    shared: &Shared<H>,
    granted: &Granted,
    execution: Execution,
    slot: &Arc<OwnedSemaphorePermit>,
) -> Execution {
    let Some(stack) = shared.stack.clone() else { return execution };
    let work = match execution {
        Execution::Async(work) => work,
        Execution::Blocking(work) => Box::pin(on_a_thread(shared.host.clone(), work, slot.clone())),
    };
    let Granted { lease, attempt: number, kind, queue, payload, .. } = granted.clone();
    let Lease { job, token, .. } = lease;
    let attempt = Attempt { kind, queue, job, number, token, payload, work: Mutex::new(work) };
    Execution::Async(Box::pin(async move {
        let mut handling = stack.handling();
        poll_fn(|context| handling.poll_ready(context)).await?;
        let Handled { done, of } = handling.call(attempt).await?;
        if of != token {
            return Err(Failure::discard("its middleware has answered for it with what another attempt has come to"));
        }
        Ok(done)
    }))
}

/// A handler that blocks its thread, as a call that does not. If it panics, so does this.
async fn on_a_thread<H: Host>(
    host: H,
    work: Box<dyn FnOnce() -> Outcome + Send>,
    slot: Arc<OwnedSemaphorePermit>,
) -> Outcome {
    let (sender, returned) = oneshot::channel();
    #[cfg(feature = "tracing")]
    let work = super::layer::in_the_same_span(work);
    host.spawn_blocking("outlive-handler", move || {
        let outcome = catch_unwind(AssertUnwindSafe(work));
        drop(slot);
        // Nobody waits for it if the attempt is over.
        drop(sender.send(outcome));
    });
    match returned.await {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(panic)) => resume_unwind(panic),
        Err(_) => Err(Failure::retry("the handler was stopped from outside")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[derive(Debug, thiserror::Error)]
    #[error("the wrapper gave up")]
    struct Wrapped(#[source] MiddlewareError);

    #[test]
    fn a_failure_comes_out_of_middleware_as_it_went_in() {
        let inner = "x".parse::<u8>().unwrap_err();
        let first = Failure { retry_after: Some(Duration::from_secs(7)), ..Wrapped(inner.into()).into() };
        assert_eq!(failure(first.clone().into()), first);
    }

    #[test]
    fn what_a_handler_said_of_trying_again_stands_however_its_failure_is_wrapped() {
        let mut inner = Failure::discard("no such card");
        inner.causes = vec!["the bank said so".into(), "its computer said so".into()];
        let outer = failure(Box::new(Wrapped(inner.into())));
        assert_eq!(outer.message, "the wrapper gave up");
        assert_eq!(outer.causes, ["no such card", "the bank said so", "its computer said so"]);
        assert!(!outer.retryable);
    }
}
