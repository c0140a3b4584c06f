//! The three layers of one file: durable, cache, pending.

use std::sync::Arc;

use super::pages::{Image, SECTOR_BYTES};
use super::survivors::{Loss, Survivors};
use crate::seed::Fork;

/// A change that a file has taken and that no sync has made durable yet.
#[derive(Clone, Debug)]
struct Pending {
    change: Change,
    /// Its place in the disk's record, if one is kept.
    place: Option<usize>,
}

#[derive(Clone, Debug)]
enum Change {
    Write { offset: u64, bytes: Arc<[u8]> },
    SetLength(u64),
}

/// What became of pending changes: their places in the disk's record. Empty if none is kept.
#[derive(Clone, Debug, Default)]
pub(super) struct Fate {
    pub(super) kept: Vec<usize>,
    pub(super) lost: Vec<usize>,
    pub(super) torn: Vec<usize>,
    /// For each that is torn: the sectors that survived.
    pub(super) torn_sectors: Vec<Vec<u32>>,
}

/// One file's layers. Reads see the cache; a power loss leaves the durable layer and what survives
/// of the pending changes.
#[derive(Clone, Debug, Default)]
pub(super) struct Contents {
    cache: Image,
    durable: Image,
    pending: Vec<Pending>,
    /// A failed sync left a change clean in the cache but not durable, so the two layers differ by
    /// more than what is pending.
    diverged: bool,
}

impl Contents {
    /// A file whose bytes are durable.
    pub(super) fn durable(image: Image) -> Self {
        Self { cache: image.clone(), durable: image, pending: Vec::new(), diverged: false }
    }

    /// Whether what is read is what is durable.
    pub(super) fn is_clean(&self) -> bool {
        self.pending.is_empty() && !self.diverged
    }

    /// A sync that fails and makes nothing durable: which changes it called clean.
    pub(super) fn drop_pending(&mut self) -> Vec<usize> {
        self.diverged |= !self.pending.is_empty();
        self.pending.drain(..).filter_map(|pending| pending.place).collect()
    }

    /// The places of what waits for a sync.
    pub(super) fn pending_places(&self) -> Vec<usize> {
        self.pending.iter().filter_map(|pending| pending.place).collect()
    }

    /// Flips bits of a durable byte; whether it reads so at once. What is about to be written over stays as it
    /// was written.
    pub(super) fn rot(&mut self, offset: u64, bits: u8, visible: bool) -> bool {
        let byte = |image: &Image| {
            let mut byte = [0];
            (image.read(offset, &mut byte) == 1).then_some(byte[0])
        };
        let durable = byte(&self.durable).expect("it is durable");
        self.durable.write(offset, &[durable ^ bits]);
        let covered = self.pending.iter().any(|pending| match &pending.change {
            Change::Write { offset: from, bytes } => (*from..*from + bytes.len() as u64).contains(&offset),
            Change::SetLength(_) => true,
        });
        let visible = visible && !covered && byte(&self.cache) == Some(durable);
        if visible {
            self.cache.write(offset, &[durable ^ bits]);
        }
        self.diverged |= !visible;
        visible
    }

    pub(super) fn cache_image(&self) -> &Image {
        &self.cache
    }

    pub(super) fn durable_image(&self) -> &Image {
        &self.durable
    }

    /// How many changes wait for a sync.
    pub(super) fn pending_count(&self) -> usize {
        self.pending.len()
    }

    pub(super) fn write(&mut self, offset: u64, bytes: Arc<[u8]>, place: Option<usize>) {
        if !bytes.is_empty() {
            self.cache.write(offset, &bytes);
            self.pending.push(Pending { change: Change::Write { offset, bytes }, place });
        }
    }

    pub(super) fn set_length(&mut self, length: u64, place: Option<usize>) {
        self.cache.set_length(length);
        self.pending.push(Pending { change: Change::SetLength(length), place });
    }

