//! The name of a new file is never made durable.

use crate::planted::{Bug, Memory};
use std::io;

/// See the module.
pub struct DirectoryNeverSynced;

impl Bug for DirectoryNeverSynced {
    fn name(&self) -> &'static str {
        "directory-never-synced"
    }

    fn breaks(&self) -> &'static str {
        "I1"
    }

    fn about(&self) -> &'static str {
        "the name of a new file is never made durable"
    }

    fn sync_directory(&self, _: &Memory, _: &dyn Fn() -> io::Result<()>) -> io::Result<()> {
        Ok(())
    }
}
