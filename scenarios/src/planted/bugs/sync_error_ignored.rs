//! A commit whose sync failed is acknowledged.

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
        "a commit whose sync failed is acknowledged"
    }

    fn sync(&self, _: &Memory, path: &str, real: &dyn Fn() -> io::Result<()>) -> io::Result<()> {
        match real() {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe && path.ends_with(".db-wal") => Ok(()),
            outcome => outcome,
        }
    }
}
