//! A crash sweep: from one record of a disk, everything that a crash at any point of it may leave.
//!
//! A *point* is a moment between two changes of the record: before the first, before each, and at
//! the end. Operations that change nothing, such as reads, have no point of their own: a crash
//! before one leaves what a crash at the point leaves. At each point an *image* is made for
//!
//! - a power loss, for every choice of survivors in [`choices`], torn writes and undone names;
//! - a process crash, which keeps the cache, and keeps what is pending at risk;
//! - a sync that fails, drops what is pending and kills its process, if a sync comes next.
//!
//! [`Images`] walks over all of them in order and leaves out what it has met before in the same
//! [class](Sweep::with_classes). What an image means is the system's own affair: install it on a
//! disk, recover, and look.
//!
//! Sources of the idea: Pillai et al., "All File Systems Are Not Created Equal" (ALICE), 2014, and
//! Mohan et al., "Finding Crash-Consistency Bugs with Bounded Black-Box Crash Testing", 2018.

mod choices;
mod image;
mod state;
#[cfg(test)]
mod tests;

use std::collections::HashSet;

pub use self::image::{CrashImage, Fate};

use self::image::names_after;
use self::state::State;
use crate::disk::{DiskChange, DiskEntry, DurableFiles, FileNumber, SimDisk, sectors};

/// A write that begins within so many bytes of its file's begin is of its header.
const HEADER_BYTES: u64 = 4096;
/// Up to so many pending changes, every choice of them meets every choice of names.
const CROSSED_WITH_NAMES_MAX: usize = choices::ALL_SUBSETS_MAX;

/// A record, and all crashes in it.
#[derive(Clone, Debug)]
pub struct Sweep {
    base: DurableFiles,
    entries: Vec<DiskEntry>,
    /// By point.
    classes: Vec<u64>,
}

/// One crash.
#[derive(Clone, Debug)]
pub struct Crash {
    /// The place of the change before which it comes; the number of all changes for the end.
    pub point: usize,
    /// Its place among all crashes at its point, from 0.
    pub ordinal: usize,
    /// What becomes of what is pending.
    pub fate: Fate,
    /// What is left.
    pub image: CrashImage,
    /// [`CrashImage::hash`].
    pub hash: u128,
}

impl Sweep {
    /// The sweep over the record of `disk`, as it is now.
    ///
    /// # Panics
    /// If there is no record, or something was pending when it began.
    pub fn of(disk: &SimDisk) -> Self {
        let base = disk.record_base().expect("the record began when nothing was pending");
        let entries = disk.record();
        let classes = vec![0; entries.len() + 1];
        Self { base, entries, classes }
    }

    /// With a class for each point. Two equal images are one only if their points have the same
    /// class: what was promised to anybody by then is part of what an image means.
    ///
    /// # Panics
    /// If there is not one for each point.
    #[must_use]
    pub fn with_classes(self, classes: Vec<u64>) -> Self {
        assert_eq!(classes.len(), self.points(), "one class for each point");
        Self { classes, ..self }
    }

    /// How many points there are.
    pub fn points(&self) -> usize {
        self.entries.len() + 1
    }

    /// The class of a point.
    pub fn class(&self, point: usize) -> u64 {
        self.classes[point]
    }

    /// The places of the changes that no sync had made durable at a point, in order.
    ///
    /// # Panics
    /// If there is no such point.
    pub fn pending(&self, point: usize) -> Vec<usize> {
        let mut cursor = self.cursor();
        cursor.go_to(point);
        let bytes = cursor.state.files.values().flat_map(|file| file.pending.iter());
        let mut places: Vec<usize> = bytes.chain(cursor.state.pending_names.values().flatten()).copied().collect();
        places.sort_unstable();
        places
    }

    /// The record.
    pub fn entries(&self) -> &[DiskEntry] {
        &self.entries
    }

    /// All crashes, in order.
    pub fn images(&self) -> Images<'_> {
        Images { cursor: self.cursor(), fates: None, met: HashSet::new(), enumerated: 0 }
    }

    /// A look at the first point.
    pub fn cursor(&self) -> Cursor<'_> {
        Cursor { sweep: self, state: State::new(&self.base), point: 0 }
    }

    /// All crashes at one point, the same ones more than once.
    ///
    /// # Panics
    /// If there is no such point.
    pub fn at(&self, point: usize) -> Vec<Crash> {
        let mut cursor = self.cursor();
        cursor.go_to(point);
        cursor.crashes()
    }
}

/// A look at one point of a sweep. Going on is cheap, going back begins anew.
#[derive(Debug)]
pub struct Cursor<'a> {
    sweep: &'a Sweep,
    state: State,
    point: usize,
}

