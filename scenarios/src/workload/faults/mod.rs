//! The schedule of faults, drawn by swarm: a run has a few kinds, each several times.

mod cluster;
mod disk;
mod embedded;

pub use cluster::draw as draw_for_cluster;
pub use embedded::draw as draw_for_embedded;
