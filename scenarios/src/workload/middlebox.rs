//! Between clients and the server: whole requests are lost, late, or come twice.
//!
//! A stream of bytes loses and repeats nothing; proxies and people do. What is late is carried by a
//! machine of its own, so that it arrives even if its sender is dead by then, or the server another.

use crate::event::Recorder;
use outlive::host::{Clock, Host};
use outlive::protocol::{Answering, Call, CallError, Reply, Service};
use outlive_sim::{FaultKind, MessageFault, Nemesis, Process};
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// What is delivered late is tried again this often while the server is down.
const AGAIN: Duration = Duration::from_millis(300);
const TRIES: u32 = 100;

/// The middlebox of a cluster. Clones are the same one.
#[derive(Clone)]
pub struct Middlebox {
    nemesis: Nemesis,
    late: mpsc::UnboundedSender<Late>,
    arriving: Arc<Mutex<Option<mpsc::UnboundedReceiver<Late>>>>,
}

/// A request that is delivered by the middlebox.
struct Late {
    call: Call,
    after: Duration,
    kind: FaultKind,
    answer: Option<oneshot::Sender<Result<Reply, CallError>>>,
}

/// A sender's way to the server.
struct Way<H>(Arc<Sender<H>>);

/// Who sends, and through what.
struct Sender<H> {
    middlebox: Middlebox,
    process: Process,
    host: H,
    inner: Arc<dyn Service>,
    patience: Duration,
}

impl Middlebox {
    /// A middlebox that does what `nemesis` says.
    pub fn new(nemesis: Nemesis) -> Self {
        let (late, arriving) = mpsc::unbounded_channel();
        Self { nemesis, late, arriving: Arc::new(Mutex::new(Some(arriving))) }
    }

    /// The way of a process to the server behind `inner`; it waits for an answer for so long.
    pub fn between<H: Host>(
        &self,
        process: &Process,
        host: &H,
        inner: Arc<dyn Service>,
        patience: Duration,
    ) -> Arc<dyn Service> {
        let (middlebox, process, host) = (self.clone(), process.clone(), host.clone());
        Arc::new(Way(Arc::new(Sender { middlebox, process, host, inner, patience })))
    }

    /// Delivers what is late, on a machine of its own, to the server behind `inner`.
    pub async fn carry<H: Host>(self, process: Process, host: H, recorder: Recorder, inner: Arc<dyn Service>) {
        let arriving = self.arriving.lock().unwrap().take();
        let mut arriving = arriving.expect("one process carries");
        while let Some(late) = arriving.recv().await {
            let (nemesis, host, inner) =
                (self.nemesis.clone(), host.clone(), recorder.service(&process, inner.clone()));
            process.spawn("late request", deliver(nemesis, host, inner, late)).detach();
        }
    }

    fn hand_over(
        &self,
        call: Call,
        after: Duration,
        kind: FaultKind,
    ) -> impl Future<Output = Option<Result<Reply, CallError>>> + Send + use<> {
        let (answer, answering) = oneshot::channel();
        // Nobody takes it once the run is over.
        let _ = self.late.send(Late { call, after, kind, answer: Some(answer) });
        async move { answering.await.ok() }
    }
}

async fn deliver<H: Host>(nemesis: Nemesis, host: H, inner: Arc<dyn Service>, late: Late) {
    host.clock().sleep(late.after).await;
    for _ in 0..TRIES {
        match inner.call(late.call.clone()).await {
            Err(CallError::Unavailable { .. }) => host.clock().sleep(AGAIN).await,
            answer => {
                nemesis.took_effect(late.kind);
                // Whoever asked may have given up.
                late.answer.into_iter().for_each(|sender| drop(sender.send(answer.clone())));
                return;
            }
        }
    }
}

impl<H: Host> Service for Way<H> {
    fn call(&self, call: Call) -> Answering {
        let sender = self.0.clone();
        Box::pin(async move {
            let faults = sender.middlebox.nemesis.message(&sender.process, &format!("request {}", call.request.name()));
            match faults.first() {
                None => sender.inner.call(call).await,
                Some(fault) => sender.meddle(call, *fault).await,
            }
        })
    }
}

impl<H: Host> Sender<H> {
    async fn meddle(&self, call: Call, fault: MessageFault) -> Result<Reply, CallError> {
        let (middlebox, kind) = (&self.middlebox, fault.kind());
        let is_read = call.request.is_read();
        let no_answer = || {
            let why = "no answer came".to_owned();
            Err(if is_read { CallError::Unavailable { why } } else { CallError::Unknown { why } })
        };
        match fault {
            MessageFault::Lose => {
                middlebox.nemesis.took_effect(kind);
                self.host.clock().sleep(self.patience).await;
                no_answer()
            }
            MessageFault::LoseAnswer => {
                let answer = self.inner.call(call).await;
                if answer.is_ok() {
                    middlebox.nemesis.took_effect(kind);
                }
                no_answer()
            }
            MessageFault::Withhold(after) => {
                let answering = Box::pin(middlebox.hand_over(call, after, kind));
                let answer = self.in_time(answering).await;
                answer.flatten().unwrap_or_else(no_answer)
            }
            MessageFault::Duplicate => {
                drop(middlebox.hand_over(call.clone(), Duration::ZERO, kind));
                self.inner.call(call).await
            }
            MessageFault::Replay(after) => {
                drop(middlebox.hand_over(call.clone(), after, kind));
                self.inner.call(call).await
            }
        }
    }

    /// What `work` comes to, unless the sender's patience ends before.
    async fn in_time<T>(&self, mut work: Pin<Box<dyn Future<Output = T> + Send>>) -> Option<T> {
        let mut patience = Box::pin(self.host.clock().sleep(self.patience));
        std::future::poll_fn(move |context| match work.as_mut().poll(context) {
            Poll::Ready(value) => Poll::Ready(Some(value)),
            Poll::Pending => patience.as_mut().poll(context).map(|()| None),
        })
        .await
    }
}
