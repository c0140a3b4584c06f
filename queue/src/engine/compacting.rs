//! A smaller file: nobody is served meanwhile, for a while at a time.

use super::{Engine, wait};
use crate::host::{Clock, Host};
use crate::limits;
use crate::protocol::CallError;
use crate::store::cached::Cached;
use crate::store::{OpenError, Storage, Store, StoreError};
use tokio::sync::oneshot;

/// Somebody who wants the file to be smaller.
pub type Wanted = oneshot::Sender<Result<Compacting, CallError>>;

/// How far a compaction has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Compacting {
    /// The bytes of the file before.
    pub before_bytes: u64,
    /// The bytes of the file now.
    pub after_bytes: u64,
    /// Whether there was nothing left to do.
    pub is_done: bool,
}

impl<H: Host, S: Storage> Engine<H, S> {
    /// Makes the file smaller, and says how far that went.
    pub(super) async fn compact(&mut self, wanted: Wanted) -> Result<(), StoreError> {
        let rejected = |why: &str| Err(CallError::Rejected { why: why.to_owned() });
        if self.holding.is_held() {
            drop(wanted.send(rejected("a copy of this queue is being made; ask again when it is done")));
            return Ok(());
        }
        let made = wait::catch_panic(self.make_smaller()).await.unwrap_or_else(|panic| Err(self.stumble(panic)));
        match made {
            Ok(Some(compacting)) => drop(wanted.send(Ok(compacting))),
            Ok(None) => {
                drop(wanted.send(rejected("this queue is kept in memory, and there is no file to make smaller")))
            }
            // No further than it has come: the queue goes on with the file as it is.
            Err(StoreError::Refused(why)) => drop(wanted.send(rejected(&why))),
            Err(error) => {
                // It is a part of the way, or not; nobody loses anything by that.
                drop(wanted.send(Err(CallError::Unavailable { why: error.to_string() })));
                return Err(error);
            }
        }
        Ok(())
    }

    async fn make_smaller(&mut self) -> Result<Option<Compacting>, StoreError> {
        self.store.checkpoint(0).await?;
        let Some(mut compaction) = self.storage.compaction().await? else { return Ok(None) };
        let before_bytes = compaction.bytes();
        let ends = self.host.clock().boot() + limits::COMPACTION_PAUSE_MAX;
        let is_done = loop {
            let Some(round) = compaction.round().await? else { break true };
            let opened = self.storage.open(&self.options).await.map_err(|error| match error {
                OpenError::Damaged { path, found } => StoreError::Damaged { path, found },
                error => StoreError::Broken(error.to_string()),
            })?;
            self.store = Cached::new(opened);
            // Before anything is cut from the file.
            let found = self.store.state().await?;
            self.miss_nothing(&found)?;
            self.store.checkpoint(0).await?;
            if round.is_last || self.host.clock().boot() >= ends {
                break round.is_last;
            }
        };
        Ok(Some(Compacting { before_bytes, after_bytes: compaction.bytes(), is_done }))
    }
}
