//! The steps of a job, as one attempt knows them.

use crate::canonical;
use crate::error::Error;
use crate::handle::{HandleCaller, unexpected};
use crate::job::Lease;
use crate::protocol::{Reply, Request};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::Mutex;

/// The steps of a job, as one attempt knows them.
pub(crate) struct Steps {
    caller: Arc<HandleCaller>,
    lease: Lease,
    /// What earlier attempts came to, once anybody has asked: the result of each step, as JSON.
    known: Mutex<Option<BTreeMap<String, String>>>,
}

impl Steps {
    /// Nothing is asked yet: the first attempt of a job has nothing to ask for.
    pub fn new(caller: Arc<HandleCaller>, lease: Lease, attempt: u32) -> Self {
        Self { caller, lease, known: Mutex::new((attempt == 1).then(BTreeMap::new)) }
    }

    /// The result of a step, if it has one.
    pub async fn recall<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, Error> {
        let mut known = self.known.lock().await;
        if known.is_none() {
            *known = Some(self.look().await?);
        }
        let result = known.as_ref().and_then(|known| known.get(name));
        result.map(|json| self.decode(json)).transpose()
    }

    /// Stores the result of a step; the one that counts, if an earlier one was stored.
    pub async fn store<T: Serialize + DeserializeOwned>(&self, name: &str, value: &T) -> Result<T, Error> {
        let result = json(value)?;
        let request = Request::Step { lease: self.lease, name: name.to_owned(), result };
        let stored = match self.caller.call(request).await? {
            Reply::Stepped { result } => result,
            other => return Err(unexpected("step", &other)),
        };
        let value = self.decode(&stored);
        // What is not known is not known in part: the other steps would be taken for steps that were never stored.
        if let Some(known) = self.known.lock().await.as_mut() {
            known.insert(name.to_owned(), stored);
        }
        value
    }

    /// Something may have been stored by another way: whoever asks next asks the queue.
    pub async fn forget(&self) {
        *self.known.lock().await = None;
    }

    async fn look(&self) -> Result<BTreeMap<String, String>, Error> {
        match self.caller.call(Request::Look { job: self.lease.job }).await? {
            Reply::Looked(view) => Ok(view.steps.into_iter().map(|step| (step.name, step.result)).collect()),
            other => Err(unexpected("look", &other)),
        }
    }

    fn decode<T: DeserializeOwned>(&self, json: &str) -> Result<T, Error> {
        let job = self.lease.job;
        serde_json::from_str(json).map_err(|error| Error::Decode { job, what: "step's result", error })
    }
}

/// A step's result as canonical JSON.
pub(crate) fn json(value: &impl Serialize) -> Result<String, Error> {
    let value = serde_json::to_value(value).map_err(|error| Error::Encode { what: "step's result", error })?;
    Ok(canonical::text(&value))
}
