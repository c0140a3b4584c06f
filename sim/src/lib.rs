//! Deterministic simulation testing: your system inside a world whose disks, networks, clocks and crashes are drawn
//! from a seed. The same seed is the same run, to the last event. Nothing in here knows the system under test.
//!
//! `docs/SIMULATE_YOUR_OWN.md` in the repository goes through it step by step, in a crate of its own;
//! `sim/examples/` has a program of 50 lines (`hello.rs`) and a key-value store whose bugs are found, shrunk and
//! explained (`kv/`).
//!
//! # A run
//!
//! [`run`] takes a [`Seed`] and a *driver*: an async function that is given the [`World`]. The driver adds machines,
//! boots processes on them, waits, and returns whatever it wants to be judged.
//!
//! ```
//! use outlive_sim::{OpenMode, Options, Seed, Survivors, run};
//!
//! let outcome = run(Seed(7), Options::default(), async |world| {
//!     let machine = world.add_machine("one");
//!     let process = world.boot(machine, "writer", async |process| {
//!         let file = process.disk().open("/log", OpenMode::Any).unwrap();
//!         file.write_at(0, b"not synced").unwrap();
//!     });
//!     world.exited(process).await;
//!     world.power_loss(machine, Survivors::None).entries_lost
//! });
//! assert_eq!(outcome.result.unwrap(), 1, "the file's name was never synced");
//! ```
//!
//! # The parts, in the order in which one meets them
//!
//! | | |
//! |---|---|
//! | [`World`] | all machines and processes: boots, crashes, pauses, power losses |
//! | [`Process`] | what one incarnation of a program has: a disk ([`ProcessDisk`]), a network ([`ProcessNetwork`]), a clock ([`MachineClock`]), tasks ([`Process::spawn`]), randomness. Your system reaches them through its own traits |
//! | [`Nemesis`] | applies a schedule of [`Fault`]s: each has a machine, a [`Trigger`] that says when, and an [`Action`] that says what. It counts which of them changed something |
//! | [`History`] | what clients asked and were answered, in order. A *checker* is your function over its entries |
//! | [`Seed`], [`Fork`] | every choice is drawn from a named fork, so that one choice more leaves all others as they were |
//! | [`Outcome`] | what a run came to: the driver's value, the panics, and the hash over all events |
//! | [`Batch`], [`serve`] | many seeds over all cores, in child processes |
//! | [`first_difference`] | where two recorded runs of one seed part, which they must not |
//! | [`Shrinker`] | from a failing case to the smallest one: delta debugging |
//!
//! # What a disk and a network may do
//!
//! A write is visible at once and durable when its file is synced; a name is durable when its *directory* is synced. A
//! crash of a process leaves both as they are. A power loss keeps what is durable, and of the rest what the
//! [`Survivors`] say: nothing, everything, the oldest part, any part, or any sectors. A failed sync is never made
//! good by a later one. A stream of the network keeps its bytes in order, and any message may be late; a link can be
//! cut, clogged or reset. The head of `sim/src/disk/mod.rs` and that of `sim/src/network/mod.rs` say all of it.
//!
//! # What makes a run repeatable
//!
//! - Every choice comes from a [`Fork`] of the seed. [`Process::fill_random`] is what a process takes for its
//!   operating system's randomness.
//! - Every run has a thread of its own, and only that one. A process that starts threads is not simulated.
//! - Time is simulated: it passes when every task waits. [`true_time`] is the run's own, for checkers; a process has
//!   its machine's clock.
//! - Whatever happens is folded into the [`Trace`], whose hash two runs of a seed must share.
//!
//! # The flag
//!
//! The runtime is real only under `--cfg madsim`. Without it this crate does not compile, and the error says where to
//! put it.

// One error instead of hundreds: without the flag the runtime is another one, and nothing in here would compile.
// Documentation alone is let through, so that it can be read before anything is set up.
#[cfg(not(any(madsim, doc)))]
compile_error!(
    "outlive-sim needs `--cfg madsim`, and this build is without it.

Put these two lines into `.cargo/config.toml`, beside the Cargo.toml of your workspace:

    [target.'cfg(all())']
    rustflags = [\"--cfg\", \"madsim\"]

Are they there? Then a RUSTFLAGS or CARGO_ENCODED_RUSTFLAGS variable, even an empty one, takes their place: unset \
     it, or put `--cfg madsim` into it."
);

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
mod shrink;
#[cfg(madsim)]
pub mod sweep;
#[cfg(madsim)]
pub mod timeline;
#[cfg(madsim)]
mod trace;
#[cfg(madsim)]
mod world;

#[cfg(madsim)]
pub use self::{
    batch::{Answer, Batch, serve, serve_questions},
    check::{Difference, first_difference},
    clock::{MachineClock, Sleep, WALL_START, sleep_true, true_time},
    disk::{
        DiskChange, DiskEntry, DiskFaults, FileNumber, Loss, OpenMode, OperationInfo, OperationKind, ProcessDisk, Rot,
        RotAt, SimDisk, SimFile, Speed, Survivors, Verdict, View,
    },
    history::{Entry, History},
    nemesis::{Action, Count, Fault, FaultKind, Fired, MessageFault, Nemesis, Trigger},
    network::{Address, LinkFault, LinkFaultId, ProcessNetwork, SimListener, SimNetwork, SimStream},
    panics::Panic,
    process::{Life, Process, ProcessId, Task},
    run::{Failure, Options, Outcome, run},
    seed::{Fork, Rng, Seed},
    shrink::{Budget, Shrinker, Try},
    trace::{Recording, Trace},
    world::{Exit, MachineId, Times, World},
};
