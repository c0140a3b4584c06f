//! A checkpoint empties the log before the file is synced.

use crate::planted::{Bug, Memory};
use std::io;

/// See the module.
pub struct LogEmptiedBeforeFileSynced;

impl Bug for LogEmptiedBeforeFileSynced {
    fn name(&self) -> &'static str {
        "log-emptied-before-file-synced"
    }

    fn breaks(&self) -> &'static str {
        "I1"
    }

    fn about(&self) -> &'static str {
        "a checkpoint empties the log before the file is synced"
    }

    fn sync(&self, memory: &Memory, path: &str, real: &dyn Fn() -> io::Result<()>) -> io::Result<()> {
        if path.ends_with(".db") && !memory.is_opening() { Ok(()) } else { real() }
    }
}
