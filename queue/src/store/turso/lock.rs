//! One process at a time: the lock beside the file, then the lock over the file itself.
//!
//! The lock file comes first, so that a process can say who it waits for before it touches the
//! queue. The lock over the database keeps stock `sqlite3` out, whose last close would delete our
//! live log. Neither is ever stolen: a paused owner keeps both.

use crate::host::{Disk, DiskFile, Host, OpenMode};
use crate::store::OpenError;
use std::io;
use std::path::{Path, PathBuf};

/// The lock beside the file, held until this is dropped.
pub struct Lock<F> {
    file: F,
    path: PathBuf,
}

impl<F: DiskFile> Lock<F> {
    /// Takes the lock beside `path`, and writes down who has it.
    pub fn take<H: Host<Disk: Disk<File = F>>>(host: &H, path: &Path) -> Result<Self, OpenError> {
        let lock_path = beside(path, ".lock");
        let error = |doing| move |error| io_error(path, doing, error);
        let file = host.disk().open(&lock_path, OpenMode::Any).map_err(error("open the lock file"))?;
        if !file.try_lock().map_err(error("lock the lock file"))? {
            return Err(OpenError::Locked { path: path.display().to_string(), holder: holder(&file) });
        }
        // Somebody may have removed the path between the opening and the lock.
        if !file.is_at(&lock_path).map_err(error("look at the lock file"))? {
            return Err(OpenError::Locked { path: path.display().to_string(), holder: "another process".into() });
        }
        // For people only: nothing is decided by it, so it need not be durable.
        let mut name = host.process().into_bytes();
        name.push(b'\n');
        file.truncate(0).and_then(|()| file.write_at(0, &name)).map_err(error("write to the lock file"))?;
        Ok(Self { file, path: lock_path })
    }

    /// Whether the lock file is still the one at its path.
    pub fn is_held(&self) -> io::Result<bool> {
        self.file.is_at(&self.path)
    }
}

/// Locks the database itself, and makes sure that it is still the one at `path`.
pub fn lock_database<D: Disk>(disk: &D, path: &Path) -> Result<D::File, OpenError> {
    let error = |doing| move |error| io_error(path, doing, error);
    let file = disk.open(path, OpenMode::Existing).map_err(error("open the file"))?;
    if !file.try_lock().map_err(error("lock the file"))? {
        let holder = "another program, perhaps sqlite3".into();
        return Err(OpenError::Locked { path: path.display().to_string(), holder });
    }
    if !file.is_at(path).map_err(error("look at the file"))? {
        let found = "another file took its place while it was opened".into();
        return Err(OpenError::Damaged { path: path.display().to_string(), found });
    }
    Ok(file)
}

/// `path` with `suffix` behind its whole name.
pub fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

pub fn io_error(path: &Path, doing: &'static str, error: io::Error) -> OpenError {
    OpenError::Io { path: path.display().to_string(), doing, error }
}

fn holder(file: &impl DiskFile) -> String {
    let mut bytes = [0; 64];
    let read = file.read_at(0, &mut bytes).unwrap_or(0);
    let name = String::from_utf8_lossy(&bytes[..read]).trim().to_owned();
    if name.is_empty() { "another process".into() } else { name }
}
