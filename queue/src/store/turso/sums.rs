//! A checksum in each page, where the file was made with them: what comes back from the disk is what was
//! written, at the place that it was written to.
//!
//! It stands in the bytes at the end of a page that the format reserves for whoever extends it, so stock SQLite
//! opens such a file as any other. It is in the page before a frame of the log is made of it, so whoever moves
//! the log into the file moves it along. A page of another program has zeros there, and counts as not checked.
//!
//! A page that is whole, but not the one that this opening has written last, is refused too: the file has kept an older
//! one, because the write that was to replace it went elsewhere.
//!
//! Source of the idea: "The Checksum VFS Shim", sqlite.org/cksumvfs.html. That one leaves out the number of the
//! page, and so does not see a write that landed elsewhere.

use crate::limits;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use turso_core::{LimboError, PageCodec, PageCodecContext, PageCodecId, PageLocation};
use xxhash_rust::xxh3::Xxh3;

/// Bytes at the end of each page. Not 8: those the database takes for a checksum of its own.
pub const SUM_BYTES: u8 = 16;

/// Whether a file has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sums {
    /// Each page has its checksum.
    InEachPage,
    /// None has.
    Absent,
}

impl Sums {
    /// What the database is to do with a page on its way.
    ///
    /// `logged` are the pages that the log has: in the file they may be torn, because a checkpoint was cut short.
    pub fn codec(self, logged: impl IntoIterator<Item = u64>) -> Option<Arc<PageSums>> {
        let logged = || logged.into_iter().filter_map(|page| u32::try_from(page).ok()).collect();
        match self {
            Self::InEachPage => {
                Some(Arc::new(PageSums(Mutex::new(Known { logged: logged(), written: BTreeMap::new() }))))
            }
            Self::Absent => None,
        }
    }
}

type Sum = [u8; SUM_BYTES as usize];

/// The checksums of one opening.
pub struct PageSums(Mutex<Known>);

struct Known {
    /// Pages that the log has, until something is written: the database reads the first page from the file while it
    /// opens it, before it looks into the log.
    logged: BTreeSet<u32>,
    /// Of each page that was written, as it was written last.
    written: BTreeMap<u32, Sum>,
}

impl PageSums {
    /// What was written last may not have been committed.
    pub fn forget(&self) {
        self.known().written.clear();
    }

    fn remember(&self, page_no: u32, sum: Sum) {
        let mut known = self.known();
        known.logged.clear();
        if known.written.len() < limits::SUMS_REMEMBERED_MAX || known.written.contains_key(&page_no) {
            known.written.insert(page_no, sum);
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a page is as it was written last.
    fn is_right(&self, context: PageCodecContext, page: &[u8], tail: &[u8]) -> bool {
        let known = self.known();
        if context.location == PageLocation::Database && known.logged.contains(&context.page_no) {
            return true;
        }
        let sum = sum(context.page_no, page);
        (tail == sum || is_unchecked(tail)) && known.written.get(&context.page_no).is_none_or(|written| *written == sum)
    }
}

impl PageCodec for PageSums {
    fn codec_id(&self) -> PageCodecId {
        PageCodecId::new(*b"outlive page sum")
    }

    fn required_reserved_bytes(&self) -> u8 {
        SUM_BYTES
    }

    fn encode_page(&self, context: PageCodecContext, input: &[u8], output: &mut [u8]) -> Result<(), LimboError> {
        output.copy_from_slice(input);
        let (page, tail) = output.split_at_mut(input.len() - usize::from(SUM_BYTES));
        let sum = sum(context.page_no, page);
        tail.copy_from_slice(&sum);
        self.remember(context.page_no, sum);
        Ok(())
    }

    fn decode_page(&self, context: PageCodecContext, input: &[u8], output: &mut [u8]) -> Result<(), LimboError> {
        let (page, tail) = input.split_at(input.len() - usize::from(SUM_BYTES));
        if !self.is_right(context, page, tail) {
            return Err(LimboError::Corrupt(format!("page {} is not as it was written", context.page_no)));
        }
        output.copy_from_slice(input);
        Ok(())
    }
}

/// A page of another program.
fn is_unchecked(tail: &[u8]) -> bool {
    tail.iter().all(|byte| *byte == 0)
}

/// Whether a page, with its checksum at its end, is what was once written at its place.
pub fn is_whole(page_no: u32, page: &[u8]) -> bool {
    let (page, tail) = page.split_at(page.len() - usize::from(SUM_BYTES));
    tail == sum(page_no, page) || is_unchecked(tail)
}

/// Writes the checksum of a page to its end.
pub fn seal(page_no: u32, page: &mut [u8]) {
    let (page, tail) = page.split_at_mut(page.len() - usize::from(SUM_BYTES));
    tail.copy_from_slice(&sum(page_no, page));
}

fn sum(page_no: u32, page: &[u8]) -> Sum {
    let mut hash = Xxh3::new();
    hash.update(&page_no.to_le_bytes());
    hash.update(page);
    hash.digest128().to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sums() -> Arc<PageSums> {
        Sums::InEachPage.codec([]).unwrap()
    }

    fn at(page: u32) -> PageCodecContext {
        PageCodecContext::new(page, PageLocation::Database)
    }

    fn reads(page: u32, bytes: &[u8]) -> bool {
        sums().decode_page(at(page), bytes, &mut vec![0; bytes.len()]).is_ok()
    }

    #[test]
    fn a_page_reads_at_its_own_place_and_with_every_bit_as_it_was() {
        let page: Vec<u8> = (0..512u16).map(|at| (at % 251) as u8).collect();
        let mut written = vec![0; 512];
        sums().encode_page(at(7), &page, &mut written).unwrap();
        assert_eq!(written[..496], page[..496]);
        assert!(reads(7, &written));
        assert!(!reads(8, &written), "it was meant for page 7");
        for byte in 0..512 {
            written[byte] ^= 0x10;
            assert!(!reads(7, &written), "byte {byte} rotted");
            written[byte] ^= 0x10;
        }
    }

    #[test]
    fn a_page_that_was_written_over_does_not_come_back() {
        let sums = sums();
        let [mut older, mut newer] = [[0; 512], [0; 512]];
        sums.encode_page(at(7), &[1; 512], &mut older).unwrap();
        sums.encode_page(at(7), &[2; 512], &mut newer).unwrap();
        assert!(sums.decode_page(at(7), &newer, &mut [0; 512]).is_ok());
        assert!(sums.decode_page(at(7), &older, &mut [0; 512]).is_err());
        sums.forget();
        assert!(sums.decode_page(at(7), &older, &mut [0; 512]).is_ok(), "the newer one was never committed");
    }

    #[test]
    fn a_page_that_the_log_has_may_be_torn_in_the_file_until_something_is_written() {
        let sums = Sums::InEachPage.codec([7]).unwrap();
        let torn = [[1; 256], [2; 256]].concat();
        let reads =
            |page, location| sums.decode_page(PageCodecContext::new(page, location), &torn, &mut [0; 512]).is_ok();
        assert!(reads(7, PageLocation::Database) && !reads(7, PageLocation::Wal) && !reads(8, PageLocation::Database));
        sums.encode_page(at(9), &torn, &mut [0; 512]).unwrap();
        assert!(!reads(7, PageLocation::Database));
    }

    #[test]
    fn a_page_of_another_program_is_not_checked() {
        assert!(reads(1, &[&[5; 496][..], &[0; 16]].concat()));
    }
}
