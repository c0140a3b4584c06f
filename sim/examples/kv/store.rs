//! The system under test: a small key-value store with a write-ahead log.
//!
//! A put is one record at the end of `/log`, which is synced before the put is acknowledged. A compaction writes
//! all pairs into a snapshot under a temporary name, syncs it, renames it, syncs the directory, and only then empties
//! the log. Two names take turns, so the snapshot before stays until the new one is durable. Opening is recovery:
//! it reads the newest snapshot and the log behind it, and compacts, so that nothing is built on what a crash left.
//!
//! Any error of the disk ends the store; its program opens it anew. It names the simulated disk directly to stay
//! short: a real one has a trait there, as docs/SIMULATE_YOUR_OWN.md shows.

use std::collections::BTreeMap;
use std::io;

use outlive_sim::{OpenMode, ProcessDisk, SimFile};
use xxhash_rust::xxh3::xxh3_64;

const LOG: &str = "/log";
const TEMPORARY: &str = "/snapshot.new";
/// Where snapshots stand: one of generation `g` has the name `g % 2`.
const SNAPSHOTS: [&str; 2] = ["/snapshot.0", "/snapshot.1"];
/// Checksum, sequence number, length of the key, length of the value.
const HEADER_BYTES: usize = 8 + 8 + 4 + 4;

/// A mistake that real stores have made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bug {
    /// None: the store as it should be.
    None,
    /// To start faster, recovery keeps the log and appends at its end, even behind a record that is torn.
    AppendsBehindTornRecord,
    /// A compaction empties the log though the snapshot's name is not durable yet.
    EmptiesLogBeforeDirectorySync,
}

/// What an opening found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recovery {
    /// The generation of the newest whole snapshot; 0 if there is none.
    pub generation: u64,
    /// How many records of the log were read.
    pub records: u64,
    /// Where in the log the last of them ends, in bytes.
    pub stopped_at: u64,
    /// How long the log is, in bytes.
    pub log_bytes: u64,
}

/// An open store.
#[derive(Debug)]
pub struct Store {
    disk: ProcessDisk,
    log: SimFile,
    log_end: u64,
    pairs: BTreeMap<String, Vec<u8>>,
    /// Of the last record, or of the snapshot that took its place.
    sequence: u64,
    generation: u64,
    broken: bool,
    bug: Bug,
}

impl Store {
    /// Opens the store, or makes an empty one.
    ///
    /// # Errors
    /// Those of the disk.
    pub async fn open(disk: ProcessDisk, bug: Bug) -> io::Result<(Self, Recovery)> {
        disk.pace().await;
        let log = disk.open(LOG, OpenMode::Any)?;
        disk.sync_directory("/")?;
        let mut store =
            Self { disk, log, log_end: 0, pairs: BTreeMap::new(), sequence: 0, generation: 0, broken: false, bug };
        for path in SNAPSHOTS {
            store.read_snapshot(path)?;
        }
        let recovery = store.replay()?;
        if bug == Bug::AppendsBehindTornRecord {
            store.log.sync()?;
            store.log_end = recovery.log_bytes;
        } else {
            store.compact().await?;
        }
        Ok((store, recovery))
    }

    /// The generation of the newest snapshot.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// The value of a key.
    ///
    /// # Errors
    /// If the store has met an error of the disk: what is in memory may not be on it.
    pub fn get(&self, key: &str) -> io::Result<Option<&[u8]>> {
        self.check()?;
        Ok(self.pairs.get(key).map(Vec::as_slice))
    }

    /// Gives a key a value. Once this returns, the value is durable. It returns where its record begins in the log.
    ///
    /// # Errors
    /// Those of the disk. Then it is unknown whether the value will be there after the next opening.
    pub async fn put(&mut self, key: &str, value: &[u8]) -> io::Result<u64> {
        let begins_at = self.log_end;
        let record = record(self.sequence + 1, key, value);
        self.check()?;
        self.broken = true;
        self.disk.pace().await;
        self.log.write_at(begins_at, &record)?;
        self.disk.pace().await;
        self.log.sync()?;
        self.log_end += record.len() as u64;
        self.sequence += 1;
        self.pairs.insert(key.into(), value.into());
        self.broken = false;
        Ok(begins_at)
    }

