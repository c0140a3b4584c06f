//! A smaller file.

use super::Outlive;
use crate::Options;
use crate::engine::make_smaller;
use crate::error::Error;
use crate::host::{Disk, Host, OpenMode, Os};
use crate::protocol::{CallError, Service};
use crate::store::cached::Cached;
use crate::store::turso::{TursoStorage, io_error};
use crate::store::{OpenError, Storage, StoreError};
use std::path::Path;

/// A file that was made smaller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Compacted {
    /// How many bytes it had.
    pub before_bytes: u64,
    /// How many bytes it has.
    pub after_bytes: u64,
}

impl Compacted {
    /// How many bytes were given back. While a queue works, its file may as well have grown.
    pub fn freed_bytes(&self) -> u64 {
        self.before_bytes.saturating_sub(self.after_bytes)
    }
}

/// Makes a file smaller that nobody has open, as [`Outlive::compact`] does, and changes no job of it: none is forgotten, and no
/// lease taken back. A file of an earlier format is brought to this version's first, as by any opening. It blocks its thread
/// while it reads and writes: in a program that does something else too, call it on a thread of its own.
///
/// # Errors
/// [`Error::Open`] if it is not there, is no queue's, or somebody has it open; otherwise as [`Outlive::compact`].
pub async fn compact_file(path: impl AsRef<Path>) -> Result<Compacted, Error> {
    let path = path.as_ref();
    let io = |doing| move |error| Error::Open(io_error(path, doing, error));
    let os = Os::new().map_err(io("ask the system for randomness"))?;
    // An opening would make it.
    drop(os.disk().open(path, OpenMode::Existing).map_err(io("open the file"))?);
    let (options, mut storage) = (Options::default(), TursoStorage::new(os, path));
    let mut store = Cached::new(storage.open(&options).await?);
    let made = make_smaller(&mut storage, &mut store, &options, || false).await.map_err(|error| match error {
        StoreError::Refused(why) => Error::Rejected { why },
        StoreError::Damaged { path, found } => Error::Open(OpenError::Damaged { path, found }),
        error => Error::Unavailable { why: error.to_string() },
    })?;
    let made = made.expect("a file is no memory");
    Ok(Compacted { before_bytes: made.before_bytes, after_bytes: made.after_bytes })
}

impl<H: Host> Outlive<H> {
    /// Gives back to the file system what the file has no use for any more: pages of jobs that were forgotten. Nobody needs to
    /// do this, since the queue uses such pages again; it is for a file that was once much longer than it will ever be again.
    ///
    /// It reads the whole file, and moves pages from its end to where none are. Meanwhile the queue answers nobody, for as long
    /// as the reading takes and a second more at a time, or a third of the shortest lease that somebody holds; then it goes on,
    /// and this call looks at the file again. Whose lease runs out while a very long file is read has crashed, as far as the
    /// queue can tell. Pages that are half empty stay so. A crash in the middle leaves a part of the way done.
    ///
    /// ```
    /// # async fn example(outlive: outlive::Outlive) -> Result<(), outlive::Error> {
    /// let compacted = outlive.compact().await?;
    /// println!("{} bytes were given back", compacted.freed_bytes());
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`Error::Rejected`] for a queue behind a server, whose file is elsewhere, and for a file that is damaged, or not understood to its last page, or for whose log there is no room: it is left as it is; [`Error::Unavailable`] while a [copy](Self::backup) is made, and for what the disk says:
    /// then a part of the way may be done.
    pub async fn compact(&self) -> Result<Compacted, Error> {
        self.caller().check_outside("a compaction")?;
        compact(&*self.caller().service()).await.map_err(|error| match error {
            CallError::Rejected { why } => Error::Rejected { why },
            error => Error::Unavailable { why: error.to_string() },
        })
    }
}

/// Asks for a smaller file until there is nothing left to do.
pub async fn compact(service: &dyn Service) -> Result<Compacted, CallError> {
    let mut before_bytes = None;
    loop {
        let compacting = service.compact().await?;
        let before_bytes = *before_bytes.get_or_insert(compacting.before_bytes);
        // Whoever works may take the room as fast as it is given back.
        if compacting.is_done || compacting.after_bytes >= compacting.before_bytes {
            return Ok(Compacted { before_bytes, after_bytes: compacting.after_bytes });
        }
    }
}
