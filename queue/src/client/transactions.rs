//! Transactions over a wire: a request for each thing that is said, repeated at its place while its answer is lost.
//!
//! Until the commit is said nothing of it can happen, so whatever fails before is *impossible*. A commit whose answer
//! is lost is *unknown*; whoever has made it settles it by its name.

use super::remote::{Failed, Inner, Message};
use crate::host::{Clock, Networked, Role};
use crate::protocol::{Access, Begin, Beginning, CallError, Conversation, Heard, Hearing, Said};
use crate::wire::{self, Line, Spoken};
use bytes::Bytes;
use hyper::{Method, StatusCode};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::Mutex;

/// First and longest pause between two tries; the first repeat is made at once.
const PAUSE: (Duration, Duration) = (Duration::from_millis(20), Duration::from_millis(500));
/// How often something can be said again within the limit of its transaction, if each try is lost: a copy of what runs
/// already waits for its answer.
const TRIES_PER_LIMIT: u32 = 4;
/// Shortest wait for an answer.
const TRY_MIN: Duration = Duration::from_millis(50);

/// An open transaction of a queue behind a server.
struct Held<H: Networked> {
    line: Arc<Open<H>>,
}

struct Open<H: Networked> {
    inner: Arc<Inner<H>>,
    begin: Begin,
    /// Nothing is to be rolled back any more: it was never open, or its commit was said.
    is_over: AtomicBool,
    spoken: Mutex<Progress>,
}

#[derive(Default)]
struct Progress {
    /// The place of what was said last; 0 before anything was.
    place: u64,
    /// When its time limit ends it, by this host's clock, at the latest.
    until: Duration,
    /// What was said, and given up by whoever said it: it comes first.
    given_up: Option<Message>,
}

/// Opens a transaction.
pub fn begin<H: Networked>(inner: Arc<Inner<H>>, begin: Begin) -> Beginning {
    Box::pin(async move {
        let (is_over, spoken) = (AtomicBool::new(false), Mutex::default());
        // Whoever gives up while it is about to be open rolls it back.
        let held = Held { line: Arc::new(Open { inner, begin, is_over, spoken }) };
        match held.line.open().await {
            Ok(()) => Ok(Arc::new(held) as Arc<dyn Conversation>),
            Err(NotOpen { error, is_over }) => {
                held.line.is_over.store(is_over, Ordering::Relaxed);
                Err(error)
            }
        }
    })
}

/// Why there is no transaction.
struct NotOpen {
    error: CallError,
    /// Whether none can be open.
    is_over: bool,
}

/// An error that the server has for every copy of what was said.
struct NotDone {
    error: CallError,
    /// Whether it was turned away before it took its place.
    at_the_door: bool,
}

impl<H: Networked> Open<H> {
    async fn open(&self) -> Result<(), NotOpen> {
        let patience = self.inner.options.answer_patience;
        let body = wire::begin_body(&self.begin).into();
        let message =
            Message { method: Method::POST, path: wire::begin_path(), id: Some(self.begin.id), body, patience };
        let unavailable = |why, is_over| Err(NotOpen { error: CallError::Unavailable { why }, is_over });
        let (until, mut pause, mut sent) = (self.now() + patience, Duration::ZERO, false);
        loop {
            let (answer, _) = self.inner.send(&message).await;
            let why = match answer {
                Ok(answer) if answer.status.is_success() => match wire::read_begin_reply(&answer.body) {
                    Ok(()) => {
                        self.spoken.lock().await.until = self.now() + Duration::from_millis(self.begin.limit_ms);
                        return Ok(());
                    }
                    Err(error) => self.inner.no_queue(answer.status, &error),
                },
                Ok(answer) => match wire::read_error(&answer.body) {
                    Ok(CallError::Unknown { why }) => why,
                    Ok(error) => return Err(NotOpen { error, is_over: !sent }),
                    Err(error) => self.inner.no_queue(answer.status, &error),
                },
                Err(Failed::Unsent(why)) if !sent => return unavailable(why, true),
                Err(Failed::Unsent(why) | Failed::Sent(why)) => why,
            };
            sent = true;
            if self.now() + pause >= until {
                return unavailable(why, false);
            }
            self.inner.host.clock().sleep(pause).await;
            pause = longer(pause);
        }
    }

