//! Ways to wait, on any executor.

#[cfg(feature = "wire")]
use crate::host::{Clock, Host};
use std::any::Any;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;
#[cfg(feature = "wire")]
use std::time::Duration;

/// Which of two was first.
pub enum First<A, B> {
    /// The first one, also if both were ready.
    Left(A),
    /// The second one.
    Right(B),
}

/// Waits for the first of two; the other is dropped.
pub async fn first_of<A: Future, B: Future>(left: A, right: B) -> First<A::Output, B::Output> {
    let (mut left, mut right) = (pin!(left), pin!(right));
    poll_fn(|context| match left.as_mut().poll(context) {
        Poll::Ready(output) => Poll::Ready(First::Left(output)),
        Poll::Pending => right.as_mut().poll(context).map(First::Right),
    })
    .await
}

/// Waits for both, at the same time; the first one is asked first.
pub async fn both<A: Future, B: Future>(left: A, right: B) -> (A::Output, B::Output) {
    let (mut left, mut right) = (pin!(left), pin!(right));
    let (mut one, mut other) = (None, None);
    poll_fn(|context| {
        if one.is_none()
            && let Poll::Ready(output) = left.as_mut().poll(context)
        {
            one = Some(output);
        }
        if other.is_none()
            && let Poll::Ready(output) = right.as_mut().poll(context)
        {
            other = Some(output);
        }
        match (one.take(), other.take()) {
            (Some(one), Some(other)) => Poll::Ready((one, other)),
            (early, late) => {
                (one, other) = (early, late);
                Poll::Pending
            }
        }
    })
    .await
}

/// Waits for `work`, but not for longer than `limit`.
#[cfg(feature = "wire")]
pub async fn within<H: Host, T>(host: &H, limit: Duration, work: impl Future<Output = T>) -> Option<T> {
    match first_of(work, host.clock().sleep(limit)).await {
        First::Left(done) => Some(done),
        First::Right(()) => None,
    }
}

/// Waits for `work`; if it panics, what it said.
///
/// The caller vouches that it will not look at what a panic left half done.
pub async fn catch_panic<F: Future>(work: F) -> Result<F::Output, String> {
    let mut work = pin!(work);
    poll_fn(|context| match catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(context))) {
        Ok(poll) => poll.map(Ok),
        Err(panic) => Poll::Ready(Err(message(&*panic))),
    })
    .await
}

/// What a panic said.
pub fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "a panic without a message".into())
}
