//! What a crash leaves: files and names, and of a process crash also what is pending.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::Xxh3;

use super::state::{Names, State, rename, write, write_sectors};
use crate::disk::{DiskChange, DiskEntry, Installed, Layers, SimDisk};
use crate::seed::Seed;

/// What becomes of a disk at a crash. Numbers are places in the record.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Fate {
    /// Power is lost.
    PowerLoss {
        /// Changes of bytes that survive whole.
        kept: Vec<usize>,
        /// A write of which these sectors survive, from 0.
        torn: Option<(usize, Vec<u32>)>,
        /// Changes of names that survive: the first of each directory.
        names: Vec<usize>,
    },
    /// The process dies: what is pending is read, and still at risk.
    ProcessCrash,
    /// A sync fails and drops everything that is pending in this file, and the process dies of it:
    /// what was dropped is read, is clean for every later sync, and gone with the power.
    FailedSync {
        /// The file's place in the record: where it was changed last.
        of: usize,
    },
}

/// What a crash leaves of a disk.
#[derive(Clone, Debug)]
pub struct CrashImage {
    installed: Installed,
}

impl CrashImage {
    /// What this fate makes of a disk in this state.
    pub(super) fn make(state: &State, entries: &[DiskEntry], fate: &Fate) -> Self {
        match fate {
            Fate::PowerLoss { kept, torn, names } => after_power_loss(state, entries, kept, torn.as_ref(), names),
            Fate::ProcessCrash => after_process_crash(state, entries, None),
            Fate::FailedSync { of } => after_process_crash(state, entries, Some(*of)),
        }
    }

    /// Puts it on an empty disk, whose record begins with what is pending.
    ///
    /// # Panics
    /// If there is a file on the disk already.
    pub fn install(&self, disk: &SimDisk) {
        disk.install(&self.installed);
    }

    /// A disk of no world that has it.
    pub fn to_disk(&self) -> SimDisk {
        let disk = SimDisk::new(Seed(0).fork("image"));
        self.install(&disk);
        disk
    }

    /// A hash over names, bytes and what is pending: equal images have equal ones.
    pub fn hash(&self) -> u128 {
        let mut hash = Xxh3::new();
        let text = |hash: &mut Xxh3, tag: u8, text: &str| {
            hash.update(&[tag]);
            hash.update(&(text.len() as u64).to_le_bytes());
            hash.update(text.as_bytes());
        };
        let mut named: Vec<_> = self.installed.named.iter().collect();
        named.sort_by(|one, other| one.0.cmp(&other.0));
        // Files are numbered in the order in which they are met: their own numbers tell of the past.
        let mut numbers = BTreeMap::new();
        for (path, number, image) in named {
            text(&mut hash, 1, path);
            image.hash_into(&mut hash);
            let next = numbers.len() as u64;
            numbers.insert(*number, next);
        }
        for (number, change) in &self.installed.pending {
            let next = numbers.len() as u64;
            let met = *numbers.entry(*number).or_insert(next);
            hash.update(&met.to_le_bytes());
            match change {
                DiskChange::Create { path } => {
                    text(&mut hash, 2, path);
                    if let Some(layers) = self.installed.files.get(number) {
                        layers.durable.hash_into(&mut hash);
                    }
                }
                DiskChange::Remove { path } => text(&mut hash, 3, path),
                DiskChange::Rename { from, to } => {
                    text(&mut hash, 4, from);
                    text(&mut hash, 5, to);
                }
                DiskChange::SetLength { length, .. } => {
                    hash.update(&[6]);
                    hash.update(&length.to_le_bytes());
                }
                DiskChange::Write { offset, bytes, .. }
                | DiskChange::FailedWrite { offset, bytes, .. }
                | DiskChange::MisdirectedWrite { offset, bytes, .. } => {
                    hash.update(&[7]);
                    hash.update(&offset.to_le_bytes());
                    hash.update(&(bytes.len() as u64).to_le_bytes());
                    hash.update(bytes);
                }
                other => unreachable!("{other:?} is never pending"),
            }
        }
        for (number, layers) in &self.installed.files {
            if let Some(cache) = &layers.diverged {
                hash.update(&[8]);
                hash.update(&numbers.get(number).copied().unwrap_or(u64::MAX).to_le_bytes());
                cache.hash_into(&mut hash);
            }
        }
        hash.digest128()
    }
}

fn after_power_loss(
    state: &State,
    entries: &[DiskEntry],
    kept: &[usize],
    torn: Option<&(usize, Vec<u32>)>,
    kept_names: &[usize],
) -> CrashImage {
    let names = names_after(state, entries, kept_names);
    let mut installed = Installed::default();
    for (path, number) in names {
        let file = &state.files[&number];
        let mut image = file.durable.clone();
        for place in &file.pending {
            let change = &entries[*place].change;
            if kept.contains(place) {
                write(&mut image, change);
            } else if let Some((_, sectors)) = torn.filter(|(torn, _)| torn == place) {
                write_sectors(&mut image, change, sectors);
            }
        }
        installed.files.insert(number, Layers { durable: image.clone(), diverged: None });
        installed.named.push((path, number, image));
    }
    CrashImage { installed }
}

/// The names that a power loss leaves if these of the pending changes survive.
pub(super) fn names_after(state: &State, entries: &[DiskEntry], kept: &[usize]) -> Names {
    let mut names = state.durable.clone();
    kept.iter().for_each(|place| rename(&mut names, &entries[*place]));
    names
}

/// `dropped` is a change of the file of which a failed sync has dropped everything.
fn after_process_crash(state: &State, entries: &[DiskEntry], dropped: Option<usize>) -> CrashImage {
    let dropped = dropped.and_then(|place| entries[place].file);
    let mut installed = Installed::default();
    for (path, number) in &state.durable {
        installed.named.push((path.clone(), *number, state.files[number].durable.clone()));
    }
    let linked = |number| state.durable.values().any(|it| *it == number);
    let names = state.pending_names.values().flatten().copied();
    let mut places: Vec<usize> = names.clone().collect();
    for (number, file) in &state.files {
        let made = names.clone().any(|place| entries[place].file == Some(*number));
        if !linked(*number) && !made {
            continue;
        }
        let is_dropped = dropped == Some(*number);
        if !is_dropped {
            places.extend(&file.pending);
        }
        let diverged = (is_dropped || file.diverged).then(|| file.cache.clone());
        installed.files.insert(*number, Layers { durable: file.durable.clone(), diverged });
    }
    places.sort_unstable();
    let pending = |place: usize| (entries[place].file.expect("it is about a file"), entries[place].change.clone());
    installed.pending = places.into_iter().map(pending).collect();
    CrashImage { installed }
}
