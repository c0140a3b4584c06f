//! What a disk did, in order, and what became of each change: for tools that look at a run
//! afterwards. Off until [`SimDisk::begin_record`](super::SimDisk::begin_record) is called.
//!
//! A *place* is the index of an entry in the record. Syncs and power losses name the places of the
//! changes that they decide over, so that the fate of every write is known. A record is no part of
//! the trace: it changes no hash, and no fault asks it.

use std::sync::Arc;
use std::time::Duration;

use super::contents::Fate;
use super::directory::{FileId, NameId};
use super::pages::Image;
use super::platters::Platters;
use super::survivors::Survivors;
use crate::clock::true_time;
use crate::process::ProcessId;
use crate::seed::Fork;

/// A file of one disk, whatever it is called. Names change, and a removed file may still be open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileNumber(pub u32);

/// One change of a disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiskEntry {
    /// When, in true time; zero outside of a simulation.
    pub at: Duration,
    /// Who did it; [`ProcessId::WORLD`] for an onlooker and for a power loss.
    pub process: ProcessId,
    /// What the process had set by [`ProcessDisk::set_tag`](super::ProcessDisk::set_tag); 0 at first.
    pub tag: u64,
    /// The file that was changed; `None` where it is about a directory, a process or the whole disk.
    pub file: Option<FileNumber>,
    /// What was done.
    pub change: DiskChange,
}

/// What was done to a disk. Paths are what the file was called then. Lists of numbers are places in
/// the record; a change that was pending when the record began has none, and is in no list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DiskChange {
    /// An empty file was made. Its name is pending.
    Create {
        /// Where.
        path: Arc<str>,
    },
    /// Bytes were written, and are pending.
    Write {
        /// To which file.
        path: Arc<str>,
        /// Where the first byte went.
        offset: u64,
        /// What was written; never empty.
        bytes: Arc<[u8]>,
    },
    /// A file was cut, or grown with zeros. Pending.
    SetLength {
        /// Which file.
        path: Arc<str>,
        /// Its length from then on, in bytes.
        length: u64,
    },
    /// A file was synced.
    Sync {
        /// Which file.
        path: Arc<str>,
        /// The changes that had been pending.
        made_durable: Vec<usize>,
    },
    /// A sync failed. No later sync decides over any of these changes.
    FailedSync {
        /// Of which file.
        path: Arc<str>,
        /// The changes that became durable nevertheless.
        kept: Vec<usize>,
        /// The changes that are clean in the cache, and gone with the next power loss.
        dropped: Vec<usize>,
    },
    /// A write failed. The bytes that it took are pending.
    FailedWrite {
        /// To which file.
        path: Arc<str>,
        /// Where the first byte went.
        offset: u64,
        /// The sectors that were taken; may be empty, and then no later entry decides over it.
        bytes: Arc<[u8]>,
    },
    /// A file was renamed. Pending.
    Rename {
        /// What it was called.
        from: Arc<str>,
        /// What it is called from then on.
        to: Arc<str>,
    },
    /// A name was removed. Pending.
    Remove {
        /// Which.
        path: Arc<str>,
    },
    /// A directory was synced.
    SyncDirectory {
        /// Which.
        path: Arc<str>,
        /// The changes of names that had been pending.
        made_durable: Vec<usize>,
    },
    /// A sync of a directory failed.
    FailedSyncDirectory {
        /// Which.
        path: Arc<str>,
        /// The first changes of names, which became durable.
        kept: Vec<usize>,
        /// The others, which are still pending.
        waiting: Vec<usize>,
    },
    /// A process ended: it crashed, or it was done. What it wrote stays as it is.
    Crash {
        /// Which.
        process: ProcessId,
    },
    /// A sync answered success and made nothing durable.
    LyingSync {
        /// Of which file.
        path: Arc<str>,
        /// The changes that still wait: a later sync may make them durable.
        waiting: Vec<usize>,
        /// The changes that are clean in the cache, and gone with the next power loss.
        dropped: Vec<usize>,
    },
    /// Bytes were written to another place than was asked for, and are pending there.
    MisdirectedWrite {
        /// To which file.
        path: Arc<str>,
        /// Where the first byte was meant to go.
        meant: u64,
        /// Where it went.
        offset: u64,
        /// What was written; never empty.
        bytes: Arc<[u8]>,
    },
    /// Bits of a durable byte flipped.
    Rot {
        /// Of which file.
        path: Arc<str>,
        /// Which byte.
        offset: u64,
        /// Which of its bits.
        bits: u8,
        /// Whether the cache shows it. Otherwise it shows after the next power loss.
        visible: bool,
    },
    /// Power was lost. Nothing is pending after it.
    PowerLoss {
        /// Pending changes of files and names that survived whole.
        kept: Vec<usize>,
        /// Pending changes of files that vanished, and with them those of files that have no name any more.
        lost: Vec<usize>,
        /// Pending writes of which any of their sectors survived.
        torn: Vec<usize>,
        /// For each of `torn`, in order: which of its sectors survived, from 0.
        torn_sectors: Vec<Vec<u32>>,
        /// Creations, renames and removals that were undone.
        undone: Vec<usize>,
    },
}

