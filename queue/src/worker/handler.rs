//! Handlers of different types, behind one: JSON in, JSON out.

use super::context::Context;
use super::outcome::{Done, Failure};
use crate::canonical;
use crate::handle::Job;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;

/// How an attempt ended, with the result as JSON.
pub(crate) type Outcome = Result<Done<String>, Failure>;

/// An attempt that is ready to run.
pub(crate) enum Execution {
    /// On an executor.
    Async(Pin<Box<dyn Future<Output = Outcome> + Send>>),
    /// On a thread that it may block.
    Blocking(Box<dyn FnOnce() -> Outcome + Send>),
}

/// A handler of any type.
pub(crate) trait Handler: Send + Sync {
    /// Decodes the payload and gets ready to run.
    ///
    /// # Errors
    /// Why it does not decode.
    fn prepare(&self, context: Context, payload: &str) -> Result<Execution, serde_json::Error>;

    /// Whether it blocks a thread, and can't be dropped half-way.
    fn blocks(&self) -> bool;
}

pub(crate) struct AsyncHandler<J, F> {
    handler: Arc<F>,
    job: PhantomData<fn(J)>,
}

pub(crate) struct BlockingHandler<J, F> {
    handler: Arc<F>,
    job: PhantomData<fn(J)>,
}

impl<J, F> AsyncHandler<J, F> {
    pub fn new(handler: F) -> Self {
        Self { handler: Arc::new(handler), job: PhantomData }
    }
}

impl<J, F> BlockingHandler<J, F> {
    pub fn new(handler: F) -> Self {
        Self { handler: Arc::new(handler), job: PhantomData }
    }
}

impl<J, F, Fut> Handler for AsyncHandler<J, F>
where
    J: Job,
    F: Fn(Context, J) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<Done<J::Output>, Failure>> + Send + 'static,
{
    fn prepare(&self, context: Context, payload: &str) -> Result<Execution, serde_json::Error> {
        let (handler, job) = (self.handler.clone(), serde_json::from_str(payload)?);
        // Not called before it is run: what is around it may not let it.
        Ok(Execution::Async(Box::pin(async move { encode::<J>(handler(context, job).await) })))
    }

    fn blocks(&self) -> bool {
        false
    }
}

impl<J, F> Handler for BlockingHandler<J, F>
where
    J: Job,
    F: Fn(Context, J) -> Result<Done<J::Output>, Failure> + Send + Sync + 'static,
{
    fn prepare(&self, context: Context, payload: &str) -> Result<Execution, serde_json::Error> {
        let (handler, job) = (self.handler.clone(), serde_json::from_str(payload)?);
        Ok(Execution::Blocking(Box::new(move || encode::<J>(handler(context, job)))))
    }

    fn blocks(&self) -> bool {
        true
    }
}

fn encode<J: Job>(outcome: Result<Done<J::Output>, Failure>) -> Outcome {
    match outcome? {
        Done::Snooze(delay) => Ok(Done::Snooze(delay)),
        Done::LookAgain { after, what } => Ok(Done::LookAgain { after, what }),
        Done::ServiceDown { why, probe } => Ok(Done::ServiceDown { why, probe }),
        Done::Committed(_) => Ok(Done::Committed(String::new())),
        Done::Complete(output) => match serde_json::to_value(&output) {
            Ok(value) => Ok(Done::Complete(canonical::text(&value))),
            Err(error) => Err(Failure::discard(format!("the result can't be written as JSON: {error}"))),
        },
    }
}
