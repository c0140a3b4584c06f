//! A process's door to the disk of its machine, and the files it has open.
//!
//! Every operation goes through [`ProcessDisk::begin`]: a dead process is turned away, a living
//! one's operation is counted, and the faults are asked. Only then is it performed and traced.

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::Shared;
use super::contents::taken_in_part;
use super::directory::{FileId, NameId};
use super::faults::{OperationInfo, OperationKind, Speed, Verdict};
use super::illegal::can_be_misdirected;
use super::platters::Platters;
use super::record::Author;
use super::survivors::Survivors;
use crate::clock::sleep_true;
use crate::process::Life;
use crate::seed::Fork;

/// Longest file, in bytes. An offset beyond it is a bug of the caller, and would take all memory.
const FILE_BYTES_MAX: u64 = 1 << 32;

/// What opening a file demands of its path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenMode {
    /// A file must be there.
    Existing,
    /// No file may be there; an empty one is made.
    New,
    /// An empty file is made if none is there.
    Any,
}

/// One process's door to its machine's disk. Clones are the same door.
///
/// An operation takes no time by itself; await [`pace`](ProcessDisk::pace) before it, and it takes as long as the disk
/// is slow. Beside the errors that each operation names, all of them fail with `BrokenPipe` once the process is dead.
/// An injected error is of the kind that the [`Verdict`] has; the nemesis gives `Other`.
#[derive(Clone)]
pub struct ProcessDisk(Arc<Door>);

struct Door {
    shared: Arc<Shared>,
    life: Arc<Life>,
    operations: AtomicU64,
    paces: AtomicU64,
    tag: AtomicU64,
}

/// An operation that was counted and may be performed.
struct Turn {
    kind: OperationKind,
    name: NameId,
    of_machine: u64,
    of_process: u64,
    offset: u64,
    failure: Option<Failure>,
    /// Decides how it is done wrongly, if it is, although it answers success.
    wrong: Option<Fork>,
}

/// How an operation is to fail.
#[derive(Clone, Copy)]
struct Failure {
    error: io::ErrorKind,
    /// What a sync made durable nevertheless …
    survivors: Survivors,
    /// … and what decides on the rest.
    fork: Fork,
}

impl From<Failure> for io::Error {
    fn from(failure: Failure) -> io::Error {
        failure.error.into()
    }
}

impl ProcessDisk {
    pub(super) fn new(shared: Arc<Shared>, life: Arc<Life>) -> Self {
        let [operations, paces, tag] = [const { AtomicU64::new(0) }; 3];
        Self(Arc::new(Door { shared, life, operations, paces, tag }))
    }

    /// How many operations this process performed, or tried and failed.
    pub fn operations(&self) -> u64 {
        self.0.operations.load(Ordering::Relaxed)
    }

    /// What this process's changes are tagged with in the disk's record from now on; 0 at first. A
    /// system under test says with it which of its own events a write belongs to.
    pub fn set_tag(&self, tag: u64) {
        self.0.tag.store(tag, Ordering::Relaxed);
    }

    /// Opens a file for reading and writing.
    ///
    /// # Errors
    /// `NotFound` for [`OpenMode::Existing`] without a file, `AlreadyExists` for [`OpenMode::New`]
    /// with one, `StorageFull` for a new file on a full disk, and injected ones.
    pub fn open(&self, path: impl AsRef<Path>, mode: OpenMode) -> io::Result<SimFile> {
        let name = self.intern(path.as_ref())?;
        let turn = self.begin(OperationKind::Open, |_| (name, 0, 0), mode as u64, 0)?;
        self.perform(&turn, &[], |platters, failure| {
            if let Some(failure) = failure {
                return Err(failure.into());
            }
            let file = match (platters.find(name), mode) {
                (Some(_), OpenMode::New) => return Err(io::ErrorKind::AlreadyExists.into()),
                (None, OpenMode::Existing) => return Err(io::ErrorKind::NotFound.into()),
                (Some(file), OpenMode::Existing | OpenMode::Any) => file,
                (None, OpenMode::New | OpenMode::Any) => {
                    platters.claim_room(1)?;
                    platters.create(name, self.author())
                }
            };
            Ok(SimFile { door: self.clone(), file, handle: platters.next_handle() })
        })
    }