/// Who changes a disk, and what for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Author {
    pub(super) process: ProcessId,
    pub(super) tag: u64,
}

impl Author {
    /// Power is lost without a process.
    pub(super) const NOBODY: Author = Author { process: ProcessId::WORLD, tag: 0 };
}

/// The durable files of a disk by their names. They share pages with it.
pub(crate) type DurableFiles = Vec<(Arc<str>, FileNumber, Image)>;

/// The record of a disk, if one is kept.
#[derive(Default)]
pub(super) struct Record(Option<Kept>);

struct Kept {
    /// What was durable when the record began; `None` if something was pending then.
    base: Option<DurableFiles>,
    entries: Vec<DiskEntry>,
}

impl Record {
    pub(super) fn length(&self) -> usize {
        self.0.as_ref().map_or(0, |kept| kept.entries.len())
    }

    pub(super) fn entries(&self) -> Vec<DiskEntry> {
        self.0.as_ref().map_or_else(Vec::new, |kept| kept.entries.clone())
    }

    pub(super) fn base(&self) -> Option<DurableFiles> {
        self.0.as_ref()?.base.clone()
    }

    /// Adds an entry, and says its place. `change` is asked only if a record is kept.
    pub(super) fn note(
        &mut self,
        author: Author,
        file: Option<FileId>,
        change: impl FnOnce() -> DiskChange,
    ) -> Option<usize> {
        let Kept { entries, .. } = self.0.as_mut()?;
        let file = file.map(|file| FileNumber(file.0));
        entries.push(DiskEntry { at: true_time(), process: author.process, tag: author.tag, file, change: change() });
        Some(entries.len() - 1)
    }
}

/// Changes of files, each noted under the name that the file has then.
impl Platters {
    /// Keeps a record from now on, unless one is kept already.
    pub(super) fn begin_record(&mut self) {
        if self.record.0.is_none() {
            self.record = Record(Some(Kept { base: self.durable_files(), entries: Vec::new() }));
        }
    }

    pub(super) fn write(&mut self, file: FileId, author: Author, offset: u64, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        let (bytes, path) = (Arc::from(bytes), self.path_of(file));
        let change = || DiskChange::Write { path, offset, bytes: Arc::clone(&bytes) };
        let place = self.record.note(author, Some(file), change);
        self.file_mut(file).contents.write(offset, bytes, place);
    }

    /// A write that failed after it had taken `bytes`.
    pub(super) fn write_in_part(&mut self, file: FileId, author: Author, offset: u64, bytes: &[u8]) {
        let (bytes, path) = (Arc::from(bytes), self.path_of(file));
        let change = || DiskChange::FailedWrite { path, offset, bytes: Arc::clone(&bytes) };
        let place = self.record.note(author, Some(file), change);
        self.file_mut(file).contents.write(offset, bytes, place);
    }

    pub(super) fn set_length(&mut self, file: FileId, author: Author, length: u64) {
        let path = self.path_of(file);
        let place = self.record.note(author, Some(file), || DiskChange::SetLength { path, length });
        self.file_mut(file).contents.set_length(length, place);
    }

    pub(super) fn sync(&mut self, file: FileId, author: Author) {
        let path = self.path_of(file);
        let made_durable = self.file_mut(file).contents.sync();
        self.record.note(author, Some(file), || DiskChange::Sync { path, made_durable });
    }

    pub(super) fn fail_sync(&mut self, file: FileId, author: Author, survivors: Survivors, fork: Fork) {
        let path = self.path_of(file);
        let Fate { kept, lost: dropped, .. } = self.file_mut(file).contents.fail_sync(survivors, fork);
        self.record.note(author, Some(file), || DiskChange::FailedSync { path, kept, dropped });
    }

    /// Makes a file read as `cache` without making that durable, as a failed sync leaves it.
    pub(super) fn diverge(&mut self, file: FileId, author: Author, cache: &Image) {
        self.set_length(file, author, cache.length());
        self.write(file, author, 0, &cache.to_vec());
        let path = self.path_of(file);
        let dropped = self.file_mut(file).contents.drop_pending();
        self.record.note(author, Some(file), || DiskChange::FailedSync { path, kept: Vec::new(), dropped });
    }

    pub(super) fn sync_directory(&mut self, name: NameId, author: Author) {
        let made_durable = self.directory_mut(name).sync();
        let path = Arc::clone(&self.name(name).path);
        self.record.note(author, None, || DiskChange::SyncDirectory { path, made_durable });
    }

    pub(super) fn fail_sync_directory(&mut self, name: NameId, author: Author, fork: Fork) {
        let (kept, waiting) = self.directory_mut(name).fail_sync(fork);
        let path = Arc::clone(&self.name(name).path);
        self.record.note(author, None, || DiskChange::FailedSyncDirectory { path, kept, waiting });
    }

    pub(super) fn path_of(&self, file: FileId) -> Arc<str> {
        Arc::clone(&self.name(self.file(file).name).path)
    }
}
