//! What the queue does, as figures for a dashboard: through the crate `metrics`, if the feature of that name is on.
//!
//! Nothing else in this crate names that one. What is counted of jobs and attempts is counted from the rows of
//! a commit, once the store has answered that they are in the file, and so is never what did not happen. Nothing
//! here decides anything, draws randomness, or looks at a clock but the host's.

#[cfg(feature = "metrics")]
mod counted;
#[cfg(not(feature = "metrics"))]
mod inert;

#[cfg(feature = "metrics")]
pub(crate) use counted::{Commit, Figures, Raised, attempt, slots};
#[cfg(not(feature = "metrics"))]
pub(crate) use inert::{Commit, Figures, Raised, attempt, slots};
