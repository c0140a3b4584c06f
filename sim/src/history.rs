//! The ordered events of clients, which checkers fold over.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::clock::true_time;
use crate::process::{Process, ProcessId};

/// One event of a history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry<E> {
    /// Place in the history, from 0.
    pub ordinal: u64,
    /// True time.
    pub at: Duration,
    /// Who recorded it; `None` is the world.
    pub process: Option<ProcessId>,
    /// What happened.
    pub event: E,
}

/// An ordered list of events. Clones are the same list: give one to each client.
///
/// Record when something is *asked*, and again when it is *answered*. What was asked and not answered has an unknown
/// outcome, and a checker must allow both. The form is Jepsen's: invoke, ok, fail, and info for unknown.
#[derive(Clone, Debug)]
pub struct History<E>(Arc<Mutex<Vec<Entry<E>>>>);

impl<E> Default for History<E> {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Vec::new())))
    }
}

impl<E: Clone> History<E> {
    /// An empty history.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds what a process saw. A dead process sees nothing: destructors of its futures still run,
    /// and whatever they do must leave no mark.
    pub fn record(&self, process: &Process, event: E) {
        if process.is_alive() {
            self.push(Some(process.id()), event);
        }
    }

    /// Adds what the world saw.
    pub fn record_world(&self, event: E) {
        self.push(None, event);
    }

    /// All events so far, in order.
    pub fn entries(&self) -> Vec<Entry<E>> {
        self.0.lock().unwrap().clone()
    }

    /// The number of events so far.
    pub fn len(&self) -> usize {
        self.0.lock().unwrap().len()
    }

    /// Whether nothing was recorded yet.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn push(&self, process: Option<ProcessId>, event: E) {
        let mut entries = self.0.lock().unwrap();
        let ordinal = entries.len() as u64;
        entries.push(Entry { ordinal, at: true_time(), process, event });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Options, Seed, run};

    #[test]
    fn a_dead_process_leaves_no_mark_even_from_its_destructors() {
        struct Marks(History<&'static str>, Process);
        impl Drop for Marks {
            fn drop(&mut self) {
                self.0.record(&self.1, "dropped");
            }
        }
        let outcome = run(Seed(5), Options::default(), async |world| {
            let machine = world.add_machine("one");
            let history = History::new();
            let process = world.boot(machine, "main", {
                let history = history.clone();
                async move |process| {
                    let _marks = Marks(history.clone(), process.clone());
                    history.record(&process, "started");
                    std::future::pending::<()>().await;
                }
            });
            crate::sleep_true(Duration::from_millis(5)).await;
            world.crash(process);
            crate::sleep_true(Duration::from_millis(5)).await;
            history.record_world("end");
            history.entries()
        });
        let entries = outcome.result.unwrap();
        assert_eq!(entries.iter().map(|entry| entry.event).collect::<Vec<_>>(), ["started", "end"]);
    }
}
