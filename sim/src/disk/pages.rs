//! The bytes of a file, in shared pages.
//!
//! A clone shares every page, and a write copies the page it touches if that is shared: crashes,
//! snapshots and syncs cost pointers and never a file's bytes.

use std::sync::Arc;

use xxhash_rust::xxh3::Xxh3;

/// Bytes of a page.
pub(crate) const PAGE_BYTES: usize = 4096;
/// Bytes that a device writes whole or not at all.
pub(crate) const SECTOR_BYTES: u64 = 512;

type Page = [u8; PAGE_BYTES];
static ZEROS: Page = [0; PAGE_BYTES];

/// A file's bytes. Pages never written are holes, which read as zeros.
///
/// Every byte of a page beyond `length` is zero, so that growth shows zeros.
#[derive(Clone, Debug, Default)]
pub(crate) struct Image {
    pages: Vec<Option<Arc<Page>>>,
    length: u64,
}

impl Image {
    pub(crate) fn from_bytes(bytes: &[u8]) -> Self {
        let mut image = Self::default();
        image.write(0, bytes);
        image
    }

    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    /// Reads until `buffer` is full or the file ends; the count of bytes.
    pub(crate) fn read(&self, offset: u64, buffer: &mut [u8]) -> usize {
        let count = self.length.saturating_sub(offset).min(buffer.len() as u64) as usize;
        for (index, within, range) in spans(offset, count) {
            let bytes = &self.page(index)[within..within + range.len()];
            buffer[range].copy_from_slice(bytes);
        }
        count
    }

    pub(crate) fn to_vec(&self) -> Vec<u8> {
        let mut bytes = vec![0; self.length as usize];
        let read = self.read(0, &mut bytes);
        assert_eq!(read, bytes.len());
        bytes
    }

    pub(crate) fn write(&mut self, offset: u64, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        let end = offset + bytes.len() as u64;
        if self.length < end {
            self.set_length(end);
        }
        for (index, within, range) in spans(offset, bytes.len()) {
            let page = &mut self.pages[index];
            match (page.as_mut().and_then(Arc::get_mut), <&Page>::try_from(&bytes[range.clone()])) {
                // What a whole page replaces is not copied first.
                (None, Ok(whole)) => *page = Some(Arc::new(*whole)),
                _ => {
                    let page = Arc::make_mut(page.get_or_insert_with(|| Arc::new(ZEROS)));
                    page[within..within + range.len()].copy_from_slice(&bytes[range]);
                }
            }
        }
    }

    /// Cuts the file, or grows it with zeros.
    pub(crate) fn set_length(&mut self, length: u64) {
        self.pages.resize(length.div_ceil(PAGE_BYTES as u64) as usize, None);
        let tail = (length % PAGE_BYTES as u64) as usize;
        if length < self.length
            && tail != 0
            && let Some(Some(page)) = self.pages.last_mut()
        {
            Arc::make_mut(page)[tail..].fill(0);
        }
        self.length = length;
    }

    /// Takes over the pages of `source` that hold `range`, whole, without copying their bytes. The
    /// lengths must be equal already.
    pub(crate) fn share_pages(&mut self, source: &Image, offset: u64, count: usize) {
        assert_eq!(self.length, source.length, "pages are shared between files of one length only");
        if count == 0 {
            return;
        }
        let page = PAGE_BYTES as u64;
        let last = (offset + count as u64).div_ceil(page).min(self.pages.len() as u64);
        // A file that shrank after this write no longer has its pages.
        for index in offset / page..last {
            self.pages[index as usize].clone_from(&source.pages[index as usize]);
        }
    }

