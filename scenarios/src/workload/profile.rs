//! Which faults a run may have: those that the queue survives in full, or also those that it can only detect.

use serde::{Deserialize, Serialize};

/// Which faults a run may have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
pub enum Profile {
    /// What the fault model allows: all five invariants hold.
    #[default]
    Legal,
    /// What no disk is allowed to do, beside it: nothing is invented, and what is found broken is said.
    Illegal,
}

impl Profile {
    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Legal => "legal",
            Self::Illegal => "illegal",
        }
    }
}
