//! The database's own IO, by way of the host's disk: queued, paced, and fail-stop.
//!
//! The database only *queues* an operation; whoever drives a statement performs it, one at a time,
//! after the disk's [`pace`](Disk::pace). A few of the database's paths wait inside the call; they
//! perform what is queued without pacing.
//!
//! **Fail-stop.** After one failed write, truncation or sync nothing works any more until the file
//! is opened anew. The database swallows the error of a sync in a checkpoint and would overwrite
//! the log, the only copy of what that sync lost.

use crate::host::{Clock as HostClock, Disk, DiskFile, Host, OpenMode, Operation};
use std::collections::VecDeque;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use turso_core::io::{FileId, FileSyncType};
use turso_core::{Buffer, Clock, Completion, CompletionError, File, IO, MonotonicInstant, OpenFlags, WallClockInstant};

/// The IO of one opening of the file.
pub struct HostIo<H: Host> {
    host: H,
    shared: Arc<Shared<H>>,
}

struct Shared<H: Host> {
    queue: Mutex<VecDeque<Queued<FileOf<H>>>>,
    failed: AtomicBool,
    log: Mutex<Option<Arc<FileOf<H>>>>,
}

type FileOf<H> = <<H as Host>::Disk as Disk>::File;

struct Queued<F> {
    file: Arc<F>,
    action: Action,
    completion: Completion,
}

enum Action {
    Read { offset: u64 },
    Write { offset: u64, buffers: Vec<Arc<Buffer>> },
    Sync,
    Truncate { length: u64 },
}

struct HostFile<H: Host> {
    file: Arc<FileOf<H>>,
    shared: Arc<Shared<H>>,
}

impl<H: Host> HostIo<H> {
    /// The IO of a new opening.
    pub fn new(host: H) -> Arc<Self> {
        let shared = Shared { queue: Mutex::default(), failed: AtomicBool::new(false), log: Mutex::default() };
        Arc::new(Self { host, shared: Arc::new(shared) })
    }

    /// Performs the next queued operation, when the disk is ready for it.
    pub async fn perform(&self) {
        let Some(operation) = self.shared.peek() else { return };
        self.host.disk().pace(operation).await;
        self.shared.perform();
    }

    /// Length of the write-ahead log, in bytes.
    pub fn log_bytes(&self) -> io::Result<u64> {
        let log = self.shared.log.lock().expect("nothing panics while it looks");
        log.as_ref().map_or(Ok(0), |file| file.length())
    }

    /// Whether an operation failed: what is in the file is unknown.
    pub fn has_failed(&self) -> bool {
        self.shared.failed.load(Ordering::Relaxed)
    }
}

impl<H: Host> Shared<H> {
    fn peek(&self) -> Option<Operation> {
        let queue = self.queue.lock().expect("nothing panics while it queues");
        queue.front().map(|queued| match queued.action {
            Action::Read { .. } => Operation::Read,
            Action::Write { .. } => Operation::Write,
            Action::Sync => Operation::Sync,
            Action::Truncate { .. } => Operation::Truncate,
        })
    }

    fn perform(&self) -> bool {
        let next = self.queue.lock().expect("nothing panics while it queues").pop_front();
        let Some(Queued { file, action, completion }) = next else { return false };
        let reading = matches!(action, Action::Read { .. });
        let outcome = if self.failed.load(Ordering::Relaxed) {
            Err(io::Error::other("an earlier operation on this file failed"))
        } else {
            act(&*file, action, &completion)
        };
        match outcome {
            Ok(count) => completion.complete(count),
            Err(error) => {
                if !reading {
                    self.failed.store(true, Ordering::Relaxed);
                }
                completion.error(CompletionError::IOError(error.kind(), "disk"));
            }
        }
        true
    }
}

fn act(file: &impl DiskFile, action: Action, completion: &Completion) -> io::Result<i32> {
    match action {
        Action::Read { offset } => {
            let buffer = completion.as_read().buf();
            file.read_at(offset, buffer.as_mut_slice()).map(count)
        }
        Action::Write { offset, buffers } => match buffers.as_slice() {
            [one] => file.write_at(offset, one.as_slice()).map(|()| count(one.len())),
            many => {
                let bytes = many.iter().map(|buffer| buffer.as_slice()).collect::<Vec<_>>().concat();
                file.write_at(offset, &bytes).map(|()| count(bytes.len()))
            }
        },
        Action::Sync => file.sync().map(|()| 0),
        Action::Truncate { length } => file.truncate(length).map(|()| 0),
    }
}

fn count(bytes: usize) -> i32 {
    i32::try_from(bytes).expect("the database moves less than 2 GiB at a time")
}

