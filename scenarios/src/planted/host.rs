//! A host whose disk or clock may have a bug.

use super::{Memory, chosen};
use crate::host::{SimClock, SimDoor, SimHost, SimOpenFile};
use crate::network::SimWire;
use outlive::host::{Clock, Disk, DiskFile, Host, Networked, OpenMode, Operation, Role, Task};
use std::future::Future;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// A host whose disk or clock may have a bug.
#[derive(Clone)]
pub struct BuggyHost {
    inner: SimHost,
    clock: BuggyClock,
    disk: BuggyDoor,
}

/// A clock that may have a bug.
#[derive(Clone)]
pub struct BuggyClock {
    inner: SimClock,
    memory: Arc<Memory>,
}

/// A disk that may have a bug.
#[derive(Clone)]
pub struct BuggyDoor {
    inner: SimDoor,
    memory: Arc<Memory>,
}

/// An open file that may have a bug.
pub struct BuggyFile {
    inner: SimOpenFile,
    path: String,
    memory: Arc<Memory>,
}

/// The host that the program gets to see.
pub fn host(inner: SimHost) -> BuggyHost {
    let memory = Arc::new(Memory::new(inner.simulated()));
    let clock = BuggyClock { inner: inner.clock().clone(), memory: memory.clone() };
    BuggyHost { clock, disk: BuggyDoor { inner: inner.disk().clone(), memory }, inner }
}

impl BuggyHost {
    /// What the bug remembers in this process.
    pub fn memory(&self) -> Arc<Memory> {
        self.disk.memory.clone()
    }
}

impl Host for BuggyHost {
    type Clock = BuggyClock;
    type Disk = BuggyDoor;

    fn clock(&self) -> &BuggyClock {
        &self.clock
    }

    fn disk(&self) -> &BuggyDoor {
        &self.disk
    }

    fn fill_random(&self, bytes: &mut [u8]) {
        self.inner.fill_random(bytes);
    }

    fn process(&self) -> String {
        self.inner.process()
    }

    fn spawn(&self, role: Role, name: &'static str, work: impl Future<Output = ()> + Send + 'static) -> Task {
        self.inner.spawn(role, name, work)
    }

    fn spawn_engine<F: Future<Output = ()> + 'static>(
        &self,
        name: &'static str,
        make: impl FnOnce() -> F + Send + 'static,
    ) {
        self.inner.spawn_engine(name, make);
    }

    fn spawn_blocking(&self, name: &'static str, work: impl FnOnce() + Send + 'static) {
        self.inner.spawn_blocking(name, work);
    }
}

impl Clock for BuggyClock {
    fn wall(&self) -> Duration {
        self.inner.wall()
    }

    fn boot(&self) -> Duration {
        let real = self.inner.boot();
        chosen().map_or(real, |bug| bug.boot(&self.memory, real))
    }

    fn sleep(&self, duration: Duration) -> impl Future<Output = ()> + Send + 'static {
        self.inner.sleep(duration)
    }
}

impl Networked for BuggyHost {
    type Network = SimWire;

    fn network(&self) -> &SimWire {
        self.inner.network()
    }
}

impl Disk for BuggyDoor {
    type File = BuggyFile;

    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<BuggyFile> {
        let (inner, path) = (self.inner.open(path, mode)?, path.display().to_string());
        Ok(BuggyFile { inner, path, memory: self.memory.clone() })
    }

    fn rename_new(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.inner.rename_new(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.inner.remove(path)
    }

    fn sync_directory(&self, directory: &Path) -> io::Result<()> {
        let real = || self.inner.sync_directory(directory);
        chosen().map_or_else(real, |bug| bug.sync_directory(&self.memory, &real))
    }

    fn unsuitable(&self, directory: &Path) -> io::Result<Option<String>> {
        self.inner.unsuitable(directory)
    }

    fn free_bytes(&self, directory: &Path) -> io::Result<u64> {
        self.inner.free_bytes(directory)
    }

    async fn pace(&self, operation: Operation) {
        self.inner.pace(operation).await;
    }
}

impl DiskFile for BuggyFile {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.inner.read_at(offset, buffer)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let real = || self.inner.write_at(offset, bytes);
        chosen().map_or_else(real, |bug| bug.write(&self.memory, &self.path, &real))
    }

    fn sync(&self) -> io::Result<()> {
        let real = || self.inner.sync();
        chosen().map_or_else(real, |bug| bug.sync(&self.memory, &self.path, &real))
    }

    fn truncate(&self, length: u64) -> io::Result<()> {
        self.inner.truncate(length)
    }

    fn length(&self) -> io::Result<u64> {
        self.inner.length()
    }

    fn try_lock(&self) -> io::Result<bool> {
        let real = || self.inner.try_lock();
        chosen().map_or_else(real, |bug| bug.lock(&real))
    }

    fn is_at(&self, path: &Path) -> io::Result<bool> {
        self.inner.is_at(path)
    }
}
