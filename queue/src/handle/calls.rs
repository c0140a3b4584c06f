//! Calls under request ids, repeated until their outcome is known.

use crate::error::Error;
use crate::host::{self, Host};
use crate::job::RequestId;
use crate::protocol::{Call, CallError, Reply, Request, Service};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// How often a call whose outcome is unknown is made before its caller hears of it.
const TRIES: u32 = 5;

/// Makes calls.
pub struct Caller {
    service: Arc<dyn Service>,
    /// Names this handle. With the count behind it, neighbours in time are neighbours in the file.
    name: u64,
    count: AtomicU64,
}

impl Caller {
    pub fn new<H: Host>(host: &H, service: Arc<dyn Service>) -> Self {
        Self { service, name: host::random_u64(host), count: AtomicU64::new(0) }
    }

    pub fn service(&self) -> Arc<dyn Service> {
        self.service.clone()
    }

    /// A name that no other request has.
    pub fn request_id(&self) -> RequestId {
        let count = self.count.fetch_add(1, Ordering::Relaxed);
        let mut id = [0; 16];
        id[..8].copy_from_slice(&self.name.to_be_bytes());
        id[8..].copy_from_slice(&count.to_be_bytes());
        RequestId(id)
    }

    /// Makes a call under a new name; while its outcome is unknown, under the same name again.
    pub async fn call(&self, request: Request) -> Result<Reply, Error> {
        self.call_as(self.request_id(), request).await
    }

    /// Makes a call under this name; while its outcome is unknown, again.
    pub async fn call_as(&self, id: RequestId, request: Request) -> Result<Reply, Error> {
        let mut unknown: Option<CallError> = None;
        for _ in 0..TRIES {
            match (self.once(id, &request).await, &unknown) {
                (Err(error @ CallError::Unknown { .. }), _) => unknown = Some(error),
                // This try changed nothing, but an earlier one may have.
                (Err(CallError::Unavailable { .. }), Some(_)) => {}
                (Err(error), _) => return Err(Error::of(error, id)),
                (Ok(reply), _) => return Ok(reply),
            }
        }
        Err(Error::of(unknown.expect("only an unknown outcome is tried again"), id))
    }

    /// Makes a call under this name, once.
    pub async fn once(&self, id: RequestId, request: &Request) -> Result<Reply, CallError> {
        self.service.call(Call { id, request: request.clone() }).await
    }
}

/// The error for an answer of the wrong kind.
pub fn unexpected(request: &str, reply: &Reply) -> Error {
    Error::Internal(format!("{request} was answered with {reply:?}"))
}
