//! The queue's host traits on a simulated process. No branch of the queue knows the difference.

#[cfg(feature = "network")]
use crate::network::SimWire;
use outlive::host::{Clock, Disk, DiskFile, Host, OpenMode, Operation, Role, Task};
use outlive_sim::{MachineClock, Process, ProcessDisk, Rng, SimFile};
use std::future::Future;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A simulated process as a host.
#[derive(Clone)]
pub struct SimHost {
    process: Process,
    clock: SimClock,
    disk: SimDoor,
    #[cfg(feature = "network")]
    wire: SimWire,
}

/// The clock of the process's machine.
#[derive(Clone)]
pub struct SimClock(MachineClock);

/// The process's door to its machine's disk.
#[derive(Clone)]
pub struct SimDoor {
    inner: ProcessDisk,
    clock: MachineClock,
    sync_latency: Duration,
    rng: Arc<Mutex<Rng>>,
}

/// An open file on a simulated disk.
pub struct SimOpenFile(SimFile);

impl SimHost {
    /// The host that `process` sees, on a disk whose syncs take `sync_latency` to twice of it.
    pub fn new(process: &Process, sync_latency: Duration) -> Self {
        let rng = Arc::new(Mutex::new(process.fork().fork("sync latency").rng()));
        let disk = SimDoor { inner: process.disk().clone(), clock: process.clock().clone(), sync_latency, rng };
        Self {
            process: process.clone(),
            clock: SimClock(process.clock().clone()),
            disk,
            #[cfg(feature = "network")]
            wire: SimWire(process.network().clone()),
        }
    }

    #[cfg(feature = "network")]
    pub(crate) fn wire(&self) -> &SimWire {
        &self.wire
    }
}

impl SimHost {
    /// The process behind it.
    pub fn simulated(&self) -> &Process {
        &self.process
    }
}

impl Host for SimHost {
    type Clock = SimClock;
    type Disk = SimDoor;

    fn clock(&self) -> &SimClock {
        &self.clock
    }

    fn disk(&self) -> &SimDoor {
        &self.disk
    }

    fn fill_random(&self, bytes: &mut [u8]) {
        self.process.fill_random(bytes);
    }

    fn process(&self) -> String {
        format!("process {}", self.process.id().0)
    }

    fn spawn(&self, _role: Role, name: &'static str, work: impl Future<Output = ()> + Send + 'static) -> Task {
        let mut running = Running(Some(self.process.spawn(name, work)));
        Task::new(move || drop(running.0.take()))
    }

    fn spawn_engine<F: Future<Output = ()> + 'static>(
        &self,
        name: &'static str,
        make: impl FnOnce() -> F + Send + 'static,
    ) {
        self.process.spawn_local(name, async move { make().await }).detach();
    }

    fn spawn_blocking(&self, name: &'static str, work: impl FnOnce() + Send + 'static) {
        self.process.spawn(name, async move { work() }).detach();
    }
}

/// A simulated task, which goes on when this is dropped: it is cancelled by taking it out first.
struct Running(Option<outlive_sim::Task<()>>);

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(task) = self.0.take() {
            task.detach();
        }
    }
}

impl Clock for SimClock {
    fn wall(&self) -> Duration {
        self.0.wall()
    }

    fn boot(&self) -> Duration {
        self.0.boot()
    }

    fn sleep(&self, duration: Duration) -> impl Future<Output = ()> + Send + 'static {
        self.0.sleep(duration)
    }
}

impl Disk for SimDoor {
    type File = SimOpenFile;

    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<SimOpenFile> {
        let mode = match mode {
            OpenMode::Existing => outlive_sim::OpenMode::Existing,
            OpenMode::New => outlive_sim::OpenMode::New,
            OpenMode::Any => outlive_sim::OpenMode::Any,
        };
        self.inner.open(text(path), mode).map(SimOpenFile)
    }

    fn rename_new(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.inner.rename_new(text(from), text(to))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.inner.remove(text(path))
    }

    fn sync_directory(&self, directory: &Path) -> io::Result<()> {
        self.inner.sync_directory(text(directory))
    }

    fn unsuitable(&self, _directory: &Path) -> io::Result<Option<String>> {
        Ok(None)
    }

    fn free_bytes(&self, _directory: &Path) -> io::Result<u64> {
        self.inner.free_bytes()
    }

    async fn pace(&self, operation: Operation) {
        if operation == Operation::Sync && !self.sync_latency.is_zero() {
            let latency = self.rng.lock().unwrap().duration(self.sync_latency..=self.sync_latency * 2);
            self.clock.sleep(latency).await;
        }
        self.inner.pace().await;
    }
}

impl DiskFile for SimOpenFile {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read_at(offset, buffer)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.0.write_at(offset, bytes)
    }

    fn sync(&self) -> io::Result<()> {
        self.0.sync()
    }

    fn truncate(&self, length: u64) -> io::Result<()> {
        self.0.truncate(length)
    }

    fn length(&self) -> io::Result<u64> {
        self.0.length()
    }

    fn try_lock(&self) -> io::Result<bool> {
        self.0.try_lock()
    }

    fn is_at(&self, path: &Path) -> io::Result<bool> {
        self.0.is_at(text(path))
    }
}

fn text(path: &Path) -> &str {
    path.to_str().expect("simulated paths are UTF-8")
}
