//! A transaction that is rolled back leaves what it did to the caller's tables.

use crate::planted::Bug;

/// See the module.
pub struct RollbackForgotten;

impl Bug for RollbackForgotten {
    fn name(&self) -> &'static str {
        "rollback-forgotten"
    }

    fn breaks(&self) -> &'static str {
        "I5"
    }

    fn about(&self) -> &'static str {
        "a transaction that is rolled back leaves what it did to the caller's tables"
    }

    fn keeps_what_was_rolled_back(&self) -> bool {
        true
    }
}
