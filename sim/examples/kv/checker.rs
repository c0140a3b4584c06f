//! What must be true of a history: a pure fold over it, which shares no code with the store.
//!
//! A key holds what its last acknowledged put wrote, or what a later put of unknown outcome wrote. Once a read has
//! shown such a value, it counts as acknowledged: nobody may see it vanish.

use std::collections::{BTreeMap, BTreeSet};

use outlive_sim::Entry;

use crate::workload::{Event, Operation, Request};

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Violation {
    /// The kind of mistake: what shrinking must keep.
    pub clause: Clause,
    /// Of which key.
    pub key: &'static str,
    /// What it should hold: by the number of the put.
    pub expected: Option<u64>,
    /// What it holds.
    pub found: Option<u64>,
    /// The place of the read in the history.
    pub ordinal: u64,
}

/// What a violation breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Clause {
    /// An acknowledged value, or one that was read, is gone.
    Lost,
    /// A value is there that no put of this key may have left.
    Invented,
}

#[derive(Default)]
struct Key {
    /// What it surely held last.
    certain: Option<u64>,
    /// What it may hold instead: puts since then without an answer.
    possible: BTreeSet<u64>,
    written: BTreeSet<u64>,
}

/// All violations of a history, in its order.
pub fn check(entries: &[Entry<Event>]) -> Vec<Violation> {
    let mut keys: BTreeMap<&'static str, Key> = BTreeMap::new();
    let mut violations = Vec::new();
    for entry in entries {
        let (key, found) = match entry.event {
            Event::Invoked(Operation { request: Request::Put { key, .. }, number, .. }) => {
                let state = keys.entry(key).or_default();
                state.possible.insert(number);
                state.written.insert(number);
                continue;
            }
            Event::Put { operation: Operation { request: Request::Put { key, .. }, number, .. }, .. } => {
                let state = keys.entry(key).or_default();
                (state.certain, state.possible) = (Some(number), BTreeSet::new());
                continue;
            }
            Event::Got { operation: Operation { request: Request::Get { key }, .. }, found } => (key, found),
            Event::Left { key, found } => (key, found),
            _ => continue,
        };
        let state = keys.entry(key).or_default();
        let allowed = found == state.certain || found.is_some_and(|found| state.possible.contains(&found));
        if !allowed {
            let known = found.is_none_or(|found| state.written.contains(&found));
            let clause = if known { Clause::Lost } else { Clause::Invented };
            violations.push(Violation { clause, key, expected: state.certain, found, ordinal: entry.ordinal });
        }
        if found.is_some() && found != state.certain {
            // Puts of one client are in order: what came before the value that was read is over.
            state.possible.retain(|possible| Some(*possible) > found);
            state.certain = found;
        }
    }
    violations
}
