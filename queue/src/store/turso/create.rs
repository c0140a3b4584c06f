//! A new file: made under a temporary name, synced, then given its own.
//!
//! A crash that tears the very first header would leave "not a database" for ever, so no file has
//! the queue's name before it is whole.

use super::database::Database;
use super::judge::Panics;
use super::lock::{beside, io_error};
use super::schema::{APPLICATION_ID, FORMAT, FORMAT_WITH_SUMS, TABLES};
use super::sums::Sums;
use super::wal::directory;
use crate::Options;
use crate::host::{Disk, DiskFile, Host, OpenMode, Operation};
use crate::store::{OpenError, StoreError};
use std::io;
use std::path::Path;

/// Makes a new, empty queue at `path`, as `options` say. The caller holds the lock beside it.
pub async fn create<H: Host>(host: &H, path: &Path, options: &Options) -> Result<(), OpenError> {
    let disk = host.disk();
    let error = |doing| move |error| io_error(path, doing, error);
    let temporary = beside(path, ".new");
    let temporary_log = beside(&temporary, "-wal");
    // What an earlier attempt left behind.
    for leftover in [&temporary, &temporary_log] {
        remove(disk, leftover).map_err(error("remove what an unfinished creation left"))?;
    }
    fill(host, &temporary, options)
        .await
        .map_err(|error| OpenError::Store { path: path.display().to_string(), error })?;
    remove(disk, &temporary_log).map_err(error("remove the log of the new file"))?;
    let file = disk.open(&temporary, OpenMode::Existing).map_err(error("open the new file"))?;
    disk.pace(Operation::Sync).await;
    file.sync().map_err(error("sync the new file"))?;
    disk.pace(Operation::Directory).await;
    disk.rename_new(&temporary, path).map_err(error("give the new file its name"))?;
    disk.pace(Operation::Sync).await;
    disk.sync_directory(directory(path)).map_err(error("sync the directory"))
}

async fn fill<H: Host>(host: &H, path: &Path, options: &Options) -> Result<(), StoreError> {
    let path = path.to_str().ok_or_else(|| StoreError::Broken("its path is not UTF-8".into()))?;
    let (sums, format) =
        if options.page_checksums { (Sums::InEachPage, FORMAT_WITH_SUMS) } else { (Sums::Absent, FORMAT) };
    let mut database = Database::open(host.clone(), path, sums.codec([]), Panics::default()).await?;
    // Before anything is written, or it is too late.
    database.run(&format!("PRAGMA page_size = {}", options.page_bytes)).await?;
    database.run("BEGIN").await?;
    for statement in TABLES {
        database.run(statement).await?;
    }
    database.run("COMMIT").await?;
    database.run(&format!("PRAGMA application_id = {APPLICATION_ID}")).await?;
    database.run(&format!("PRAGMA user_version = {format}")).await?;
    database.checkpoint().await
}

fn remove<D: Disk>(disk: &D, path: &Path) -> io::Result<()> {
    match disk.remove(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        outcome => outcome,
    }
}
