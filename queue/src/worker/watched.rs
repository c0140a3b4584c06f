//! A value that tasks wait on. Whoever waits is woken in the order of waiting.
//!
//! Not tokio's `watch`: with its runtime in the build that one wakes its receivers by a random
//! number, seeded by a counter of the whole process, so that a simulated run depended on which runs
//! its process had made before.

use std::sync::Mutex;
use tokio::sync::Notify;

/// A value that tasks wait on.
pub(crate) struct Watched<T> {
    value: Mutex<T>,
    changed: Notify,
}

impl<T: Copy> Watched<T> {
    /// The value to begin with.
    pub fn new(value: T) -> Self {
        Self { value: Mutex::new(value), changed: Notify::new() }
    }

    /// The value now.
    pub fn get(&self) -> T {
        *self.value.lock().expect("nothing panics while it changes the value")
    }

    /// Changes the value, and wakes whoever waits.
    pub fn update(&self, change: impl FnOnce(&mut T)) {
        change(&mut self.value.lock().expect("nothing panics while it changes the value"));
        self.changed.notify_waiters();
    }

    /// Waits until the value is as wished.
    pub async fn until(&self, wished: impl Fn(T) -> bool) {
        loop {
            // Before the look: from here on no change is missed.
            let changed = self.changed.notified();
            if wished(self.get()) {
                return;
            }
            changed.await;
        }
    }
}
