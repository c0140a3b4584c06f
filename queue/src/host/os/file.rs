//! An open file of the operating system.
//!
//! It must never hand out its descriptor: a duplicate would keep the lock after this file is closed.

use super::super::DiskFile;
use super::lock;
use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;
use std::sync::OnceLock;

/// An open file of the operating system.
#[derive(Debug)]
pub struct OsFile {
    file: File,
    /// The process that locked it.
    locked_by: OnceLock<u32>,
}

impl OsFile {
    pub(super) fn new(file: File) -> Self {
        Self { file, locked_by: OnceLock::new() }
    }
}

impl DiskFile for OsFile {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0;
        while filled < buffer.len() {
            match self.file.read_at(&mut buffer[filled..], offset + filled as u64) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(filled)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all_at(bytes, offset)
    }

    fn sync(&self) -> io::Result<()> {
        // fdatasync leaves out times but not the length. On Darwin, where fsync stops at the drive's
        // cache, the standard library uses F_FULLFSYNC.
        self.file.sync_data()
    }

    fn truncate(&self, length: u64) -> io::Result<()> {
        self.file.set_len(length)
    }

    fn length(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn try_lock(&self) -> io::Result<bool> {
        let locked = lock::try_lock(&self.file)?;
        if locked {
            self.locked_by.get_or_init(std::process::id);
        }
        Ok(locked)
    }

    fn is_at(&self, path: &Path) -> io::Result<bool> {
        let there = match std::fs::metadata(path) {
            Ok(there) => there,
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                return Ok(false);
            }
            Err(error) => return Err(error),
        };
        // The number of an inode is not given to another file while this one is open.
        let here = self.file.metadata()?;
        Ok((here.dev(), here.ino()) == (there.dev(), there.ino()))
    }
}

impl Drop for OsFile {
    fn drop(&mut self) {
        // Closing alone is too late where another thread is just starting a program: between its
        // fork and its exec, the child has a copy of the descriptor, and whoever opens this file
        // again meanwhile would find it locked by nobody. A forked process that goes on without
        // exec must not do the same to its parent's lock.
        if self.locked_by.get() == Some(&std::process::id()) {
            // An error changes nothing: the descriptor is closed next.
            _ = lock::unlock(&self.file);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_ends_with_its_file_although_a_forked_child_has_a_copy() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        let file = OsFile::new(File::create_new(&path).unwrap());
        let copy = file.file.try_clone().unwrap();
        assert!(file.try_lock().unwrap());
        let other = OsFile::new(File::options().write(true).open(&path).unwrap());
        assert!(!other.try_lock().unwrap());
        drop(file);
        assert!(other.try_lock().unwrap());
        drop(copy);
    }

    #[test]
    fn a_file_that_never_got_the_lock_does_not_drop_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        let holder = OsFile::new(File::create_new(&path).unwrap());
        assert!(holder.try_lock().unwrap());
        for _ in 0..2 {
            assert!(!OsFile::new(File::options().write(true).open(&path).unwrap()).try_lock().unwrap());
        }
    }
}
