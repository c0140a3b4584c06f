//! What the header of a database says of its pages.
//!
//! Source of the offsets: "Database File Format", section 1.3, sqlite.org/fileformat.html.

use super::sums::SUM_BYTES;
use crate::host::DiskFile;
use std::io;

const PAGE_BYTES: usize = 16;
const RESERVED: usize = 20;
const PAGES: usize = 28;
const FIRST_FREE: usize = 32;
const FREE_PAGES: usize = 36;
const LARGEST_ROOT: usize = 52;
const HEADER_BYTES: usize = 100;

/// See the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// How many bytes each page has.
    pub page_bytes: usize,
    /// How many of them, at its end, the database leaves to others.
    pub reserved: u8,
    /// How many pages there are, the log left out.
    pub pages: u32,
    /// The first page of the list of those that are free, or 0.
    pub first_free: u32,
    /// How many are free.
    pub free_pages: u32,
    /// Whether some pages say what names the others.
    pub has_pointer_map: bool,
}

impl Layout {
    /// Reads it from the file itself.
    pub fn read(file: &impl DiskFile) -> io::Result<Self> {
        let mut header = [0; HEADER_BYTES];
        if file.read_at(0, &mut header)? < header.len() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let word = |at: usize| u32::from_be_bytes(header[at..at + 4].try_into().expect("four bytes"));
        let page_bytes = match u16::from_be_bytes([header[PAGE_BYTES], header[PAGE_BYTES + 1]]) {
            1 => 65_536,
            bytes => usize::from(bytes),
        };
        Ok(Self {
            page_bytes,
            reserved: header[RESERVED],
            pages: word(PAGES),
            first_free: word(FIRST_FREE),
            free_pages: word(FREE_PAGES),
            has_pointer_map: word(LARGEST_ROOT) != 0,
        })
    }

    /// Writes what a compaction changes into the first page.
    pub fn write_into(&self, first: &mut [u8]) {
        for (at, word) in [(PAGES, self.pages), (FIRST_FREE, self.first_free), (FREE_PAGES, self.free_pages)] {
            first[at..at + 4].copy_from_slice(&word.to_be_bytes());
        }
    }

    /// How many bytes of a page the database uses.
    pub fn usable(&self) -> usize {
        self.page_bytes - usize::from(self.reserved)
    }

    /// Whether each page has a checksum.
    pub fn has_sums(&self) -> bool {
        self.reserved == SUM_BYTES
    }
}
