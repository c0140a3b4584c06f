//! Only every fourth commit is synced before it is acknowledged.

use crate::planted::{Bug, Memory};
use std::io;

/// See the module.
pub struct AcknowledgeBeforeSync;

impl Bug for AcknowledgeBeforeSync {
    fn name(&self) -> &'static str {
        "acknowledge-before-sync"
    }

    fn breaks(&self) -> &'static str {
        "I1"
    }

    fn about(&self) -> &'static str {
        "only every fourth commit is synced before it is acknowledged"
    }

    fn sync(&self, memory: &Memory, path: &str, real: &dyn Fn() -> io::Result<()>) -> io::Result<()> {
        let skipped = path.ends_with(".db-wal") && !memory.is_opening() && !memory.next().is_multiple_of(4);
        if skipped { Ok(()) } else { real() }
    }
}
