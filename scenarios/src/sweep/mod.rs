//! The crash sweep: one calm run of a workload, crashed at every change of its disk, with every choice
//! of what survives; each image recovered by the queue's own opening and judged by the checkers of any
//! other run, and read by stock SQLite too.
//!
//! The enumeration is `outlive_sim::sweep`, and knows nothing of a queue. In here: what is run
//! ([`workload`]), what a recovery does ([`recover`]), who judges it ([`judge`]), and how all of it is
//! spread over children ([`question`], [`command`]).

mod command;
mod judge;
mod past;
mod print;
mod question;
mod recover;
mod stock;
mod tally;
mod workload;

pub use command::Sweep;
pub use question::ServeSweep;
