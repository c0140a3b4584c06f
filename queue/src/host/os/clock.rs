//! The machine's clocks, and sleep on the control thread's timer.
//!
//! It must never measure with a clock that stops while the machine sleeps: a worker that wakes up
//! would think that it still holds its lease.

use super::super::Clock;
use super::control::Control;
use rustix::time::{ClockId, clock_gettime};
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// The machine's clocks.
#[derive(Clone)]
pub struct OsClock {
    control: Arc<Control>,
}

impl OsClock {
    pub(super) fn new(control: Arc<Control>) -> Self {
        Self { control }
    }
}

impl Clock for OsClock {
    fn wall(&self) -> Duration {
        // A machine without a battery may start before 1970; for us that is the epoch itself.
        SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO)
    }

    fn boot(&self) -> Duration {
        boot()
    }

    fn sleep(&self, duration: Duration) -> impl Future<Output = ()> + Send + 'static {
        let control = Arc::clone(&self.control);
        let sleep = {
            // The timer belongs to the runtime that it is made in, whoever polls it later.
            let _inside = control.handle().enter();
            tokio::time::sleep(duration)
        };
        async move {
            sleep.await;
            // The thread that drives the timer lives until here, even if every `Os` is gone.
            drop(control);
        }
    }
}

impl fmt::Debug for OsClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OsClock").finish_non_exhaustive()
    }
}

#[cfg(not(target_vendor = "apple"))]
fn boot() -> Duration {
    read(ClockId::Boottime)
}

/// Darwin's `CLOCK_MONOTONIC` goes on while the machine sleeps, unlike Linux's. It is computed from
/// the wall clock and the time of boot, which the kernel corrects together; a reader may fall
/// between the two corrections, so the largest value seen so far holds.
#[cfg(target_vendor = "apple")]
fn boot() -> Duration {
    use std::sync::atomic::{AtomicU64, Ordering};
    static LATEST_NANOSECONDS: AtomicU64 = AtomicU64::new(0);

    let now = u64::try_from(read(ClockId::Monotonic).as_nanos()).expect("less than 584 years since boot");
    Duration::from_nanos(LATEST_NANOSECONDS.fetch_max(now, Ordering::SeqCst).max(now))
}

fn read(clock: ClockId) -> Duration {
    Duration::try_from(clock_gettime(clock)).expect("time since boot is not negative")
}
