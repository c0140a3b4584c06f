//! A copy is said to be made before it is durable.

use crate::planted::{Bug, Memory};
use std::io;

/// See the module.
pub struct CopyUnsynced;

impl Bug for CopyUnsynced {
    fn name(&self) -> &'static str {
        "copy-unsynced"
    }

    fn breaks(&self) -> &'static str {
        "I1"
    }

    fn about(&self) -> &'static str {
        "a copy is said to be made before it is durable"
    }

    fn sync(&self, _: &Memory, path: &str, real: &dyn Fn() -> io::Result<()>) -> io::Result<()> {
        if path.ends_with(".partial") { Ok(()) } else { real() }
    }
}
