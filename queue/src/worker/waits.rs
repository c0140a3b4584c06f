//! What a handler waits for without holding its slot: the attempt ends, and another one goes on with what came.

use super::attempt::Standing;
use super::outcome::Failure;
use super::steps::Steps;
use super::watched::Watched;
use crate::error::Error;
use crate::handle::{HandleCaller, unexpected};
use crate::job::{AttemptEnd, JobId, Lease, Refusal, State, milliseconds};
use crate::protocol::{On, Reply, Request};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::future::{Future, IntoFuture};
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

/// How another job ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct Ended {
    /// Which one.
    pub job: JobId,
    /// How; none if it is not kept any more. It is `waiting` if somebody retried it and it waits for the job that asks: of two
    /// that would wait for each other, the first goes on.
    pub state: Option<State>,
}

/// A wait for a signal: choose its particulars, then await it.
#[must_use = "nothing is waited for before this is awaited"]
pub struct WaitForSignal<T> {
    pub(super) waits: Waits,
    pub(super) name: String,
    pub(super) step: String,
    pub(super) limit: Option<Duration>,
    pub(super) payload: PhantomData<fn() -> T>,
}

/// What an attempt needs to wait.
#[derive(Clone)]
pub(super) struct Waits {
    pub caller: Arc<HandleCaller>,
    pub lease: Lease,
    pub steps: Arc<Steps>,
    pub standing: Arc<Watched<Standing>>,
    /// Whether the handler blocks a thread, and can't be dropped.
    pub blocks: bool,
}

/// The result of a step that waited for a signal.
#[derive(Deserialize)]
struct Sent<T> {
    sent: T,
}

impl<T> WaitForSignal<T> {
    /// Waits for so long at the most, and then goes on without; without this, for ever.
    pub fn within(self, limit: Duration) -> Self {
        Self { limit: Some(limit), ..self }
    }

    /// The step that has the signal, if it is not called as the signal is: whoever waits twice for one name says two.
    pub fn step(self, name: impl Into<String>) -> Self {
        Self { step: name.into(), ..self }
    }
}

impl<T: DeserializeOwned + Send + 'static> IntoFuture for WaitForSignal<T> {
    /// What the signal carried; none if the time was over.
    type Output = Result<Option<T>, Failure>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let Self { waits, name, step, limit, .. } = self;
            let limit_ms = limit.map(|limit| milliseconds(limit).cast_unsigned());
            let on = On::Signal { name, step: step.clone(), limit_ms };
            let sent: Option<Sent<T>> = waits.wait(&step, on).await?;
            Ok(sent.map(|Sent { sent }| sent))
        })
    }
}

impl Waits {
    /// The result of the step that has what was waited for. If there is nothing yet the attempt ends here: this never
    /// returns, and the handler is dropped.
    pub async fn wait<T: DeserializeOwned>(&self, step: &str, on: On) -> Result<T, Error> {
        if let Some(known) = self.steps.recall(step).await? {
            return Ok(known);
        }
        match self.caller.call(Request::Wait { lease: self.lease, on }).await? {
            Reply::Stepped { result } => {
                self.steps.learn(step, result.clone()).await;
                self.steps.decode(&result, "step's result")
            }
            Reply::Suspended => {
                self.standing.update(|standing| standing.suspended = true);
                if self.blocks {
                    // Its thread can't be stopped: whatever it returns now is refused.
                    return Err(Error::Refused(Refusal::AttemptEnded {
                        job: self.lease.job,
                        end: AttemptEnd::Suspended,
                    }));
                }
                std::future::pending().await
            }
            other => Err(unexpected("wait", &other)),
        }
    }
}
