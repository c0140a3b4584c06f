//! Runs seeds: one, many over all cores, and twice to compare.

mod batch;
mod determinism;
mod judged;
mod print;
mod qualify;
mod result;

pub use batch::{Summary, run_many};
pub use determinism::{Comparison, compare};
pub use judged::Judged;
pub use print::{print_seed, print_summary};
pub use result::{Ending, SeedResult, run_profile, run_seed, watch_profile, watch_seed};

/// How a command ended: exit codes are data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// Nothing broke.
    Good = 0,
    /// Something bad happened: a clause of I1 to I5.
    Safety = 1,
    /// The command itself was wrong.
    Usage = 2,
    /// Nothing bad, but something good did not happen either.
    Liveness = 3,
    /// The same seed came to another hash.
    Nondeterminism = 4,
    /// A run did not come to its end: a panic, a time-out, a dead child.
    Broken = 5,
    /// A batch never reached something that it was made to reach.
    NotReached = 6,
    /// A scenario file does not test any more what it says.
    Stale = 7,
}
