//! The operating system as a [`Host`](super::Host).
/// Placeholder.
pub struct Os;