    /// Renames `from` to `to`, which must be free and in the same directory. Durable once the
    /// directory is synced.
    ///
    /// # Errors
    /// `AlreadyExists` if `to` exists, `NotFound` without `from`, `CrossesDevices` between
    /// directories, and injected ones.
    pub fn rename_new(&self, from: impl AsRef<Path>, to: impl AsRef<Path>) -> io::Result<()> {
        let (from, to) = (self.intern(from.as_ref())?, self.intern(to.as_ref())?);
        let turn = self.begin(OperationKind::Rename, |_| (from, 0, 0), u64::from(to.0), 0)?;
        self.perform(&turn, &[], |platters, failure| match failure {
            Some(failure) => Err(failure.into()),
            None => platters.rename_new(from, to, self.author()),
        })
    }

    /// Removes a file. Durable once the directory is synced; who has it open keeps it.
    ///
    /// # Errors
    /// `NotFound` without a file, and injected ones.
    pub fn remove(&self, path: impl AsRef<Path>) -> io::Result<()> {
        let name = self.intern(path.as_ref())?;
        let turn = self.begin(OperationKind::Remove, |_| (name, 0, 0), 0, 0)?;
        self.perform(&turn, &[], |platters, failure| match failure {
            Some(failure) => Err(failure.into()),
            None => platters.remove(name, self.author()),
        })
    }

    /// Makes all earlier creations, renames and removals in `directory` durable.
    ///
    /// # Errors
    /// Injected ones: then some of the first changes are durable, and the others still wait.
    pub fn sync_directory(&self, directory: impl AsRef<Path>) -> io::Result<()> {
        let name = self.intern(directory.as_ref())?;
        let pending = |platters: &Platters| (name, platters.pending_names(name), 0);
        let turn = self.begin(OperationKind::SyncDirectory, pending, 0, 0)?;
        self.perform(&turn, &[], |platters, failure| match failure {
            Some(failure) => {
                platters.fail_sync_directory(name, self.author(), failure.fork);
                Err(failure.into())
            }
            None => {
                platters.sync_directory(name, self.author());
                Ok(())
            }
        })
    }

    /// Bytes by which files may still grow.
    ///
    /// # Errors
    /// If the process is dead.
    pub fn free_bytes(&self) -> io::Result<u64> {
        self.0.life.check()?;
        Ok(self.platters(|platters| platters.free_bytes()))
    }

    /// Waits as long as the disk takes for an operation. A dead process waits for ever.
    ///
    /// # Panics
    /// Outside of a simulation, if the disk is slow.
    pub async fn pace(&self) {
        let wait = self.platters(|platters| match platters.speed {
            Speed::Slow { least, most } if self.0.life.is_alive() => {
                platters.slowed += 1;
                let ordinal = self.0.paces.fetch_add(1, Ordering::Relaxed);
                let fork = self.0.shared.fork.fork("pace").key(u64::from(self.0.life.id().0)).key(ordinal);
                Some(fork.duration(least..=most))
            }
            _ => None,
        });
        if let Some(wait) = wait {
            sleep_true(wait).await;
        }
        if !self.0.life.is_alive() {
            std::future::pending::<()>().await;
        }
    }

    fn author(&self) -> Author {
        Author { process: self.0.life.id(), tag: self.0.tag.load(Ordering::Relaxed) }
    }

    fn platters<T>(&self, work: impl FnOnce(&mut Platters) -> T) -> T {
        work(&mut self.0.shared.platters.lock().unwrap())
    }

    fn intern(&self, path: &Path) -> io::Result<NameId> {
        self.0.life.check()?;
        let (name, new) = self.platters(|platters| platters.intern(path))?;
        if let (true, Some(trace)) = (new, &self.0.shared.trace) {
            let numbers = [u64::from(self.0.shared.machine.0), u64::from(name.0)];
            trace.event("disk.name", self.0.life.id().0, &numbers, path.as_os_str().as_encoded_bytes());
        }
        Ok(name)
    }

