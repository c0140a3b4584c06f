//! Waiting for what a job results in.

use super::calls::{Caller, unexpected};
use crate::error::Error;
use crate::job::explain::{Doing, Explanation};
use crate::job::{JobId, State};
use crate::limits;
use crate::protocol::{Reply, Request};
use serde::de::DeserializeOwned;
use std::future::{Future, IntoFuture};
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

/// A wait for what a job results in: choose how long it may take, then await it.
#[must_use = "nothing is asked before this is awaited"]
pub struct AwaitResult<T> {
    caller: Arc<Caller>,
    job: JobId,
    limit: Option<Duration>,
    result: PhantomData<fn() -> T>,
}

impl<T> AwaitResult<T> {
    pub(crate) fn new(caller: Arc<Caller>, job: JobId) -> Self {
        Self { caller, job, limit: None, result: PhantomData }
    }

    /// Waits for so long at the most; without it, for ever.
    pub fn within(self, limit: Duration) -> Self {
        Self { limit: Some(limit), ..self }
    }
}

impl<T: DeserializeOwned> IntoFuture for AwaitResult<T> {
    type Output = Result<T, Error>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        let Self { caller, job, limit, .. } = self;
        let json = end_of(caller, job, limit);
        Box::pin(async move {
            let json = json.await?;
            serde_json::from_str(&json).map_err(|error| Error::Decode { job, what: "result", error })
        })
    }
}

/// For how long a queue that can't be reached is asked again: a server may be starting.
const PATIENCE: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_secs(1);

/// The result of a job as JSON, once it has ended.
async fn end_of(caller: Arc<Caller>, job: JobId, limit: Option<Duration>) -> Result<String, Error> {
    let deadline = limit.map(|limit| caller.boot().saturating_add(limit));
    let mut unheard_since = None;
    loop {
        let left = deadline.map_or(limits::AWAIT_MAX, |deadline| deadline.saturating_sub(caller.boot()));
        let wait = left.min(limits::AWAIT_MAX);
        let wait_ms = u64::try_from(wait.as_millis()).expect("a wait is limited");
        let (result, explanation) = match caller.call(Request::Await { job, wait_ms }).await {
            Ok(Reply::Awaited { result, explanation }) => (result, explanation),
            Ok(other) => return Err(unexpected("await", &other)),
            Err(error @ Error::Unavailable { .. }) => {
                let since = *unheard_since.get_or_insert(caller.boot());
                let until = deadline.map_or(since + PATIENCE, |deadline| deadline.min(since + PATIENCE));
                if caller.boot() + PAUSE >= until {
                    return Err(error);
                }
                caller.sleep(PAUSE).await;
                continue;
            }
            Err(error) => return Err(error),
        };
        unheard_since = None;
        if has_ended(&explanation) {
            // Who completes a job without a result has come to nothing, which is a result too.
            let nothing = has_completed(&explanation).then(|| "null".to_owned());
            return result.or(nothing).ok_or_else(|| Error::NotCompleted { job, explanation: Box::new(explanation) });
        }
        if deadline.is_some_and(|deadline| caller.boot() >= deadline) {
            return Err(Error::NotEnded { job, explanation: Box::new(explanation) });
        }
    }
}

const fn has_completed(explanation: &Explanation) -> bool {
    matches!(explanation.doing, Doing::Finished { outcome: State::Completed, .. })
}

const fn has_ended(explanation: &Explanation) -> bool {
    matches!(explanation.doing, Doing::Finished { .. })
}
