//! Sending a signal, with its particulars.

use super::calls::unexpected;
use super::enqueue::Target;
use crate::canonical;
use crate::error::Error;
use crate::job::RequestId;
use crate::protocol::{Reply, Request, Signal};
use serde_json::Value;
use std::future::{Future, IntoFuture};
use std::pin::Pin;

/// A signal about to be sent: choose its particulars, then await it.
#[must_use = "a signal is sent when this is awaited"]
pub struct SendSignal {
    target: Target,
    payload: Result<Value, serde_json::Error>,
    name: String,
    key: Option<String>,
}

impl SendSignal {
    pub(super) fn new(target: Target, name: String, payload: Result<Value, serde_json::Error>) -> Self {
        Self { target, payload, name, key: None }
    }

    /// Names this signal among those of its name: whoever sends it under the same key again changes nothing; with
    /// another payload, it is an error.
    pub fn key(self, key: impl Into<String>) -> Self {
        Self { key: Some(key.into()), ..self }
    }

    /// The name of this request: after [`Error::Unknown`], send it again under the same one. In a transaction it has no
    /// meaning: the whole of it has one name.
    pub fn request_id(mut self, id: RequestId) -> Self {
        self.target.name(id);
        self
    }
}

impl IntoFuture for SendSignal {
    /// Whether it is new; otherwise it had been sent under its key before.
    type Output = Result<bool, Error>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let Self { target, payload, name, key } = self;
            let payload = payload.map_err(|error| Error::Encode { what: "signal's payload", error })?;
            let request = Request::Signal(Signal { name, key, payload: canonical::text(&payload) });
            match target.make(request).await? {
                Reply::Signalled { fresh } => Ok(fresh),
                other => Err(unexpected("signal", &other)),
            }
        })
    }
}
