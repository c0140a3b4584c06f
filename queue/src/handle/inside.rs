//! Who asks for something inside a transaction that the queue waits for.
//!
//! While a transaction is open the queue serves nobody else. A task that awaits the queue inside its own transaction
//! would wait for itself until the time limit; it is told so at once instead.

use crate::protocol::Service;
use std::cell::RefCell;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

thread_local! {
    /// The queues that wait for the task that is being polled.
    static WAITING: RefCell<Vec<usize>> = const { RefCell::new(Vec::new()) };
}

/// Work of a transaction.
pub struct Inside<F> {
    queue: usize,
    work: Pin<Box<F>>,
}

/// Whatever has happened meanwhile, the queue does not wait for what is polled next.
struct Polled;

impl Drop for Polled {
    fn drop(&mut self) {
        WAITING.with_borrow_mut(|waiting| {
            waiting.pop();
        });
    }
}

impl<F> Inside<F> {
    /// Work for which the queue behind this service waits.
    pub fn of(queue: &Arc<dyn Service>, work: F) -> Self {
        Self { queue: name(queue), work: Box::pin(work) }
    }
}

impl<F: Future> Future for Inside<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        WAITING.with_borrow_mut(|waiting| waiting.push(self.queue));
        let _polled = Polled;
        self.work.as_mut().poll(context)
    }
}

/// Whether the queue behind this service waits for the task that asks.
pub fn is_inside(queue: &Arc<dyn Service>) -> bool {
    WAITING.with_borrow(|waiting| waiting.contains(&name(queue)))
}

fn name(queue: &Arc<dyn Service>) -> usize {
    Arc::as_ptr(queue).cast::<()>().addr()
}
