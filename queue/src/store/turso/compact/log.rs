//! A log with one commit, made without the database.

use super::super::tail::Chain;
use super::super::wal::{FRAME_HEADER_BYTES, HEADER_BYTES, OF_COMPACTION};
use std::collections::BTreeMap;

/// The bytes of a log that puts `pages` into a file of `count` pages, each of `page_bytes`. `salts` are anew each time.
pub fn log(pages: &BTreeMap<u32, Vec<u8>>, count: u32, page_bytes: usize, salts: [u32; 2]) -> Vec<u8> {
    let chain = Chain::LITTLE_ENDIAN;
    let mut log = Vec::with_capacity(HEADER_BYTES + pages.len() * (FRAME_HEADER_BYTES + page_bytes));
    let page_bytes = u32::try_from(page_bytes).expect("a page is small");
    push(&mut log, &[chain.magic(), 3_007_000, page_bytes, OF_COMPACTION, salts[0], salts[1]]);
    let mut sums = chain.go_on((0, 0), &log);
    push(&mut log, &[sums.0, sums.1]);
    let last = pages.keys().next_back().copied();
    for (number, page) in pages {
        let begins = log.len();
        // The last frame is the one that commits.
        push(&mut log, &[*number, if Some(*number) == last { count } else { 0 }]);
        sums = chain.go_on(chain.go_on(sums, &log[begins..]), page);
        push(&mut log, &[salts[0], salts[1], sums.0, sums.1]);
        log.extend_from_slice(page);
    }
    log
}

fn push(log: &mut Vec<u8>, words: &[u32]) {
    log.extend(words.iter().flat_map(|word| word.to_be_bytes()));
}
