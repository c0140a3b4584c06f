//! A file as it was with one commit: right after a checkpoint, all of it is in the file, which stands still until the next one.

use super::layout::Layout;
use super::sums::is_whole;
use crate::host::{Disk, DiskFile, OpenMode};
use crate::store::{Snapshot, StoreError};
use std::io;
use std::path::{Path, PathBuf};

/// See the module.
pub struct FileSnapshot<F> {
    path: PathBuf,
    file: F,
    layout: Layout,
}

impl<F: DiskFile> FileSnapshot<F> {
    /// What is committed now. The log must be empty.
    pub fn take<D: Disk<File = F>>(disk: &D, path: &Path) -> Result<Self, StoreError> {
        let broken = |error: io::Error| StoreError::Broken(format!("{}: {error}", path.display()));
        let file = disk.open(path, OpenMode::Existing).map_err(broken)?;
        let layout = Layout::read(&file).map_err(broken)?;
        Ok(Self { path: path.to_owned(), file, layout })
    }
}

impl<F: DiskFile> Snapshot for FileSnapshot<F> {
    fn pages(&self) -> u32 {
        self.layout.pages
    }

    fn page_bytes(&self) -> usize {
        self.layout.page_bytes
    }

    fn read(&mut self, number: u32, page: &mut [u8]) -> Result<(), StoreError> {
        let path = || self.path.display().to_string();
        let offset = u64::from(number - 1) * self.layout.page_bytes as u64;
        let broken =
            |error: io::Error| StoreError::Broken(format!("page {number} of {} can't be read: {error}", path()));
        if self.file.read_at(offset, page).map_err(broken)? < page.len() {
            return Err(StoreError::Damaged { path: path(), found: format!("it ends before page {number}") });
        }
        if self.layout.has_sums() && !is_whole(number, page) {
            let found = format!("page {number} is not as it was written");
            return Err(StoreError::Damaged { path: path(), found });
        }
        Ok(())
    }
}
