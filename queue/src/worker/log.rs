//! What handlers say: held for a moment, then told to the queue, which keeps it with the attempt.

use super::Shared;
use crate::engine::first_of;
use crate::handle::HandleCaller;
use crate::host::{Clock, Host};
use crate::job::{Lease, Level, LogLine, Refusal};
use crate::limits;
use crate::protocol::{CallError, Request};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use tokio::sync::Notify;

const PAUSE: Duration = Duration::from_millis(100);

/// What one attempt says.
pub(crate) struct Log {
    lease: Lease,
    caller: Arc<HandleCaller>,
    /// How long ago the handler began.
    age: Box<dyn Fn() -> Duration + Send + Sync>,
    untold: Mutex<Untold>,
    /// Whether the queue is being told of it while the attempt runs.
    is_telling: AtomicBool,
    /// Wakes whoever tells it.
    said: Arc<Notify>,
}

/// Lines of which the queue does not know yet.
#[derive(Default)]
struct Untold {
    /// The number of the last line that was said.
    last: u64,
    /// The last lines up to that one.
    lines: VecDeque<LogLine>,
}

impl Log {
    /// Of an attempt whose handler is about to begin.
    pub fn new<H: Host>(shared: &Shared<H>, lease: Lease) -> Self {
        let clock = shared.host.clock().clone();
        let begun = clock.boot();
        let age = Box::new(move || clock.boot().saturating_sub(begun));
        let (caller, said) = (shared.caller.clone(), shared.said.clone());
        Self { lease, caller, age, untold: Mutex::default(), is_telling: AtomicBool::new(false), said }
    }

    /// The handler says something.
    pub fn say(&self, level: Level, text: &str) {
        let after_ms = u64::try_from((self.age)().as_millis()).unwrap_or(u64::MAX);
        let line = LogLine::new(after_ms, level, text);
        let mut untold = self.untold();
        untold.last += 1;
        untold.lines.push_back(line);
        if untold.lines.len() > limits::LOG_LINES_MAX {
            untold.lines.pop_front();
        }
        drop(untold);
        self.said.notify_one();
    }

    /// Tells the queue what it does not know yet; whether it knows all of that now.
    pub async fn tell(&self) -> bool {
        let (lines, last) = {
            let untold = self.untold();
            (Vec::from_iter(untold.lines.iter().cloned()), untold.last)
        };
        if lines.is_empty() {
            return true;
        }
        let first = last + 1 - lines.len() as u64;
        let request = Request::Log { lease: self.lease, first, lines };
        match self.caller.once(self.caller.request_id(), &request).await {
            // There may be room later, and whoever turns it away at the door may be told better.
            Err(CallError::Refused(Refusal::StorageFull { .. }) | CallError::Rejected { .. }) => false,
            // What the queue refuses once it refuses always.
            Ok(_) | Err(CallError::Refused(_)) => {
                let mut untold = self.untold();
                let rest = usize::try_from(untold.last - last).unwrap_or(usize::MAX);
                let told = untold.lines.len().saturating_sub(rest);
                untold.lines.drain(..told);
                true
            }
            Err(CallError::Unavailable { .. } | CallError::Unknown { .. }) => false,
        }
    }

    /// Tells the queue all that is left, again and again until it knows, or until this time of the host's clock.
    pub async fn tell_at_last(&self, clock: &impl Clock, until: Duration) {
        let told = async {
            while !self.tell().await {
                clock.sleep(PAUSE).await;
            }
        };
        // What is not told by then is lost: nobody waits for it.
        first_of(told, clock.sleep(until.saturating_sub(clock.boot()))).await;
    }

    /// Tells the queue while the attempt runs. Not twice at the same time.
    async fn tell_meanwhile(&self) {
        let told = self.tell().await;
        self.is_telling.store(false, Ordering::Release);
        if !told || !self.untold().lines.is_empty() {
            self.said.notify_one();
        }
    }

    /// Whether the queue is to be told of something, and nobody does that already.
    fn is_to_be_told(&self) -> bool {
        !self.untold().lines.is_empty() && !self.is_telling.swap(true, Ordering::Acquire)
    }

    fn untold(&self) -> MutexGuard<'_, Untold> {
        self.untold.lock().expect("nothing panics while it holds the lines")
    }
}

/// Tells the queue what handlers say, for as long as the worker lives: so that it is known of an attempt whose worker
/// dies in the midst of it.
pub async fn run<H: Host>(shared: Arc<Shared<H>>) {
    loop {
        shared.said.notified().await;
        shared.host.clock().sleep(limits::LOG_DELAY).await;
        // Each on its own: a slow answer must not hold up the lines of other attempts. And at once, so that one commit may
        // do for all.
        for log in shared.all_held().iter().map(|held| held.log.clone()).filter(|log| log.is_to_be_told()) {
            shared.spawn("outlive-log", |_| async move { log.tell_meanwhile().await });
        }
    }
}
