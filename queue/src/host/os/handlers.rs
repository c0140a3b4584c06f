//! The threads for users' handlers.
//!
//! They must never run anything else: a handler may block its thread for any time.

use std::future::Future;
use std::sync::{Arc, OnceLock};
use std::thread;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::task::AbortHandle;

/// One thread could deadlock two handlers that wait for each other by blocking.
const THREADS_MIN: usize = 2;

/// A runtime: the caller's, or one that starts at the first use and stops once the last reference is
/// dropped. Every task on it holds one.
pub(super) struct Handlers {
    given: Option<Handle>,
    own: OnceLock<Runtime>,
}

impl Handlers {
    pub(super) fn own() -> Self {
        Self { given: None, own: OnceLock::new() }
    }

    pub(super) fn given(runtime: Handle) -> Self {
        Self { given: Some(runtime), own: OnceLock::new() }
    }

    /// Runs `work` on the runtime.
    ///
    /// # Panics
    /// The system refuses the runtime's threads.
    pub(super) fn spawn(handlers: &Arc<Self>, work: impl Future<Output = ()> + Send + 'static) -> AbortHandle {
        let alive = Arc::clone(handlers);
        let running = handlers.handle().spawn(async move {
            work.await;
            drop(alive);
        });
        running.abort_handle()
    }

    /// Runs `work` on one of the runtime's threads for blocking work.
    ///
    /// # Panics
    /// As [`spawn`](Handlers::spawn).
    pub(super) fn spawn_blocking(handlers: &Arc<Self>, work: impl FnOnce() + Send + 'static) {
        // A runtime that stops forgets blocking work that is still queued, so queued work holds on
        // to it.
        let alive = Arc::clone(handlers);
        drop(handlers.handle().spawn_blocking(move || {
            work();
            drop(alive);
        }));
    }

    fn handle(&self) -> &Handle {
        match &self.given {
            Some(handle) => handle,
            None => self.own.get_or_init(start).handle(),
        }
    }
}

impl Drop for Handlers {
    fn drop(&mut self) {
        if let Some(runtime) = self.own.take() {
            // Dropping a runtime waits for its threads, and panics in async code. The last
            // reference may well be dropped there, by a task of this very runtime.
            runtime.shutdown_background();
        }
    }
}

fn start() -> Runtime {
    let threads = thread::available_parallelism().map_or(THREADS_MIN, |cores| cores.get().max(THREADS_MIN));
    Builder::new_multi_thread()
        .worker_threads(threads)
        .thread_name("outlive-handler")
        // Timers; and sockets too, as soon as any crate of the program asks tokio for them: handlers
        // use HTTP clients and database drivers.
        .enable_all()
        .build()
        .expect("the system starts the threads for handlers")
}
