//! What comes to the engine, and where to send it.

use super::{Engine, compacting, copying, in_flight, transaction};
use crate::host::Host;
use crate::limits;
use crate::options::Options;
use crate::protocol::{Answering, Begin, Beginning, Call, CallError, Reply, Request, Service, Shrinking, Snapshotting};
use crate::store::{OpenError, Storage, StoreError};
use tokio::sync::{mpsc, oneshot};

/// What comes to the engine.
#[derive(Debug)]
pub enum Arriving {
    Call(Arrived),
    Alone(Alone),
}

/// What is served by itself, after the calls that came before it.
#[derive(Debug)]
pub enum Alone {
    Transaction(transaction::Opening),
    Copy(copying::Wanted),
    Compact(compacting::Wanted),
}

impl Alone {
    /// Answers that nothing was changed.
    pub fn turn_away(self, unavailable: CallError) {
        match self {
            Self::Transaction(opening) => opening.turn_away(unavailable),
            Self::Copy(wanted) => drop(wanted.send(Err(unavailable))),
            Self::Compact(wanted) => drop(wanted.send(Err(unavailable))),
        }
    }
}

/// A call, and where its answer goes.
#[derive(Debug)]
pub struct Arrived {
    pub call: Call,
    pub answer: oneshot::Sender<Result<Reply, CallError>>,
}

impl Arriving {
    /// Answers that nothing was changed.
    pub fn turn_away(self, why: &str) {
        let unavailable = CallError::Unavailable { why: why.to_owned() };
        match self {
            Self::Call(Arrived { answer, .. }) => drop(answer.send(Err(unavailable))),
            Self::Alone(alone) => alone.turn_away(unavailable),
        }
    }
}

impl Arrived {
    /// As how many requests it counts in a group.
    pub fn weight(&self) -> usize {
        if let Request::EnqueueAll { jobs } = &self.call.request { jobs.len().max(1) } else { 1 }
    }

    /// Whether it asks for jobs that nobody would run: they would be gone until their leases
    /// expired.
    pub fn is_abandoned_claim(&self) -> bool {
        matches!(self.call.request, Request::Claim(_)) && self.answer.is_closed()
    }
}

/// Where to send calls to an engine in this process. The engine ends when the last of these does.
#[derive(Clone, Debug)]
pub struct Local {
    inbox: mpsc::Sender<Arriving>,
}

impl Local {
    /// Opens `storage` on an engine of its own, and waits until it is open.
    ///
    /// # Errors
    /// Why it can't be opened.
    pub async fn open<H: Host>(host: H, storage: impl Storage, options: Options) -> Result<Self, OpenError> {
        let (inbox, arriving) = mpsc::channel(limits::REQUESTS_WAITING_MAX);
        let (opened, opening) = oneshot::channel();
        let engine_host = host.clone();
        host.spawn_engine("outlive-engine", move || async move {
            match Engine::open(engine_host, storage, options).await {
                Ok(engine) => {
                    if opened.send(Ok(())).is_ok() {
                        engine.run(arriving).await;
                    }
                }
                // Nobody waits any more: then nobody misses it.
                Err(error) => drop(opened.send(Err(error))),
            }
        });
        let gone = |_| OpenError::Store {
            path: "the queue".into(),
            error: StoreError::Broken("the engine ended while it opened the file".into()),
        };
        opening.await.map_err(gone)??;
        Ok(Self { inbox })
    }
}

impl Service for Local {
    fn call(&self, call: Call) -> Answering {
        let inbox = self.inbox.clone();
        Box::pin(async move {
            let is_read = call.request.is_read();
            let (answer, answering) = oneshot::channel();
            let unavailable = |_| CallError::Unavailable { why: "the engine has stopped".into() };
            inbox.send(Arriving::Call(Arrived { call, answer })).await.map_err(unavailable)?;
            answering.await.unwrap_or_else(|_| Err(in_flight(is_read, "the engine stopped before it answered")))
        })
    }

    fn begin(&self, begin: Begin) -> Beginning {
        transaction::begin(self.inbox.clone(), begin)
    }

    fn snapshot(&self) -> Snapshotting {
        Box::pin(ask(self.inbox.clone(), Alone::Copy))
    }

    fn compact(&self) -> Shrinking {
        Box::pin(ask(self.inbox.clone(), Alone::Compact))
    }
}

/// Asks for what is served by itself, once.
pub async fn ask<T>(
    inbox: mpsc::Sender<Arriving>,
    alone: impl FnOnce(oneshot::Sender<Result<T, CallError>>) -> Alone,
) -> Result<T, CallError> {
    let stopped = || CallError::Unavailable { why: "the engine has stopped".into() };
    let (wanted, answering) = oneshot::channel();
    inbox.send(Arriving::Alone(alone(wanted))).await.map_err(|_| stopped())?;
    answering.await.unwrap_or_else(|_| Err(stopped()))
}

/// What is there to do: calls that are committed together, up to the first that is served by itself.
pub fn gather(first: Option<Arriving>, arriving: &mut mpsc::Receiver<Arriving>) -> (Vec<Arrived>, Option<Alone>) {
    let (mut calls, mut next, mut weight) = (Vec::new(), first, 0);
    loop {
        match next.or_else(|| arriving.try_recv().ok()) {
            Some(Arriving::Call(call)) if call.is_abandoned_claim() => {}
            Some(Arriving::Call(call)) => {
                weight += call.weight();
                calls.push(call);
            }
            Some(Arriving::Alone(alone)) => return (calls, Some(alone)),
            None => return (calls, None),
        }
        if weight >= limits::GROUP_REQUESTS_MAX {
            return (calls, None);
        }
        next = None;
    }
}
