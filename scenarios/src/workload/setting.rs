//! Where a run takes place: a program that embeds the queue, or a cluster around a server.

use outlive_sim::{MachineId, Seed, World};
use serde::{Deserialize, Serialize};

/// Which settings a batch is about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
pub enum Workload {
    /// About half of the seeds each.
    #[default]
    Both,
    /// One program that embeds the queue.
    Embedded,
    /// A server, and workers and clients on other machines.
    Cluster,
}

/// Where a run takes place.
#[derive(Clone, Debug)]
pub enum Setting {
    /// One program on one machine.
    Embedded(MachineId),
    /// A server, and workers and clients on other machines.
    Cluster(Machines),
}

/// The machines of a cluster.
#[derive(Clone, Debug)]
pub struct Machines {
    /// Has the file, and serves it.
    pub store: MachineId,
    /// A worker each.
    pub workers: Vec<MachineId>,
    /// A client each.
    pub clients: Vec<MachineId>,
    /// Loses, repeats and withholds requests, in some runs. It never dies.
    pub middlebox: Option<MachineId>,
}

impl Machines {
    /// The machine that workers and clients talk to.
    pub fn door(&self) -> MachineId {
        self.middlebox.unwrap_or(self.store)
    }
}

/// The most that a clock gains or loses: what the fault model allows, in parts in a million.
const DRIFT_PPM_MAX: u64 = 10_000;
const WORKERS: [&str; 5] = ["worker-1", "worker-2", "worker-3", "worker-4", "worker-5"];
const CLIENTS: [&str; 3] = ["client-1", "client-2", "client-3"];

impl Workload {
    /// Whether this seed is a cluster's.
    pub fn is_cluster(self, seed: Seed) -> bool {
        match self {
            Self::Both => seed.fork("setting").chance(0.5),
            Self::Embedded => false,
            Self::Cluster => true,
        }
    }

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Both => "both",
            Self::Embedded => "embedded",
            Self::Cluster => "cluster",
        }
    }
}

impl Setting {
    /// Adds the machines of a run to its world.
    pub fn make(world: &World, workload: Workload) -> Self {
        if !workload.is_cluster(world.seed()) {
            return Self::Embedded(world.add_machine("host"));
        }
        let fork = world.fork("machines");
        let mut rng = fork.rng();
        let mut add = |names: &[&'static str], least: usize| {
            let count = rng.between(least as u64..=names.len() as u64) as usize;
            names[..count].iter().map(|name| world.add_machine(name)).collect::<Vec<_>>()
        };
        let (workers, clients) = (add(&WORKERS, 1), add(&CLIENTS, 1));
        let store = world.add_machine("store");
        let middlebox = rng.chance(0.5).then(|| world.add_machine("middlebox"));
        if rng.chance(0.7) {
            for machine in world.machines() {
                let drift = rng.between(0..=2 * DRIFT_PPM_MAX).cast_signed() - DRIFT_PPM_MAX.cast_signed();
                world.clock(machine).set_drift_ppm(i32::try_from(drift).expect("within the model"));
            }
        }
        Self::Cluster(Machines { store, workers, clients, middlebox })
    }

    /// The machine with the file.
    pub fn store(&self) -> MachineId {
        match self {
            Self::Embedded(machine) => *machine,
            Self::Cluster(machines) => machines.store,
        }
    }

    /// The machines, if it is a cluster.
    pub fn cluster(&self) -> Option<&Machines> {
        match self {
            Self::Embedded(_) => None,
            Self::Cluster(machines) => Some(machines),
        }
    }
}
