//! Causes, walked back: the short story of one happening.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::model::{Happening, HappeningId, Kind, Timeline};

/// What led to a happening, and itself, in order of time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain {
    /// In order of time; the last one is what was asked about.
    pub links: Vec<HappeningId>,
    /// More distant causes that are not in it.
    pub left_out: usize,
}

/// A story is read at a glance, or not at all.
const LINKS_MAX: usize = 15;

impl Timeline {
    /// What led to a happening: the nearest causes first, up to 15 lines with itself.
    ///
    /// A cause of a cause is further than a cause, and a step by the way (something asked, written or synced)
    /// counts double: the answer says it, too. Of those as near, the later one comes first.
    pub fn chain(&self, id: HappeningId) -> Chain {
        let (mut distance, mut order) = (BTreeMap::from([(id, 0)]), Vec::new());
        let mut near = BTreeSet::from([(0, Reverse(self.happenings[id.0].at), Reverse(id))]);
        while let Some((far, _, Reverse(next))) = near.pop_first() {
            if far > distance[&next] {
                continue;
            }
            order.push(next);
            for cause in self.happenings[next.0].causes.iter().copied() {
                let happening = &self.happenings[cause.0];
                let farther =
                    far + if matches!(happening.kind, Kind::Asked | Kind::Write | Kind::Sync) { 2 } else { 1 };
                if distance.get(&cause).is_none_or(|known| farther < *known) {
                    distance.insert(cause, farther);
                    near.insert((farther, Reverse(happening.at), Reverse(cause)));
                }
            }
        }
        let left_out = order.len().saturating_sub(LINKS_MAX);
        order.truncate(LINKS_MAX);
        // What was asked about is the end of its story, whatever else happened at the same moment.
        order.sort_by_key(|link| (*link == id, self.happenings[link.0].at, *link));
        Chain { links: order, left_out }
    }

    /// The happenings of a chain, in its order.
    pub fn links(&self, chain: &Chain) -> impl Iterator<Item = &Happening> {
        chain.links.iter().map(|link| &self.happenings[link.0])
    }

    /// A chain for a terminal, a line each.
    pub fn tell(&self, chain: &Chain) -> String {
        let mut lines: Vec<String> = self.links(chain).map(|link| self.line(link)).collect();
        if chain.left_out > 0 {
            lines.insert(0, format!("({} earlier causes are left out)", chain.left_out));
        }
        lines.join("\n")
    }
}
