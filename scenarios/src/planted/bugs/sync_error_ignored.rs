//! Every other process acknowledges a commit whose sync failed.

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
        "every other process acknowledges a commit whose sync failed"
    }

    fn sync(&self, memory: &Memory, path: &str, real: &dyn Fn() -> io::Result<()>) -> io::Result<()> {
        match real() {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe && path.ends_with(".db-wal") => {
                if memory.process.incarnation().is_multiple_of(2) { Err(error) } else { Ok(()) }
            }
            outcome => outcome,
        }
    }
}
