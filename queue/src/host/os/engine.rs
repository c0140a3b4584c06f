//! A thread per engine, which blocks in disk operations.
//!
//! It must never run anything but the one task that it was made for.

use std::future::Future;
use std::thread;
use tokio::runtime::Builder;
use tokio::task::AbortHandle;

/// Runs `work` on a new thread named `name`. Linux shows the first 15 bytes of it.
///
/// # Panics
/// The system refuses the thread.
pub(super) fn spawn(name: &'static str, work: impl Future<Output = ()> + Send + 'static) -> AbortHandle {
    let runtime = Builder::new_current_thread().enable_time().build().expect("a runtime without IO needs nothing");
    let running = runtime.spawn(work);
    let cancel = running.abort_handle();
    thread::Builder::new()
        .name(name.to_owned())
        .spawn(move || {
            // Cancelled, panicked or done: the thread has no more to do. A panic was already
            // reported by the panic hook, and whoever waits for an answer sees its channel close.
            let _ended = runtime.block_on(running);
        })
        .expect("the system starts a thread");
    cancel
}
