//! The programs of a file: the cluster's, with an ear for what the file tells them to do.

use crate::event::Event;
use crate::host::SimHost;
use crate::seams;
use crate::workload::Cluster;
use outlive::JobId;
use outlive::host::{Clock, Host};
use outlive::job::{Refusal, RequestId};
use outlive::protocol::{Call, CallError, Enqueue, Reply, Request};
use outlive_sim::{Fork, Process};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::mpsc;

/// What a worker is told.
pub struct Stop {
    /// How long it has to finish.
    pub within: Duration,
}

/// What a client is told.
pub struct Errand {
    /// To do what.
    pub wish: Wish,
    /// Becomes true once it was asked for, unless that can have changed nothing.
    pub did_something: Arc<AtomicBool>,
}

/// What a client is to do.
pub enum Wish {
    /// Enqueue the job of this number.
    Enqueue(u64, Box<Enqueue>),
    /// Cancel it.
    Cancel(u64),
}

/// The jobs of the file, by number, as far as clients know them.
pub type Known = Arc<Mutex<BTreeMap<u64, JobId>>>;

/// What could not be done is tried again after so long.
const AGAIN: Duration = Duration::from_millis(200);

/// A worker: runs until it is told to stop.
pub async fn work(cluster: Cluster, process: Process, number: usize, mut told: mpsc::UnboundedReceiver<Stop>) {
    let host = seams::host(SimHost::new(&process, Duration::ZERO));
    let service = cluster.connect(&process, &host);
    let program = &cluster.program;
    let worker = program.start_worker(&process, &host, &service, &program.plan.workers[number], None);
    let Some(Stop { within }) = told.recv().await else { return std::future::pending().await };
    program.recorder.record(&process, Event::Stopping);
    worker.stop(within).await;
    program.recorder.record(&process, Event::Stopped);
}

/// A client: asks for each thing once, unless nothing has happened.
pub async fn ask(cluster: Cluster, process: Process, known: Known, mut told: mpsc::UnboundedReceiver<Errand>) {
    let host = seams::host(SimHost::new(&process, Duration::ZERO));
    let service = cluster.connect(&process, &host);
    while let Some(Errand { wish, did_something }) = told.recv().await {
        let (number, request) = match wish {
            Wish::Enqueue(number, enqueue) => (number, Request::Enqueue(*enqueue)),
            Wish::Cancel(number) => {
                let Some(job) = known.lock().unwrap().get(&number).copied() else { continue };
                (number, Request::Cancel { job })
            }
        };
        // One name for a thing however often it is told: a second time repeats the first.
        let id = name(cluster.program.world.fork("errand").fork(request.name()), number);
        // From here on nobody knows.
        did_something.store(true, Ordering::Relaxed);
        loop {
            match service.call(Call { id, request: request.clone() }).await {
                Ok(Reply::Enqueued { job, .. }) => drop(known.lock().unwrap().insert(number, job)),
                Err(CallError::Unavailable { .. }) => {
                    host.clock().sleep(AGAIN).await;
                    continue;
                }
                // A refused enqueue may be what a file is about. Nothing is to be learnt from a job that had
                // ended before somebody cancelled it.
                Err(CallError::Refused(
                    Refusal::Finished { .. } | Refusal::UnknownJob { .. } | Refusal::Forgotten { .. },
                )) => {
                    did_something.store(false, Ordering::Relaxed);
                }
                _ => {}
            }
            break;
        }
    }
}

fn name(fork: Fork, number: u64) -> RequestId {
    let mut id = [0; 16];
    fork.key(number).rng().fill(&mut id);
    RequestId(id)
}
