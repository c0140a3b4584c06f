//! The only doors to the outside: clock, disk, randomness and tasks.
//!
//! Everything else in this crate is written against these traits, so that the code that runs in
//! production is the code that runs in a simulator. Nothing outside [`os`] may name a real clock,
//! file, thread or source of randomness; clippy's `disallowed-methods` keeps it so.

mod clock;
mod disk;
#[cfg(feature = "wire")]
mod network;
pub mod os;
mod task;

pub use clock::Clock;
pub use disk::{Disk, DiskFile, OpenMode, Operation};
#[cfg(feature = "wire")]
pub use network::{Listener, Network};
pub use os::Os;
pub use task::{Role, Task};

use std::future::Future;

/// One process's view of its machine.
///
/// Cheap to clone: every clone is the same process.
pub trait Host: Clone + Send + Sync + 'static {
    /// Time as this process sees it.
    type Clock: Clock;
    /// Files as this process sees them.
    type Disk: Disk;

    /// The clock.
    fn clock(&self) -> &Self::Clock;

    /// The disk.
    fn disk(&self) -> &Self::Disk;

    /// Fills `bytes` with randomness that no other process can guess: nonces and request ids are
    /// made of it.
    fn fill_random(&self, bytes: &mut [u8]);

    /// This process in words, for people who ask who holds a file: `pid 4711`.
    fn process(&self) -> String;

    /// Starts `work` at once. Dropping the [`Task`] cancels it at its next `await`.
    ///
    /// `name` is for people: a thread's name, a label in a trace.
    fn spawn(&self, role: Role, name: &'static str, work: impl Future<Output = ()> + Send + 'static) -> Task;

    /// Runs the work that `make` makes, on a thread of its own that it may block, until it ends by
    /// itself.
    ///
    /// The work never leaves that thread, so it need not be `Send`: the database's is not.
    fn spawn_engine<F: Future<Output = ()> + 'static>(
        &self,
        name: &'static str,
        make: impl FnOnce() -> F + Send + 'static,
    );

    /// Runs `work`, which may block its thread for any time. It can't be cancelled.
    ///
    /// A simulated host has no threads to block: there, `work` runs inline in a task of its own.
    fn spawn_blocking(&self, name: &'static str, work: impl FnOnce() + Send + 'static);
}

/// A host whose process can talk to others.
#[cfg(feature = "wire")]
pub trait Networked: Host {
    /// The network as this process sees it.
    type Network: Network;

    /// The network.
    fn network(&self) -> &Self::Network;
}

/// A random number from the host.
pub(crate) fn random_u64<H: Host>(host: &H) -> u64 {
    let mut bytes = [0; 8];
    host.fill_random(&mut bytes);
    u64::from_le_bytes(bytes)
}
