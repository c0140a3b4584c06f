//! The simulated network: byte streams between machines, and within one.
//!
//! What it may do to a program is written here, and nothing else is:
//!
//! - A stream keeps its bytes in order. Each message takes the latency of its *link*, the ordered
//!   pair of machines that it crosses, drawn anew for each. A write may be cut short, and reads see
//!   no boundaries of writes.
//! - A stream takes 64 KiB that the other end has not read; then its writer waits.
//! - A connection is established by the kernel: a paused process's listener still takes some.
//! - When a **process ends**, its kernel closes its connections: the peer hears of it after the
//!   link's latency. It is a reset if bytes were left unread or nobody had accepted, else an end.
//! - When a **machine loses power**, nobody is told. What it had sent arrives or not. Whoever still
//!   sends to it is answered by a reset once it is back, and whoever only reads waits for ever.
//! - A **cut link** withholds what would arrive, as a kernel that sends again until it is
//!   acknowledged; when it heals, the messages come after another latency. The peer of a process
//!   that died behind it hears nothing before that.
//! - A link can be **clogged**, delay the ends of streams, or let **connects hang**. Connections can
//!   be **reset**, or be given up by one side without a word to the other ([`LinkFault`]).
//!
//! A stream never loses, duplicates or reorders bytes, as TCP does not. A kernel gives up a connect
//! after 127 s, and an established connection never: who waits for an answer needs a time-out of
//! its own. A world that opens no connection draws and traces nothing here.

mod address;
mod carrier;
mod connection;
mod delivery;
mod door;
mod fabric;
mod faults;
mod link;
mod sockets;
mod stream;
mod timers;
mod wire;

use std::fmt;
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex};
use std::task::Waker;
use std::time::Duration;

pub use self::address::Address;
pub use self::door::{ProcessNetwork, SimListener};
pub use self::link::{LinkFault, LinkFaultId};
pub use self::stream::SimStream;

use self::carrier::Carrier;
use self::fabric::Fabric;
use crate::process::{Life, ProcessId};
use crate::seed::Fork;
use crate::trace::Trace;
use crate::world::MachineId;

/// Starts the task that carries messages, as one of the world's own.
type StartHook = Arc<dyn Fn(Carrier) + Send + Sync>;

/// The network of a world. Clones are the same network.
#[derive(Clone)]
pub struct SimNetwork(Arc<Shared>);

struct Shared {
    fabric: Mutex<Fabric>,
    /// Taken by the first connection: a world without any has no such task.
    start: Mutex<Option<StartHook>>,
}

impl Shared {
    /// Works on the fabric, and then wakes whom that concerns, in the order in which it did.
    fn with<T>(&self, work: impl FnOnce(&mut Fabric) -> T) -> T {
        let (value, woken, released) = {
            let mut fabric = self.fabric.lock().unwrap();
            let value = work(&mut fabric);
            (value, std::mem::take(&mut fabric.wakers.woken), std::mem::take(&mut fabric.wakers.released))
        };
        // The last waker of a task may drop its future, and with it a stream, which takes the lock.
        drop(released);
        woken.into_iter().for_each(Waker::wake);
        value
    }
}

impl SimNetwork {
    pub(crate) fn new(fork: Fork, trace: Trace) -> Self {
        Self(Arc::new(Shared { fabric: Mutex::new(Fabric::new(fork, trace)), start: Mutex::default() }))
    }

    /// Calls `start` with what must run once there is a connection.
    pub(crate) fn set_start_hook(&self, start: StartHook) {
        *self.0.start.lock().unwrap() = Some(start);
    }

    pub(crate) fn add_machine(&self, name: &'static str) {
        self.0.with(|fabric| fabric.names.push(name));
    }

    /// The door of one process of a machine.
    pub(crate) fn process(&self, machine: MachineId, life: Arc<Life>) -> ProcessNetwork {
        ProcessNetwork::new(Arc::clone(&self.0), machine, life)
    }

    /// The machine runs, and its kernel answers.
    pub(crate) fn power_on(&self, machine: MachineId) {
        self.0.with(|fabric| fabric.power_on(machine));
    }

    /// The machine's kernel is gone with all it knew, at once and without a word.
    pub(crate) fn lose_power(&self, machine: MachineId) {
        self.0.with(|fabric| fabric.lose_power(machine));
    }

    /// The kernel closes what a process had, which is dead already.
    pub(crate) fn end_process(&self, process: ProcessId) {
        self.0.with(|fabric| fabric.end_process(process));
    }

    /// Forgets everything: who waits in here holds processes, and they hold the world.
    pub(crate) fn shut_down(&self) {
        *self.0.start.lock().unwrap() = None;
        let kept = self.0.with(Fabric::clear);
        drop(kept);
    }

    /// Sets how long a message from one machine to another takes. From 200 µs to 2 ms, and from
    /// 20 µs to 100 µs within a machine, unless it is set. It holds for what is sent from now on.
    ///
    /// # Panics
    /// If the range is empty.
    pub fn set_latency(&self, from: MachineId, to: MachineId, range: RangeInclusive<Duration>) {
        assert!(!range.is_empty(), "the range is empty");
        self.0.with(|fabric| fabric.link(from, to).latency = range);
    }

    /// Begins a fault of the link from one machine to another, which lasts until it is ended. Any
    /// number may last at once.
    ///
    /// # Panics
    /// If both are the same machine, or if a range of delays is empty.
    pub fn begin(&self, from: MachineId, to: MachineId, fault: LinkFault) -> LinkFaultId {
        self.0.with(|fabric| fabric.begin(from, to, fault))
    }

    /// Ends a fault of a link: what it withheld or delayed goes on its way. How often it withheld or
    /// delayed a message; 0 if it had ended already.
    pub fn end(&self, fault: LinkFaultId) -> u64 {
        self.0.with(|fabric| fabric.end(fault))
    }

    /// Resets all connections between two machines, as a middlebox does: both ends hear of it at
    /// once, and what was on its way is lost. How many there were.
    pub fn reset_connections(&self, one: MachineId, other: MachineId) -> u64 {
        self.0.with(|fabric| fabric.reset_between(one, other))
    }

    /// Lets the kernel of `machine` give up its connections with `peer`, as after a time-out: its
    /// processes hear `TimedOut`, and the peer hears nothing until it sends. How many there were.
    pub fn abandon_connections(&self, machine: MachineId, peer: MachineId) -> u64 {
        self.0.with(|fabric| fabric.abandon(machine, peer))
    }
}

impl fmt::Debug for SimNetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimNetwork").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
