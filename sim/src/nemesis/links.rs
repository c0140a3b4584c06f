//! Faults of the network: which links an action strikes, and how it begins and ends.

use super::fault::Action;
use crate::network::{LinkFault, LinkFaultId, SimNetwork};
use crate::world::MachineId;

/// The faults of links that one action began: one, or one each way.
#[derive(Clone, Copy, Default)]
pub(super) struct Links([Option<LinkFaultId>; 2]);

impl Links {
    /// Begins what an action of a machine does to links; nothing for one that strikes no link.
    pub(super) fn begin(network: &SimNetwork, machine: MachineId, action: Action) -> Self {
        let one_way = |to, fault| Self([Some(network.begin(machine, to, fault)), None]);
        match action {
            Action::Partition { other, .. } => {
                let cut = |from, to| Some(network.begin(from, to, LinkFault::Cut));
                Self([cut(machine, other), cut(other, machine)])
            }
            Action::OneWayPartition { to, .. } => one_way(to, LinkFault::Cut),
            Action::Clog { to, least, most, .. } => one_way(to, LinkFault::Clog { least, most }),
            Action::HangingConnects { to, .. } => one_way(to, LinkFault::HangConnects),
            Action::DelayedFins { to, least, most, .. } => one_way(to, LinkFault::DelayFins { least, most }),
            _ => Self::default(),
        }
    }

    /// Ends it; how often it withheld or delayed a message.
    pub(super) fn end(self, network: &SimNetwork) -> u64 {
        self.0.into_iter().flatten().map(|fault| network.end(fault)).sum()
    }
}

/// The other machine of an action between two.
pub(super) fn peer(action: Action) -> Option<MachineId> {
    match action {
        Action::Partition { other, .. } | Action::ConnectionResets { other } => Some(other),
        Action::OneWayPartition { to, .. }
        | Action::Clog { to, .. }
        | Action::HangingConnects { to, .. }
        | Action::DelayedFins { to, .. } => Some(to),
        Action::HalfOpen { peer } => Some(peer),
        Action::Crash
        | Action::PowerLoss(_)
        | Action::Pause(_)
        | Action::PauseLater { .. }
        | Action::Message(_)
        | Action::SyncError(_)
        | Action::WriteError
        | Action::LyingSync
        | Action::BitRot
        | Action::MisdirectedWrite
        | Action::FullDisk(_)
        | Action::SlowDisk { .. }
        | Action::WallJump(_) => None,
    }
}
