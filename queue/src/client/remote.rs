//! Calls over HTTP/1.1, and what is known when one fails: before a request was sent nothing has
//! happened, and afterwards nobody knows.
//!
//! Each mutation says for which opening of the server it was made: see `server/openings.rs`.

use super::transactions;
use crate::engine::within;
use crate::host::{Network, Networked, Role};
use crate::job::{Refusal, RequestId};
use crate::protocol::{Answering, Begin, Beginning, Call, CallError, Reply, Request, Service};
use crate::wire::{self, HyperStream, NO_OPENING, OPENING, REQUEST_ID};
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderValue};
use hyper::{Method, StatusCode};
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Connections that are kept open for the next call.
const IDLE_MAX: usize = 16;
/// Largest answer, in bytes: a claim of the most jobs with the largest payloads.
const ANSWER_BYTES_MAX: usize = 1 << 30;
/// How often a mutation is sent again because another opening of the server has begun. One begins
/// once in a few thousand refusals, and when the server starts.
const OPENINGS_MAX: u32 = 4;

/// What may be chosen about a connection to a server.
#[derive(Clone, Debug)]
pub struct ConnectOptions {
    /// What the server wants to be shown, if it wants anything.
    pub token: Option<String>,
    /// How long to wait for a connection; after that nothing has happened.
    pub connect_patience: Duration,
    /// How long to wait for an answer, beside the time that a claim waits for work; after that it is
    /// unknown.
    pub answer_patience: Duration,
}

impl Default for ConnectOptions {
    fn default() -> Self {
        Self { token: None, connect_patience: Duration::from_secs(5), answer_patience: Duration::from_secs(30) }
    }
}

/// Why there can be no handle.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The address can't be understood.
    #[error("{url:?} is no address of a server: {why}; say something like http://127.0.0.1:7400")]
    Address {
        /// What was given.
        url: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The token can't be sent.
    #[error("the token has characters that a header can't carry; use letters and digits")]
    Token,
    /// The system gives no randomness.
    #[error("the system gives no randomness: {error}")]
    NoRandomness {
        /// What it said.
        error: io::Error,
    },
}

/// Where calls go that are for a queue behind a server.
pub struct Remote<H: Networked> {
    inner: Arc<Inner<H>>,
}

pub(super) struct Inner<H: Networked> {
    pub(super) host: H,
    /// Name or number, and port.
    address: String,
    /// The address once more, as a header.
    host_header: HeaderValue,
    authorization: Option<HeaderValue>,
    pub(super) options: ConnectOptions,
    idle: Mutex<Vec<Connection>>,
    /// The latest opening of the server that was seen.
    opening: Mutex<Option<HeaderValue>>,
}

type Connection = SendRequest<Full<Bytes>>;

/// What came back.
pub(super) struct Answer {
    pub status: StatusCode,
    pub body: Bytes,
}

/// How far something came that was sent.
pub(super) enum Failed {
    /// Nothing was sent.
    Unsent(String),
    /// Something was sent.
    Sent(String),
}

impl<H: Networked> Remote<H> {
    /// For the server at `url`.
    ///
    /// # Errors
    /// The address or the token can't be used.
    pub fn new(host: H, url: &str, options: ConnectOptions) -> Result<Self, ConnectError> {
        let address = address_of(url).map_err(|why| ConnectError::Address { url: url.to_owned(), why })?;
        let printable = |token: &String| token.bytes().all(|byte| byte.is_ascii_graphic());
        if !options.token.iter().all(printable) {
            return Err(ConnectError::Token);
        }
        let authorization = options.token.as_ref().map(|token| HeaderValue::try_from(format!("Bearer {token}")));
        let authorization = authorization.transpose().map_err(|_| ConnectError::Token)?;
        let host_header = HeaderValue::try_from(&address)
            .map_err(|_| ConnectError::Address { url: url.to_owned(), why: "a header can't carry it" })?;
        let (idle, opening) = (Mutex::default(), Mutex::default());
        Ok(Self { inner: Arc::new(Inner { host, address, host_header, authorization, options, idle, opening }) })
    }
}

/// The name or number and the port in a URL.
fn address_of(url: &str) -> Result<String, &'static str> {
    let rest = match url.split_once("://") {
        Some(("http", rest)) => rest,
        Some(("https", _)) => return Err("encrypted connections are not spoken; put a proxy before the server"),
        Some(_) => return Err("only http:// is spoken"),
        None => url,
    };
    let address = rest.trim_end_matches('/');
    if address.contains(['/', '?', '#', '@']) || !address.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err("there is more to it than a name and a port");
    }
    match address.rsplit_once(':') {
        Some((name, port)) if !name.is_empty() && port.parse::<u16>().is_ok() => Ok(address.to_owned()),
        _ => Err("it has no port"),
    }
}

