//! Whether a log has lost what was acknowledged: where that can be seen.
//!
//! Each frame's checksum goes on from the one before it, and a log is valid up to the first frame that breaks the
//! chain. A crash breaks it too, but only in the last commit: nothing is written behind a commit before its sync
//! has answered. So a frame that goes on from a commit frame, behind the break, proves that the commit was
//! synced once and is not whole any more. If the lost frames were the last ones, nothing proves it.
//!
//! Source of the layout: "WAL-mode File Format", sqlite.org/walformat.html.

use super::wal::{FRAME_HEADER_BYTES, HEADER_BYTES};

const MAGIC_LITTLE_ENDIAN: u32 = 0x377f_0682;
const MAGIC_BIG_ENDIAN: u32 = 0x377f_0683;

/// Frames that were acknowledged and can't be read any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LostTail {
    /// Frames before the break: they are whole.
    pub whole: usize,
    /// Frames of the log's present generation.
    pub frames: usize,
}

/// What a log lost, as far as its bytes prove it.
pub fn lost_tail(log: &[u8]) -> Option<LostTail> {
    let Frames { chain, frames, whole, .. } = Frames::of(log)?;
    let proof = frames[whole..].windows(2).any(|pair| {
        let is_commit = word(pair[0], 4) != 0;
        is_commit && chain.after(stored(pair[0]), pair[1]) == stored(pair[1])
    });
    proof.then_some(LostTail { whole, frames: frames.len() })
}

/// How many pages a file has with the last whole commit of its log; none if there is no commit in it.
pub fn committed_pages(log: &[u8]) -> Option<u32> {
    let Frames { frames, whole, .. } = Frames::of(log)?;
    frames[..whole].iter().rev().map(|frame| word(frame, 4)).find(|pages| *pages != 0)
}

/// The frames of a log's present generation.
struct Frames<'a> {
    chain: Chain,
    frames: Vec<&'a [u8]>,
    /// How many of them are whole, from the first one on.
    whole: usize,
}

impl<'a> Frames<'a> {
    fn of(log: &'a [u8]) -> Option<Self> {
        let (header, body) = log.split_at_checked(HEADER_BYTES)?;
        let big_endian = match word(header, 0) {
            MAGIC_LITTLE_ENDIAN => false,
            MAGIC_BIG_ENDIAN => true,
            _ => return None,
        };
        let page_bytes = word(header, 8) as usize;
        if !page_bytes.is_power_of_two() || !(512..=65_536).contains(&page_bytes) {
            return None;
        }
        let chain = Chain { big_endian };
        let mut sums = chain.go_on((0, 0), &header[..24]);
        let header_sums = (word(header, 24), word(header, 28));
        let is_current = |frame: &&[u8]| frame[8..16] == header[16..24];
        let frames: Vec<&[u8]> = body.chunks_exact(FRAME_HEADER_BYTES + page_bytes).take_while(is_current).collect();
        let mut whole = 0;
        if sums == header_sums {
            for frame in &frames {
                let next = chain.after(sums, frame);
                if next != stored(frame) {
                    break;
                }
                (sums, whole) = (next, whole + 1);
            }
        }
        Some(Self { chain, frames, whole })
    }
}

/// How the checksums of a log go on from each other.
pub struct Chain {
    big_endian: bool,
}

impl Chain {
    /// As a machine of today reckons fastest.
    pub const LITTLE_ENDIAN: Self = Self { big_endian: false };

    /// What a log with these begins with.
    pub fn magic(&self) -> u32 {
        if self.big_endian { MAGIC_BIG_ENDIAN } else { MAGIC_LITTLE_ENDIAN }
    }

    fn after(&self, sums: (u32, u32), frame: &[u8]) -> (u32, u32) {
        self.go_on(self.go_on(sums, &frame[..8]), &frame[FRAME_HEADER_BYTES..])
    }

    /// The checksums behind `bytes`, whose length is a multiple of eight, from those before them.
    pub fn go_on(&self, (mut first, mut second): (u32, u32), bytes: &[u8]) -> (u32, u32) {
        for pair in bytes.chunks_exact(8) {
            first = first.wrapping_add(self.read(pair, 0)).wrapping_add(second);
            second = second.wrapping_add(self.read(pair, 4)).wrapping_add(first);
        }
        (first, second)
    }

