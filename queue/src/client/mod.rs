//! The handle on a queue in another process, behind its server: the same API as the embedded one.

mod remote;
mod transactions;

pub use remote::{ConnectError, ConnectOptions, Remote};

use crate::Outlive;
use crate::host::{Networked, Os};
use std::sync::Arc;

impl Outlive<Os> {
    /// A handle on the queue that is served at `url`, such as `http://127.0.0.1:7400`.
    ///
    /// Nothing is sent yet: calls say whether the server can be reached.
    ///
    /// # Errors
    /// The address can't be understood, or the system gives no randomness.
    pub fn connect(url: &str) -> Result<Self, ConnectError> {
        let host = Os::new().map_err(|error| ConnectError::NoRandomness { error })?;
        Self::connect_on(host, url, ConnectOptions::default())
    }
}

impl<H: Networked> Outlive<H> {
    /// As [`connect`](Outlive::connect), on any host, with options.
    ///
    /// # Errors
    /// The address can't be understood.
    pub fn connect_on(host: H, url: &str, options: ConnectOptions) -> Result<Self, ConnectError> {
        let remote = Remote::new(host.clone(), url, options)?;
        Ok(Self::on(host, Arc::new(remote)))
    }
}