    async fn say(&self, said: Said) -> Result<Heard, CallError> {
        let mut spoken = self.spoken.lock().await;
        if let Some(message) = &spoken.given_up {
            // Its answer is for nobody.
            drop(self.deliver(message, spoken.until).await);
            spoken.given_up = None;
        }
        let line = Line { place: spoken.place + 1, what: Spoken::Said(said.clone()) };
        let message = self.message(&line).map_err(|why| CallError::Rejected { why })?;
        spoken.place = line.place;
        let (until, commits) = (spoken.until, matches!(said, Said::Commit));
        if commits {
            self.is_over.store(true, Ordering::Relaxed);
        }
        let delivered = self.deliver(spoken.given_up.insert(message), until).await;
        spoken.given_up = None;
        match delivered {
            Ok(Ok(body)) => {
                let heard = wire::read_heard(&said, &body);
                heard.map_err(|error| self.lost(commits, self.inner.no_queue(StatusCode::OK, &error)))
            }
            Ok(Err(NotDone { error, at_the_door })) => {
                spoken.place -= u64::from(at_the_door);
                Err(match error {
                    CallError::Unknown { why } => self.lost(commits, why),
                    error => error,
                })
            }
            Err(why) => Err(self.lost(commits, why)),
        }
    }

    /// What is known when an answer does not come.
    fn lost(&self, commits: bool, why: String) -> CallError {
        if commits && self.begin.access == Access::Write {
            CallError::Unknown { why }
        } else {
            CallError::Unavailable { why }
        }
    }

    /// Sends something until it is answered, or the transaction is over by its limit: the body of a good answer, or
    /// an error that the server has for every copy; otherwise why there is none.
    async fn deliver(&self, message: &Message, until: Duration) -> Result<Result<Bytes, NotDone>, String> {
        let (mut pause, mut sent) = (Duration::ZERO, false);
        loop {
            let (answer, earlier) = self.inner.send(message).await;
            sent |= earlier;
            let why = match answer {
                Ok(answer) if answer.status.is_success() => return Ok(Ok(answer.body)),
                Ok(answer) => match wire::read_error(&answer.body) {
                    // An earlier copy was answered by whoever knows.
                    Ok(CallError::Rejected { why }) if sent => return Err(why),
                    Ok(CallError::Unknown { why })
                        if !matches!(answer.status, StatusCode::GATEWAY_TIMEOUT | StatusCode::GONE) =>
                    {
                        why
                    }
                    Ok(error) => {
                        let too_large = answer.status == StatusCode::PAYLOAD_TOO_LARGE;
                        let at_the_door = too_large || matches!(error, CallError::Rejected { .. });
                        return Ok(Err(NotDone { error, at_the_door }));
                    }
                    Err(error) => self.inner.no_queue(answer.status, &error),
                },
                Err(Failed::Unsent(why) | Failed::Sent(why)) => why,
            };
            sent = true;
            if self.now() + pause >= until {
                return Err(why);
            }
            self.inner.host.clock().sleep(pause).await;
            pause = longer(pause);
        }
    }

    fn message(&self, line: &Line) -> Result<Message, String> {
        let body = wire::line_body(line).map_err(|error| format!("it is not JSON: {error}"))?.into();
        let share = Duration::from_millis(self.begin.limit_ms) / TRIES_PER_LIMIT;
        let patience = share.max(TRY_MIN).min(self.inner.options.answer_patience);
        Ok(Message { method: Method::POST, path: wire::line_path(self.begin.id), id: None, body, patience })
    }

    fn now(&self) -> Duration {
        self.inner.host.clock().boot()
    }
}

impl<H: Networked> Conversation for Held<H> {
    fn say(&self, said: Said) -> Hearing {
        let line = self.line.clone();
        Box::pin(async move { line.say(said).await })
    }
}

impl<H: Networked> Drop for Held<H> {
    fn drop(&mut self) {
        if self.line.is_over.load(Ordering::Relaxed) {
            return;
        }
        let line = self.line.clone();
        // If it is lost, the time limit ends the transaction.
        let rolling_back = async move {
            if let Ok(message) = line.message(&Line { place: 0, what: Spoken::RollBack }) {
                drop(line.inner.send(&message).await);
            }
        };
        self.line.inner.host.spawn(Role::Control, "outlive-roll-back", rolling_back).detach();
    }
}

fn longer(pause: Duration) -> Duration {
    (2 * pause).clamp(PAUSE.0, PAUSE.1)
}
