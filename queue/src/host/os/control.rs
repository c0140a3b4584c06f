//! The thread for claims, heartbeats and timers.
//!
//! It must never run a handler or a disk operation: whatever blocks it makes every worker of the
//! process lose its lease.

use std::convert::Infallible;
use std::future::Future;
use std::sync::{Arc, OnceLock};
use std::thread;
use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;
use tokio::task::AbortHandle;

/// A thread that starts at the first use, and ends once the last reference is dropped. Every task
/// and every sleep on it holds one.
pub(super) struct Control {
    thread: OnceLock<Thread>,
}

struct Thread {
    handle: Handle,
    /// Nothing is ever sent: the thread waits for this to be dropped.
    _alive: oneshot::Sender<Infallible>,
}

impl Control {
    pub(super) fn new() -> Self {
        Self { thread: OnceLock::new() }
    }

    /// The runtime of the thread, which the caller keeps running by its reference.
    ///
    /// # Panics
    /// The system refuses the thread.
    pub(super) fn handle(&self) -> &Handle {
        &self.thread.get_or_init(Thread::start).handle
    }

    /// Runs `work` on the thread.
    ///
    /// # Panics
    /// As [`handle`](Control::handle).
    pub(super) fn spawn(control: &Arc<Self>, work: impl Future<Output = ()> + Send + 'static) -> AbortHandle {
        let alive = Arc::clone(control);
        let running = control.handle().spawn(async move {
            work.await;
            drop(alive);
        });
        running.abort_handle()
    }
}

impl Thread {
    fn start() -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().expect("the system gives a poller");
        let handle = runtime.handle().clone();
        let (alive, gone) = oneshot::channel();
        thread::Builder::new()
            .name("outlive-control".to_owned())
            .spawn(move || {
                // The runtime is dropped on this thread, where it may wait without harm.
                let _: Result<Infallible, oneshot::error::RecvError> = runtime.block_on(gone);
            })
            .expect("the system starts a thread");
        Self { handle, _alive: alive }
    }
}
