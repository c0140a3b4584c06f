//! Outlive inside the simulator: workload, checkers for the five invariants, planted bugs.

pub mod archive;
pub mod checkers;
pub mod coverage;
pub mod damage;
pub mod drive;
pub mod event;
pub mod hunt;
pub mod image;
#[cfg(feature = "planted")]
pub mod planted;
pub mod replay;
pub mod runner;
pub mod scn;
mod seams;
pub mod shrink;
pub mod stopwatch;
pub mod sweep;
pub mod tagging;
pub mod timeline;
mod wall;
pub mod why;
pub mod workload;

pub use outlive_trial::{host, network};
