//! Steady time: the file's high-water mark, plus what passed since it was opened.

use crate::host::{Clock, Host};
use crate::job::{Now, Steady, Wall};
use std::time::Duration;

/// Steady time of one exclusive opening. Reopening a broken store does not begin a new one.
pub struct SteadyClock<H: Host> {
    clock: H::Clock,
    /// The mark that the file had.
    mark: Steady,
    /// The host's time when it was read.
    opened: Duration,
}

impl<H: Host> SteadyClock<H> {
    /// Goes on from `mark`.
    pub fn starting(clock: H::Clock, mark: Steady) -> Self {
        let opened = clock.boot();
        Self { clock, mark, opened }
    }

    /// Both times, now.
    pub fn now(&self) -> Now {
        let open = self.clock.boot().checked_sub(self.opened).expect("the host's time never runs back");
        // Whole milliseconds that have passed: steady time is never ahead of itself.
        let open = i64::try_from(open.as_millis()).unwrap_or(i64::MAX);
        let wall = i64::try_from(self.clock.wall().as_millis()).unwrap_or(i64::MAX);
        Now { steady: Steady(self.mark.0.saturating_add(open)), wall: Wall(wall) }
    }

    /// Waits.
    pub fn sleep(&self, duration: Duration) -> impl Future<Output = ()> + 'static {
        self.clock.sleep(duration)
    }
}
