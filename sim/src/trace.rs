//! The deterministic event log of a run. Its hash identifies the run.
//!
//! An event is folded into a running hash at once; its text is made only where a recording asked
//! for it, because a batch runs thousands of simulations and looks at the text of none. No wall
//! time, address or pointer may enter a trace.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use crate::clock::true_time;

/// Longest name of a kind of event, in bytes.
const KIND_BYTES_MAX: usize = 48;
/// Most numbers of one event.
const NUMBERS_MAX: usize = 8;
/// Content up to this length that reads as text is shown in a recording.
const SHOWN_BYTES_MAX: usize = 96;

/// What becomes of the text of events.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Recording {
    /// Nothing: only the hash and the counts are kept.
    #[default]
    Off,
    /// Lines in memory, which [`Trace::lines`] returns.
    Memory,
    /// Lines in a real file, which is replaced.
    File(PathBuf),
}

/// The event log. Clones are the same log.
#[derive(Clone, Debug)]
pub struct Trace(Arc<Mutex<Log>>);

#[derive(Debug)]
struct Log {
    hash: u64,
    ordinal: u64,
    counts: Counts,
    sink: Sink,
}

#[derive(Debug)]
enum Sink {
    Off,
    Memory(Vec<String>),
    File(BufWriter<File>),
}

/// How many events there were of each kind. Found by the address of the name first: to compare names at each
/// event takes longer than all else about it, and there are a few dozen.
#[derive(Debug, Default)]
struct Counts(Vec<(&'static str, u64)>);

impl Counts {
    fn add(&mut self, kind: &'static str) {
        let Some(place) = self.0.iter().position(|(known, _)| std::ptr::eq(*known, kind)) else {
            return self.0.push((kind, 1));
        };
        self.0[place].1 += 1;
        // What comes often is found soon.
        if place > 0 && self.0[place - 1].1 < self.0[place].1 {
            self.0.swap(place - 1, place);
        }
    }

    /// One name may stand at several addresses.
    fn by_name(&self) -> BTreeMap<&'static str, u64> {
        let mut counts = BTreeMap::new();
        for (kind, count) in &self.0 {
            *counts.entry(*kind).or_default() += count;
        }
        counts
    }
}

impl Default for Trace {
    fn default() -> Self {
        Self::with_sink(Sink::Off)
    }
}

impl Trace {
    /// An empty log.
    ///
    /// # Errors
    /// If the file to record into can't be made.
    pub fn new(recording: &Recording) -> io::Result<Self> {
        Ok(Self::with_sink(match recording {
            Recording::Off => Sink::Off,
            Recording::Memory => Sink::Memory(Vec::new()),
            Recording::File(path) => Sink::File(BufWriter::new(File::create(path)?)),
        }))
    }

    fn with_sink(sink: Sink) -> Self {
        Self(Arc::new(Mutex::new(Log { hash: 0, ordinal: 0, counts: Counts::default(), sink })))
    }

    /// Adds an event: what kind, of which process (0 is the world itself), with some numbers, and
    /// content of which only a digest is kept.
    ///
    /// # Panics
    /// If `kind` has more than 48 bytes, if there are more than 8 numbers, or if the file that
    /// records it can't be written.
    pub fn event(&self, kind: &'static str, process: u32, numbers: &[u64], bytes: &[u8]) {
        assert!(kind.len() <= KIND_BYTES_MAX, "{kind} has more than {KIND_BYTES_MAX} bytes");
        assert!(numbers.len() <= NUMBERS_MAX, "{kind} has more than {NUMBERS_MAX} numbers");
        let time = u64::try_from(true_time().as_nanos()).expect("a run shorter than 584 years");
        let digest = if bytes.is_empty() { 0 } else { xxh3_64(bytes) };
        let mut folded = [0u8; 8 * (4 + NUMBERS_MAX) + KIND_BYTES_MAX];
        let mut end = 0;
        let head = [time, u64::from(process), digest, (numbers.len() as u64) << 8 | kind.len() as u64];
        for number in head.iter().chain(numbers) {
            folded[end..end + 8].copy_from_slice(&number.to_le_bytes());
            end += 8;
        }
        folded[end..end + kind.len()].copy_from_slice(kind.as_bytes());
        end += kind.len();

        let mut log = self.0.lock().unwrap();
        log.hash = xxh3_64_with_seed(&folded[..end], log.hash);
        log.counts.add(kind);
        log.ordinal += 1;
        let (ordinal, hash) = (log.ordinal, log.hash);
        match &mut log.sink {
            Sink::Off => {}
            Sink::Memory(lines) => lines.push(line(time, ordinal, kind, process, numbers, bytes, digest, hash)),
            Sink::File(file) => writeln!(file, "{}", line(time, ordinal, kind, process, numbers, bytes, digest, hash))
                .expect("the trace's file takes writes"),
        }
    }

    /// The hash over all events so far.
    pub fn hash(&self) -> u64 {
        self.0.lock().unwrap().hash
    }

    /// How many events there were of each kind.
    pub fn counts(&self) -> BTreeMap<&'static str, u64> {
        self.0.lock().unwrap().counts.by_name()
    }

    /// Ends a recording: takes the lines kept in memory, or writes out the file's buffer.
    ///
    /// # Errors
    /// If the file can't be written.
    pub fn lines(&self) -> io::Result<Vec<String>> {
        match &mut self.0.lock().unwrap().sink {
            Sink::Off => Ok(Vec::new()),
            Sink::Memory(lines) => Ok(std::mem::take(lines)),
            Sink::File(file) => file.flush().map(|()| Vec::new()),
        }
    }
}

