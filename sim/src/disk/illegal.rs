//! What no disk is allowed to do, and some do: a lying sync, bit rot, a misdirected write.
//!
//! None of it happens unless a fault asks for it. The record tells of all of it, because a program is
//! told of none.

use std::ops::Range;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::contents::Contents;
use super::directory::FileId;
use super::platters::Platters;
use super::record::{Author, DiskChange};
use crate::process::ProcessId;
use crate::seed::Fork;

/// Where something is to rot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RotAt<'a> {
    /// In which file.
    pub path: &'a str,
    /// Among which of its bytes, as far as they are durable; anywhere if none of them is.
    pub within: Option<Range<u64>>,
}

/// A byte that rotted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rot {
    /// In which file.
    pub path: String,
    /// Where.
    pub offset: u64,
    /// Which of its bits flipped; never 0.
    pub bits: u8,
    /// Whether it reads so at once. Otherwise the cache hides it until power is lost.
    pub visible: bool,
}

/// Where a write of `bytes` at `offset` may land instead: at any place that is a multiple of its own length
/// away and lies within the file. So a page lands where a page is, and a frame of a log where a frame is.
fn places(offset: u64, bytes: u64, length: u64) -> u64 {
    let room = length.saturating_sub(offset.checked_rem(bytes).unwrap_or(0));
    room.checked_div(bytes).unwrap_or(0)
}

/// Whether a write of `bytes` at `offset` of a file of this length can land anywhere else.
pub(crate) fn can_be_misdirected(offset: u64, bytes: u64, length: u64) -> bool {
    let places = places(offset, bytes, length);
    places > u64::from(bytes > 0 && offset / bytes < places)
}

/// Where such a write lands, which it must be able to.
fn misdirected(offset: u64, bytes: u64, length: u64, fork: Fork) -> u64 {
    let (places, meant) = (places(offset, bytes, length), offset / bytes);
    let others = if meant < places { places - 1 } else { places };
    let chosen = fork.rng().between(0..=others - 1);
    let place = if chosen < meant { chosen } else { chosen + 1 };
    offset % bytes + if meant < places { place } else { chosen } * bytes
}

impl Contents {
    /// A byte of what is durable, of `within` if there is any: its place.
    fn draw_durable(&self, within: Option<Range<u64>>, fork: Fork) -> Option<u64> {
        let length = self.durable_image().length();
        let within = within.map(|within| within.start..within.end.min(length)).filter(|within| !within.is_empty());
        let Range { start, end } = within.unwrap_or(0..length);
        (start < end).then(|| fork.rng().between(start..=end - 1))
    }
}

impl Platters {
    /// A sync that answers success and makes nothing durable. Some devices write later what they had claimed to
    /// have written, others never do: what waited still waits, or is clean in the cache.
    pub(super) fn lie_about_sync(&mut self, file: FileId, author: Author, fork: Fork) {
        let path = self.path_of(file);
        let contents = &mut self.file_mut(file).contents;
        let (waiting, dropped) = match fork.chance(0.5) {
            true => (contents.pending_places(), Vec::new()),
            false => (Vec::new(), contents.drop_pending()),
        };
        self.record.note(author, Some(file), || DiskChange::LyingSync { path, waiting, dropped });
    }

    /// A write that lands elsewhere in the file, which must have room for it there. The place it was meant for
    /// stays as it is.
    pub(super) fn misdirect(&mut self, file: FileId, author: Author, meant: u64, bytes: &[u8], fork: Fork) {
        let length = self.file(file).contents.cache_image().length();
        let offset = misdirected(meant, bytes.len() as u64, length, fork);
        let (bytes, path) = (Arc::from(bytes), self.path_of(file));
        let change = || DiskChange::MisdirectedWrite { path, meant, offset, bytes: Arc::clone(&bytes) };
        let place = self.record.note(author, Some(file), change);
        self.file_mut(file).contents.write(offset, bytes, place);
    }

    /// Flips bits of one byte that is durable: of this place, or of any file that has one.
    pub(super) fn rot(&mut self, at: Option<RotAt<'_>>, process: ProcessId, fork: Fork) -> Option<Rot> {
        let mut paths = self.visible_paths();
        paths.retain(|name| at.as_ref().is_none_or(|at| at.path == name));
        let files: Vec<FileId> = paths.iter().filter_map(|path| self.find_path(path)).collect();
        let files: Vec<FileId> =
            files.into_iter().filter(|file| self.file(*file).contents.durable_image().length() > 0).collect();
        if files.is_empty() {
            return None;
        }
        let file = *fork.fork("file").rng().pick(&files);
        let path = self.path_of(file);
        let contents = &mut self.file_mut(file).contents;
        let offset = contents.draw_durable(at.and_then(|at| at.within), fork.fork("offset"))?;
        let mut drawn = fork.fork("bits").rng();
        // Mostly it is one bit.
        let bits = if drawn.chance(0.75) { 1 << drawn.between(0..=7) } else { drawn.between(1..=255) as u8 };
        let visible = contents.rot(offset, bits, fork.fork("visible").chance(0.5));
        let shown = path.to_string();
        let author = Author { process, tag: 0 };
        self.record.note(author, Some(file), || DiskChange::Rot { path, offset, bits, visible });
        Some(Rot { path: shown, offset, bits, visible })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::Seed;

    #[test]
    fn a_misdirected_write_lands_on_every_other_place_of_its_kind_and_nowhere_else() {
        // A log: a header of 32 bytes, then five frames of 100.
        let mut landed = std::collections::BTreeSet::new();
        for seed in 0..200 {
            landed.insert(misdirected(232, 100, 532, Seed(seed).fork("place")));
        }
        assert_eq!(landed.into_iter().collect::<Vec<_>>(), [32, 132, 332, 432]);
        // One that would have made the file longer.
        let beyond: std::collections::BTreeSet<u64> =
            (0..50).map(|seed| misdirected(200, 100, 200, Seed(seed).fork("place"))).collect();
        assert_eq!(beyond.into_iter().collect::<Vec<_>>(), [0, 100]);
    }

    #[test]
    fn a_write_that_has_nowhere_else_to_land_is_not_misdirected() {
        for (offset, bytes, length) in [(0, 100, 100), (0, 100, 0), (0, 100, 199), (32, 100, 132), (0, 0, 500)] {
            assert!(!can_be_misdirected(offset, bytes, length), "{bytes} bytes at {offset} of {length}");
        }
        for (offset, bytes, length) in [(0, 100, 200), (100, 100, 100), (32, 100, 232)] {
            assert!(can_be_misdirected(offset, bytes, length), "{bytes} bytes at {offset} of {length}");
        }
    }
}