impl<H: Networked> Service for Remote<H> {
    fn call(&self, call: Call) -> Answering {
        let inner = self.inner.clone();
        Box::pin(async move { inner.call(call).await })
    }

    fn begin(&self, begin: Begin) -> Beginning {
        transactions::begin(self.inner.clone(), begin)
    }
}

/// What is sent.
pub(super) struct Message {
    pub method: Method,
    pub path: String,
    /// The name of what changes something.
    pub id: Option<RequestId>,
    pub body: Bytes,
    /// How long to wait for the answer.
    pub patience: Duration,
}

impl Message {
    fn is_mutation(&self) -> bool {
        self.method == Method::POST
    }
}

impl<H: Networked> Inner<H> {
    async fn call(&self, call: Call) -> Result<Reply, CallError> {
        let is_read = call.request.is_read();
        let message = match self.message(&call) {
            Ok(message) => message,
            Err(error) => return Err(CallError::Unavailable { why: format!("it is not JSON: {error}") }),
        };
        let (answer, earlier) = self.send(&message).await;
        match answer.and_then(|answer| self.read(&call.request, &answer)) {
            Ok(Err(CallError::Rejected { why })) | Err(Failed::Unsent(why)) if earlier => {
                Err(CallError::Unknown { why })
            }
            // The door may have said so, which does not know what is in the file.
            Ok(Err(CallError::Refused(refusal @ Refusal::Limit { .. }))) if earlier => {
                Err(CallError::Unknown { why: refusal.to_string() })
            }
            Ok(outcome) => outcome,
            Err(Failed::Unsent(why)) => Err(CallError::Unavailable { why }),
            Err(Failed::Sent(why)) if is_read => Err(CallError::Unavailable { why }),
            Err(Failed::Sent(why)) => Err(CallError::Unknown { why }),
        }
    }

    fn message(&self, call: &Call) -> serde_json::Result<Message> {
        let (method, path) = wire::route(&call.request);
        let wait = match &call.request {
            Request::Claim(claim) => Duration::from_millis(claim.wait_ms),
            Request::Await { wait_ms, .. } => Duration::from_millis(*wait_ms),
            _ => Duration::ZERO,
        };
        let patience = self.options.answer_patience.saturating_add(wait);
        let id = (!call.request.is_read()).then_some(call.id);
        Ok(Message { method, path, id, body: wire::body(&call.request)?.into(), patience })
    }

    /// Sends something as made for the latest opening; again, if another one has begun. Whether an earlier try may have
    /// taken effect.
    pub(super) async fn send(&self, message: &Message) -> (Result<Answer, Failed>, bool) {
        // What was made for an opening may have taken effect in it, though the copy that was answered
        // came too late. What was made for none is always turned away.
        let mut earlier = false;
        let mut opening = self.opening();
        let mut again = 0..OPENINGS_MAX;
        loop {
            match self.exchange(message, opening.as_ref()).await {
                Ok(answer) if answer.status == StatusCode::PRECONDITION_FAILED && again.next().is_some() => {
                    earlier |= opening.is_some();
                    opening = self.opening();
                }
                answer => return (answer, earlier),
            }
        }
    }

    /// Sends something as made for `opening`.
    async fn exchange(&self, message: &Message, opening: Option<&HeaderValue>) -> Result<Answer, Failed> {
        let patience = message.patience;
        let mut request = self.request(message, opening)?;
        loop {
            // One that was kept may have ended meanwhile: what it could not send is sent anew.
            let (mut connection, kept) = match self.kept().await {
                Some(connection) => (connection, true),
                None => (self.connect().await?, false),
            };
            let answering = async {
                let response = match connection.try_send_request(request).await {
                    Ok(response) => response,
                    Err(mut error) => {
                        return match error.take_message() {
                            Some(unsent) if kept => Ok(Err(unsent)),
                            Some(_) => Err(Failed::Unsent(self.lost(error.error()))),
                            None => Err(Failed::Sent(self.lost(error.error()))),
                        };
                    }
                };
                if let Some(opening) = response.headers().get(OPENING) {
                    *self.opening.lock().expect("nothing panics while it looks") = Some(opening.clone());
                }
                let status = response.status();
                let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect().await;
                let body = body.map_err(|error| Failed::Sent(self.lost(&*error)))?.to_bytes();
                Ok(Ok(Answer { status, body }))
            };
            match within(&self.host, patience, answering).await {
                Some(Ok(Ok(answer))) => {
                    self.keep(connection);
                    return Ok(answer);
                }
                Some(Ok(Err(unsent))) => request = unsent,
                Some(Err(failed)) => return Err(failed),
                None => {
                    let address = &self.address;
                    return Err(Failed::Sent(format!("the server at {address} did not answer within {patience:?}")));
                }
            }
        }
    }

