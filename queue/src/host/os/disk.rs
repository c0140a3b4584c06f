//! The machine's file systems.
//!
//! It must never replace a file that is in the way, and never report a directory as synced that is
//! not.

use super::super::{Disk, OpenMode, Operation};
use super::file::OsFile;
use super::filesystem;
use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;
use std::fs::{self, File, OpenOptions};
use std::future::Future;
use std::io;
use std::path::Path;

/// The machine's file systems.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct OsDisk;

impl OsDisk {
    pub(super) fn new() -> Self {
        Self
    }
}

impl Disk for OsDisk {
    type File = OsFile;

    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<OsFile> {
        let mut options = OpenOptions::new();
        options.read(true).write(true);
        match mode {
            OpenMode::Existing => {}
            OpenMode::New => _ = options.create_new(true),
            OpenMode::Any => _ = options.create(true).truncate(false),
        }
        // The standard library opens with O_CLOEXEC: a program started by a handler inherits neither
        // the file nor its lock.
        options.open(path).map(OsFile::new)
    }

    fn rename_new(&self, from: &Path, to: &Path) -> io::Result<()> {
        match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
            Ok(()) => Ok(()),
            Err(error) if is_unsupported(error) => rename_by_link(from, to),
            Err(error) => Err(error.into()),
        }
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn sync_directory(&self, directory: &Path) -> io::Result<()> {
        File::open(named(directory))?.sync_all()
    }

    fn unsuitable(&self, directory: &Path) -> io::Result<Option<String>> {
        filesystem::unsuitable(named(directory))
    }

    fn free_bytes(&self, directory: &Path) -> io::Result<u64> {
        filesystem::free_bytes(named(directory))
    }

    fn pace(&self, _operation: Operation) -> impl Future<Output = ()> + Send {
        std::future::ready(())
    }
}

/// The parent of a bare file name is the empty path, which means the current directory but can't be
/// opened as it.
fn named(directory: &Path) -> &Path {
    if directory.as_os_str().is_empty() { Path::new(".") } else { directory }
}

/// Whether the file system doesn't know renames without replacement. Linux file systems say `INVAL`,
/// old kernels `NOSYS`; Darwin says `NOTSUP`.
fn is_unsupported(error: Errno) -> bool {
    [Errno::INVAL, Errno::NOSYS, Errno::NOTSUP, Errno::OPNOTSUPP].contains(&error)
}

/// A rename in two steps: a link never replaces a file either. A crash between them leaves the file
/// under both names, which is harmless: the caller tidies up `from`, a name that it made up.
fn rename_by_link(from: &Path, to: &Path) -> io::Result<()> {
    fs::hard_link(from, to)?;
    fs::remove_file(from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rename_by_link_moves_the_file() {
        let directory = tempfile::tempdir().unwrap();
        let (from, to) = (directory.path().join("from"), directory.path().join("to"));
        fs::write(&from, "new").unwrap();
        rename_by_link(&from, &to).unwrap();
        assert!(!from.exists());
        assert_eq!(fs::read(&to).unwrap(), b"new");
    }

    #[test]
    fn a_rename_by_link_does_not_replace() {
        let directory = tempfile::tempdir().unwrap();
        let (from, to) = (directory.path().join("from"), directory.path().join("to"));
        fs::write(&from, "new").unwrap();
        fs::write(&to, "old").unwrap();
        assert_eq!(rename_by_link(&from, &to).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&from).unwrap(), b"new");
        assert_eq!(fs::read(&to).unwrap(), b"old");
    }

    #[test]
    fn the_directory_of_a_bare_file_name_is_the_current_one() {
        let directory = Path::new("jobs.db").parent().unwrap();
        OsDisk::new().sync_directory(directory).unwrap();
        assert!(OsDisk::new().free_bytes(directory).is_ok());
    }
}
