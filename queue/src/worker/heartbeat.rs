//! Renews all leases of a worker, at a steady pace, whatever its handlers do.

use super::Shared;
use super::attempt::Held;
use crate::host::{Clock, Host};
use crate::limits;
use crate::protocol::{Renewal, Reply, Request};
use std::sync::Arc;

/// Sends heartbeats for as long as the worker lives.
pub async fn run<H: Host>(shared: Arc<Shared<H>>) {
    loop {
        shared.host.clock().sleep(shared.settings.lease / limits::HEARTBEATS_PER_LEASE).await;
        let held = shared.all_held();
        if !held.is_empty() {
            // Each on its own: a slow answer must not hold up the next heartbeat.
            shared.spawn("outlive-heartbeat", |shared| beat(shared, held));
        }
    }
}

async fn beat<H: Host>(shared: Arc<Shared<H>>, held: Vec<Arc<Held>>) {
    for held in held.chunks(limits::HEARTBEAT_LEASES_MAX) {
        let leases = held.iter().map(|held| held.lease).collect();
        let sent = shared.host.clock().boot();
        // Once: by the time a repeat is answered, the next heartbeat is on its way.
        let reply = shared.caller.once(shared.caller.request_id(), &Request::Heartbeat { leases }).await;
        let Ok(Reply::Renewed { leases: renewals }) = reply else { continue };
        for (held, renewal) in held.iter().zip(renewals) {
            match renewal {
                Renewal::Renewed { cancel } => held.renewed(shared.trusted_until(sent), cancel),
                Renewal::Lost { .. } => held.lost(),
            }
        }
    }
}
