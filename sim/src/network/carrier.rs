//! The task that carries all messages of a network, each at its time and in a fixed order.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use super::Shared;
use crate::clock::{Sleep, sleep_true, true_time};

/// Delivers what is due, and sleeps until something is. It never ends.
pub(crate) struct Carrier {
    shared: Arc<Shared>,
    /// For the time of the next message.
    sleep: Option<(Duration, Sleep)>,
}

impl Carrier {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared, sleep: None }
    }
}

impl Future for Carrier {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        loop {
            let now = true_time();
            let Some(due) = self.shared.with(|fabric| fabric.carry(now, context.waker())) else {
                return Poll::Pending;
            };
            if self.sleep.as_ref().is_none_or(|(until, _)| *until != due) {
                self.sleep = Some((due, sleep_true(due.saturating_sub(now))));
            }
            let (_, sleep) = self.sleep.as_mut().expect("it was set");
            std::task::ready!(Pin::new(sleep).poll(context));
            self.sleep = None;
        }
    }
}
