//! Panics inside a simulation: caught at the top of each task, recorded, and never printed.
//!
//! A process that panics must not take the simulation down, and a batch must not fill the terminal
//! with panics that a run provoked on purpose. Other threads' panics are left alone.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::future::Future;
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind};
use std::pin::Pin;
use std::sync::Once;
use std::task::{Context, Poll};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::process::ProcessId;

thread_local! {
    static SIMULATING: Cell<bool> = const { Cell::new(false) };
    static LAST_LOCATION: RefCell<String> = const { RefCell::new(String::new()) };
}

/// A panic that a process did not catch itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Panic {
    /// Whose it was.
    pub process: ProcessId,
    /// The task that it ended.
    pub task: String,
    /// True time.
    pub at: Duration,
    /// What it said.
    pub message: String,
    /// File, line and column.
    pub location: String,
}

/// What a panic said, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Caught {
    pub(crate) message: String,
    pub(crate) location: String,
}

/// Keeps the panics of this thread from being printed while it lives.
pub(crate) struct Silence(());

impl Silence {
    pub(crate) fn begin() -> Self {
        static INSTALLED: Once = Once::new();
        INSTALLED.call_once(|| {
            let previous = std::panic::take_hook();
            std::panic::set_hook(Box::new(move |info| {
                // A thread that is ending has no flag any more, and is no simulation.
                if SIMULATING.try_with(Cell::get).unwrap_or(false) { remember(info) } else { previous(info) }
            }));
        });
        SIMULATING.set(true);
        Self(())
    }
}

impl Drop for Silence {
    fn drop(&mut self) {
        SIMULATING.set(false);
    }
}

fn remember(info: &PanicHookInfo<'_>) {
    let location = info.location().map(ToString::to_string).unwrap_or_default();
    LAST_LOCATION.set(location);
}

/// Runs `work`; a panic of it becomes what it said.
pub(crate) fn catch<T>(work: impl FnOnce() -> T) -> Result<T, Caught> {
    catch_unwind(AssertUnwindSafe(work))
        .map_err(|payload| Caught { message: message_of(payload.as_ref()), location: LAST_LOCATION.take() })
}

fn message_of(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_else(|| "a panic without a text".into())
}

/// Work whose type is forgotten, so that a runtime's code for a task is compiled once for each answer and not for each
/// piece of work.
pub(crate) type Work<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// As [`Work`], of one thread.
pub(crate) type LocalWork<T> = Pin<Box<dyn Future<Output = T>>>;

/// A future whose panics are reported and end it: at a poll, and when it is dropped, where a panic
/// would abort the program.
pub(crate) struct CatchPanics<F: Future + Unpin, R: FnMut(Caught) + Unpin> {
    future: Option<F>,
    report: R,
}

impl<F: Future + Unpin, R: FnMut(Caught) + Unpin> CatchPanics<F, R> {
    pub(crate) fn new(future: F, report: R) -> Self {
        Self { future: Some(future), report }
    }

    fn discard(&mut self) {
        let future = self.future.take();
        if let Err(caught) = catch(|| drop(future)) {
            (self.report)(caught);
        }
    }
}

impl<F: Future + Unpin, R: FnMut(Caught) + Unpin> Future for CatchPanics<F, R> {
    /// `None` after a panic.
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let future = self.future.as_mut().expect("a future is not polled after it ended");
        let answer = match catch(|| Pin::new(future).poll(context)) {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(answer)) => Some(answer),
            Err(caught) => {
                (self.report)(caught);
                None
            }
        };
        self.discard();
        Poll::Ready(answer)
    }
}

impl<F: Future + Unpin, R: FnMut(Caught) + Unpin> Drop for CatchPanics<F, R> {
    fn drop(&mut self) {
        self.discard();
    }
}
