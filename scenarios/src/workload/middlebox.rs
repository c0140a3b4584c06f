//! A proxy before the server: it loses whole requests and answers, lets them come late, or twice.
//!
//! A stream of bytes loses and repeats nothing; what stands in between does. It forwards requests as
//! they came, so that a late one says what its sender said then, whoever lives by now.

use crate::event::{Event, Recorder};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::SendRequest;
use hyper::header::HOST;
use hyper::http::{request, response};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use outlive::host::{Clock, Listener, Network, Networked, Role};
use outlive::job::RequestId;
use outlive::protocol::{Call, CallError, Said};
use outlive::wire::{self, HyperStream, Line, REQUEST_ID, Route, Spoken};
use outlive_sim::{MachineId, MessageFault, Nemesis, Process};
use std::future::Future;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::oneshot;

/// What is delivered late is tried again this often while the server is down.
const AGAIN: Duration = Duration::from_millis(300);
const TRIES: u32 = 100;

/// What one is made of.
pub struct Middlebox<H: Networked> {
    /// Where it runs.
    pub process: Process,
    /// What it sees.
    pub host: H,
    /// Who says what to do.
    pub nemesis: Nemesis,
    /// Who hears of what comes late.
    pub recorder: Recorder,
    /// Where the server is.
    pub server: &'static str,
    /// Connections to it that are kept for the next request.
    pub idle: Mutex<Vec<SendRequest<Full<Bytes>>>>,
}

/// A request, whole.
#[derive(Clone)]
struct Message {
    parts: request::Parts,
    body: Bytes,
}

/// A response, whole.
type Answer = (response::Parts, Bytes);

impl<H: Networked> Middlebox<H> {
    /// Forwards what comes to `address`, until its process ends.
    pub async fn run(self, address: &str) {
        let mut listener = self.host.network().listen(address).await.expect("the port is free");
        let shared = Arc::new(self);
        loop {
            let Ok((stream, peer)) = listener.accept().await else { continue };
            let sender = machine(&peer).expect("a peer is a machine of this world");
            let serving = shared.clone();
            let connection = async move {
                let service = service_fn(move |request| serving.clone().take(sender, request));
                let mut connection = hyper::server::conn::http1::Builder::new();
                // Its end is heard of by who is at the other one; a date would come from a real clock.
                drop(connection.auto_date_header(false).serve_connection(HyperStream::new(stream), service).await);
            };
            shared.host.spawn(Role::Control, "middlebox connection", connection).detach();
        }
    }

    /// Takes a request, and does to it what is to be done. An error ends the connection.
    async fn take(self: Arc<Self>, sender: MachineId, request: Request<Incoming>) -> io::Result<Response<Full<Bytes>>> {
        let (parts, body) = request.into_parts();
        let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
        let message = Message { parts, body };
        let fault = self.nemesis.message(sender, &format!("request {}", message.name())).first().copied();
        let (parts, body) = match fault {
            None => self.forward(message).await?,
            Some(fault) => self.meddle(message, fault).await?,
        };
        Ok(Response::from_parts(parts, Full::new(body)))
    }

    async fn meddle(self: &Arc<Self>, message: Message, fault: MessageFault) -> io::Result<Answer> {
        match fault {
            MessageFault::Lose => {
                self.nemesis.took_effect(fault.kind());
                // Until whoever waits gives up.
                std::future::pending().await
            }
            MessageFault::LoseAnswer => {
                let (parts, _) = self.forward(message).await?;
                if parts.status.is_success() {
                    self.nemesis.took_effect(fault.kind());
                }
                Err(io::Error::other("the answer is lost"))
            }
            MessageFault::Withhold(after) => self.deliver_late(message, after, fault).await,
            MessageFault::Duplicate => {
                drop(self.deliver_late(message.clone(), Duration::ZERO, fault));
                self.forward(message).await
            }
            MessageFault::Replay(after) => {
                drop(self.deliver_late(message.clone(), after, fault));
                self.forward(message).await
            }
        }
    }