    /// How many bytes read differently in `other`, counting those that only one of them has.
    pub(crate) fn differing_bytes(&self, other: &Image) -> u64 {
        let shared = self.length.min(other.length);
        let mut differing = self.length.max(other.length) - shared;
        let pages = shared.div_ceil(PAGE_BYTES as u64) as usize;
        for index in 0..pages {
            let same = match (&self.pages[index], &other.pages[index]) {
                (Some(one), Some(two)) => Arc::ptr_eq(one, two),
                (None, None) => true,
                _ => false,
            };
            if !same {
                let count = (shared - (index * PAGE_BYTES) as u64).min(PAGE_BYTES as u64) as usize;
                let pairs = self.page(index)[..count].iter().zip(&other.page(index)[..count]);
                differing += pairs.filter(|(one, two)| one != two).count() as u64;
            }
        }
        differing
    }

    /// Adds its length and bytes to a hash.
    pub(crate) fn hash_into(&self, hash: &mut Xxh3) {
        hash.update(&self.length.to_le_bytes());
        for index in 0..self.pages.len() {
            hash.update(self.page(index));
        }
    }

    fn page(&self, index: usize) -> &Page {
        self.pages[index].as_deref().unwrap_or(&ZEROS)
    }
}

/// Cuts `count` bytes at `offset` at page ends: page, offset in the page, range of the bytes.
fn spans(offset: u64, count: usize) -> impl Iterator<Item = (usize, usize, std::ops::Range<usize>)> {
    let mut done = 0;
    std::iter::from_fn(move || {
        (done < count).then(|| {
            let at = offset + done as u64;
            let within = (at % PAGE_BYTES as u64) as usize;
            let taken = (PAGE_BYTES - within).min(count - done);
            let span = ((at / PAGE_BYTES as u64) as usize, within, done..done + taken);
            done += taken;
            span
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[derive(Clone, Debug)]
    enum Change {
        Write(u64, Vec<u8>),
        SetLength(u64),
    }

    fn changes() -> impl Strategy<Value = Vec<Change>> {
        let write =
            (0u64..20_000, prop::collection::vec(any::<u8>(), 0..9_000)).prop_map(|(at, b)| Change::Write(at, b));
        let length = (0u64..20_000).prop_map(Change::SetLength);
        prop::collection::vec(prop_oneof![write, length], 0..8)
    }

    fn apply(image: &mut Image, model: &mut Vec<u8>, change: &Change) {
        match change {
            Change::Write(at, bytes) => {
                image.write(*at, bytes);
                let end = *at as usize + bytes.len();
                if !bytes.is_empty() && model.len() < end {
                    model.resize(end, 0);
                }
                model.splice(if bytes.is_empty() { 0..0 } else { *at as usize..end }, bytes.iter().copied());
            }
            Change::SetLength(length) => {
                image.set_length(*length);
                model.resize(*length as usize, 0);
            }
        }
    }

    proptest! {
        #[test]
        fn an_image_reads_like_a_plain_vector_and_a_clone_keeps_the_past(first in changes(), second in changes()) {
            let (mut image, mut model) = (Image::default(), Vec::new());
            for change in &first {
                apply(&mut image, &mut model, change);
            }
            let (kept, kept_model) = (image.clone(), model.clone());
            for change in &second {
                apply(&mut image, &mut model, change);
            }
            prop_assert_eq!(image.to_vec(), model.clone());
            prop_assert_eq!(kept.to_vec(), kept_model.clone());
            let shared = model.len().min(kept_model.len());
            let differing = (0..shared).filter(|at| model[*at] != kept_model[*at]).count();
            let only_one = model.len().max(kept_model.len()) - shared;
            prop_assert_eq!(image.differing_bytes(&kept), (differing + only_one) as u64);
        }
    }

    #[test]
    fn a_read_ends_where_the_file_ends() {
        let image = Image::from_bytes(b"abc");
        let mut buffer = [9; 4];
        assert_eq!(image.read(1, &mut buffer), 2);
        assert_eq!(buffer, [b'b', b'c', 9, 9]);
        assert_eq!(image.read(3, &mut buffer), 0);
        assert_eq!(image.read(1 << 40, &mut buffer), 0);
    }
}
