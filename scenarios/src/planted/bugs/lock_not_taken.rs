//! A second process may open the file while the first one has it.

use crate::planted::Bug;
use std::io;

/// See the module.
pub struct LockNotTaken;

impl Bug for LockNotTaken {
    fn name(&self) -> &'static str {
        "lock-not-taken"
    }

    fn breaks(&self) -> &'static str {
        "I2"
    }

    fn about(&self) -> &'static str {
        "a second process may open the file while the first one has it"
    }

    fn lock(&self, real: &dyn Fn() -> io::Result<bool>) -> io::Result<bool> {
        real().map(|_| true)
    }
}
