//! The steps of a job and how far it has come, as one attempt knows them.

use crate::canonical;
use crate::error::Error;
use crate::handle::{HandleCaller, unexpected};
use crate::job::Lease;
use crate::protocol::{Progress, Reply, Request};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::Mutex;

/// The steps of a job and how far it has come, as one attempt knows them.
pub(crate) struct Steps {
    caller: Arc<HandleCaller>,
    lease: Lease,
    /// What earlier attempts came to, once anybody has asked.
    known: Mutex<Option<Known>>,
    /// Reports of progress so far. Held over each, so that none overtakes another: the queue keeps the last one.
    reports: Mutex<u64>,
}

/// What earlier attempts came to.
#[derive(Default)]
struct Known {
    /// The result of each step, as JSON.
    steps: BTreeMap<String, String>,
    /// Where to go on, as JSON.
    checkpoint: Option<String>,
}

impl Steps {
    /// Nothing is asked yet: the first attempt of a job has nothing to ask for.
    pub fn new(caller: Arc<HandleCaller>, lease: Lease, attempt: u32) -> Self {
        Self { caller, lease, known: Mutex::new((attempt == 1).then(Known::default)), reports: Mutex::new(0) }
    }

    /// The result of a step, if it has one.
    pub async fn recall<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, Error> {
        let mut known = self.known.lock().await;
        if known.is_none() {
            *known = Some(self.look().await?);
        }
        let result = known.as_ref().and_then(|known| known.steps.get(name));
        result.map(|json| self.decode(json, "step's result")).transpose()
    }

    /// Where the job should go on, if an attempt has said so.
    pub async fn checkpoint<T: DeserializeOwned>(&self) -> Result<Option<T>, Error> {
        let mut known = self.known.lock().await;
        if known.is_none() {
            *known = Some(self.look().await?);
        }
        let checkpoint = known.as_ref().and_then(|known| known.checkpoint.as_ref());
        checkpoint.map(|json| self.decode(json, "checkpoint")).transpose()
    }

    /// Says how far the attempt has come, and where a later one should go on.
    pub async fn report(
        &self,
        parts_per_million: Option<u32>,
        message: Option<String>,
        checkpoint: Option<String>,
    ) -> Result<(), Error> {
        let mut reports = self.reports.lock().await;
        *reports += 1;
        let number = *reports;
        let progress = Progress { number, parts_per_million, message, checkpoint: checkpoint.clone() };
        match self.caller.call(Request::Progress { lease: self.lease, progress }).await? {
            Reply::Done => {}
            other => return Err(unexpected("progress", &other)),
        }
        if let (Some(known), Some(_)) = (self.known.lock().await.as_mut(), &checkpoint) {
            known.checkpoint = checkpoint;
        }
        Ok(())
    }

    /// Stores the result of a step; the one that counts, if an earlier one was stored.
    pub async fn store<T: Serialize + DeserializeOwned>(&self, name: &str, value: &T) -> Result<T, Error> {
        let result = json(value)?;
        let request = Request::Step { lease: self.lease, name: name.to_owned(), result };
        let stored = match self.caller.call(request).await? {
            Reply::Stepped { result } => result,
            other => return Err(unexpected("step", &other)),
        };
        let value = self.decode(&stored, "step's result");
        self.learn(name, stored).await;
        value
    }

    /// A step has this result.
    pub async fn learn(&self, name: &str, result: String) {
        // What is not known is not known in part: the other steps would be taken for steps that were never stored.
        if let Some(known) = self.known.lock().await.as_mut() {
            known.steps.insert(name.to_owned(), result);
        }
    }

    /// Something may have been stored by another way: whoever asks next asks the queue.
    pub async fn forget(&self) {
        *self.known.lock().await = None;
    }

    async fn look(&self) -> Result<Known, Error> {
        match self.caller.call(Request::Look { job: self.lease.job }).await? {
            Reply::Looked(view) => Ok(Known {
                steps: view.steps.into_iter().map(|step| (step.name, step.result)).collect(),
                checkpoint: view.progress.and_then(|progress| progress.checkpoint),
            }),
            other => Err(unexpected("look", &other)),
        }
    }

    /// Reads what was stored of the job.
    pub fn decode<T: DeserializeOwned>(&self, json: &str, what: &'static str) -> Result<T, Error> {
        let job = self.lease.job;
        serde_json::from_str(json).map_err(|error| Error::Decode { job, what, error })
    }
}

/// A step's result as canonical JSON.
pub(crate) fn json(value: &impl Serialize) -> Result<String, Error> {
    encode(value, "step's result")
}

/// A value as canonical JSON.
pub(crate) fn encode(value: &impl Serialize, what: &'static str) -> Result<String, Error> {
    let value = serde_json::to_value(value).map_err(|error| Error::Encode { what, error })?;
    Ok(canonical::text(&value))
}