impl Cursor<'_> {
    /// Looks at another point.
    ///
    /// # Panics
    /// If there is no such point.
    pub fn go_to(&mut self, point: usize) {
        assert!(point < self.sweep.points(), "there are {} points, and none is {point}", self.sweep.points());
        if point < self.point {
            *self = self.sweep.cursor();
        }
        for place in self.point..point {
            self.state.apply(&self.sweep.entries, place);
        }
        self.point = point;
    }

    /// All crashes here, the same ones more than once.
    pub fn crashes(&self) -> Vec<Crash> {
        let fates = self.fates().into_iter().enumerate();
        fates.map(|(ordinal, fate)| self.crash_with(ordinal, fate)).collect()
    }

    /// The crash with this ordinal among those here, if there is one.
    pub fn crash(&self, ordinal: usize) -> Option<Crash> {
        self.fates().into_iter().nth(ordinal).map(|fate| self.crash_with(ordinal, fate))
    }

    fn fates(&self) -> Vec<Fate> {
        fates(&self.state, &self.sweep.entries, self.point)
    }

    fn crash_with(&self, ordinal: usize, fate: Fate) -> Crash {
        let image = CrashImage::make(&self.state, &self.sweep.entries, &fate);
        Crash { point: self.point, ordinal, hash: image.hash(), fate, image }
    }
}

/// Walks over all crashes in order, and leaves out equal ones. It keeps one state of the disk and
/// the hashes that it met; images share pages with the record.
#[derive(Debug)]
pub struct Images<'a> {
    cursor: Cursor<'a>,
    fates: Option<std::iter::Enumerate<std::vec::IntoIter<Fate>>>,
    met: HashSet<(u64, u128)>,
    enumerated: u64,
}

impl Images<'_> {
    /// How many were made so far, equal ones included.
    pub fn enumerated(&self) -> u64 {
        self.enumerated
    }
}

impl Iterator for Images<'_> {
    type Item = Crash;

    fn next(&mut self) -> Option<Crash> {
        loop {
            let (cursor, sweep) = (&self.cursor, self.cursor.sweep);
            let fates = self.fates.get_or_insert_with(|| cursor.fates().into_iter().enumerate());
            for (ordinal, fate) in fates.by_ref() {
                self.enumerated += 1;
                let crash = cursor.crash_with(ordinal, fate);
                if self.met.insert((sweep.classes[crash.point], crash.hash)) {
                    return Some(crash);
                }
            }
            let next = self.cursor.point + 1;
            if next == sweep.points() {
                return None;
            }
            self.cursor.go_to(next);
            self.fates = None;
        }
    }
}

/// Every fate of a disk in this state.
fn fates(state: &State, entries: &[DiskEntry], point: usize) -> Vec<Fate> {
    let directories: Vec<&Vec<usize>> = state.pending_names.values().collect();
    let lengths: Vec<usize> = directories.iter().map(|pending| pending.len()).collect();
    let mut fates = Vec::new();
    for kept in choices::prefixes(&lengths) {
        let mut names: Vec<usize> =
            directories.iter().zip(&kept).flat_map(|(pending, kept)| &pending[..*kept]).copied().collect();
        names.sort_unstable();
        let is_whole = kept == lengths;
        power_losses(state, entries, &names, is_whole, &mut fates);
    }
    fates.push(Fate::ProcessCrash);
    if let Some(DiskChange::Sync { made_durable, .. }) = entries.get(point).map(|entry| &entry.change)
        && let Some(of) = made_durable.last()
    {
        fates.push(Fate::FailedSync { of: *of });
    }
    fates
}

/// The power losses after which these changes of names are left.
fn power_losses(state: &State, entries: &[DiskEntry], names: &[usize], is_whole: bool, fates: &mut Vec<Fate>) {
    let left: Vec<FileNumber> = names_after(state, entries, names).into_values().collect();
    let files = || left.iter().map(|number| &state.files[number]);
    let mut pending: Vec<usize> = files().flat_map(|file| file.pending.iter().copied()).collect();
    pending.sort_unstable();
    let mut push = |kept: Vec<usize>, torn| {
        fates.push(Fate::PowerLoss { kept, torn, names: names.to_vec() });
    };
    if !is_whole && pending.len() > CROSSED_WITH_NAMES_MAX {
        (0..=pending.len()).for_each(|kept| push(pending[..kept].to_vec(), None));
        return;
    }
    for choice in choices::survivors(pending.len()) {
        push(choice.into_iter().map(|ordinal| pending[ordinal]).collect(), None);
    }
    let last: Vec<usize> = files().filter_map(|file| file.pending.last().copied()).collect();
    for place in &pending {
        let (DiskChange::Write { offset, bytes, .. } | DiskChange::FailedWrite { offset, bytes, .. }) =
            &entries[*place].change
        else {
            continue;
        };
        if *offset >= HEADER_BYTES && !last.contains(place) {
            continue;
        }
        for left in choices::tears(sectors(*offset, bytes.len()).count()) {
            let others: Vec<usize> = pending.iter().copied().filter(|other| other != place).collect();
            push(others, Some((*place, left.clone())));
            if pending.len() > 1 {
                push(Vec::new(), Some((*place, left)));
            }
        }
    }
}
