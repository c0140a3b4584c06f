//! The simulated disk of a machine.
//!
//! What it may do to a program is written here, and nothing else is:
//!
//! - Three layers: *durable*, *cache*, *pending*. A write or truncation goes into the cache, where
//!   every later read sees it, and is pending until the file is synced.
//! - Names are visible at once and durable when their directory is synced. Directories need not be
//!   made, and a rename stays within one.
//! - A **process crash** keeps cache and pending changes; its locks die and its handles answer
//!   errors at once. A pause keeps all of it, locks too.
//! - A **power loss** keeps any subset of the pending writes ([`Survivors`]), torn at the file's
//!   512-byte sectors, and a prefix of the pending changes of names; then the cache is what is durable.
//! - A **failed sync** leaves each pending change either durable, or clean in the cache and lost
//!   later: a later sync does not retry it, and it stays visible until power is lost.
//! - A **failed write** may have taken its first sectors. A **full disk** refuses growth and new
//!   files. A **slow disk** waits in [`ProcessDisk::pace`].
//!
//! - What no disk is allowed to do it does only if it is asked to, as a profile of faults of its own may: a
//!   **lying sync**, **bit rot** ([`SimDisk::rot`]), a **misdirected write** ([`Verdict`]).
//!
//! Surviving writes are chosen one by one, even within a sector that a real device writes whole: that is
//! harsher than any device.

mod contents;
mod directory;
mod door;
mod faults;
mod illegal;
mod install;
mod pages;
mod platters;
mod record;
mod survivors;

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::sync::{Arc, Mutex};

pub use self::door::{OpenMode, ProcessDisk, SimFile};
pub use self::faults::{DiskFaults, OperationInfo, OperationKind, Speed, Verdict};
pub use self::illegal::{Rot, RotAt};
pub use self::record::{DiskChange, DiskEntry, FileNumber};
pub use self::survivors::{Loss, Survivors};

use self::contents::Contents;
pub(crate) use self::contents::sectors;
pub(crate) use self::illegal::can_be_misdirected;
pub(crate) use self::install::{Installed, Layers};
pub(crate) use self::pages::Image;
use self::platters::Platters;
pub(crate) use self::record::DurableFiles;
use crate::process::{Life, ProcessId};
use crate::seed::{Fork, Seed};
use crate::trace::Trace;
use crate::world::MachineId;

/// Which layer a copy of a disk shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum View {
    /// What a process reads now.
    Cache,
    /// What the harshest power loss would leave.
    Durable,
}

/// What to do when a process is to die at an operation.
type CrashHook = Arc<dyn Fn(ProcessId) + Send + Sync>;

/// A machine's disk. Clones are the same disk.
#[derive(Clone)]
pub struct SimDisk(Arc<Shared>);

struct Shared {
    machine: MachineId,
    fork: Fork,
    trace: Option<Trace>,
    platters: Mutex<Platters>,
    faults: Mutex<Option<Arc<dyn DiskFaults>>>,
    crash_hook: Mutex<Option<CrashHook>>,
}

impl SimDisk {
    /// An empty disk of no world: no trace, and crashes end no more than handles and locks.
    pub fn new(fork: Fork) -> Self {
        Self::with_platters(MachineId(0), fork, None, Platters::default())
    }

    /// An empty disk of a machine.
    pub(crate) fn of_machine(machine: MachineId, fork: Fork, trace: Trace) -> Self {
        Self::with_platters(machine, fork, Some(trace), Platters::default())
    }

    /// A disk of no world with these files, all durable.
    pub fn from_files(files: BTreeMap<String, Vec<u8>>) -> Self {
        let mut platters = Platters::default();
        for (path, bytes) in files {
            platters.add_durable(&path, Contents::durable(Image::from_bytes(&bytes)));
        }
        Self::with_platters(MachineId(0), Seed(0).fork("disk"), None, platters)
    }

    fn with_platters(machine: MachineId, fork: Fork, trace: Option<Trace>, platters: Platters) -> Self {
        let (faults, crash_hook) = (Mutex::new(None), Mutex::new(None));
        Self(Arc::new(Shared { machine, fork, trace, platters: Mutex::new(platters), faults, crash_hook }))
    }

    /// The door of one process to this disk.
    ///
    /// # Panics
    /// If a living process has that id already.
    pub fn process(&self, life: Arc<Life>) -> ProcessDisk {
        self.0.platters.lock().unwrap().admit_process(Arc::clone(&life));
        ProcessDisk::new(Arc::clone(&self.0), life)
    }

    /// A door for an onlooker who never dies: a checker, or a test without processes.
    pub fn onlooker(&self) -> ProcessDisk {
        ProcessDisk::new(Arc::clone(&self.0), Life::new(ProcessId::WORLD))
    }

    /// Asks `faults` before every operation from now on, or nobody.
    pub fn set_faults(&self, faults: Option<Arc<dyn DiskFaults>>) {
        *self.0.faults.lock().unwrap() = faults;
    }

