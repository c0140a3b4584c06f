//! What a run does: jobs and actors, drawn from the seed by swarm.

mod actors;
mod faults;
mod jobs;
mod outside;
mod plan;
mod program;

pub use outside::Outside;
pub use plan::{GARBAGE, Intent, Plan, Script};
pub use program::{PATH, Program};
