//! What is committed, for somebody who copies it: the log is moved into the file first, and then no more, so that the file stands
//! still and the log only grows.
//!
//! That can't be for ever. Whoever is too slow finds out by the next page that he reads.

use super::Engine;
use crate::host::{Clock, Host};
use crate::limits;
use crate::protocol::CallError;
use crate::store::{Snapshot, Storage, Store, StoreError};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::sync::oneshot;

/// A snapshot that stands for as long as this lives, or until it is given up.
pub struct HeldSnapshot {
    inner: Box<dyn Snapshot>,
    hold: Arc<Hold>,
    /// What must stay free on the disk.
    reserve_bytes: u64,
}

impl HeldSnapshot {
    /// What must stay free on the disk, in bytes.
    pub(crate) fn reserve_bytes(&self) -> u64 {
        self.reserve_bytes
    }
}

/// What keeps checkpoints from being made.
#[derive(Debug)]
struct Hold {
    /// By the host's time.
    until: Duration,
    given_up: AtomicBool,
}

/// The hold of whoever copies, if somebody does: one at a time.
#[derive(Debug, Default)]
pub struct Holding(Weak<Hold>);

/// Somebody who wants a snapshot.
pub type Wanted = oneshot::Sender<Result<HeldSnapshot, CallError>>;

impl Snapshot for HeldSnapshot {
    fn pages(&self) -> u32 {
        self.inner.pages()
    }

    fn page_bytes(&self) -> usize {
        self.inner.page_bytes()
    }

    fn read(&mut self, number: u32, page: &mut [u8]) -> Result<(), StoreError> {
        self.inner.read(number, page)?;
        // Afterwards: what was read before it was given up was right.
        if self.hold.given_up.load(Ordering::SeqCst) {
            let most = humantime::format_duration(limits::SNAPSHOT_MAX);
            return Err(StoreError::Broken(format!(
                "the queue could not wait for the copy any longer: it waits for {most}, or until its log has {} bytes, unless \
                 its disk is nearly full or fails",
                limits::SNAPSHOT_LOG_BYTES_MAX
            )));
        }
        Ok(())
    }
}

impl std::fmt::Debug for HeldSnapshot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HeldSnapshot").field("pages", &self.pages()).finish_non_exhaustive()
    }
}

impl Holding {
    /// Whether nobody copies, or nobody may any longer. `may_grow` says whether there is room for the log to.
    fn is_over(&mut self, now: Duration, may_grow: bool) -> bool {
        if self.0.upgrade().is_some_and(|hold| now < hold.until && may_grow) {
            return false;
        }
        self.give_up();
        true
    }

    /// Whether somebody copies.
    pub fn is_held(&self) -> bool {
        self.0.upgrade().is_some_and(|hold| !hold.given_up.load(Ordering::SeqCst))
    }

    /// Nobody's copy is right from now on.
    pub fn give_up(&mut self) {
        if let Some(hold) = std::mem::take(&mut self.0).upgrade() {
            hold.given_up.store(true, Ordering::SeqCst);
        }
    }
}

impl Drop for Holding {
    /// Before the file is anybody else's.
    fn drop(&mut self) {
        self.give_up();
    }
}

impl<H: Host, S: Storage> Engine<H, S> {
    /// Gives somebody what is committed.
    pub(super) async fn hold(&mut self, wanted: Wanted) -> Result<(), StoreError> {
        if self.holding.is_held() {
            let why = "another copy of this queue is being made; ask again when it is done".to_owned();
            drop(wanted.send(Err(CallError::Unavailable { why })));
            return Ok(());
        }
        if let Err(error) = self.move_log(0).await {
            drop(wanted.send(Err(CallError::Unavailable { why: error.to_string() })));
            return Err(error);
        }
        drop(wanted.send(self.take_snapshot()));
        Ok(())
    }

    fn take_snapshot(&mut self) -> Result<HeldSnapshot, CallError> {
        // Whatever is wrong with the file or the disk, those who work find out by themselves.
        let taken = self.store.snapshot().map_err(|error| CallError::Unavailable { why: error.to_string() })?;
        let Some(inner) = taken else {
            let why = "this queue is kept in memory, and there is no file to copy".to_owned();
            return Err(CallError::Rejected { why });
        };
        let until = self.host.clock().boot() + limits::SNAPSHOT_MAX;
        let hold = Arc::new(Hold { until, given_up: AtomicBool::new(false) });
        self.holding = Holding(Arc::downgrade(&hold));
        Ok(HeldSnapshot { inner, hold, reserve_bytes: self.options.reserve_bytes })
    }

    /// Whether the log may be moved into the file: nobody copies it.
    pub(super) fn may_checkpoint(&mut self) -> Result<bool, StoreError> {
        if !self.holding.is_held() {
            return Ok(true);
        }
        let has_room = self.store.free_bytes()? >= self.options.reserve_bytes;
        let may_grow = has_room && self.store.log_bytes()? < limits::SNAPSHOT_LOG_BYTES_MAX;
        Ok(self.holding.is_over(self.host.clock().boot(), may_grow))
    }
}
