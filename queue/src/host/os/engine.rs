//! A thread per engine, which blocks in disk operations.
//!
//! It must never run anything but the one piece of work that it was made for.

use std::future::Future;
use std::thread;
use tokio::runtime::Builder;

/// Runs what `make` makes on a new thread named `name`. Linux shows the first 15 bytes of it.
///
/// # Panics
/// The system refuses the thread.
pub(super) fn spawn<F: Future<Output = ()> + 'static>(name: &'static str, make: impl FnOnce() -> F + Send + 'static) {
    let runtime = Builder::new_current_thread().enable_time().build().expect("a runtime without IO needs nothing");
    // Panicked or done: the thread has no more to do. A panic is reported by the panic hook, and
    // whoever waits for an answer sees its channel close.
    let work = move || runtime.block_on(async move { make().await });
    thread::Builder::new().name(name.to_owned()).spawn(work).expect("the system starts a thread");
}
