//! Whether a file is a queue of ours, told from its first bytes, before anything is changed.
//!
//! Source of the offsets: "Database File Format", sqlite.org/fileformat.html, section 1.3.

use super::schema::{APPLICATION_ID, FORMAT_WITH_SUMS, has_sums};
use super::sums::{SUM_BYTES, Sums};
use super::tail::committed_pages;
use super::wal::Log;
use crate::host::DiskFile;
use crate::store::OpenError;
use std::path::Path;

const HEADER_BYTES: usize = 100;
const MAGIC: &[u8; 16] = b"SQLite format 3\0";

/// What the header of a queue's file says.
#[derive(Clone, Copy)]
pub struct Header {
    /// The format of the file itself: its log may have a later one.
    pub format: i64,
    /// Whether its pages have checksums.
    pub sums: Sums,
}

/// Checks the header of a queue's file. `log` is asked for only if pages are missing in it.
///
/// # Errors
/// What the file is instead.
pub fn check(
    path: &Path,
    file: &impl DiskFile,
    log: impl FnOnce() -> Result<Log, OpenError>,
) -> Result<Header, OpenError> {
    let io = |error| super::lock::io_error(path, "read the header", error);
    let path_text = path.display().to_string();
    let foreign = |found: String| Err(OpenError::Foreign { path: path_text.clone(), found });
    let length = file.length().map_err(io)?;
    let mut header = [0; HEADER_BYTES];
    let read = file.read_at(0, &mut header).map_err(io)?;
    if length == 0 {
        return foreign("it is empty (Outlive makes a new file only where there is none)".into());
    }
    if read < MAGIC.len() || header[..MAGIC.len()] != *MAGIC {
        return foreign(format!("it does not begin like an SQLite database but with {:?}", printable(&header[..read])));
    }
    let damaged = |found: String| Err(OpenError::Damaged { path: path_text.clone(), found });
    if read < HEADER_BYTES {
        return damaged(format!("it ends within its header, after {read} bytes"));
    }
    let application_id = i64::from(u32::from_be_bytes(field(&header, 68)));
    if application_id != APPLICATION_ID {
        return foreign(format!("it is an SQLite database of another program (application id {application_id:#010x})"));
    }
    let format = i64::from(u32::from_be_bytes(field(&header, 60)));
    if format > FORMAT_WITH_SUMS {
        return Err(OpenError::Newer { path: path_text, found: format, known: FORMAT_WITH_SUMS });
    }
    let sums = match (format, header[20]) {
        (1.., SUM_BYTES) if has_sums(format) => Sums::InEachPage,
        (1.., 0) if !has_sums(format) => Sums::Absent,
        (_, reserved) => {
            return damaged(format!(
                "its header says format {format} and {reserved} reserved bytes a page, which do not go together"
            ));
        }
    };
    let header_says = Header { format, sums };
    let page_bytes = match u16::from_be_bytes([header[16], header[17]]) {
        1 => 65_536,
        bytes => u64::from(bytes),
    };
    let pages = u64::from(u32::from_be_bytes(field(&header, 28)));
    // A checkpoint may have been cut short after the first page was written; then the log has the rest.
    let mut behind = length / page_bytes + 1..=pages;
    if behind.is_empty() {
        return Ok(header_says);
    }
    let log = log()?;
    // After a compaction it may have been cut by then, and not the first page, whose write was lost: how many there are, the
    // log says. No other log says that there are fewer.
    if let Some(pages) = committed_pages(log.bytes()).filter(|_| log.is_of_compaction()) {
        behind = length / page_bytes + 1..=u64::from(pages);
    }
    let logged = log.pages();
    let missing = behind.find(|page| !logged.contains(page));
    match missing {
        Some(page) => damaged(format!(
            "it is truncated: {length} bytes, but its header counts {pages} pages of {page_bytes} bytes, \
             and page {page} is not in the write-ahead log either"
        )),
        None => Ok(header_says),
    }
}

fn field(header: &[u8; HEADER_BYTES], offset: usize) -> [u8; 4] {
    header[offset..offset + 4].try_into().expect("four bytes")
}

fn printable(bytes: &[u8]) -> String {
    bytes
        .iter()
        .take(16)
        .map(|&byte| if byte.is_ascii_graphic() || byte == b' ' { byte as char } else { '.' })
        .collect()
}