    /// Makes all pending changes durable, and says which they were.
    pub(super) fn sync(&mut self) -> Vec<usize> {
        let places = self.pending.iter().filter_map(|pending| pending.place).collect();
        self.make_durable();
        places
    }

    fn make_durable(&mut self) {
        if self.diverged {
            for pending in self.pending.drain(..) {
                apply(&mut self.durable, &pending.change);
            }
            return;
        }
        // The layers differ by the pending changes only, so the pages these touched become equal
        // by sharing them: no byte is copied.
        let cut = self.pending.iter().filter_map(|pending| match pending.change {
            Change::SetLength(length) => Some(length),
            Change::Write { .. } => None,
        });
        let shortest = cut.min().unwrap_or(u64::MAX);
        if shortest < self.durable.length() || shortest < self.cache.length() {
            // A cut also cleared the tail of its last page, and every page that grew again.
            self.durable = self.cache.clone();
            self.pending.clear();
            return;
        }
        self.durable.set_length(self.cache.length());
        for pending in self.pending.drain(..) {
            if let Change::Write { offset, bytes } = pending.change {
                self.durable.share_pages(&self.cache, offset, bytes.len());
            }
        }
    }

    /// A sync that failed: each pending change becomes durable, or clean in the cache and lost
    /// later. No later sync retries it, because the cache no longer knows it as dirty.
    ///
    /// Source: Rebello et al., "Can applications recover from fsync failures?", 2020.
    pub(super) fn fail_sync(&mut self, survivors: Survivors, fork: Fork) -> Fate {
        let mut fate = Fate::default();
        let kept_first = survivors.kept_first(self.pending.len(), fork);
        for (ordinal, Pending { change, place }) in self.pending.drain(..).enumerate() {
            if survivors.keeps(ordinal, kept_first, fork.key(ordinal as u64)) {
                apply(&mut self.durable, &change);
                fate.kept.extend(place);
            } else {
                self.diverged = true;
                fate.lost.extend(place);
            }
        }
        fate
    }

    /// Loses everything, with the last name. What was pending is added to `fate`.
    pub(super) fn vanish(&mut self, fate: &mut Fate) {
        fate.lost.extend(self.pending.iter().filter_map(|pending| pending.place));
        *self = Self::default();
    }

    /// Loses what is not durable, but for what survives of the pending changes, and adds what
    /// became of them to `fate`.
    pub(super) fn lose_power(&mut self, survivors: Survivors, fork: Fork, loss: &mut Loss, fate: &mut Fate) {
        if self.pending.is_empty() && !self.diverged {
            return;
        }
        let before = std::mem::take(&mut self.cache);
        let pending = std::mem::take(&mut self.pending);
        let kept_first = survivors.kept_first(pending.len(), fork);
        for (ordinal, Pending { change, place }) in pending.iter().enumerate() {
            let fork = fork.key(ordinal as u64);
            if !survivors.keeps(ordinal, kept_first, fork) {
                loss.lost += 1;
                fate.lost.extend(*place);
            } else if let (true, Change::Write { offset, bytes }) = (survivors.tears(fork), change)
                && sectors(*offset, bytes.len()).nth(1).is_some()
            {
                loss.torn += 1;
                let mut survived = Vec::new();
                for (sector, range) in sectors(*offset, bytes.len()).enumerate() {
                    if fork.fork("sector").key(sector as u64).chance(0.5) {
                        self.durable.write(offset + range.start as u64, &bytes[range]);
                        survived.push(sector as u32);
                    }
                }
                if let Some(place) = place {
                    fate.torn.push(*place);
                    fate.torn_sectors.push(survived);
                }
            } else {
                loss.kept += 1;
                fate.kept.extend(*place);
                apply(&mut self.durable, change);
            }
        }
        self.diverged = false;
        self.cache = self.durable.clone();
        loss.bytes_lost += before.differing_bytes(&self.cache);
    }
}

