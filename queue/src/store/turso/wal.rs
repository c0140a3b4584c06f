//! The write-ahead log beside the file, as bytes: what an opening must make durable.
//!
//! Source of the layout: "WAL-mode File Format", sqlite.org/walformat.html.

use super::lock::{beside, io_error};
use super::tail::{LostTail, lost_tail};
use crate::host::{Disk, DiskFile, OpenMode, Operation};
use crate::store::OpenError;
use std::collections::BTreeSet;
use std::io;
use std::path::Path;

/// What precedes all frames.
pub const HEADER_BYTES: usize = 32;
/// What a log of ours says where others count the checkpoints before them: a compaction began it.
pub const OF_COMPACTION: u32 = 0x4f4c_0c0c;
/// What precedes each page in the log.
pub const FRAME_HEADER_BYTES: usize = 24;

/// The log as it was read when the file was opened.
pub struct Log {
    bytes: Vec<u8>,
}

impl Log {
    /// Reads the log beside `path`; there may be none.
    pub fn read<D: Disk>(disk: &D, path: &Path) -> Result<Self, OpenError> {
        let file = match disk.open(&beside(path, "-wal"), OpenMode::Existing) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self { bytes: Vec::new() }),
            Err(error) => return Err(io_error(path, "open the write-ahead log", error)),
        };
        let read = || {
            let mut bytes = vec![0; usize::try_from(file.length()?).map_err(io::Error::other)?];
            let count = file.read_at(0, &mut bytes)?;
            bytes.truncate(count);
            Ok(bytes)
        };
        read().map(|bytes| Self { bytes }).map_err(|error| io_error(path, "read the write-ahead log", error))
    }

    /// As it was read.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Whether a compaction began it.
    pub fn is_of_compaction(&self) -> bool {
        self.bytes.get(12..16).is_some_and(|mark| mark == OF_COMPACTION.to_be_bytes())
    }

    /// Acknowledged changes that it has lost, as far as that can be seen.
    pub fn lost_tail(&self) -> Option<LostTail> {
        lost_tail(&self.bytes)
    }

    /// Pages that frames of the log's present generation hold. Their checksums are the database's
    /// business.
    pub fn pages(&self) -> BTreeSet<u64> {
        let Some((header, frames)) = self.bytes.split_at_checked(HEADER_BYTES) else { return BTreeSet::new() };
        let word = |bytes: &[u8], at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().expect("four bytes"));
        let frame_bytes = FRAME_HEADER_BYTES + word(header, 8) as usize;
        let current = frames.chunks_exact(frame_bytes).take_while(|frame| frame[8..16] == header[16..24]);
        current.map(|frame| u64::from(word(frame, 0))).collect()
    }

    /// Writes the log's bytes again, as they are, and syncs them, the file, and their directory,
    /// so that a log is there by a durable name.
    ///
    /// What was read may have come from a page cache that no sync has reached, or that a sync once
    /// failed to write and then called clean: such bytes count as committed, and the next power
    /// loss would take them. A byte written again is dirty again, so the sync means what it says.
    pub async fn make_durable<D: Disk>(&self, disk: &D, path: &Path, database: &D::File) -> Result<(), OpenError> {
        let error = |doing| move |error| io_error(path, doing, error);
        // An empty log is made here if there is none: the database would make it later, and nobody
        // would sync its name, without which every commit in it is lost.
        let file = disk.open(&beside(path, "-wal"), OpenMode::Any).map_err(error("open the log"))?;
        if !self.bytes.is_empty() {
            disk.pace(Operation::Write).await;
            file.write_at(0, &self.bytes).map_err(error("write the log again"))?;
            disk.pace(Operation::Sync).await;
            file.sync().map_err(error("sync the log"))?;
        }
        disk.pace(Operation::Sync).await;
        database.sync().map_err(error("sync the file"))?;
        disk.pace(Operation::Sync).await;
        disk.sync_directory(directory(path)).map_err(error("sync the directory"))
    }
}

/// The directory that `path` is in.
pub fn directory(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}