    fn read(&self, bytes: &[u8], at: usize) -> u32 {
        let word = word(bytes, at);
        if self.big_endian { word } else { word.swap_bytes() }
    }
}

fn stored(frame: &[u8]) -> (u32, u32) {
    (word(frame, 16), word(frame, 20))
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A log of commits with so many frames each, of pages of 512 bytes.
    fn log(commits: &[usize]) -> Vec<u8> {
        let chain = Chain { big_endian: true };
        let mut log = [0x377f_0683u32, 3_007_000, 512, 0, 11, 12].map(u32::to_be_bytes).concat();
        let mut sums = chain.go_on((0, 0), &log);
        log.extend([sums.0.to_be_bytes(), sums.1.to_be_bytes()].concat());
        for (commit, frames) in commits.iter().enumerate() {
            for frame in 1..=*frames {
                let last = u32::from(frame == *frames);
                let mut bytes = [frame as u32, last * 9, 11, 12, 0, 0].map(u32::to_be_bytes).concat();
                bytes.extend([commit as u8 + 1; 512]);
                sums = chain.after(sums, &bytes);
                bytes[16..24].copy_from_slice(&[sums.0.to_be_bytes(), sums.1.to_be_bytes()].concat());
                log.extend(bytes);
            }
        }
        log
    }

    const FRAME: usize = FRAME_HEADER_BYTES + 512;

    fn rot(mut log: Vec<u8>, at: usize) -> Vec<u8> {
        log[at] ^= 4;
        log
    }

    #[test]
    fn a_whole_log_and_one_whose_last_commit_is_torn_have_lost_nothing() {
        assert_eq!(lost_tail(&log(&[2, 1, 3])), None);
        assert_eq!(lost_tail(&[]), None);
        for frame in 3..6 {
            let torn = rot(log(&[2, 1, 3]), HEADER_BYTES + frame * FRAME + 100);
            assert_eq!(lost_tail(&torn), None, "frame {frame}");
        }
    }

    #[test]
    fn how_many_pages_there_are_the_last_whole_commit_says() {
        // The second commit says another number.
        let mut two = log(&[2]);
        two.extend({
            let chain = Chain { big_endian: true };
            let last = &two[HEADER_BYTES + FRAME..];
            let mut frame = [1u32, 7, 11, 12, 0, 0].map(u32::to_be_bytes).concat();
            frame.extend([5; 512]);
            let sums = chain.after(stored(last), &frame);
            frame[16..24].copy_from_slice(&[sums.0.to_be_bytes(), sums.1.to_be_bytes()].concat());
            frame
        });
        assert_eq!(committed_pages(&two), Some(7));
        let torn = rot(two, HEADER_BYTES + 2 * FRAME + 100);
        assert_eq!(committed_pages(&torn), Some(9), "a commit that is not whole is none");
        assert_eq!(committed_pages(&log(&[])), None);
        assert_eq!(committed_pages(&[]), None);
    }

    #[test]
    fn a_commit_with_a_successor_was_synced_once() {
        for (frame, whole) in [(0, 0), (1, 1), (2, 2)] {
            for within in [0, 20, 100] {
                let rotten = rot(log(&[2, 1, 3]), HEADER_BYTES + frame * FRAME + within);
                let lost = LostTail { whole, frames: 6 };
                // Of a rotten commit frame whose own checksum is gone, nobody can say that it has a successor.
                let found = lost_tail(&rotten);
                assert!(
                    found == Some(lost) || (found.is_none() && frame == 2),
                    "frame {frame}, byte {within}: {found:?}"
                );
            }
        }
        let header = rot(log(&[2, 1, 3]), 26);
        assert_eq!(lost_tail(&header), Some(LostTail { whole: 0, frames: 6 }));
    }

    #[test]
    fn what_an_earlier_generation_left_behind_proves_nothing() {
        // A torn commit of three frames, over which a shorter one was written since.
        let (old, new) = (log(&[2, 3]), log(&[2, 1]));
        let mixed = [&new[..], &old[new.len()..]].concat();
        assert_eq!(lost_tail(&mixed), None);
        // Frames of other salts.
        let mut salted = log(&[1, 1, 1]);
        salted[HEADER_BYTES + FRAME + 8] ^= 1;
        assert_eq!(lost_tail(&salted), None);
    }
}
