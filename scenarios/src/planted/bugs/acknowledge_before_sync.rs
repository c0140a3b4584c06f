//! Every eighth commit is acknowledged before it is synced.

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
        "every eighth commit is acknowledged before it is synced"
    }

    fn sync(&self, memory: &Memory, path: &str, real: &dyn Fn() -> io::Result<()>) -> io::Result<()> {
        let skipped = path.ends_with(".db-wal") && !memory.is_opening() && memory.next().is_multiple_of(8);
        if skipped { Ok(()) } else { real() }
    }
}
