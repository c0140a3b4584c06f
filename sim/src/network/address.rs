//! Where a stream ends.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::world::MachineId;

/// A port of a machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Address {
    /// The machine.
    pub machine: MachineId,
    /// The port.
    pub port: u16,
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "machine {} port {}", self.machine.0, self.port)
    }
}
