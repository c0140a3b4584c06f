//! Outlive: a crash-safe background job queue to embed.

pub mod host;
