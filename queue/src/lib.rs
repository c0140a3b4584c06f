//! Outlive: a crash-safe background job queue to embed.

pub mod host;
pub mod job;
pub mod limits;
pub mod order;
pub mod store;
