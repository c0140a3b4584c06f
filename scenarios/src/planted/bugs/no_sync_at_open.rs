//! What an opening finds in the cache is taken for durable.

use crate::planted::{Bug, Memory};
use std::io;

/// See the module.
pub struct NoSyncAtOpen;

impl Bug for NoSyncAtOpen {
    fn name(&self) -> &'static str {
        "no-sync-at-open"
    }

    fn breaks(&self) -> &'static str {
        "I1"
    }

    fn about(&self) -> &'static str {
        "what an opening finds in the cache is taken for durable"
    }

    fn write(&self, memory: &Memory, path: &str, real: &dyn Fn() -> io::Result<()>) -> io::Result<()> {
        if memory.is_opening() && path.ends_with(".db-wal") { Ok(()) } else { real() }
    }

    fn sync(&self, memory: &Memory, path: &str, real: &dyn Fn() -> io::Result<()>) -> io::Result<()> {
        if memory.is_opening() && !path.contains(".new") { Ok(()) } else { real() }
    }
}
