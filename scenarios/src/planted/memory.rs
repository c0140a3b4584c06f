//! What a bug remembers within one process.

use outlive::JobId;
use outlive::job::Lease;
use outlive::store::Change;
use outlive_sim::Process;
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// What a bug remembers within one process.
pub struct Memory {
    /// The process that has it.
    pub process: Process,
    /// Whether the store is being opened.
    pub opening: AtomicBool,
    /// The latest lease that was granted on each job.
    pub leases: Mutex<BTreeMap<JobId, Lease>>,
    /// Changes that are late.
    pub held_back: Mutex<Vec<Change>>,
    count: AtomicU64,
}

impl Memory {
    /// Nothing yet.
    pub fn new(process: &Process) -> Self {
        Self {
            process: process.clone(),
            opening: AtomicBool::new(false),
            leases: Mutex::default(),
            held_back: Mutex::default(),
            count: AtomicU64::new(0),
        }
    }

    /// 1, 2, …
    pub fn next(&self) -> u64 {
        self.count.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Whether the store is being opened.
    pub fn is_opening(&self) -> bool {
        self.opening.load(Ordering::Relaxed)
    }
}