    /// Moves all pairs into a new snapshot and empties the log; the snapshot's generation.
    ///
    /// # Errors
    /// Those of the disk.
    pub async fn compact(&mut self) -> io::Result<u64> {
        self.check()?;
        self.broken = true;
        let generation = self.generation + 1;
        match self.disk.remove(TEMPORARY) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let snapshot = self.disk.open(TEMPORARY, OpenMode::New)?;
        self.disk.pace().await;
        snapshot.write_at(0, &self.snapshot_bytes(generation))?;
        self.disk.pace().await;
        snapshot.sync()?;
        let path = SNAPSHOTS[(generation % 2) as usize];
        match self.disk.remove(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        self.disk.rename_new(TEMPORARY, path)?;
        if self.bug != Bug::EmptiesLogBeforeDirectorySync {
            self.disk.pace().await;
            self.disk.sync_directory("/")?;
        }
        self.disk.pace().await;
        self.log.truncate(0)?;
        self.log.sync()?;
        (self.log_end, self.generation, self.broken) = (0, generation, false);
        Ok(generation)
    }

    /// After one error of the disk nothing is known of what it holds.
    fn check(&self) -> io::Result<()> {
        if self.broken { Err(io::Error::other("the store met an error of the disk before")) } else { Ok(()) }
    }

    /// A first record with the generation for its key and the last sequence number, then one for each pair.
    fn snapshot_bytes(&self, generation: u64) -> Vec<u8> {
        let pairs = self.pairs.iter().flat_map(|(key, value)| record(self.sequence, key, value));
        let count = self.pairs.len() as u64;
        record(self.sequence, &generation.to_string(), &count.to_le_bytes()).into_iter().chain(pairs).collect()
    }

    /// Takes over a snapshot if it is whole and newer than what is known.
    fn read_snapshot(&mut self, path: &str) -> io::Result<()> {
        let bytes = match self.disk.open(path, OpenMode::Existing) {
            Ok(file) => read_all(&file)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        };
        let mut records = Records { bytes: &bytes, at: 0 };
        let Some((sequence, generation, count)) = records.next() else { return Ok(()) };
        let pairs: BTreeMap<String, Vec<u8>> = records.map(|(_, key, value)| (key, value)).collect();
        let generation = generation.parse().unwrap_or(0);
        if generation > self.generation && count == (pairs.len() as u64).to_le_bytes() {
            (self.pairs, self.sequence, self.generation) = (pairs, sequence, generation);
        }
        Ok(())
    }

    /// Reads the log up to the first record that is not whole, or does not follow on the one before.
    fn replay(&mut self) -> io::Result<Recovery> {
        let bytes = read_all(&self.log)?;
        let mut recovery =
            Recovery { generation: self.generation, log_bytes: bytes.len() as u64, ..Recovery::default() };
        let mut records = Records { bytes: &bytes, at: 0 };
        let mut expected = None;
        while let Some((sequence, key, value)) = records.next() {
            if expected.is_some_and(|expected| sequence != expected) {
                break;
            }
            expected = Some(sequence + 1);
            // The snapshot has it already, if a crash came between the snapshot and the emptying of the log.
            if sequence > self.sequence {
                self.sequence = sequence;
                self.pairs.insert(key, value);
            }
            recovery.records += 1;
            recovery.stopped_at = records.at as u64;
        }
        Ok(recovery)
    }
}

fn record(sequence: u64, key: &str, value: &[u8]) -> Vec<u8> {
    let lengths = [key.len() as u32, value.len() as u32].map(u32::to_le_bytes).concat();
    let body = [&sequence.to_le_bytes()[..], &lengths, key.as_bytes(), value].concat();
    [&xxh3_64(&body).to_le_bytes()[..], &body].concat()
}

fn read_all(file: &SimFile) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; file.length()? as usize];
    let count = file.read_at(0, &mut bytes)?;
    bytes.truncate(count);
    Ok(bytes)
}

/// The whole records at the beginning of a file, and where the last one ended.
struct Records<'b> {
    bytes: &'b [u8],
    at: usize,
}

impl Iterator for Records<'_> {
    type Item = (u64, String, Vec<u8>);

    fn next(&mut self) -> Option<Self::Item> {
        let rest = &self.bytes[self.at..];
        let (header, content) = rest.split_at_checked(HEADER_BYTES)?;
        let number = |range: std::ops::Range<usize>| u64::from_le_bytes(header[range].try_into().unwrap());
        let length = |range: std::ops::Range<usize>| u32::from_le_bytes(header[range].try_into().unwrap()) as usize;
        let (key, value) = content.split_at_checked(length(16..20))?;
        let value = value.get(..length(20..24))?;
        let end = HEADER_BYTES + key.len() + value.len();
        if xxh3_64(&rest[8..end]) != number(0..8) {
            return None;
        }
        self.at += end;
        Some((number(8..16), String::from_utf8_lossy(key).into_owned(), value.to_vec()))
    }
}
