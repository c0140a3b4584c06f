//! Deliberate bugs that the checkers must catch: in a build of their own, chosen at run time.
//!
//! The queue has none of them in its source. Each stands at a seam: between the queue and its host,
//! its storage, or its callers. A new one is one file and one line in [`ALL`].

mod bugs;
mod command;
mod host;
mod leases;
mod memory;
mod service;
mod storage;
mod stories;

pub use command::Mutants;
pub use host::{BuggyHost, host};
pub use memory::Memory;
pub use service::{remote, service};
pub use storage::{BuggyStorage, storage};

use crate::workload::Profile;
use outlive::Options;
use outlive::job::{EndRow, KeyRow, RequestId};
use outlive::protocol::{Call, CallError, Reply, Said};
use outlive::store::{Change, Live, RequestRow};
use std::io;
use std::sync::OnceLock;
use std::time::Duration;

/// A deliberate bug: whatever it does not name is as it should be.
pub trait Bug: Sync {
    /// Its name on the command line.
    fn name(&self) -> &'static str;

    /// The invariant whose checker must catch it, or `determinism`.
    fn breaks(&self) -> &'static str;

    /// What is wrong, in one sentence.
    fn about(&self) -> &'static str;

    /// Which faults its seeds may have.
    fn profile(&self) -> Profile {
        Profile::Legal
    }

    /// Brings it to life in this process, before any simulation.
    fn prepare(&self) {}

    /// Writes to a file.
    fn write(&self, _: &Memory, _path: &str, real: &dyn Fn() -> io::Result<()>) -> io::Result<()> {
        real()
    }

    /// Syncs a file.
    fn sync(&self, _: &Memory, _path: &str, real: &dyn Fn() -> io::Result<()>) -> io::Result<()> {
        real()
    }

    /// Syncs a directory.
    fn sync_directory(&self, _: &Memory, real: &dyn Fn() -> io::Result<()>) -> io::Result<()> {
        real()
    }

    /// Takes a lock.
    fn lock(&self, real: &dyn Fn() -> io::Result<bool>) -> io::Result<bool> {
        real()
    }

    /// What the host's clock shows.
    fn boot(&self, _: &Memory, real: Duration) -> Duration {
        real
    }

    /// Rows on their way into the store.
    fn changes(&self, _: &Memory, changes: Vec<Change>) -> Vec<Change> {
        changes
    }

    /// Whether what a transaction of the caller's does to its own tables is committed before all else that it does.
    fn commits_apart(&self) -> bool {
        false
    }

    /// Whether a transaction of the caller's that is rolled back is committed.
    fn keeps_what_was_rolled_back(&self) -> bool {
        false
    }

    /// What is said in a transaction of the caller's, on its way to the engine.
    fn said(&self, _: &Memory, said: Said) -> Said {
        said
    }

    /// Whether what is said in a transaction of the caller's runs again; the second answer counts.
    fn runs_twice(&self, _: &Memory, _: &Said) -> bool {
        false
    }

    /// A key on its way out of the store.
    fn key(&self, _: &Memory, _kind: &str, _key: &str, row: Option<KeyRow>) -> Option<KeyRow> {
        row
    }

    /// A remembered answer on its way out of the store.
    fn request(&self, _: &Memory, _: RequestId, row: Option<RequestRow>) -> Option<RequestRow> {
        row
    }

    /// Jobs that are not terminal, on their way out of the store to whoever opens it: a page of them.
    fn live(&self, _: &Memory, page: Vec<Live>) -> Vec<Live> {
        page
    }

    /// Whether a job is waited for, on its way out of the store.
    fn is_awaited(&self, real: bool) -> bool {
        real
    }

    /// Ends of jobs, on their way out of the store.
    fn ends(&self, rows: Vec<EndRow>) -> Vec<EndRow> {
        rows
    }

    /// Options on their way into the engine.
    fn options(&self, options: Options) -> Options {
        options
    }

    /// A call on its way to the engine.
    fn call(&self, _: &Memory, call: Call) -> Call {
        call
    }

    /// Whether a compaction cuts the file before the log says so.
    fn cuts_early(&self) -> bool {
        false
    }

    /// Whether the log is moved into the file after each commit, whoever copies it.
    fn checkpoints_always(&self) -> bool {
        false
    }

    /// Whether jobs that are enqueued together are enqueued one after another instead.
    fn enqueues_apart(&self) -> bool {
        false
    }

    /// A call on its way from a caller on another machine, the `number`-th in all.
    fn sent(&self, _number: u64, call: Call) -> Call {
        call
    }

    /// An answer on its way to a caller on another machine; `call` is as the caller made it.
    fn told(&self, _call: &Call, answer: Result<Reply, CallError>) -> Result<Reply, CallError> {
        answer
    }

    /// For how long an answer is held back on its way to its caller.
    fn lingers(&self, _call: &Call) -> Duration {
        Duration::ZERO
    }

    /// An answer on its way to its caller; `call` is as the caller made it.
    fn answer(&self, _: &Memory, _call: &Call, answer: Result<Reply, CallError>) -> Result<Reply, CallError> {
        answer
    }
}

/// All planted bugs.
pub const ALL: &[&dyn Bug] = bugs::ALL;

static CHOSEN: OnceLock<&'static dyn Bug> = OnceLock::new();

/// Brings a bug to life in this process.
///
/// # Errors
/// If there is none of this name: then the names that there are.
pub fn choose(name: &str) -> Result<(), String> {
    let Some(bug) = ALL.iter().find(|bug| bug.name() == name) else {
        let names: Vec<&str> = ALL.iter().map(|bug| bug.name()).collect();
        return Err(format!("there is no planted bug {name:?}; there are: {}", names.join(", ")));
    };
    bug.prepare();
    CHOSEN.set(*bug).map_err(|_| "one bug at a time".to_owned())
}

/// The bug that lives in this process.
fn chosen() -> Option<&'static dyn Bug> {
    CHOSEN.get().copied()
}

/// The options that the engine gets to see.
pub fn options(options: &Options) -> Options {
    let options = options.clone();
    chosen().map_or(options.clone(), |bug| bug.options(options))
}
