//! A queue behind HTTP/1.1 and JSON, so that workers and clients can be other processes.
//!
//! It decides nothing: it checks who may ask, reads the request, passes it to the queue, and says
//! what the queue said. Whatever it holds in memory may be lost at any instant.

mod connection;
mod file;
mod guard;
mod openings;
mod options;
mod transactions;

pub use options::{Renderer, ServeError, ServeOptions};

use crate::Outlive;
use crate::host::{Clock, Listener, Network, Networked, Role, Task};
use crate::protocol::Service;
use guard::Guard;
use openings::Openings;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use transactions::Transactions;

/// Pause after a connection that could not be taken: the process may be out of descriptors.
const PAUSE: Duration = Duration::from_millis(100);

/// A server that runs. Dropping it ends it, and every connection with it; answers that were on
/// their way are unknown to those who wait for them.
#[must_use = "dropping a server ends it"]
pub struct Server {
    address: String,
    _accepting: Task,
}

/// What every connection needs.
struct Shared<H: Networked> {
    host: H,
    service: Arc<dyn Service>,
    guard: Guard,
    openings: Openings<H>,
    transactions: Transactions<H>,
    options: ServeOptions,
}

impl Server {
    /// Serves the queue at `address`, such as `127.0.0.1:7400`; port 0 lets the system choose.
    ///
    /// # Errors
    /// [`ServeError::NoToken`] for an address that other machines can reach, without a token;
    /// [`ServeError::Listen`] if the address can't be had.
    pub async fn start<H: Networked>(
        outlive: &Outlive<H>,
        address: &str,
        options: ServeOptions,
    ) -> Result<Self, ServeError> {
        options.check(address)?;
        let host = outlive.host().clone();
        let listen = |error| ServeError::Listen { address: address.to_owned(), error };
        let listener = host.network().listen(address).await.map_err(listen)?;
        let address = listener.address();
        let guard = Guard::new(&address, &options);
        let (openings, transactions) = (Openings::new(host.clone()), Transactions::new(host.clone()));
        let service = outlive.service();
        let shared = Arc::new(Shared { host: host.clone(), service, guard, openings, transactions, options });
        let accepting = host.spawn(Role::Control, "outlive-accept", accept(shared, listener));
        Ok(Self { address, _accepting: accepting })
    }

    /// Where it can be reached, with the port that was chosen.
    pub fn address(&self) -> &str {
        &self.address
    }
}

async fn accept<H: Networked, L>(shared: Arc<Shared<H>>, mut listener: L)
where
    L: Listener<Stream = <H::Network as Network>::Stream>,
{
    let slots = Arc::new(Semaphore::new(shared.options.connections_max));
    let mut connections = Connections::default();
    loop {
        let slot = slots.clone().acquire_owned().await.expect("the slots are never closed");
        let Ok((stream, _peer)) = listener.accept().await else {
            shared.host.clock().sleep(PAUSE).await;
            continue;
        };
        let serving = shared.clone();
        let ended = connections.ended.clone();
        let number = connections.next();
        let task = shared.host.spawn(Role::Control, "outlive-connection", async move {
            connection::serve(&serving, stream).await;
            drop(slot);
            // The list is gone with the server.
            let _ = ended.send(number);
        });
        connections.add(number, task);
    }
}

/// The connections that are open: they end with the server.
struct Connections {
    open: std::collections::BTreeMap<u64, Task>,
    count: u64,
    ended: tokio::sync::mpsc::UnboundedSender<u64>,
    endings: tokio::sync::mpsc::UnboundedReceiver<u64>,
}

impl Default for Connections {
    fn default() -> Self {
        let (ended, endings) = tokio::sync::mpsc::unbounded_channel();
        Self { open: std::collections::BTreeMap::new(), count: 0, ended, endings }
    }
}

impl Connections {
    fn next(&mut self) -> u64 {
        self.count += 1;
        self.count
    }

    fn add(&mut self, number: u64, task: Task) {
        self.open.insert(number, task);
        while let Ok(ended) = self.endings.try_recv() {
            self.open.remove(&ended);
        }
    }
}