    fn request(&self, message: &Message, opening: Option<&HeaderValue>) -> Result<hyper::Request<Full<Bytes>>, Failed> {
        let (method, path) = (&message.method, &message.path);
        let mut request = hyper::Request::builder().method(method).uri(path).header(HOST, &self.host_header);
        if let Some(authorization) = &self.authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        if message.is_mutation() {
            let (none, json) = (HeaderValue::from_static(NO_OPENING), HeaderValue::from_static("application/json"));
            request = request.header(CONTENT_TYPE, json).header(OPENING, opening.cloned().unwrap_or(none));
        }
        if let Some(id) = message.id {
            request = request.header(REQUEST_ID, id.to_string());
        }
        request.body(Full::new(message.body.clone())).map_err(|error| Failed::Unsent(error.to_string()))
    }

    fn read(&self, request: &Request, answer: &Answer) -> Result<Result<Reply, CallError>, Failed> {
        let Answer { status, body } = answer;
        let read =
            if status.is_success() { wire::read_reply(request, body).map(Ok) } else { wire::read_error(body).map(Err) };
        read.map_err(|error| Failed::Sent(self.no_queue(*status, &error)))
    }

    /// Why an answer can't be understood.
    pub(super) fn no_queue(&self, status: StatusCode, error: &serde_json::Error) -> String {
        format!("what answers at {} with status {status} is no queue: {error}", self.address)
    }

    fn opening(&self) -> Option<HeaderValue> {
        self.opening.lock().expect("nothing panics while it looks").clone()
    }

    async fn connect(&self) -> Result<Connection, Failed> {
        let (address, patience) = (&self.address, self.options.connect_patience);
        let connecting = within(&self.host, patience, self.host.network().connect(address)).await;
        let stream = match connecting {
            Some(Ok(stream)) => stream,
            Some(Err(error)) => return Err(Failed::Unsent(format!("can't connect to {address}: {error}"))),
            None => return Err(Failed::Unsent(format!("no connection to {address} within {patience:?}"))),
        };
        let shaken = http1::handshake(HyperStream::new(stream)).await;
        let (sender, connection) = shaken.map_err(|error| Failed::Unsent(self.lost(&error)))?;
        let driven = self.host.spawn(Role::Control, "outlive-client", async move {
            // Whoever waits for an answer on it is told.
            drop(connection.await);
        });
        // It ends with its sender.
        driven.detach();
        Ok(sender)
    }

    /// A connection that was kept and has not ended since.
    async fn kept(&self) -> Option<Connection> {
        loop {
            let kept = self.idle.lock().expect("nothing panics while it looks").pop();
            let mut connection = kept?;
            // At once, or as soon as it has noticed that its last answer is read.
            if connection.ready().await.is_ok() {
                return Some(connection);
            }
        }
    }

    fn keep(&self, connection: Connection) {
        let mut idle = self.idle.lock().expect("nothing panics while it looks");
        if idle.len() < IDLE_MAX && !connection.is_closed() {
            idle.push(connection);
        }
    }

    fn lost(&self, error: &(dyn std::error::Error + 'static)) -> String {
        format!("the connection to {} was lost: {error}", self.address)
    }
}

#[cfg(test)]
mod tests {
    use super::address_of;

    #[test]
    fn an_address_has_a_name_and_a_port() {
        for (url, address) in [
            ("http://127.0.0.1:7400", "127.0.0.1:7400"),
            ("http://queue.internal:80/", "queue.internal:80"),
            ("[::1]:7400", "[::1]:7400"),
        ] {
            assert_eq!(address_of(url).as_deref(), Ok(address));
        }
        for url in ["https://a:1", "http://a", "a:b", ":1", "http://a:1/v1", "ftp://a:1", "http://u@a:1", "a :1"] {
            assert!(address_of(url).is_err(), "{url}");
        }
    }
}
