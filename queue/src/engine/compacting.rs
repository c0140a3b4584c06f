//! A smaller file: nobody is served meanwhile, for a while at a time.

use super::{Engine, wait};
use crate::Options;
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
            let why = "a copy of this queue is being made; ask again when it is done".to_owned();
            drop(wanted.send(Err(CallError::Unavailable { why })));
            return Ok(());
        }
        let lease = self.shortest_lease.filter(|_| self.order.has_leases());
        let longest = lease.map(|lease| lease / limits::COMPACTION_PART_OF_LEASE);
        let pause = longest.map_or(limits::COMPACTION_PAUSE, |longest| longest.min(limits::COMPACTION_PAUSE));
        let clock = self.host.clock();
        // From the end of the first round on: a look at the file is worth more than one.
        let mut ends = None;
        let is_over = || {
            let now = clock.boot();
            now >= *ends.get_or_insert(now + pause)
        };
        let made = make_smaller(&mut self.storage, &mut self.store, &self.options, is_over);
        // No stumble over the rows of the file: those who work find out by themselves whether they can be read.
        let made = wait::catch_panic(made).await.unwrap_or_else(|panic| Err(StoreError::Broken(panic)));
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
}

/// Makes a file smaller, until there is nothing left to do or, after a part of that, `is_over`. None if there is no file.
///
/// # Errors
/// [`StoreError::Refused`]: `store` is as good as before. After all others it is to be opened anew.
pub async fn make_smaller<S: Storage>(
    storage: &mut S,
    store: &mut Cached<S::Store>,
    options: &Options,
    mut is_over: impl FnMut() -> bool,
) -> Result<Option<Compacting>, StoreError> {
    store.checkpoint(0).await?;
    let before = store.state().await?;
    let Some(mut compaction) = storage.compaction(options).await? else { return Ok(None) };
    let before_bytes = compaction.bytes();
    let is_done = loop {
        if !compaction.round().await? {
            break true;
        }
        let opened = storage.open(options).await.map_err(|error| match error {
            OpenError::Damaged { path, found } => StoreError::Damaged { path, found },
            error => StoreError::Broken(error.to_string()),
        })?;
        *store = Cached::new(opened);
        // Before anything is cut from the file.
        if store.state().await? != before {
            return Err(store.damaged("what was committed before a compaction is not in it any more".into()));
        }
        store.checkpoint(0).await?;
        if is_over() {
            break false;
        }
    };
    Ok(Some(Compacting { before_bytes, after_bytes: compaction.bytes(), is_done }))
}