    /// Delivers it, whether anybody waits for its answer or not.
    fn deliver_late(
        self: &Arc<Self>,
        message: Message,
        after: Duration,
        fault: MessageFault,
    ) -> impl Future<Output = io::Result<Answer>> + Send + use<H> {
        let (answer, answering) = oneshot::channel();
        let shared = self.clone();
        let delivery = async move {
            shared.host.clock().sleep(after).await;
            for _ in 0..TRIES {
                if let Ok(answered) = shared.deliver(&message).await {
                    shared.nemesis.took_effect(fault.kind());
                    // Whoever asked may have given up.
                    let _ = answer.send(answered);
                    return;
                }
                shared.host.clock().sleep(AGAIN).await;
            }
        };
        self.host.spawn(Role::Control, "late request", delivery).detach();
        async move { answering.await.map_err(io::Error::other) }
    }

    /// Forwards it, and lets checkers know of it.
    async fn deliver(&self, message: &Message) -> io::Result<Answer> {
        let Some(call) = message.call() else { return self.forward(message.clone()).await };
        let what = Arc::new(call);
        let number = self.recorder.number();
        self.recorder.record(&self.process, Event::Invoke { call: number, what: what.clone() });
        let (parts, body) = self.forward(message.clone()).await?;
        let answer = match parts.status {
            status if status.is_success() => wire::read_reply(&what.request, &body).map(Ok),
            // This copy, which is all that is told here, was turned away for sure.
            StatusCode::PRECONDITION_FAILED => Ok(Err(CallError::Unavailable { why: "it came too late".into() })),
            _ => wire::read_error(&body).map(Err),
        };
        if let Ok(answer) = answer {
            self.recorder.record(&self.process, Event::Answer { call: number, answer: Arc::new(answer) });
        }
        Ok((parts, body))
    }

    /// Sends it to the server.
    async fn forward(&self, message: Message) -> io::Result<Answer> {
        let kept = std::iter::from_fn(|| self.idle.lock().unwrap().pop()).find(SendRequest::is_ready);
        let mut sender = match kept {
            Some(sender) => sender,
            None => self.connect().await?,
        };
        let mut request = Request::from_parts(message.parts, Full::new(message.body));
        request.headers_mut().insert(HOST, self.server.parse().expect("a name"));
        let response = sender.send_request(request).await.map_err(io::Error::other)?;
        let (parts, body) = response.into_parts();
        let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
        self.idle.lock().unwrap().push(sender);
        Ok((parts, body))
    }

    async fn connect(&self) -> io::Result<SendRequest<Full<Bytes>>> {
        let stream = self.host.network().connect(self.server).await?;
        let (sender, connection) =
            hyper::client::conn::http1::handshake(HyperStream::new(stream)).await.map_err(io::Error::other)?;
        // It ends with its sender.
        self.host.spawn(Role::Control, "forwarded", async move { drop(connection.await) }).detach();
        Ok(sender)
    }
}

/// The machine in an address.
fn machine(address: &str) -> Option<MachineId> {
    let (machine, _port) = address.strip_prefix("machine ")?.split_once(' ')?;
    machine.parse().ok().map(MachineId)
}

impl Message {
    /// What it is called: `begin`, `commit` or `say` if it is about a transaction, otherwise by the last part of its path.
    fn name(&self) -> &str {
        let path = self.parts.uri.path();
        match Route::of(path, self.parts.uri.query()) {
            Ok(Route::Begin) => "begin",
            Ok(Route::Line(_)) => match wire::read_line(&self.body) {
                Ok(Line { what: Spoken::Said(Said::Commit), .. }) => "commit",
                _ => "say",
            },
            _ => path.rsplit('/').next().unwrap_or_default(),
        }
    }

    /// The call that it is, if it changes something.
    fn call(&self) -> Option<Call> {
        let id: RequestId = self.parts.headers.get(REQUEST_ID)?.to_str().ok()?.parse().ok()?;
        Some(Call { id, request: wire::read_request(self.name(), &self.body).ok()? })
    }
}
