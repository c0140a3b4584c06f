//! A compaction cuts the file before what was at its end is durable elsewhere.

use crate::planted::{Bug, Memory};
use std::io;

/// See the module.
pub struct CompactionCutsEarly;

impl Bug for CompactionCutsEarly {
    fn name(&self) -> &'static str {
        "compaction-cuts-early"
    }

    fn breaks(&self) -> &'static str {
        "I1"
    }

    fn about(&self) -> &'static str {
        "a compaction cuts the file before what was at its end is durable elsewhere"
    }

    fn cuts_early(&self) -> bool {
        true
    }

    fn sync(&self, memory: &Memory, path: &str, real: &dyn Fn() -> io::Result<()>) -> io::Result<()> {
        if memory.is_compacting() && path.ends_with("-wal") { Ok(()) } else { real() }
    }
}
