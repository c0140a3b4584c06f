//! Files, as a process sees them.

use std::future::Future;
use std::io;
use std::path::Path;

/// A file system.
///
/// All calls are synchronous: the engine has a thread of its own. [`pace`](Disk::pace) is the one
/// place where a simulated disk may be slow; the operating system's is ready at once.
pub trait Disk: Clone + Send + Sync + 'static {
    /// An open file.
    type File: DiskFile;

    /// Opens `path` for reading and writing.
    ///
    /// # Errors
    /// `NotFound` for [`OpenMode::Existing`] without a file, `AlreadyExists` for
    /// [`OpenMode::New`] with one, and whatever the file system says.
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Self::File>;

    /// Renames `from` to `to`, which must not exist. Durable once the directory is synced.
    ///
    /// # Errors
    /// `AlreadyExists` if `to` exists: it is left as it is.
    fn rename_new(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file. Durable once the directory is synced.
    ///
    /// # Errors
    /// `NotFound` without a file, and whatever the file system says.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Makes creations, renames and removals in `directory` durable.
    ///
    /// # Errors
    /// Whatever the file system says; what is durable is then unknown.
    fn sync_directory(&self, directory: &Path) -> io::Result<()>;

    /// Says why files in `directory` can't be trusted with a queue, if that can be told: a network
    /// file system, whose locks and syncs mean less than they say.
    ///
    /// # Errors
    /// Whatever the file system says.
    fn unsuitable(&self, directory: &Path) -> io::Result<Option<String>>;

    /// Bytes that may still be written in `directory`.
    ///
    /// # Errors
    /// Whatever the file system says.
    fn free_bytes(&self, directory: &Path) -> io::Result<u64>;

    /// Waits until `operation` may be performed. Called before each one where the caller can wait.
    fn pace(&self, operation: Operation) -> impl Future<Output = ()> + Send;
}

/// An open file. Offsets and lengths are in bytes.
pub trait DiskFile: Send + Sync + 'static {
    /// Reads into `buffer` from `offset` until it is full or the file ends; the count of bytes read.
    ///
    /// # Errors
    /// Whatever the file system says.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize>;

    /// Writes all of `bytes` at `offset`. Durable once the file is synced.
    ///
    /// # Errors
    /// Whatever the file system says; what was written is then unknown.
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()>;

    /// Makes all earlier writes and truncations durable.
    ///
    /// # Errors
    /// Whatever the file system says. What is durable is then unknown, **and a later sync that
    /// succeeds does not change that**: the pages may have been marked clean.
    fn sync(&self) -> io::Result<()>;

    /// Cuts the file, or grows it with zeros, to `length`. Durable once the file is synced.
    ///
    /// # Errors
    /// Whatever the file system says.
    fn truncate(&self, length: u64) -> io::Result<()>;

    /// The file's length.
    ///
    /// # Errors
    /// Whatever the file system says.
    fn length(&self) -> io::Result<u64>;

    /// Takes an exclusive lock over the whole file, which lives exactly as long as this open file
    /// (or its process); `false` if another open file has it. It never waits, and is never stolen.
    ///
    /// # Errors
    /// Whatever the file system says.
    fn try_lock(&self) -> io::Result<bool>;

    /// Whether `path` names this very file, and not another one that took its place.
    ///
    /// # Errors
    /// Whatever the file system says; a missing `path` is `Ok(false)`.
    fn is_at(&self, path: &Path) -> io::Result<bool>;
}

/// What [`Disk::open`] demands of the path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenMode {
    /// A file must be there.
    Existing,
    /// No file may be there; an empty one is made.
    New,
    /// An empty file is made if none is there.
    Any,
}

/// A kind of disk operation, as [`Disk::pace`] sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operation {
    /// [`DiskFile::read_at`].
    Read,
    /// [`DiskFile::write_at`].
    Write,
    /// [`DiskFile::sync`] or [`Disk::sync_directory`].
    Sync,
    /// [`DiskFile::truncate`].
    Truncate,
    /// [`Disk::open`], [`Disk::rename_new`] or [`Disk::remove`].
    Directory,
}
