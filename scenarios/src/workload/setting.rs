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
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Setting {
    /// One program on one machine.
    Embedded(MachineId),
    /// A server, and workers and clients on other machines.
    Cluster(Machines),
}

/// The machines of a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
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
/// Machines of workers and clients that a seed has at the most.
const WORKERS_MOST: u64 = 5;
const CLIENTS_MOST: u64 = 3;
/// Names for as many as a story can have.
const WORKERS: [&str; 8] =
    ["worker-1", "worker-2", "worker-3", "worker-4", "worker-5", "worker-6", "worker-7", "worker-8"];
const CLIENTS: [&str; 8] =
    ["client-1", "client-2", "client-3", "client-4", "client-5", "client-6", "client-7", "client-8"];

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

impl Machines {
    /// So many workers and clients, in the order in which a world gets its machines: workers, clients, the store,
    /// and what stands before it.
    ///
    /// # Panics
    /// If there are more of them than there are names.
    pub fn of(workers: usize, clients: usize, middlebox: bool) -> Self {
        assert!(workers <= WORKERS.len() && clients <= CLIENTS.len(), "there are names for fewer machines");
        let mut ids = (0..).map(MachineId);
        let mut next = |count: usize| ids.by_ref().take(count).collect::<Vec<_>>();
        let (workers, clients, store) = (next(workers), next(clients), next(1)[0]);
        Self { store, workers, clients, middlebox: middlebox.then(|| next(1)[0]) }
    }

    /// What each is called, in the order of the world.
    fn names(&self) -> Vec<&'static str> {
        let (workers, clients) = (&WORKERS[..self.workers.len()], &CLIENTS[..self.clients.len()]);
        [workers, clients, &["store"], if self.middlebox.is_some() { &["middlebox"] } else { &[] }].concat()
    }

    /// All of them, in the order of the world.
    pub fn all(&self) -> Vec<MachineId> {
        (0..self.names().len() as u32).map(MachineId).collect()
    }
}

impl Setting {
    /// The setting of a seed, and what the clock of each machine gains, in parts in a million.
    pub fn draw(seed: Seed, workload: Workload) -> (Self, Vec<i32>) {
        if !workload.is_cluster(seed) {
            return (Self::Embedded(MachineId(0)), vec![0]);
        }
        let mut rng = seed.fork("machines").rng();
        let (workers, clients) = (rng.between(1..=WORKERS_MOST), rng.between(1..=CLIENTS_MOST));
        let machines = Machines::of(workers as usize, clients as usize, rng.chance(0.5));
        let drifts = rng.chance(0.7);
        let mut drift = || {
            let ppm = rng.between(0..=2 * DRIFT_PPM_MAX).cast_signed() - DRIFT_PPM_MAX.cast_signed();
            i32::try_from(ppm).expect("within the model")
        };
        let drift_ppm = machines.all().iter().map(|_| if drifts { drift() } else { 0 }).collect();
        (Self::Cluster(machines), drift_ppm)
    }

    /// Adds the machines to an empty world.
    pub fn build(&self, world: &World, drift_ppm: &[i32]) {
        let names = match self {
            Self::Embedded(_) => vec!["host"],
            Self::Cluster(machines) => machines.names(),
        };
        for (name, ppm) in names.into_iter().zip(drift_ppm) {
            let machine = world.add_machine(name);
            world.clock(machine).set_drift_ppm(*ppm);
        }
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
