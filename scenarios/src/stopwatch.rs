//! How long the work of a run takes by a real clock, for reports alone: no trace, history or verdict sees it.

use outlive::protocol::Request;
use outlive_sim::true_time;
use serde::{Deserialize, Serialize};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// From the first enqueue until the last answer by which a job may have become terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Work {
    /// Simulated time.
    pub simulated: Duration,
    /// Real time.
    pub wall: Duration,
}

/// Simulated and real time since some moment.
type Reading = (Duration, Duration);

/// Hears of calls. Clones are the same one.
#[derive(Clone, Debug, Default)]
pub struct Stopwatch(Arc<Mutex<Option<(Reading, Reading)>>>);

impl Stopwatch {
    /// A call is about to be made.
    pub fn invoked(&self, request: &Request) {
        if matches!(request, Request::Enqueue(_) | Request::EnqueueAll { .. }) {
            let mut span = self.0.lock().unwrap();
            span.get_or_insert_with(|| {
                let now = read();
                (now, now)
            });
        }
    }

    /// A call was answered well.
    pub fn answered(&self, request: &Request) {
        let ends = matches!(
            request,
            Request::Complete { .. } | Request::Fail { .. } | Request::Obey { .. } | Request::Cancel { .. }
        );
        if let (true, Some((_, last))) = (ends, self.0.lock().unwrap().as_mut()) {
            *last = read();
        }
    }

    /// What was measured; `None` if nothing was enqueued, or there is no real clock to read.
    pub fn work(&self) -> Option<Work> {
        let ((simulated_first, first), (simulated_last, last)) = (*self.0.lock().unwrap())?;
        let work = Work { simulated: simulated_last - simulated_first, wall: last.saturating_sub(first) };
        (!work.wall.is_zero()).then_some(work)
    }
}

fn read() -> Reading {
    (true_time(), real_time())
}

/// By a system call of our own: within a simulation the library's clocks show simulated time.
#[cfg(target_os = "linux")]
fn real_time() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the call writes one `timespec`, whose address it is given, and keeps nothing.
    let outcome = unsafe { libc::syscall(libc::SYS_clock_gettime, libc::CLOCK_MONOTONIC, &raw mut time) };
    assert_eq!(outcome, 0, "a monotonic clock can be read");
    Duration::new(time.tv_sec.cast_unsigned(), u32::try_from(time.tv_nsec).expect("less than a second"))
}

#[cfg(not(target_os = "linux"))]
fn real_time() -> Duration {
    Duration::ZERO
}
