//! Work that a host runs on our behalf.

use std::fmt;

/// What a task does, which decides on whose threads it may run.
///
/// A handler that blocks its thread must neither delay a heartbeat nor an answer of the store, so
/// the two never share one, nor the engine's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Claims, heartbeats and trust windows. It never blocks.
    Control,
    /// A user's handler. It may do anything.
    Handler,
}

/// A running task. Dropping it cancels the work at its next `await`; [`detach`](Task::detach) lets
/// it run on.
#[must_use = "dropping a task cancels it"]
pub struct Task {
    cancel: Option<Box<dyn FnOnce() + Send + Sync>>,
}

impl Task {
    /// A task that `cancel` stops. `cancel` may be called after the work has ended.
    pub fn new(cancel: impl FnOnce() + Send + Sync + 'static) -> Self {
        Self { cancel: Some(Box::new(cancel)) }
    }

    /// Lets the work run on without this handle.
    pub fn detach(mut self) {
        self.cancel = None;
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        if let Some(cancel) = self.cancel.take() {
            cancel();
        }
    }
}

impl fmt::Debug for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Task").field("detached", &self.cancel.is_none()).finish()
    }
}