/// The text of an event. Two runs are compared line by line, so each line has all that was folded.
#[allow(clippy::too_many_arguments, reason = "the fields of one event, spread out to build none where none is kept")]
fn line(
    time: u64,
    ordinal: u64,
    kind: &str,
    process: u32,
    numbers: &[u64],
    bytes: &[u8],
    digest: u64,
    hash: u64,
) -> String {
    let mut text = format!("{time:>15} {ordinal:>7} p{process:<3} {kind:<20}");
    for number in numbers {
        write!(text, " {number}").expect("a string takes writes");
    }
    write!(text, " #{digest:016x} ={hash:016x}").expect("a string takes writes");
    if let Ok(shown) = std::str::from_utf8(bytes)
        && (1..=SHOWN_BYTES_MAX).contains(&shown.len())
        && !shown.chars().any(char::is_control)
    {
        write!(text, " {shown:?}").expect("a string takes writes");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash_of(events: &[(&'static str, u32, &[u64], &[u8])]) -> u64 {
        let trace = Trace::default();
        for (kind, process, numbers, bytes) in events {
            trace.event(kind, *process, numbers, bytes);
        }
        trace.hash()
    }

    #[test]
    fn every_part_of_an_event_changes_the_hash() {
        let base = hash_of(&[("write", 1, &[2, 3], b"content")]);
        assert_eq!(base, hash_of(&[("write", 1, &[2, 3], b"content")]));
        for other in [
            hash_of(&[("writes", 1, &[2, 3], b"content")]),
            hash_of(&[("write", 2, &[2, 3], b"content")]),
            hash_of(&[("write", 1, &[2, 4], b"content")]),
            hash_of(&[("write", 1, &[2, 3, 0], b"content")]),
            hash_of(&[("write", 1, &[2, 3], b"contenu")]),
            hash_of(&[]),
        ] {
            assert_ne!(base, other);
        }
    }

    #[test]
    fn the_order_of_events_changes_the_hash() {
        assert_ne!(
            hash_of(&[("a", 0, &[], b""), ("b", 0, &[], b"")]),
            hash_of(&[("b", 0, &[], b""), ("a", 0, &[], b"")])
        );
    }

    #[test]
    fn a_recording_changes_no_hash_and_shows_text() {
        let recorded = Trace::new(&Recording::Memory).unwrap();
        recorded.event("name", 1, &[7], b"/log");
        assert_eq!(recorded.hash(), hash_of(&[("name", 1, &[7], b"/log")]));
        let lines = recorded.lines().unwrap();
        assert_eq!(lines.len(), 1);
        assert!(lines[0].ends_with("\"/log\""), "{}", lines[0]);
    }

    #[test]
    fn events_are_counted_by_kind() {
        let trace = Trace::default();
        trace.event("a", 0, &[], b"");
        trace.event("b", 0, &[], b"");
        trace.event("a", 0, &[], b"");
        assert_eq!(trace.counts(), BTreeMap::from([("a", 2), ("b", 1)]));
    }
}
