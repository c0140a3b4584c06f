//! The schedule of faults, drawn by swarm: a run has a few kinds, each several times.

mod care;
mod cluster;
mod disk;
mod embedded;
mod illegal;

pub use care::{draw_for_compactions, draw_for_copies};
pub use cluster::{draw as draw_for_cluster, draw_for_transactions};
pub use embedded::draw as draw_for_embedded;
pub use illegal::draw as draw_illegal;