    /// Counts an operation of a living process and asks the faults about it. `target` finds its
    /// name, how many changes wait for a sync there, and how long it is.
    fn begin(
        &self,
        kind: OperationKind,
        target: impl FnOnce(&Platters) -> (NameId, usize, u64),
        offset: u64,
        bytes: u64,
    ) -> io::Result<Turn> {
        let Door { shared, life, operations, .. } = &*self.0;
        life.check()?;
        let faults = shared.faults.lock().unwrap().clone();
        let mut platters = shared.platters.lock().unwrap();
        let (name, pending, length) = target(&platters);
        let (of_machine, nth) = platters.count(name, kind);
        let of_process = operations.fetch_add(1, Ordering::Relaxed) + 1;
        let mut turn = Turn { kind, name, of_machine, of_process, offset, failure: None, wrong: None };
        let Some(faults) = faults else { return Ok(turn) };
        let path = Arc::clone(&platters.name(name).path);
        // The faults may crash this very process, which takes this very lock.
        drop(platters);
        let pending = pending as u64;
        let (machine, process) = (shared.machine, life.id());
        let path = &*path;
        let info =
            OperationInfo { machine, process, kind, path, of_process, of_machine, nth, offset, bytes, pending, length };
        let failure = shared.fork.fork("failure").key(of_machine);
        match faults.on_operation(&info) {
            Verdict::Pass => {}
            Verdict::Fail(error) => {
                turn.failure = Some(Failure { error, survivors: Survivors::Subset, fork: failure });
            }
            Verdict::FailSync(survivors) => {
                turn.failure = Some(Failure { error: io::ErrorKind::Other, survivors, fork: failure });
            }
            Verdict::CrashBefore => self.crash(),
            Verdict::Lie if kind == OperationKind::Sync => turn.wrong = Some(shared.fork.fork("lie").key(of_machine)),
            Verdict::Misdirect if kind == OperationKind::Write && can_be_misdirected(offset, bytes, length) => {
                turn.wrong = Some(shared.fork.fork("misdirection").key(of_machine));
            }
            Verdict::Lie | Verdict::Misdirect => {}
        }
        life.check()?;
        Ok(turn)
    }

    fn crash(&self) {
        let process = self.0.life.id();
        let hook = self.0.shared.crash_hook.lock().unwrap().clone();
        match hook {
            Some(hook) => hook(process),
            None => self.platters(|platters| platters.end_process(process)),
        }
        assert!(!self.0.life.is_alive(), "a process that crashed is dead");
    }

    /// Performs an operation and traces it. The work is told if it is to fail.
    fn perform<T>(
        &self,
        turn: &Turn,
        bytes: &[u8],
        work: impl FnOnce(&mut Platters, Option<Failure>) -> io::Result<T>,
    ) -> io::Result<T> {
        let result = self.platters(|platters| work(platters, turn.failure));
        self.trace(turn, bytes, bytes.len() as u64, result.is_ok());
        result
    }

    fn trace(&self, turn: &Turn, bytes: &[u8], answer: u64, performed: bool) {
        if let Some(trace) = &self.0.shared.trace {
            let name = u64::from(turn.name.0);
            let outcome = u64::from(performed);
            let numbers = [turn.of_machine, turn.of_process, name, turn.offset, answer, outcome];
            trace.event(turn.kind.event(), self.0.life.id().0, &numbers, bytes);
        }
    }
}

impl fmt::Debug for ProcessDisk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProcessDisk").field("process", &self.0.life.id()).finish()
    }
}

/// An open file. Dropping it closes it and lets its lock go. Once its process is dead, every operation fails with
/// `BrokenPipe`.
#[derive(Debug)]
pub struct SimFile {
    door: ProcessDisk,
    file: FileId,
    handle: u64,
}

