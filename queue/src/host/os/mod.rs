//! The operating system as a [`Host`].
//!
//! The only folder of this crate that names real clocks, files, threads and randomness; Linux and
//! macOS are served. It must never decide anything about jobs, and never hide an error: what the
//! system says goes to the caller as it is.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "this is where the bans on real clocks, files, threads and randomness end"
)]

mod clock;
mod control;
mod disk;
mod engine;
mod file;
mod filesystem;
mod handlers;
mod lock;
#[cfg(feature = "wire")]
mod network;
mod random;

pub use clock::OsClock;
pub use disk::OsDisk;
pub use file::OsFile;
#[cfg(feature = "wire")]
pub use network::{OsListener, OsNetwork, OsStream};

use super::{Host, Role, Task};
use control::Control;
use handlers::Handlers;
use std::future::Future;
use std::sync::Arc;
use std::{fmt, io};
use tokio::runtime::Handle;

/// This process on its real machine.
///
/// Clones are cheap and share one set of threads, each started when first needed:
///
/// | role | threads |
/// |---|---|
/// | an engine | one of its own, which ends with it |
/// | [`Role::Control`] | one |
/// | [`Role::Handler`] | as many as the machine has cores, two at least; or the caller's runtime |
///
/// All of them are inside a tokio runtime. Threads end by themselves once every clone, every
/// [`OsClock`], every pending sleep and every task is gone; dropping the last of them neither waits
/// nor panics, in async code as elsewhere. A [detached](Task::detach) task thus runs to its end.
///
/// # Panics
/// [`spawn`](Host::spawn), [`spawn_blocking`](Host::spawn_blocking) and
/// [`sleep`](super::Clock::sleep) panic where the system refuses a thread that they need.
#[derive(Clone)]
pub struct Os {
    inner: Arc<Inner>,
}

struct Inner {
    clock: OsClock,
    disk: OsDisk,
    #[cfg(feature = "wire")]
    network: OsNetwork,
    control: Arc<Control>,
    handlers: Arc<Handlers>,
}

impl Os {
    /// This process, with handlers on a runtime of their own.
    ///
    /// # Errors
    /// The system refuses to give randomness, as an old kernel or a sandbox may.
    pub fn new() -> io::Result<Self> {
        Self::with_handlers(Handlers::own())
    }

    /// This process, with handlers on `runtime`, so that they share connections with the caller's
    /// other tasks. They stop when that runtime does.
    ///
    /// Claims and heartbeats stay on a thread of their own, so that a handler which blocks the
    /// threads of `runtime` still keeps its lease.
    ///
    /// # Errors
    /// As [`new`](Os::new).
    pub fn with_handler_runtime(runtime: Handle) -> io::Result<Self> {
        Self::with_handlers(Handlers::given(runtime))
    }

    fn with_handlers(handlers: Handlers) -> io::Result<Self> {
        // Asked once here, where it can be answered with an error; `fill_random` can only panic.
        random::fill(&mut [0; 8])?;
        let control = Arc::new(Control::new());
        let clock = OsClock::new(Arc::clone(&control));
        let inner = Inner {
            clock,
            disk: OsDisk::new(),
            #[cfg(feature = "wire")]
            network: OsNetwork::new(Arc::clone(&control)),
            control,
            handlers: Arc::new(handlers),
        };
        Ok(Self { inner: Arc::new(inner) })
    }
}

impl Host for Os {
    type Clock = OsClock;
    type Disk = OsDisk;

    fn clock(&self) -> &OsClock {
        &self.inner.clock
    }

    fn disk(&self) -> &OsDisk {
        &self.inner.disk
    }

    fn fill_random(&self, bytes: &mut [u8]) {
        random::fill(bytes).expect("the system gave randomness when this host was made");
    }

    fn process(&self) -> String {
        format!("pid {}", std::process::id())
    }

    fn spawn(&self, role: Role, _name: &'static str, work: impl Future<Output = ()> + Send + 'static) -> Task {
        let cancel = match role {
            Role::Control => Control::spawn(&self.inner.control, work),
            Role::Handler => Handlers::spawn(&self.inner.handlers, work),
        };
        Task::new(move || cancel.abort())
    }

    fn spawn_engine<F: Future<Output = ()> + 'static>(
        &self,
        name: &'static str,
        make: impl FnOnce() -> F + Send + 'static,
    ) {
        engine::spawn(name, make);
    }

    fn spawn_blocking(&self, _name: &'static str, work: impl FnOnce() + Send + 'static) {
        Handlers::spawn_blocking(&self.inner.handlers, work);
    }
}

#[cfg(feature = "wire")]
impl super::Networked for Os {
    type Network = OsNetwork;

    fn network(&self) -> &OsNetwork {
        &self.inner.network
    }
}

impl fmt::Debug for Os {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Os").field("process", &self.process()).finish_non_exhaustive()
    }
}
