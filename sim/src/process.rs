//! A process: what one incarnation of a program has of its machine, for as long as it lives.

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::task::{Context, Poll};

use madsim::runtime::NodeHandle;
use madsim::task::JoinHandle;
use serde::{Deserialize, Serialize};

use crate::clock::MachineClock;
use crate::disk::ProcessDisk;
use crate::network::ProcessNetwork;
use crate::panics::{CatchPanics, Caught, LocalWork, Work};
use crate::polls::{Countdown, Counted};
use crate::seed::Fork;
use crate::trace::Trace;
use crate::world::{MachineId, World};

/// A dead process may call its disk and network this often before that ends in a panic: code that retries an
/// error without ever awaiting would hang the simulation for ever.
const CALLS_AFTER_DEATH_MAX: u32 = 100_000;

/// One incarnation of a program: the ordinal of its boot in the world, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ProcessId(pub u32);

impl ProcessId {
    /// No process: the world itself, or an onlooker.
    pub const WORLD: ProcessId = ProcessId(0);
}

/// Whether a process lives. It ends once, at the instant of a crash and before any destructor runs.
#[derive(Debug)]
pub struct Life {
    id: ProcessId,
    alive: AtomicBool,
    calls_after_death: AtomicU32,
}

impl Life {
    /// The life of a process, which begins now.
    pub fn new(id: ProcessId) -> Arc<Self> {
        Arc::new(Self { id, alive: AtomicBool::new(true), calls_after_death: AtomicU32::new(0) })
    }

    /// Whose life it is.
    pub fn id(&self) -> ProcessId {
        self.id
    }

    /// Whether it has not ended yet.
    pub fn is_alive(&self) -> bool {
        self.alive.load(Ordering::Relaxed)
    }

    /// Ends it.
    pub(crate) fn end(&self) {
        self.alive.store(false, Ordering::Relaxed);
    }

    /// Turns the dead away.
    pub(crate) fn check(&self) -> io::Result<()> {
        if self.is_alive() {
            return Ok(());
        }
        let calls = self.calls_after_death.fetch_add(1, Ordering::Relaxed);
        assert!(calls < CALLS_AFTER_DEATH_MAX, "a dead process still calls its machine, and never awaits");
        Err(io::ErrorKind::BrokenPipe.into())
    }
}

/// A process. Clones are the same process.
#[derive(Clone)]
pub struct Process(Arc<Incarnation>);

pub(crate) struct Incarnation {
    pub(crate) name: &'static str,
    pub(crate) incarnation: u32,
    pub(crate) machine: MachineId,
    pub(crate) life: Arc<Life>,
    pub(crate) paused: AtomicBool,
    pub(crate) countdown: Countdown,
    pub(crate) disk: ProcessDisk,
    pub(crate) network: ProcessNetwork,
    pub(crate) clock: MachineClock,
    pub(crate) fork: Fork,
    pub(crate) random_draws: AtomicU64,
    pub(crate) trace: Trace,
    pub(crate) node: NodeHandle,
    pub(crate) world: World,
}

impl Process {
    pub(crate) fn new(incarnation: Incarnation) -> Self {
        Self(Arc::new(incarnation))
    }

    pub(crate) fn inner(&self) -> &Incarnation {
        &self.0
    }

    /// Its ordinal in the world.
    pub fn id(&self) -> ProcessId {
        self.0.life.id
    }

