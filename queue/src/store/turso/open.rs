//! Opening is recovery: the same steps after a crash, after an error, and on the first day.

use super::check::check;
use super::compact::FileCompaction;
use super::create::create;
use super::database::Database;
use super::judge::Panics;
use super::lock::{Lock, io_error, lock_database};
use super::migrate::migrate;
use super::store::TursoStore;
use super::tail::LostTail;
use super::wal::{Log, directory};
use crate::Options;
use crate::host::{Disk, Host, OpenMode, Operation};
use crate::store::{Compaction, OpenError, Storage, StoreError};
use std::io;
use std::path::{Path, PathBuf};

/// A file, and the locks on it for as long as this lives.
pub struct TursoStorage<H: Host> {
    host: H,
    path: PathBuf,
    locks: Option<Locks<<H::Disk as Disk>::File>>,
    panics: Panics,
}

struct Locks<F> {
    beside: Lock<F>,
    database: F,
}

impl<H: Host> TursoStorage<H> {
    /// The queue at `path`, which need not exist yet.
    pub fn new(host: H, path: impl Into<PathBuf>) -> Self {
        Self { host, path: path.into(), locks: None, panics: Panics::default() }
    }

    /// Takes the locks and makes the file if there is none.
    async fn lock(&mut self, options: &Options) -> Result<&Locks<<H::Disk as Disk>::File>, OpenError> {
        let (host, path) = (&self.host, self.path.as_path());
        let disk = host.disk();
        if let Some(locks) = &self.locks {
            // A path that was given to another file since is no longer ours to write to.
            let held = locks.beside.is_held().map_err(|error| io_error(path, "look at the lock file", error))?;
            if !held {
                let found = "its lock file was removed while it was in use".into();
                return Err(OpenError::Damaged { path: path.display().to_string(), found });
            }
        } else {
            refuse_unsuitable(disk, path)?;
            // Before the lock file is made: nothing is left beside a file that is not ours.
            look(disk, path)?;
            disk.pace(Operation::Directory).await;
            let beside = Lock::take(host, path)?;
            if !look(disk, path)? {
                create(host, path, options).await?;
            }
            let database = lock_database(disk, path)?;
            self.locks = Some(Locks { beside, database });
        }
        Ok(self.locks.as_ref().expect("they were taken above"))
    }
}

impl<H: Host> Storage for TursoStorage<H> {
    type Store = TursoStore<H>;

    async fn open(&mut self, options: &Options) -> Result<TursoStore<H>, OpenError> {
        let (host, path) = (self.host.clone(), self.path.clone());
        let locks = self.lock(options).await?;
        let log = Log::read(host.disk(), &path)?;
        let header = check(&path, &locks.database, || Log::read(host.disk(), &path))?;
        if let Some(LostTail { whole, frames }) = log.lost_tail() {
            return Err(OpenError::LostTail { path: path.display().to_string(), whole, frames });
        }
        log.make_durable(host.disk(), &path, &locks.database).await?;
        let sums = header.sums.codec(log.pages());
        drop(log);
        let text = path.to_str().ok_or_else(|| OpenError::Unsuitable {
            path: path.display().to_string(),
            why: "its path is not UTF-8".into(),
        })?;
        let opened = async {
            let mut database = Database::open(host.clone(), text, sums, self.panics.clone()).await?;
            migrate(&mut database, header.format).await?;
            Ok(database)
        };
        let database = opened.await.map_err(|error| match error {
            StoreError::Damaged { path, found } => OpenError::Damaged { path, found },
            error => OpenError::Store { path: path.display().to_string(), error },
        })?;
        Ok(TursoStore::new(host, path, database))
    }

    async fn compaction(&mut self, options: &Options) -> Result<Option<Box<dyn Compaction>>, StoreError> {
        let pages = usize::try_from(options.checkpoint_frames).unwrap_or(usize::MAX);
        let compaction = FileCompaction::begin(self.host.clone(), self.path.clone(), pages).await?;
        Ok(Some(Box::new(compaction)))
    }
}

/// Whether there is a file, which must then be a queue of ours.
fn look<D: Disk>(disk: &D, path: &Path) -> Result<bool, OpenError> {
    match disk.open(path, OpenMode::Existing) {
        Ok(file) => check(path, &file, || Log::read(disk, path)).map(|_| true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(io_error(path, "open the file", error)),
    }
}

fn refuse_unsuitable<D: Disk>(disk: &D, path: &Path) -> Result<(), OpenError> {
    let why = disk.unsuitable(directory(path)).map_err(|error| io_error(path, "look at its file system", error))?;
    match why {
        Some(why) => Err(OpenError::Unsuitable { path: path.display().to_string(), why }),
        None => Ok(()),
    }
}
