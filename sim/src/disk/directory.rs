//! The names in one directory, and which of them a power loss leaves.

use std::collections::BTreeMap;
use std::io;

use super::survivors::Survivors;
use crate::seed::Fork;

/// A path, interned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct NameId(pub(super) u32);

/// A file, whatever it is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct FileId(pub(super) u32);

/// A change that waits for a sync, and its place in the disk's record, if one is kept.
type Pending = (Change, Option<usize>);

/// A change of names that is atomic: a rename is one, so that no power loss leaves both names or
/// neither.
#[derive(Clone, Copy, Debug)]
enum Change {
    Link(NameId, FileId),
    Unlink(NameId),
    Rename(NameId, NameId),
}

type Names = BTreeMap<NameId, FileId>;

/// One directory. Changes are visible at once and durable at the next sync.
#[derive(Clone, Debug, Default)]
pub(super) struct Directory {
    visible: Names,
    durable: Names,
    pending: Vec<Pending>,
}

impl Directory {
    pub(super) fn visible(&self) -> &Names {
        &self.visible
    }

    pub(super) fn durable(&self) -> &Names {
        &self.durable
    }

    /// How many changes wait for a sync.
    pub(super) fn pending_count(&self) -> usize {
        self.pending.len()
    }

    /// Whether a file could be renamed so.
    pub(super) fn check_rename(&self, from: NameId, to: NameId) -> io::Result<()> {
        if !self.visible.contains_key(&from) {
            return Err(io::ErrorKind::NotFound.into());
        }
        if self.visible.contains_key(&to) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        Ok(())
    }

    pub(super) fn link(&mut self, name: NameId, file: FileId, place: Option<usize>) {
        self.change(Change::Link(name, file), place);
    }

    pub(super) fn unlink(&mut self, name: NameId, place: Option<usize>) {
        self.change(Change::Unlink(name), place);
    }

    pub(super) fn rename(&mut self, from: NameId, to: NameId, place: Option<usize>) {
        self.change(Change::Rename(from, to), place);
    }

    fn change(&mut self, change: Change, place: Option<usize>) {
        apply(&mut self.visible, change);
        self.pending.push((change, place));
    }

    /// Makes all pending changes durable, and says which they were.
    pub(super) fn sync(&mut self) -> Vec<usize> {
        self.durable.clone_from(&self.visible);
        self.pending.drain(..).filter_map(|(_, place)| place).collect()
    }

    /// A sync that failed: some of the first changes are durable, and the rest still waits. Names
    /// go through a journal, which stops where it failed and writes the same again later. Which
    /// are durable, and which wait.
    pub(super) fn fail_sync(&mut self, fork: Fork) -> (Vec<usize>, Vec<usize>) {
        let kept = fork.rng().between(0..=self.pending.len() as u64) as usize;
        let mut places = Vec::new();
        for (change, place) in self.pending.drain(..kept) {
            apply(&mut self.durable, change);
            places.extend(place);
        }
        (places, self.pending.iter().filter_map(|(_, place)| *place).collect())
    }

    /// Undoes what was not durable but for a prefix: names go through a journal, in order. Returns
    /// how many changes were undone, and adds what became of them to `kept` and `undone`.
    pub(super) fn lose_power(
        &mut self,
        survivors: Survivors,
        fork: Fork,
        kept: &mut Vec<usize>,
        undone: &mut Vec<usize>,
    ) -> u64 {
        let kept_first = survivors.kept_first(self.pending.len(), fork);
        let lost = self.pending.len() - kept_first;
        undone.extend(self.pending.drain(kept_first..).filter_map(|(_, place)| place));
        for (change, place) in self.pending.drain(..) {
            apply(&mut self.durable, change);
            kept.extend(place);
        }
        self.visible.clone_from(&self.durable);
        lost as u64
    }
}

fn apply(names: &mut Names, change: Change) {
    let replaced = match change {
        Change::Link(name, file) => names.insert(name, file),
        Change::Unlink(name) => {
            assert!(names.remove(&name).is_some(), "a change of names is applied in order");
            None
        }
        Change::Rename(from, to) => {
            let file = names.remove(&from).expect("a change of names is applied in order");
            names.insert(to, file)
        }
    };
    assert!(replaced.is_none(), "no change of names replaces a file");
}
