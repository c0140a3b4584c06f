//! What is wrong with links, and its end.

use super::Stage;
use crate::scn::{Action, Process as Who};
use outlive_sim::{LinkFault, LinkFaultId, MachineId};
use std::collections::BTreeMap;

/// What is wrong with a link, and the line of the file that says so.
pub(super) struct StruckLink {
    pub(super) id: LinkFaultId,
    ends: (MachineId, MachineId),
    line: String,
}

impl StruckLink {
    /// Whether it is between these two, in either direction.
    pub(super) fn is_between(&self, one: MachineId, other: MachineId) -> bool {
        [(one, other), (other, one)].contains(&self.ends)
    }
}

impl Stage {
    pub(super) fn link(&self, from: &Who, to: &Who) -> (MachineId, MachineId) {
        (self.0.cast.end_of_link(from, to), self.0.cast.end_of_link(to, from))
    }

    pub(super) fn cut(&self, line: &Action, from: MachineId, to: MachineId, fault: LinkFault) -> LinkFaultId {
        let id = self.0.cluster.program.world.network().begin(from, to, fault);
        let struck = StruckLink { id, ends: (from, to), line: line.to_string() };
        self.0.state.lock().unwrap().links.push(struck);
        id
    }

    /// Ends what is wrong with these links. A line that withheld nothing in any direction changed nothing.
    pub(super) fn heal(&self, which: impl Fn(&StruckLink) -> bool) {
        let mut state = self.0.state.lock().unwrap();
        let healed: Vec<StruckLink> = state.links.extract_if(.., |link| which(link)).collect();
        let mut withheld: BTreeMap<String, u64> = BTreeMap::new();
        for StruckLink { id, line, .. } in healed {
            *withheld.entry(line).or_default() += self.0.cluster.program.world.network().end(id);
        }
        state.idle.extend(withheld.into_iter().filter(|(_, count)| *count == 0).map(|(line, _)| line));
    }
}
