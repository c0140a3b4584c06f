//! Outlive: a crash-safe background job queue to embed.

mod canonical;
mod engine;
pub mod host;
pub mod job;
pub mod limits;
mod options;
pub mod order;
pub mod protocol;
pub mod store;

pub use engine::Local;
pub use options::Options;