    /// What it is called on its machine.
    pub fn name(&self) -> &'static str {
        self.0.name
    }

    /// How many processes of this name its machine had before.
    pub fn incarnation(&self) -> u32 {
        self.0.incarnation
    }

    /// The machine it runs on.
    pub fn machine(&self) -> MachineId {
        self.0.machine
    }

    /// Whether it has neither crashed nor ended.
    pub fn is_alive(&self) -> bool {
        self.0.life.is_alive()
    }

    /// Whether it is paused. Then it runs on to its next await and stops there.
    pub fn is_paused(&self) -> bool {
        self.0.paused.load(Ordering::Relaxed)
    }

    /// Its door to the machine's disk.
    pub fn disk(&self) -> &ProcessDisk {
        &self.0.disk
    }

    /// Its door to the network.
    pub fn network(&self) -> &ProcessNetwork {
        &self.0.network
    }

    /// The machine's clock.
    pub fn clock(&self) -> &MachineClock {
        &self.0.clock
    }

    /// The fork for its choices: by machine, name and incarnation.
    pub fn fork(&self) -> Fork {
        self.0.fork
    }

    /// Fills `bytes` with what the process takes for randomness of its operating system.
    pub fn fill_random(&self, bytes: &mut [u8]) {
        let draw = self.0.random_draws.fetch_add(1, Ordering::Relaxed);
        self.0.fork.fork("operating system").key(draw).rng().fill(bytes);
    }

    /// Adds an event to the trace, unless the process is dead.
    pub fn event(&self, kind: &'static str, numbers: &[u64], bytes: &[u8]) {
        if self.is_alive() {
            self.0.trace.event(kind, self.id().0, numbers, bytes);
        }
    }

    /// Starts `work` as a task of this process. A panic ends the task, not the process, and is
    /// recorded in [`World::panics`]. A dead process starts nothing.
    pub fn spawn<T: Send + 'static>(
        &self,
        name: &'static str,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Task<T> {
        let work: Work<T> = Box::pin(work);
        Task(Some(self.0.node.spawn(Counted::new(CatchPanics::new(work, self.reporter(name)), self.clone()))))
    }

    /// As [`spawn`](Process::spawn), for work that need not be `Send`: the runtime has one thread.
    ///
    /// # Panics
    /// If it is called from outside of this process's own tasks.
    pub fn spawn_local<T: 'static>(&self, name: &'static str, work: impl Future<Output = T> + 'static) -> Task<T> {
        let current = madsim::plugin::node();
        assert_eq!(current, self.0.node.id(), "local work is started from within its process");
        let work: LocalWork<T> = Box::pin(work);
        Task(Some(madsim::task::spawn_local(Counted::new(CatchPanics::new(work, self.reporter(name)), self.clone()))))
    }

    /// Records the panic of the task that is called so.
    fn reporter(&self, name: &'static str) -> impl FnMut(Caught) + Unpin + use<> {
        let process = self.clone();
        move |caught| process.0.world.record_panic(&process, name, caught)
    }
}

impl fmt::Debug for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} (process {})", self.0.name, self.0.incarnation, self.id().0)
    }
}

/// A running task. Dropping it cancels the work at its next `await`; [`detach`](Task::detach) lets
/// it run on. Awaiting it gives what the work returned, or `None` if it panicked or was killed.
#[must_use = "dropping a task cancels it"]
pub struct Task<T>(Option<JoinHandle<Option<T>>>);

impl<T> Task<T> {
    pub(crate) fn new(handle: JoinHandle<Option<T>>) -> Self {
        Self(Some(handle))
    }

    /// Lets the work run on without this handle.
    pub fn detach(mut self) {
        self.0 = None;
    }

    /// Whether the work has ended.
    pub fn is_finished(&self) -> bool {
        self.0.as_ref().is_none_or(JoinHandle::is_finished)
    }
}

impl<T> Future for Task<T> {
    type Output = Option<T>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<T>> {
        let Some(handle) = self.0.as_mut() else { return Poll::Ready(None) };
        let answer = std::task::ready!(Pin::new(handle).poll(context));
        self.0 = None;
        Poll::Ready(answer.ok().flatten())
    }
}

impl<T> Drop for Task<T> {
    fn drop(&mut self) {
        if let Some(handle) = self.0.take() {
            handle.abort();
        }
    }
}

impl<T> fmt::Debug for Task<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Task").field("finished", &self.is_finished()).finish()
    }
}
