//! Jobs that are enqueued together are enqueued one after another.

use crate::planted::Bug;

/// See the module.
pub struct BatchInParts;

impl Bug for BatchInParts {
    fn name(&self) -> &'static str {
        "batch-in-parts"
    }

    fn breaks(&self) -> &'static str {
        "I1"
    }

    fn about(&self) -> &'static str {
        "jobs that are enqueued together are enqueued one after another"
    }

    fn enqueues_apart(&self) -> bool {
        true
    }
}
