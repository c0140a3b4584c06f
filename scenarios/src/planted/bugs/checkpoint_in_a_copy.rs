//! The log is moved into the file while somebody copies it.

use crate::planted::Bug;

/// See the module.
pub struct CheckpointInACopy;

impl Bug for CheckpointInACopy {
    fn name(&self) -> &'static str {
        "checkpoint-in-a-copy"
    }

    fn breaks(&self) -> &'static str {
        "I1"
    }

    fn about(&self) -> &'static str {
        "the log is moved into the file while somebody copies it"
    }

    fn checkpoints_always(&self) -> bool {
        true
    }
}
