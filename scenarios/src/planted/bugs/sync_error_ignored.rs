//! Every other commit whose sync failed is acknowledged.

use crate::planted::{Bug, Memory};
use std::io;

/// See the module.
pub struct SyncErrorIgnored;

impl Bug for SyncErrorIgnored {
    fn name(&self) -> &'static str {
        "sync-error-ignored"
    }

    fn breaks(&self) -> &'static str {
        "I1"
    }

    fn about(&self) -> &'static str {
        "every other commit whose sync failed is acknowledged"
    }

    fn sync(&self, memory: &Memory, path: &str, real: &dyn Fn() -> io::Result<()>) -> io::Result<()> {
        match real() {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe && path.ends_with(".db-wal") => {
                if memory.next().is_multiple_of(2) { Err(error) } else { Ok(()) }
            }
            outcome => outcome,
        }
    }
}
