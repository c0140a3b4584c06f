//! Faults as a policy that is asked before every operation.

use std::io;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::survivors::Survivors;
use crate::process::ProcessId;
use crate::world::MachineId;

/// A kind of disk operation: those that are counted, traced, and can fail or be crashed at.
/// Questions (length, identity, free bytes, a lock) are none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum OperationKind {
    /// Opening a file, and making it where asked to.
    Open,
    /// Reading from a file.
    Read,
    /// Writing to a file.
    Write,
    /// Making a file's changes durable.
    Sync,
    /// Cutting a file, or growing it with zeros.
    Truncate,
    /// Renaming a file to a name that is free.
    Rename,
    /// Removing a file.
    Remove,
    /// Making the changes of names in a directory durable.
    SyncDirectory,
}

impl OperationKind {
    pub(super) const COUNT: usize = 8;

    /// The name of its events in a trace.
    pub(super) fn event(self) -> &'static str {
        match self {
            OperationKind::Open => "disk.open",
            OperationKind::Read => "disk.read",
            OperationKind::Write => "disk.write",
            OperationKind::Sync => "disk.sync",
            OperationKind::Truncate => "disk.truncate",
            OperationKind::Rename => "disk.rename",
            OperationKind::Remove => "disk.remove",
            OperationKind::SyncDirectory => "disk.sync_directory",
        }
    }
}

/// An operation that is about to be performed.
#[derive(Clone, Copy, Debug)]
pub struct OperationInfo<'a> {
    /// The machine whose disk it is.
    pub machine: MachineId,
    /// Who performs it.
    pub process: ProcessId,
    /// What it is.
    pub kind: OperationKind,
    /// The file's name now, or the directory's.
    pub path: &'a str,
    /// Its number among this process's operations, from 1.
    pub of_process: u64,
    /// Its number among the machine's operations, from 1.
    pub of_machine: u64,
    /// Its number among the machine's operations of this kind on this path, from 1.
    pub nth: u64,
    /// Where it reads or writes; the length that a truncation asks for.
    pub offset: u64,
    /// How many bytes it reads or writes.
    pub bytes: u64,
    /// How many changes of the file, or of the directory, wait for a sync.
    pub pending: u64,
    /// How long the file is, in bytes; 0 for what is about no open file.
    pub length: u64,
}

/// What becomes of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is performed.
    Pass,
    /// It fails with this error. A write may have taken its first sectors, unless the disk is full;
    /// of a sync's changes some are durable, and the others are never retried; all else has no effect.
    Fail(io::ErrorKind),
    /// A sync fails, and of its changes these are durable, none of them in part; of a directory's a prefix is, whatever
    /// this says. Any other operation fails as well.
    FailSync(Survivors),
    /// Its process dies at this very operation, which has no effect.
    CrashBefore,
    /// A sync of a file answers success and makes nothing durable; any other operation is performed. No disk is
    /// allowed to do that.
    Lie,
    /// A write lands elsewhere in the file, if it can; any other operation is performed. No disk is allowed to do that.
    Misdirect,
}

/// A policy of faults. It is called without any lock held, so it may crash, pause or inspect
/// whatever it likes, the operating process included.
pub trait DiskFaults: Send + Sync + 'static {
    /// Decides on one operation.
    fn on_operation(&self, operation: &OperationInfo<'_>) -> Verdict;
}

/// How long operations take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Speed {
    /// No time at all.
    #[default]
    Instant,
    /// Any time between the two.
    Slow {
        /// The shortest wait.
        least: Duration,
        /// The longest wait.
        most: Duration,
    },
}
