//! What a power loss leaves of the changes that no sync had made durable.

use std::ops::AddAssign;

use serde::{Deserialize, Serialize};

use crate::seed::Fork;

/// Which pending changes survive a power loss.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Survivors {
    /// Nothing that was not synced.
    None,
    /// Everything, as if the last thing the disk did was to write its cache back.
    All,
    /// The oldest changes of each file and directory, up to some point.
    Prefix,
    /// Any of them, whatever their order was.
    Subset,
    /// Any of them, and of each write any of its sectors.
    SubsetTorn,
}

impl Survivors {
    /// Every policy: what a sweep goes through.
    pub const ALL: [Survivors; 5] =
        [Survivors::None, Survivors::All, Survivors::Prefix, Survivors::Subset, Survivors::SubsetTorn];

    /// How many of the first changes a prefix keeps.
    pub(super) fn kept_first(self, count: usize, fork: Fork) -> usize {
        match self {
            Survivors::None => 0,
            Survivors::All => count,
            Survivors::Prefix | Survivors::Subset | Survivors::SubsetTorn => {
                fork.fork("prefix").rng().between(0..=count as u64) as usize
            }
        }
    }

    /// Whether a change survives, in whole or in part.
    pub(super) fn keeps(self, ordinal: usize, kept_first: usize, fork: Fork) -> bool {
        match self {
            Survivors::None | Survivors::All | Survivors::Prefix => ordinal < kept_first,
            Survivors::Subset | Survivors::SubsetTorn => fork.fork("keep").chance(0.5),
        }
    }

    /// Whether a surviving write is torn.
    pub(super) fn tears(self, fork: Fork) -> bool {
        self == Survivors::SubsetTorn && fork.fork("tear").chance(0.5)
    }
}

/// What a power loss did. Changes count as kept, lost or torn, whether or not that shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Loss {
    /// Pending changes of files that survived whole.
    pub kept: u64,
    /// Pending changes of files that vanished.
    pub lost: u64,
    /// Pending writes of which any of their sectors survived.
    pub torn: u64,
    /// Bytes that read differently now than before, or are gone or back.
    pub bytes_lost: u64,
    /// Creations, renames and removals that were undone.
    pub entries_lost: u64,
}

impl Loss {
    /// Whether anybody can see that power was lost.
    pub fn changed_something(&self) -> bool {
        self.bytes_lost > 0 || self.entries_lost > 0
    }
}

impl AddAssign for Loss {
    fn add_assign(&mut self, other: Loss) {
        self.kept += other.kept;
        self.lost += other.lost;
        self.torn += other.torn;
        self.bytes_lost += other.bytes_lost;
        self.entries_lost += other.entries_lost;
    }
}
