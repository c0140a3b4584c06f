//! What handlers say: held for a moment, then told to the queue, which keeps it with the attempt.

use super::Shared;
use crate::handle::HandleCaller;
use crate::host::{Clock, Host};
use crate::job::{Lease, Level, LogLine};
use crate::limits;
use crate::protocol::{CallError, Request};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use tokio::sync::Notify;

/// How often the queue is told at the end of an attempt, if it does not answer.
const LAST_TRIES: u32 = 5;
const PAUSE: Duration = Duration::from_millis(100);

/// What one attempt says.
pub(crate) struct Log {
    lease: Lease,
    caller: Arc<HandleCaller>,
    /// How long ago the handler began.
    age: Box<dyn Fn() -> Duration + Send + Sync>,
    untold: Mutex<Untold>,
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
        Self { lease, caller: shared.caller.clone(), age, untold: Mutex::default(), said: shared.said.clone() }
    }

    /// The handler says something.
    pub fn say(&self, level: Level, text: &str) {
        let after_ms = u64::try_from((self.age)().as_millis()).unwrap_or(u64::MAX);
        let line = LogLine { after_ms, level, text: text.to_owned() }.cut();
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
            // What is turned away once is turned away always.
            Ok(_) | Err(CallError::Refused(_) | CallError::Rejected { .. }) => {
                let mut untold = self.untold();
                let rest = usize::try_from(untold.last - last).unwrap_or(usize::MAX);
                let told = untold.lines.len().saturating_sub(rest);
                untold.lines.drain(..told);
                true
            }
            Err(CallError::Unavailable { .. } | CallError::Unknown { .. }) => false,
        }
    }

    /// Tells the queue all that is left, when the handler says nothing more.
    pub async fn tell_at_last(&self, clock: &impl Clock) {
        for _ in 0..LAST_TRIES {
            if self.tell().await {
                return;
            }
            clock.sleep(PAUSE).await;
        }
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
        for held in shared.all_held() {
            if !held.log.tell().await {
                shared.said.notify_one();
            }
        }
    }
}
