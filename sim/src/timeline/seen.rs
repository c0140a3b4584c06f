//! What the simulator itself knows of a run.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::clock::true_time;
use crate::disk::DiskEntry;
use crate::nemesis::{Fired, Nemesis};
use crate::panics::Panic;
use crate::process::ProcessId;
use crate::world::{Exit, MachineId, Times, World};

/// What the simulator itself knows of a run. It is taken before the driver ends what still lives.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// What machines are called, in the order in which they were added.
    pub machines: Vec<&'static str>,
    /// All processes, in the order of boots.
    pub processes: Vec<Lived>,
    /// The faults that came.
    pub faults: Vec<Fired>,
    /// The panics of living processes.
    pub panics: Vec<Panic>,
    /// What the disks did, as far as it was recorded.
    pub disks: BTreeMap<MachineId, Vec<DiskEntry>>,
    /// Until when it was watched.
    pub ended: Duration,
}

/// The life of a process.
#[derive(Clone, Debug)]
pub struct Lived {
    /// What it is called.
    pub name: &'static str,
    /// How many of this name its machine had before.
    pub incarnation: u32,
    /// When.
    pub times: Times,
    /// How it ended; none while it lives.
    pub exit: Option<Exit>,
}

impl Seen {
    /// What there is to know now.
    pub fn of(world: &World, nemesis: &Nemesis) -> Self {
        let machines = world.machines();
        let lived = |times: Times| {
            let process = world.process(times.process);
            Lived { name: process.name(), incarnation: process.incarnation(), exit: world.exit(times.process), times }
        };
        let disks = machines.iter().map(|machine| (*machine, world.disk(*machine).record()));
        Self {
            machines: machines.iter().map(|machine| world.machine_name(*machine)).collect(),
            processes: world.times().into_iter().map(lived).collect(),
            faults: nemesis.fired(),
            panics: world.panics(),
            disks: disks.filter(|(_, record)| !record.is_empty()).collect(),
            ended: true_time(),
        }
    }

    /// A process.
    ///
    /// # Panics
    /// If there never was one, or if it is the world.
    pub fn process(&self, process: ProcessId) -> &Lived {
        &self.processes[process.0 as usize - 1]
    }
}
