//! Counting the polls of a process: a fault can come between any two of them, and thus at any await.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll};

use crate::process::Process;

/// What is to happen after some more polls of a process, if anything is.
#[derive(Default)]
pub(crate) struct Countdown {
    left: AtomicU32,
    then: Mutex<Option<Box<dyn FnOnce() + Send>>>,
}

impl Countdown {
    /// Calls `then` at the end of the `polls`-th poll from now, the running one included. It takes the
    /// place of what was to be called before.
    pub(crate) fn begin(&self, polls: u32, then: impl FnOnce() + Send + 'static) {
        *self.then.lock().unwrap() = Some(Box::new(then));
        self.left.store(polls.max(1), Ordering::Relaxed);
    }

    fn count(&self) {
        let left = self.left.load(Ordering::Relaxed);
        if left == 0 {
            return;
        }
        self.left.store(left - 1, Ordering::Relaxed);
        if left == 1 {
            let then = self.then.lock().unwrap().take();
            then.into_iter().for_each(|then| then());
        }
    }
}

impl fmt::Debug for Countdown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Countdown").field(&self.left).finish()
    }
}

/// A task of a process, whose polls are counted.
pub(crate) struct Counted<F> {
    work: F,
    process: Process,
}

impl<F> Counted<F> {
    pub(crate) fn new(work: F, process: Process) -> Self {
        Self { work, process }
    }
}

impl<F: Future + Unpin> Future for Counted<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let answer = Pin::new(&mut self.work).poll(context);
        self.process.inner().countdown.count();
        answer
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::time::Duration;

    use crate::{Options, Seed, run, sleep_true};

    #[test]
    fn a_process_stops_between_the_polls_it_was_told() {
        for polls in 1..=5 {
            let outcome = run(Seed(1), Options::default(), async move |world| {
                let machine = world.add_machine("one");
                let steps = Arc::new(AtomicU32::new(0));
                let inside = steps.clone();
                let process = world.boot(machine, "main", async move |process| {
                    let (world, own) = (process.inner().world.clone(), process.id());
                    process.inner().countdown.begin(polls, move || {
                        world.pause(own);
                    });
                    for _ in 0..10 {
                        inside.fetch_add(1, Ordering::Relaxed);
                        process.clock().sleep(Duration::from_millis(10)).await;
                    }
                });
                sleep_true(Duration::from_secs(1)).await;
                let paused = steps.load(Ordering::Relaxed);
                world.resume(process);
                world.exited(process).await;
                (paused, steps.load(Ordering::Relaxed))
            });
            assert_eq!(outcome.result.unwrap(), (polls, 10));
        }
    }
}
