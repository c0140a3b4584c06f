//! A copy of the file, made while the queue goes on.

use super::Outlive;
use crate::engine::HeldSnapshot;
use crate::error::Error;
use crate::host::{Clock, Disk, DiskFile, Host, OpenMode, Operation};
use crate::job::Refusal;
use crate::limits;
use crate::protocol::CallError;
use crate::store::Snapshot;
use crate::store::turso::{beside, directory, io_error};
use std::io;
use std::path::Path;
use tokio::sync::oneshot;

/// A copy that was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backup {
    /// How many bytes it has.
    pub bytes: u64,
}

/// What a copy is called before it is whole.
const PARTIAL: &str = ".partial";

impl<H: Host> Outlive<H> {
    /// Copies the file to `path`, where no file may be, while the queue goes on. The copy is a queue like any other: all that
    /// was committed at one moment between this call and its answer. When this returns it is durable.
    ///
    /// While it is made, no checkpoint is; the write-ahead log grows instead, for
    /// [`SNAPSHOT_MAX`](crate::limits::SNAPSHOT_MAX) at the most. One copy of a queue is made at a time. If the program dies
    /// meanwhile, what is left is called `path.partial`, and the next copy to the same path writes over it. Whoever does not
    /// wait for the answer may find the copy all the same.
    ///
    /// ```
    /// # async fn example(outlive: outlive::Outlive) -> Result<(), outlive::Error> {
    /// outlive.backup("backups/jobs-2026-11-22.db").await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`Error::Open`] if a file is there, or a log of that name, or for what the disk says; [`Error::Refused`] if there is
    /// too little room; [`Error::Rejected`] for a queue behind a server, whose file is elsewhere;
    /// [`Error::Unavailable`] while another copy is made, and if the file could not be read, or could not stand still for so
    /// long.
    pub async fn backup(&self, path: impl AsRef<Path>) -> Result<Backup, Error> {
        let path = path.as_ref().to_owned();
        self.caller().check_outside("a copy")?;
        let snapshot = self.caller().service().snapshot().await.map_err(|error| match error {
            CallError::Rejected { why } => Error::Rejected { why },
            error => Error::Unavailable { why: error.to_string() },
        })?;
        let (host, (done, copying)) = (self.host().clone(), oneshot::channel());
        // On a thread of its own: a disk may take its time.
        self.host().spawn_engine("outlive-backup", move || async move {
            drop(done.send(copy(&host, snapshot, &path).await));
        });
        let died = |_| Err(Error::Unavailable { why: "the copying has ended before it was done".into() });
        copying.await.unwrap_or_else(died)
    }
}

async fn copy<H: Host>(host: &H, snapshot: HeldSnapshot, path: &Path) -> Result<Backup, Error> {
    let disk = host.disk();
    refuse_existing(disk, path)?;
    refuse_existing(disk, &beside(path, "-wal"))?;
    let partial = beside(path, PARTIAL);
    disk.pace(Operation::Directory).await;
    let file = take(disk, &partial)?;
    let made = async {
        let bytes = fill(host, snapshot, &file, &partial).await?;
        disk.pace(Operation::Directory).await;
        disk.rename_new(&partial, path).map_err(|error| Error::Open(io_error(path, "name the copy", error)))?;
        Ok(bytes)
    };
    let made: Result<u64, Error> = made.await;
    if made.is_err() {
        // Nobody misses it, and its room is needed. If that fails, the next copy writes over it.
        drop(disk.remove(&partial));
    }
    let bytes = made?;
    disk.pace(Operation::Sync).await;
    disk.sync_directory(directory(path)).map_err(|error| Error::Open(io_error(path, "sync its directory", error)))?;
    Ok(Backup { bytes })
}

/// The file that is to be the copy, for as long as nobody else writes to it.
fn take<D: Disk>(disk: &D, partial: &Path) -> Result<D::File, Error> {
    let of = |doing| move |error| Error::Open(io_error(partial, doing, error));
    let file = disk.open(partial, OpenMode::Any).map_err(of("make the copy"))?;
    let is_ours = file.try_lock().and_then(|locked| Ok(locked && file.is_at(partial)?));
    if !is_ours.map_err(of("lock the copy"))? {
        let error = io::Error::new(io::ErrorKind::WouldBlock, "another copy to the same path is being made");
        return Err(of("make the copy")(error));
    }
    file.truncate(0).map_err(of("empty what an earlier copy left"))?;
    Ok(file)
}

async fn fill<H: Host>(
    host: &H,
    mut snapshot: HeldSnapshot,
    file: &impl DiskFile,
    partial: &Path,
) -> Result<u64, Error> {
    let disk = host.disk();
    let of = |doing| move |error| Error::Open(io_error(partial, doing, error));
    let (pages, page_bytes) = (snapshot.pages(), snapshot.page_bytes());
    let bytes = u64::from(pages) * page_bytes as u64;
    // What an earlier copy had left is gone by now.
    let room = disk.free_bytes(directory(partial)).map_err(of("look for room"))?;
    let room = room.saturating_sub(snapshot.reserve_bytes());
    if bytes > room {
        let remedy = "free some space, or copy to another disk";
        return Err(Error::Refused(Refusal::limit("the size of the copy in bytes", bytes, room, remedy)));
    }
    let mut buffer = vec![0; page_bytes * limits::COPY_PAGES as usize];
    let mut copied = 0;
    while copied < pages {
        let count = limits::COPY_PAGES.min(pages - copied);
        let buffer = &mut buffer[..page_bytes * count as usize];
        disk.pace(Operation::Read).await;
        for (number, page) in (copied + 1..).zip(buffer.chunks_exact_mut(page_bytes)) {
            snapshot.read(number, page).map_err(|error| Error::Unavailable { why: error.to_string() })?;
        }
        disk.pace(Operation::Write).await;
        file.write_at(u64::from(copied) * page_bytes as u64, buffer).map_err(of("write the copy"))?;
        copied += count;
        // Whoever works comes first to the disk.
        host.clock().sleep(limits::COPY_REST).await;
    }
    // From here on the file may go on without us.
    drop(snapshot);
    disk.pace(Operation::Sync).await;
    file.sync().map_err(of("sync the copy"))?;
    Ok(bytes)
}

fn refuse_existing<D: Disk>(disk: &D, path: &Path) -> Result<(), Error> {
    match disk.open(path, OpenMode::Existing) {
        Ok(_) => {
            let error =
                io::Error::new(io::ErrorKind::AlreadyExists, "there is a file, and a copy never takes its place");
            Err(Error::Open(io_error(path, "make a copy", error)))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(Error::Open(io_error(path, "look whether a file is there", error))),
    }
}
