//! Time, as a process sees it.

use std::future::Future;
use std::time::Duration;

/// The two times that a machine can tell, and a way to wait.
pub trait Clock: Clone + Send + Sync + 'static {
    /// Wall time since the Unix epoch. It may jump in either direction.
    fn wall(&self) -> Duration;

    /// Time since some fixed point before this process started. It never runs back and never
    /// jumps, and it goes on while the process, or the whole machine, is suspended
    /// (`CLOCK_BOOTTIME`).
    fn boot(&self) -> Duration;

    /// Waits for at least `duration` of [`boot`](Clock::boot) time in which the machine was awake.
    ///
    /// The future may be polled on any executor.
    fn sleep(&self, duration: Duration) -> impl Future<Output = ()> + Send + 'static;
}
