//! What a bug remembers within one process.

use outlive::JobId;
use outlive::job::Lease;
use outlive::store::Change;
use outlive_sim::Process;
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// What a bug remembers within one process.
pub struct Memory {
    /// The process that has it.
    pub process: Process,
    opening: AtomicBool,
    compacting: AtomicBool,
    /// The latest lease that was granted on each job.
    pub leases: Mutex<BTreeMap<JobId, Lease>>,
    /// The kinds that each worker asked for at first.
    pub kinds: Mutex<BTreeMap<String, Vec<String>>>,
    /// Changes that are late.
    pub held_back: Mutex<Vec<Change>>,
    count: AtomicU64,
    openings: AtomicU64,
    latest_ns: AtomicU64,
}

impl Memory {
    /// Nothing yet.
    pub fn new(process: &Process) -> Self {
        Self {
            process: process.clone(),
            opening: AtomicBool::new(false),
            compacting: AtomicBool::new(false),
            leases: Mutex::default(),
            kinds: Mutex::default(),
            held_back: Mutex::default(),
            count: AtomicU64::new(0),
            openings: AtomicU64::new(0),
            latest_ns: AtomicU64::new(0),
        }
    }

    /// 1, 2, …
    pub fn next(&self) -> u64 {
        self.count.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// The store is about to be opened, or was.
    pub fn set_opening(&self, opening: bool) {
        self.opening.store(opening, Ordering::Relaxed);
        self.openings.fetch_add(u64::from(opening), Ordering::Relaxed);
    }

    /// A round of a compaction is about to be made, or was.
    pub fn set_compacting(&self, compacting: bool) {
        self.compacting.store(compacting, Ordering::Relaxed);
    }

    /// Whether a round of a compaction is being made.
    pub fn is_compacting(&self) -> bool {
        self.compacting.load(Ordering::Relaxed)
    }

    /// How often this process has opened the store, or tried to.
    pub fn openings(&self) -> u64 {
        self.openings.load(Ordering::Relaxed)
    }

    /// This time, or the latest one that was asked about, if that is later.
    pub fn not_before(&self, time: Duration) -> Duration {
        let time_ns = u64::try_from(time.as_nanos()).expect("a date of our time");
        Duration::from_nanos(self.latest_ns.fetch_max(time_ns, Ordering::Relaxed).max(time_ns))
    }

    /// Whether the store is being opened.
    pub fn is_opening(&self) -> bool {
        self.opening.load(Ordering::Relaxed)
    }
}
