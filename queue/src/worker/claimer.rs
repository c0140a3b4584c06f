//! Takes jobs whenever slots are free.

use super::{Phase, Shared};
use crate::engine::{First, first_of};
use crate::host::{Clock, Host};
use crate::protocol::{Granted, Reply, Request};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::OwnedSemaphorePermit;

/// Pause after a claim that got no answer.
const PAUSE: Duration = Duration::from_millis(250);

/// Claims until the worker stops, and then says so.
pub async fn run<H: Host>(shared: Arc<Shared<H>>) {
    claim_on(&shared).await;
    shared.claims_no_more.notify_one();
}

async fn claim_on<H: Host>(shared: &Arc<Shared<H>>) {
    loop {
        let stopping = shared.reaches(Phase::Finishing);
        let First::Right(slots) = first_of(stopping, free_slots(shared)).await else { return };
        let most = u32::try_from(slots.len()).expect("concurrency is limited");
        let (caller, claim) = (shared.caller.clone(), shared.claim(most));
        let mut call = Box::pin(async move { caller.call(Request::Claim(claim)).await });
        match first_of(&mut call, shared.reaches(Phase::Finishing)).await {
            First::Left(Ok(Reply::Claimed { grants })) => begin(shared, grants, slots),
            First::Left(_) => {
                drop(slots);
                shared.host.clock().sleep(PAUSE).await;
            }
            // It may wait for as long as a claim may wait, and would take the very jobs that are
            // given back: so it is abandoned, and gets nothing from then on. What it was granted at
            // this very moment goes to somebody else when its lease expires, no attempt spent.
            First::Right(()) => return,
        }
    }
}

/// All slots that are free, as soon as one is.
async fn free_slots<H: Host>(shared: &Shared<H>) -> Vec<OwnedSemaphorePermit> {
    let first = shared.slots.clone().acquire_owned().await.expect("the slots are never closed");
    let others = std::iter::from_fn(|| shared.slots.clone().try_acquire_owned().ok());
    std::iter::once(first).chain(others).collect()
}

fn begin<H: Host>(shared: &Arc<Shared<H>>, grants: Vec<Granted>, slots: Vec<OwnedSemaphorePermit>) {
    assert!(grants.len() <= slots.len(), "granted {} jobs for {} slots", grants.len(), slots.len());
    for (granted, slot) in grants.into_iter().zip(slots) {
        shared.attempt(granted, slot);
    }
}
