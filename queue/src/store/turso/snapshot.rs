//! A file as it was with one commit: what the log has of its pages, and the file the rest.
//!
//! The log only grows and the file stands still until the next checkpoint; so where each page is need be found once.
//!
//! Source of the layout: "Database File Format", sections 1.3 and 4, sqlite.org/fileformat.html.

use super::layout::Layout;
use super::lock::beside;
use super::sums::is_whole;
use super::tail::{Committed, committed};
use super::wal::Log;
use crate::host::{Disk, DiskFile, OpenMode};
use crate::store::{Snapshot, StoreError};
use std::collections::BTreeMap;
use std::io;
use std::path::Path;

/// See the module.
pub struct FileSnapshot<F> {
    database: F,
    log: Option<F>,
    /// Where in the log the latest committed form of a page begins.
    logged: BTreeMap<u32, u64>,
    pages: u32,
    page_bytes: usize,
    /// Whether each page has a checksum.
    has_sums: bool,
}

impl<F: DiskFile> FileSnapshot<F> {
    /// What is committed now. The log must have as many frames as whoever writes it knows of: one that has lost some would
    /// make a copy without them, of which nobody could tell.
    pub fn take<D: Disk<File = F>>(disk: &D, path: &Path, frames: u64) -> Result<Self, StoreError> {
        let broken = |error: io::Error| StoreError::Broken(format!("{}: {error}", path.display()));
        let log = Log::read(disk, path).map_err(|error| StoreError::Broken(error.to_string()))?;
        let database = disk.open(path, OpenMode::Existing).map_err(broken)?;
        let layout = Layout::read(&database).map_err(broken)?;
        let has_sums = layout.has_sums();
        let committed = committed(log.bytes());
        let found = committed.as_ref().map_or(0, |committed| committed.frames);
        if found < frames {
            let path = path.display();
            return Err(StoreError::Broken(format!("the log of {path} has {found} whole frames, and had {frames}")));
        }
        if let Some(Committed { pages: logged, count: pages, page_bytes, .. }) = committed {
            let log = disk.open(&beside(path, "-wal"), OpenMode::Existing).map_err(broken)?;
            return Ok(Self { database, log: Some(log), logged, pages, page_bytes, has_sums });
        }
        let Layout { pages, page_bytes, .. } = layout;
        Ok(Self { database, log: None, logged: BTreeMap::new(), pages, page_bytes, has_sums })
    }
}

impl<F: DiskFile> Snapshot for FileSnapshot<F> {
    fn pages(&self) -> u32 {
        self.pages
    }

    fn page_bytes(&self) -> usize {
        self.page_bytes
    }

    fn read(&mut self, number: u32, page: &mut [u8]) -> Result<(), StoreError> {
        let read = match (self.logged.get(&number), &self.log) {
            (Some(offset), Some(log)) => read_all(log, *offset, page),
            _ => read_all(&self.database, u64::from(number - 1) * self.page_bytes as u64, page),
        };
        read.map_err(|error| StoreError::Broken(format!("page {number} can't be read: {error}")))?;
        if self.has_sums && !is_whole(number, page) {
            return Err(StoreError::Broken(format!("page {number} is not as it was written")));
        }
        Ok(())
    }
}

fn read_all(file: &impl DiskFile, offset: u64, bytes: &mut [u8]) -> io::Result<()> {
    let read = file.read_at(offset, bytes)?;
    if read < bytes.len() { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
}