impl<H: Host> HostFile<H> {
    fn queue(&self, action: Action, completion: Completion) -> turso_core::Result<Completion> {
        let queued = Queued { file: self.file.clone(), action, completion: completion.clone() };
        self.shared.queue.lock().expect("nothing panics while it queues").push_back(queued);
        Ok(completion)
    }
}

impl<H: Host> File for HostFile<H> {
    // The storage holds the file's lock over all openings.
    fn lock_file(&self, _exclusive: bool) -> turso_core::Result<()> {
        Ok(())
    }

    fn unlock_file(&self) -> turso_core::Result<()> {
        Ok(())
    }

    fn pread(&self, offset: u64, completion: Completion) -> turso_core::Result<Completion> {
        self.queue(Action::Read { offset }, completion)
    }

    fn pwrite(&self, offset: u64, buffer: Arc<Buffer>, completion: Completion) -> turso_core::Result<Completion> {
        self.queue(Action::Write { offset, buffers: vec![buffer] }, completion)
    }

    fn pwritev(
        &self,
        offset: u64,
        buffers: Vec<Arc<Buffer>>,
        completion: Completion,
    ) -> turso_core::Result<Completion> {
        self.queue(Action::Write { offset, buffers }, completion)
    }

    fn sync(&self, completion: Completion, _kind: FileSyncType) -> turso_core::Result<Completion> {
        self.queue(Action::Sync, completion)
    }

    fn truncate(&self, length: u64, completion: Completion) -> turso_core::Result<Completion> {
        self.queue(Action::Truncate { length }, completion)
    }

    fn size(&self) -> turso_core::Result<u64> {
        self.file.length().map_err(|error| CompletionError::IOError(error.kind(), "length").into())
    }
}

impl<H: Host> Clock for HostIo<H> {
    fn current_time_monotonic(&self) -> MonotonicInstant {
        MonotonicInstant::from_nanos(self.host.clock().boot().as_nanos())
    }

    fn current_time_wall_clock(&self) -> WallClockInstant {
        let wall = self.host.clock().wall();
        WallClockInstant { secs: wall.as_secs().cast_signed(), micros: wall.subsec_micros() }
    }
}

impl<H: Host> IO for HostIo<H> {
    fn open_file(&self, path: &str, flags: OpenFlags, _direct: bool) -> turso_core::Result<Arc<dyn File>> {
        let mode = if flags.contains(OpenFlags::Create) { OpenMode::Any } else { OpenMode::Existing };
        let file = self.host.disk().open(Path::new(path), mode);
        let file = file.map_err(|error| CompletionError::IOError(error.kind(), "open"))?;
        let file = Arc::new(file);
        if path.ends_with("-wal") {
            *self.shared.log.lock().expect("nothing panics while it looks") = Some(file.clone());
        }
        Ok(Arc::new(HostFile::<H> { file, shared: self.shared.clone() }))
    }

    fn remove_file(&self, path: &str) -> turso_core::Result<()> {
        let removed = self.host.disk().remove(Path::new(path));
        Ok(removed.map_err(|error| CompletionError::IOError(error.kind(), "remove"))?)
    }

    fn step(&self) -> turso_core::Result<()> {
        while self.shared.perform() {}
        Ok(())
    }

    // A statement that is dropped in the midst of an operation waits for it, by way of here. An operation that panicked
    // is not queued any more, and would be waited for for ever.
    fn wait_for_completion(&self, completion: Completion) -> turso_core::Result<()> {
        self.drain_completions(std::slice::from_ref(&completion))?;
        completion.get_error().map_or(Ok(()), |error| Err(error.into()))
    }

    fn drain_completions(&self, completions: &[Completion]) -> turso_core::Result<()> {
        while !completions.iter().all(Completion::finished) {
            if !self.shared.perform() {
                return Err(CompletionError::Aborted.into());
            }
        }
        Ok(())
    }

    fn generate_random_number(&self) -> i64 {
        let mut bytes = [0; 8];
        self.host.fill_random(&mut bytes);
        i64::from_le_bytes(bytes)
    }

    fn fill_bytes(&self, bytes: &mut [u8]) {
        self.host.fill_random(bytes);
    }

    // One connection, one thread: there is nobody to yield to or to wait for.
    fn yield_now(&self) {}

    fn sleep(&self, _duration: Duration) {}

    // Never asked for: this opening bypasses the process-wide registry.
    fn file_id(&self, path: &str) -> turso_core::Result<FileId> {
        Ok(FileId::from_path_hash(path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::Os;

    #[test]
    fn nobody_waits_for_an_operation_that_is_not_queued() {
        let io = HostIo::new(Os::new().unwrap());
        let waited = io.wait_for_completion(Completion::new_sync(|_| {}));
        assert!(waited.is_err(), "{waited:?}");
    }
}
