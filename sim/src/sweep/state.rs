//! What a disk is between two changes of its record: durable layers, and what is pending.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::disk::{DiskChange, DiskEntry, DurableFiles, FileNumber, Image, sectors};

/// One file.
#[derive(Clone, Debug, Default)]
pub(super) struct File {
    pub(super) durable: Image,
    pub(super) cache: Image,
    /// Places in the record.
    pub(super) pending: BTreeSet<usize>,
    /// A failed sync has dropped something that is still read.
    pub(super) diverged: bool,
}

pub(super) type Names = BTreeMap<Arc<str>, FileNumber>;

/// A disk between two changes.
#[derive(Clone, Debug, Default)]
pub(super) struct State {
    pub(super) files: BTreeMap<FileNumber, File>,
    pub(super) durable: Names,
    visible: Names,
    /// Places of the pending changes of names, by directory.
    pub(super) pending_names: BTreeMap<Arc<str>, Vec<usize>>,
}

impl State {
    /// As it was when the record began.
    pub(super) fn new(base: &DurableFiles) -> Self {
        let mut state = Self::default();
        for (path, number, image) in base {
            state.durable.insert(Arc::clone(path), *number);
            let file = File { durable: image.clone(), cache: image.clone(), ..File::default() };
            state.files.insert(*number, file);
        }
        state.visible.clone_from(&state.durable);
        state
    }

    /// Goes on by the entry at `place`.
    pub(super) fn apply(&mut self, entries: &[DiskEntry], place: usize) {
        let entry = &entries[place];
        match &entry.change {
            DiskChange::Create { .. } | DiskChange::Rename { .. } | DiskChange::Remove { .. } => {
                if let DiskChange::Create { .. } = entry.change {
                    self.files.insert(number(entry), File::default());
                }
                rename(&mut self.visible, entry);
                self.pending_names.entry(directory(&entry.change)).or_default().push(place);
            }
            DiskChange::Write { .. }
            | DiskChange::SetLength { .. }
            | DiskChange::FailedWrite { .. }
            | DiskChange::MisdirectedWrite { .. } => {
                let file = self.file(entry);
                write(&mut file.cache, &entry.change);
                file.pending.insert(place);
            }
            DiskChange::Sync { made_durable, .. } => self.keep(entries, made_durable),
            DiskChange::FailedSync { kept, dropped, .. } => {
                self.keep(entries, kept);
                let file = self.file(entry);
                file.diverged |= !dropped.is_empty();
                file.pending.retain(|place| !dropped.contains(place));
            }
            DiskChange::SyncDirectory { made_durable: kept, .. } | DiskChange::FailedSyncDirectory { kept, .. } => {
                self.keep_names(entries, kept);
            }
            DiskChange::LyingSync { dropped, .. } => {
                let file = self.file(entry);
                file.diverged |= !dropped.is_empty();
                file.pending.retain(|place| !dropped.contains(place));
            }
            DiskChange::Rot { offset, bits, visible, .. } => {
                let file = self.file(entry);
                let layers = [Some(&mut file.durable), visible.then_some(&mut file.cache)];
                for image in layers.into_iter().flatten() {
                    let mut byte = [0];
                    image.read(*offset, &mut byte);
                    image.write(*offset, &[byte[0] ^ bits]);
                }
                file.diverged |= !visible;
            }
            DiskChange::Crash { .. } => {}
            DiskChange::PowerLoss { kept, torn, torn_sectors, .. } => {
                let (names, bytes): (Vec<usize>, Vec<usize>) =
                    kept.iter().partition(|place| is_of_names(&entries[**place].change));
                self.keep_names(entries, &names);
                // In their order, whole ones and torn ones together: they may overlap.
                let mut survived: BTreeMap<usize, Option<&[u32]>> = bytes.iter().map(|place| (*place, None)).collect();
                survived.extend(torn.iter().zip(torn_sectors).map(|(place, sectors)| (*place, Some(&sectors[..]))));
                for (place, sectors) in survived {
                    let file = self.file(&entries[place]);
                    match sectors {
                        None => write(&mut file.durable, &entries[place].change),
                        Some(sectors) => write_sectors(&mut file.durable, &entries[place].change, sectors),
                    }
                }
                self.visible.clone_from(&self.durable);
                self.pending_names.clear();
                for file in self.files.values_mut() {
                    *file = File { durable: file.durable.clone(), cache: file.durable.clone(), ..File::default() };
                }
            }
        }
    }

    fn file(&mut self, entry: &DiskEntry) -> &mut File {
        self.files.get_mut(&number(entry)).expect("a file was made before it was changed")
    }

    fn keep(&mut self, entries: &[DiskEntry], places: &[usize]) {
        for place in places {
            let file = self.file(&entries[*place]);
            write(&mut file.durable, &entries[*place].change);
            file.pending.remove(place);
        }
    }

    fn keep_names(&mut self, entries: &[DiskEntry], places: &[usize]) {
        for place in places {
            rename(&mut self.durable, &entries[*place]);
        }
        for pending in self.pending_names.values_mut() {
            pending.retain(|place| !places.contains(place));
        }
        self.pending_names.retain(|_, pending| !pending.is_empty());
    }
}

fn number(entry: &DiskEntry) -> FileNumber {
    entry.file.expect("it is about a file")
}

fn is_of_names(change: &DiskChange) -> bool {
    matches!(change, DiskChange::Create { .. } | DiskChange::Rename { .. } | DiskChange::Remove { .. })
}

/// Changes names as the entry did.
pub(super) fn rename(names: &mut Names, entry: &DiskEntry) {
    match &entry.change {
        DiskChange::Create { path } => drop(names.insert(Arc::clone(path), number(entry))),
        DiskChange::Remove { path } => drop(names.remove(path)),
        DiskChange::Rename { from, to } => {
            names.remove(from);
            names.insert(Arc::clone(to), number(entry));
        }
        other => unreachable!("{other:?} changes no name"),
    }
}

/// Changes bytes as the change did.
pub(super) fn write(image: &mut Image, change: &DiskChange) {
    match change {
        DiskChange::Write { offset, bytes, .. }
        | DiskChange::FailedWrite { offset, bytes, .. }
        | DiskChange::MisdirectedWrite { offset, bytes, .. } => {
            image.write(*offset, bytes);
        }
        DiskChange::SetLength { length, .. } => image.set_length(*length),
        other => unreachable!("{other:?} changes no byte"),
    }
}

/// Writes some sectors of a write.
pub(super) fn write_sectors(image: &mut Image, change: &DiskChange, chosen: &[u32]) {
    let (DiskChange::Write { offset, bytes, .. }
    | DiskChange::FailedWrite { offset, bytes, .. }
    | DiskChange::MisdirectedWrite { offset, bytes, .. }) = change
    else {
        unreachable!("{change:?} has no sectors");
    };
    for (sector, range) in sectors(*offset, bytes.len()).enumerate() {
        if chosen.contains(&(sector as u32)) {
            image.write(offset + range.start as u64, &bytes[range]);
        }
    }
}

/// The directory of the name that is changed.
fn directory(change: &DiskChange) -> Arc<str> {
    let (DiskChange::Create { path } | DiskChange::Remove { path } | DiskChange::Rename { from: path, .. }) = change
    else {
        unreachable!("{change:?} changes no name");
    };
    path.rfind('/').map_or("".into(), |end| path[..end.max(1)].into())
}
