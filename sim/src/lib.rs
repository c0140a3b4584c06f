//! Deterministic simulation testing on madsim: seeds and forks, a disk that fails as disks do, a
//! network that fails as networks do, machines with clocks, processes that crash at any operation,
//! and a hash over all of it.
//!
//! Nothing in here knows the system under test. A test of yours looks like this:
//!
//! ```
//! use outlive_sim::{Options, Seed, Survivors, run};
//!
//! let outcome = run(Seed(7), Options::default(), async |world| {
//!     let machine = world.add_machine("one");
//!     let process = world.boot(machine, "writer", async |process| {
//!         let file = process.disk().open("/log", outlive_sim::OpenMode::Any).unwrap();
//!         file.write_at(0, b"not synced").unwrap();
//!     });
//!     world.exited(process).await;
//!     world.power_loss(machine, Survivors::None).entries_lost
//! });
//! assert_eq!(outcome.result.unwrap(), 1, "the file's name was never synced");
//! ```
//!
//! The rules that make a run repeatable are these: every choice is drawn from a named [`Fork`] of
//! the [`Seed`], every run has a fresh thread of its own, and whatever happens is folded into the
//! [`Trace`], whose hash two runs of a seed must share.

#[cfg(not(madsim))]
/// Why this crate is empty: its runtime is real only under `--cfg madsim`. Set
/// `rustflags = ["--cfg", "madsim"]` in `.cargo/config.toml`, and mind that a `RUSTFLAGS` variable
/// in the environment, even an empty one, replaces it.
pub const BUILD_WITH: &str = "--cfg madsim";

#[cfg(madsim)]
mod batch;
#[cfg(madsim)]
mod check;
#[cfg(madsim)]
mod clock;
#[cfg(madsim)]
mod disk;
#[cfg(madsim)]
mod history;
#[cfg(madsim)]
mod nemesis;
#[cfg(madsim)]
mod network;
#[cfg(madsim)]
mod panics;
#[cfg(madsim)]
mod polls;
#[cfg(madsim)]
mod process;
#[cfg(madsim)]
mod run;
#[cfg(madsim)]
mod seed;
#[cfg(madsim)]
pub mod sweep;
#[cfg(madsim)]
mod trace;
#[cfg(madsim)]
mod world;

#[cfg(madsim)]
pub use self::{
    batch::{Answer, Batch, serve, serve_questions},
    check::{Difference, first_difference},
    clock::{MachineClock, Sleep, sleep_true, true_time},
    disk::{
        DiskChange, DiskEntry, DiskFaults, FileNumber, Loss, OpenMode, OperationInfo, OperationKind, ProcessDisk,
        SimDisk, SimFile, Speed, Survivors, Verdict, View,
    },
    history::{Entry, History},
    nemesis::{Action, Count, Fault, FaultKind, MessageFault, Nemesis, Trigger},
    network::{Address, LinkFault, LinkFaultId, ProcessNetwork, SimListener, SimNetwork, SimStream},
    panics::Panic,
    process::{Life, Process, ProcessId, Task},
    run::{Failure, Options, Outcome, run},
    seed::{Fork, Rng, Seed},
    trace::{Recording, Trace},
    world::{Exit, MachineId, Times, World},
};