fn apply(image: &mut Image, change: &Change) {
    match change {
        Change::Write { offset, bytes } => image.write(*offset, bytes),
        Change::SetLength(length) => image.set_length(*length),
    }
}

/// What a write that fails half-way takes of its bytes: its first sectors, as many as `fork` says
/// and perhaps none.
pub(super) fn taken_in_part(offset: u64, bytes: &[u8], fork: Fork) -> &[u8] {
    let cuts = sectors(offset, bytes.len()).count() as u64;
    // The last sector is never taken: a write that took everything did not fail.
    let taken = if cuts == 0 { 0 } else { fork.rng().between(0..=cuts - 1) };
    let end = sectors(offset, bytes.len()).take(taken as usize).last().map_or(0, |sector| sector.end);
    &bytes[..end]
}

/// Cuts `count` bytes at `offset` at the sector ends of the file; ranges of the bytes.
pub(crate) fn sectors(offset: u64, count: usize) -> impl Iterator<Item = std::ops::Range<usize>> {
    let mut done = 0;
    std::iter::from_fn(move || {
        (done < count).then(|| {
            let within = (offset + done as u64) % SECTOR_BYTES;
            let start = done;
            done = (done + (SECTOR_BYTES - within) as usize).min(count);
            start..done
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::Seed;
    use proptest::prelude::*;

    #[test]
    fn sectors_are_those_of_the_file_and_not_of_the_write() {
        assert_eq!(sectors(500, 600).collect::<Vec<_>>(), [0..12, 12..524, 524..600]);
        assert_eq!(sectors(512, 512).collect::<Vec<_>>(), [0..512; 1]);
    }

    #[derive(Clone, Debug)]
    enum Step {
        Write(u64, u8, usize),
        SetLength(u64),
        Sync,
        FailSync,
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let write = (0u64..9_000, 1u8.., 1usize..5_000).prop_map(|(at, byte, count)| Step::Write(at, byte, count));
        let length = (0u64..9_000).prop_map(Step::SetLength);
        prop::collection::vec(
            prop_oneof![6 => write, 2 => length, 1 => Just(Step::Sync), 1 => Just(Step::FailSync)],
            0..12,
        )
    }

    proptest! {
        /// The slow way round: the durable layer as a plain vector, to which a sync applies every
        /// pending change, is what sharing pages must come to.
        #[test]
        fn a_sync_makes_durable_what_was_pending_and_nothing_else(steps in steps(), seed in any::<u64>()) {
            let mut contents = Contents::default();
            for (ordinal, step) in steps.iter().enumerate() {
                let mut expected = contents.durable.clone();
                match step {
                    Step::Write(at, byte, count) => contents.write(*at, vec![*byte; *count].into(), None),
                    Step::SetLength(length) => contents.set_length(*length, None),
                    Step::Sync => {
                        contents.pending.iter().for_each(|pending| apply(&mut expected, &pending.change));
                        contents.sync();
                    }
                    Step::FailSync => {
                        contents.fail_sync(Survivors::Subset, Seed(seed).fork("fail").key(ordinal as u64));
                        expected = contents.durable.clone();
                    }
                }
                prop_assert_eq!(contents.durable.to_vec(), expected.to_vec());
                if !contents.diverged && contents.pending.is_empty() {
                    prop_assert_eq!(contents.durable.to_vec(), contents.cache.to_vec());
                }
            }
        }

        /// Every byte after a power loss is the durable one, or that of a pending write over it.
        #[test]
        fn after_a_power_loss_every_byte_is_durable_or_from_a_pending_write(
            steps in steps(), seed in any::<u64>(), policy in 0usize..Survivors::ALL.len(),
        ) {
            let mut contents = Contents::default();
            for step in &steps {
                match step {
                    Step::Write(at, byte, count) => contents.write(*at, vec![*byte; *count].into(), None),
                    Step::SetLength(length) => contents.set_length(*length, None),
                    Step::Sync => drop(contents.sync()),
                    Step::FailSync => drop(contents.fail_sync(Survivors::Subset, Seed(seed).fork("fail"))),
                }
            }
            let (before, durable, pending) = (contents.cache.clone(), contents.durable.to_vec(), contents.pending.clone());
            let survivors = Survivors::ALL[policy];
            let mut loss = Loss::default();
            contents.lose_power(survivors, Seed(seed).fork("crash"), &mut loss, &mut Fate::default());
            let after = contents.cache.to_vec();

            prop_assert_eq!(after.clone(), contents.durable.to_vec());
            prop_assert_eq!(loss.bytes_lost, before.differing_bytes(&contents.cache));
            prop_assert_eq!((loss.kept + loss.lost + loss.torn) as usize, pending.len());
            for (sector_start, sector) in (0u64..).step_by(512).zip(after.chunks(512)) {
                for (within, byte) in sector.iter().enumerate() {
                    let at = sector_start + within as u64;
                    let from_durable = durable.get(at as usize).copied().unwrap_or(0) == *byte;
                    let from_pending = pending.iter().any(|pending| match &pending.change {
                        Change::Write { offset, bytes } =>
                            at >= *offset && bytes.get((at - offset) as usize) == Some(byte),
                        Change::SetLength(_) => *byte == 0,
                    });
                    prop_assert!(from_durable || from_pending, "byte {} at {} came from nowhere", byte, at);
                }
            }
            match survivors {
                Survivors::None => prop_assert_eq!(after, durable),
                Survivors::All => {
                    let mut all = Image::from_bytes(&durable);
                    pending.iter().for_each(|pending| apply(&mut all, &pending.change));
                    prop_assert_eq!(after, all.to_vec());
                }
                Survivors::Prefix => {
                    let mut image = Image::from_bytes(&durable);
                    let mut prefixes = vec![image.to_vec()];
                    for pending in &pending {
                        apply(&mut image, &pending.change);
                        prefixes.push(image.to_vec());
                    }
                    prop_assert!(prefixes.contains(&after));
                }
                Survivors::Subset | Survivors::SubsetTorn => {}
            }
        }
    }

    #[test]
    fn a_failed_sync_is_not_retried_by_the_next() {
        let mut lost_in_some = 0;
        for seed in 0..20 {
            let mut contents = Contents::default();
            contents.write(0, b"before"[..].into(), None);
            contents.fail_sync(Survivors::Subset, Seed(seed).fork("fail"));
            contents.sync();
            assert_eq!(contents.cache.to_vec(), b"before", "it stays visible until power is lost");
            let mut loss = Loss::default();
            contents.lose_power(Survivors::All, Seed(seed).fork("crash"), &mut loss, &mut Fate::default());
            lost_in_some += u32::from(contents.cache.to_vec().is_empty());
            assert_eq!(loss.bytes_lost > 0, contents.cache.to_vec().is_empty());
        }
        assert!((1..20).contains(&lost_in_some), "lost in {lost_in_some} of 20");
    }

    #[test]
    fn torn_writes_keep_some_sectors_whole_and_lose_others() {
        let mut torn = 0;
        let mut mixed = 0;
        for seed in 0..50 {
            let mut contents = Contents::default();
            contents.write(0, [1; 2048][..].into(), None);
            contents.sync();
            contents.write(256, [2; 1500][..].into(), None);
            let mut loss = Loss::default();
            contents.lose_power(Survivors::SubsetTorn, Seed(seed).fork("crash"), &mut loss, &mut Fate::default());
            torn += loss.torn;
            let after = contents.cache.to_vec();
            mixed += u64::from(after[256..1756].contains(&1) && after[256..1756].contains(&2));
            for range in sectors(256, 1500) {
                let part = &after[256 + range.start..256 + range.end];
                assert!(part.iter().all(|byte| *byte == part[0]), "a sector is torn inside");
            }
        }
        assert!(torn > 5 && mixed > torn / 2 && mixed <= torn, "{torn} torn, {mixed} of them mixed");
    }
}