    /// Calls `hook` when a process is to die at an operation. It must end that process's life.
    pub(crate) fn set_crash_hook(&self, hook: CrashHook) {
        *self.0.crash_hook.lock().unwrap() = Some(hook);
    }

    /// Sets how long operations take.
    pub fn set_speed(&self, speed: Speed) {
        self.0.platters.lock().unwrap().speed = speed;
    }

    /// How long operations take.
    pub fn speed(&self) -> Speed {
        self.0.platters.lock().unwrap().speed
    }

    /// How many times [`ProcessDisk::pace`] had to wait.
    pub fn slowed(&self) -> u64 {
        self.0.platters.lock().unwrap().slowed
    }

    /// Limits the sum of all files' lengths, in bytes. Growth beyond it is refused; what is there stays.
    pub fn set_capacity(&self, bytes: Option<u64>) {
        self.0.platters.lock().unwrap().capacity_bytes = bytes;
    }

    /// The limit of the sum of all files' lengths, in bytes.
    pub fn capacity(&self) -> Option<u64> {
        self.0.platters.lock().unwrap().capacity_bytes
    }

    /// The sum of all files' lengths, in bytes.
    pub fn used_bytes(&self) -> u64 {
        self.0.platters.lock().unwrap().used_bytes()
    }

    /// Bytes by which files may still grow.
    pub fn free_bytes(&self) -> u64 {
        self.0.platters.lock().unwrap().free_bytes()
    }

    /// How many operations were refused because the disk was full.
    pub fn refused_full(&self) -> u64 {
        self.0.platters.lock().unwrap().refused_full
    }

    /// How many operations all processes performed, or tried and failed.
    pub fn operations(&self) -> u64 {
        self.0.platters.lock().unwrap().operations
    }

    /// Ends a process: its handles and locks die, and what it wrote stays as it is.
    pub fn crash(&self, process: ProcessId) {
        self.0.platters.lock().unwrap().end_process(process);
    }

    /// Loses power: ends every process, and leaves what is durable and what survives of the rest.
    pub fn lose_power(&self, survivors: Survivors) -> Loss {
        let loss = self.0.platters.lock().unwrap().lose_power(survivors, self.0.fork.fork("power loss"));
        if let Some(trace) = &self.0.trace {
            let numbers =
                [u64::from(self.0.machine.0), loss.kept, loss.lost, loss.torn, loss.bytes_lost, loss.entries_lost];
            trace.event("disk.power_loss", 0, &numbers, &[]);
        }
        loss
    }

    /// Flips bits of one durable byte: of this place, or of any file that has one. What rotted; none if nothing could. `process` is who did something at that moment, for the record.
    pub fn rot(&self, at: Option<RotAt<'_>>, process: ProcessId, fork: Fork) -> Option<Rot> {
        let rot = self.0.platters.lock().unwrap().rot(at, process, fork)?;
        if let Some(trace) = &self.0.trace {
            let numbers = [u64::from(self.0.machine.0), rot.offset, u64::from(rot.bits), u64::from(rot.visible)];
            trace.event("disk.rot", process.0, &numbers, rot.path.as_bytes());
        }
        Some(rot)
    }

    /// Records every change from now on. Nothing else changes by it, not even a hash.
    pub fn begin_record(&self) {
        self.0.platters.lock().unwrap().begin_record();
    }

    /// How many changes were recorded so far: the place of the next one.
    pub fn recorded(&self) -> usize {
        self.0.platters.lock().unwrap().record.length()
    }

    /// What was recorded so far, in order; empty if no record was begun.
    pub fn record(&self) -> Vec<DiskEntry> {
        self.0.platters.lock().unwrap().record.entries()
    }

    /// What was durable when the record began; `None` without a record, or if something was
    /// pending then.
    pub(crate) fn record_base(&self) -> Option<DurableFiles> {
        self.0.platters.lock().unwrap().record.base()
    }

    /// A copy that shows one layer as it is now, as a disk of no world: without trace, faults or
    /// locks. It shares pages, so it costs no bytes until one of the two writes.
    pub fn image(&self, view: View) -> SimDisk {
        let platters = self.0.platters.lock().unwrap().image(view);
        Self::with_platters(MachineId(0), self.0.fork.fork("image"), None, platters)
    }

    /// The names of all files that a process can see, in order.
    pub fn paths(&self) -> Vec<String> {
        self.0.platters.lock().unwrap().visible_paths()
    }

    /// All bytes of a file as a process would read them. No operation: nothing is counted or traced.
    ///
    /// # Errors
    /// `NotFound` if there is no such file.
    pub fn read_all(&self, path: &str) -> io::Result<Vec<u8>> {
        self.0.platters.lock().unwrap().read_all(path)
    }
}

impl fmt::Debug for SimDisk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimDisk").field("machine", &self.0.machine).field("paths", &self.paths()).finish()
    }
}

#[cfg(test)]
mod illegal_tests;
#[cfg(test)]
mod record_tests;
#[cfg(test)]
mod tests;