impl SimFile {
    /// Reads into `buffer` from `offset` until it is full or the file ends; the count of bytes read.
    ///
    /// # Errors
    /// Injected ones.
    pub fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let turn = self.begin(OperationKind::Read, offset, buffer.len() as u64)?;
        let read = match turn.failure {
            Some(failure) => Err(failure.into()),
            None => {
                Ok(self.door.platters(|platters| platters.file(self.file).contents.cache_image().read(offset, buffer)))
            }
        };
        let count = read.as_ref().map_or(0, |count| *count);
        self.door.trace(&turn, &buffer[..count], count as u64, read.is_ok());
        read
    }

    /// Writes all of `bytes` at `offset`. Durable once the file is synced.
    ///
    /// # Errors
    /// `StorageFull` if the file would grow beyond the disk's capacity, `FileTooLarge` beyond 4 GiB;
    /// then nothing is written.
    /// After an injected one its first sectors may be written.
    pub fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let end = offset.saturating_add(bytes.len() as u64);
        if end > FILE_BYTES_MAX {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let turn = self.begin(OperationKind::Write, offset, bytes.len() as u64)?;
        self.door.perform(&turn, bytes, |platters, failure| {
            if let Some(failure) = failure {
                if failure.error != io::ErrorKind::StorageFull {
                    let taken = taken_in_part(offset, bytes, failure.fork);
                    platters.write_in_part(self.file, self.door.author(), offset, taken);
                }
                return Err(failure.into());
            }
            if let Some(fork) = turn.wrong {
                platters.misdirect(self.file, self.door.author(), offset, bytes, fork);
                return Ok(());
            }
            platters.claim_room(end.saturating_sub(platters.file(self.file).contents.cache_image().length()))?;
            platters.write(self.file, self.door.author(), offset, bytes);
            Ok(())
        })
    }

    /// Makes all earlier writes and truncations durable.
    ///
    /// # Errors
    /// Injected ones: then each change is durable, or clean in the cache, never retried by a later
    /// sync, and gone after a power loss.
    pub fn sync(&self) -> io::Result<()> {
        let turn = self.begin(OperationKind::Sync, 0, 0)?;
        self.door.perform(&turn, &[], |platters, failure| {
            let author = self.door.author();
            match (failure, turn.wrong) {
                (Some(failure), _) => {
                    platters.fail_sync(self.file, author, failure.survivors, failure.fork);
                    return Err(failure.into());
                }
                (None, Some(fork)) => platters.lie_about_sync(self.file, author, fork),
                (None, None) => platters.sync(self.file, author),
            }
            Ok(())
        })
    }

    /// Cuts the file, or grows it with zeros, to `length` bytes. Durable once the file is synced.
    ///
    /// # Errors
    /// `StorageFull` if the file would grow beyond the disk's capacity, `FileTooLarge` beyond 4 GiB,
    /// and injected ones.
    pub fn truncate(&self, length: u64) -> io::Result<()> {
        if length > FILE_BYTES_MAX {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let turn = self.begin(OperationKind::Truncate, length, 0)?;
        self.door.perform(&turn, &[], |platters, failure| {
            if let Some(failure) = failure {
                return Err(failure.into());
            }
            platters.claim_room(length.saturating_sub(platters.file(self.file).contents.cache_image().length()))?;
            platters.set_length(self.file, self.door.author(), length);
            Ok(())
        })
    }

    /// The file's length in bytes.
    ///
    /// # Errors
    /// If the process is dead.
    pub fn length(&self) -> io::Result<u64> {
        self.door.0.life.check()?;
        Ok(self.door.platters(|platters| platters.file(self.file).contents.cache_image().length()))
    }

    /// Takes an exclusive lock over the whole file, which lives as long as this open file and its
    /// process; `false` if another open file has it. It never waits.
    ///
    /// # Errors
    /// If the process is dead.
    pub fn try_lock(&self) -> io::Result<bool> {
        let life = &self.door.0.life;
        life.check()?;
        Ok(self.door.platters(|platters| platters.try_lock(self.file, life.id(), self.handle)))
    }

    /// Whether `path` names this very file, and not another one that took its place.
    ///
    /// # Errors
    /// If the process is dead.
    pub fn is_at(&self, path: impl AsRef<Path>) -> io::Result<bool> {
        let name = self.door.intern(path.as_ref())?;
        Ok(self.door.platters(|platters| platters.find(name)) == Some(self.file))
    }

    fn begin(&self, kind: OperationKind, offset: u64, bytes: u64) -> io::Result<Turn> {
        let target = |platters: &Platters| {
            let file = platters.file(self.file);
            (file.name, file.contents.pending_count(), file.contents.cache_image().length())
        };
        self.door.begin(kind, target, offset, bytes)
    }
}

impl Drop for SimFile {
    fn drop(&mut self) {
        let life = &self.door.0.life;
        // A dead process's locks are gone already, and its destructors touch nothing.
        if life.is_alive() {
            self.door.platters(|platters| platters.unlock(self.file, life.id(), self.handle));
        }
    }
}
