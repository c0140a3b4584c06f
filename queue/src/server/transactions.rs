//! Transactions that callers hold over a wire: a request for each thing that is said, each under a place of its own.
//!
//! What is said at a place runs once, whether its caller stays or not, and every copy of it gets the same answer. All
//! of it is in memory, and may be lost at any instant: a transaction that is not known here is over. One that was over
//! is known for as long as the opening of the server lasts; so no late copy begins it again, and says in it what was
//! said before.

use super::openings::{Openings, Turn};
use crate::host::{Host, Role};
use crate::job::{Refusal, RequestId};
use crate::limits;
use crate::protocol::{Begin, CallError, Conversation, Heard, Said, Service};
use crate::wire::{self, Line, Problem, Spoken};
use bytes::Bytes;
use hyper::StatusCode;
use hyper::header::HeaderValue;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::sync::oneshot;

/// Rows that are answered are forgotten when the transaction is over, if they take more bytes than this.
const KEPT_BYTES_MAX: usize = 4 << 10;

/// What is answered.
pub type Answer = (StatusCode, Bytes);

/// The transactions of one server.
pub struct Transactions<H: Host> {
    host: H,
    known: Mutex<BTreeMap<RequestId, Arc<Known>>>,
}

/// A transaction that was opened here.
struct Known {
    begin: Begin,
    state: Mutex<State>,
}

struct State {
    /// None once it was rolled back from here. One that the engine has ended says so itself.
    conversation: Option<Arc<dyn Conversation>>,
    /// The place of what was said last; 0 before anything was.
    place: u64,
    /// What was said there, as a digest of the body.
    digest: u64,
    /// What it was answered.
    last: Last,
    is_committed: bool,
    /// Copies that wait for the answer.
    waiting: Vec<oneshot::Sender<()>>,
}

enum Last {
    UnderWay,
    Answered(Answer),
    Forgotten,
}

impl<H: Host> Transactions<H> {
    /// None is known.
    pub fn new(host: H) -> Self {
        Self { host, known: Mutex::default() }
    }

    /// Opens one, unless it was opened before.
    ///
    /// # Errors
    /// It was made for another opening: what to answer instead.
    pub async fn begin(
        &self,
        openings: &Openings<H>,
        opening: Option<&HeaderValue>,
        service: &dyn Service,
        begin: Begin,
    ) -> Result<Answer, Problem> {
        let _turn = match opening {
            Some(opening) => match openings.turn(opening, begin.id).await? {
                Turn::Goes(turn) => Some(turn),
                Turn::Refused(error) => return Ok(answer(Err(error))),
            },
            None => None,
        };
        let reply = || (StatusCode::OK, Bytes::from(wire::begin_reply()));
        if let Some(known) = self.get(begin.id) {
            let same = known.begin == begin;
            return Ok(if same { reply() } else { answer(Err(CallError::Refused(Refusal::RequestIdReused))) });
        }
        match service.begin(begin.clone()).await {
            Ok(conversation) => {
                self.add(openings, begin, conversation);
                Ok(reply())
            }
            // Whatever another copy has opened, nothing was said in it.
            Err(error) => Ok(answer(Err(error))),
        }
    }

    /// Says something in a transaction; `digest` tells two bodies apart.
    ///
    /// # Errors
    /// It is not known here, or it is not the turn of this place: what to answer instead.
    pub async fn say(&self, id: RequestId, line: Line, digest: u64) -> Result<Answer, Problem> {
        let known = self.get(id).ok_or_else(|| gone(&line.what))?;
        match line.what {
            Spoken::Said(said) => known.say(&self.host, line.place, said, digest).await,
            Spoken::RollBack => known.roll_back().await,
        }
    }

    fn get(&self, id: RequestId) -> Option<Arc<Known>> {
        self.known().get(&id).cloned()
    }

    fn add(&self, openings: &Openings<H>, begin: Begin, conversation: Arc<dyn Conversation>) {
        let mut known = self.known();
        // One is open at a time: the others are over.
        known.values().for_each(|known| known.state().forget_rows());
        if known.len() >= limits::TRANSACTIONS_REMEMBERED_MAX {
            known.clear();
            openings.begin_another();
        }
        let state = State {
            conversation: Some(conversation),
            place: 0,
            digest: 0,
            last: Last::Forgotten,
            is_committed: false,
            waiting: Vec::new(),
        };
        known.insert(begin.id, Arc::new(Known { begin, state: Mutex::new(state) }));
    }

    fn known(&self) -> MutexGuard<'_, BTreeMap<RequestId, Arc<Known>>> {
        self.known.lock().expect("nothing panics while it holds them")
    }
}

/// What becomes of something that was said.
enum Turning {
    Answered(Answer),
    /// Somebody is about to be answered.
    Wait(oneshot::Receiver<()>),
    Goes(Arc<dyn Conversation>),
}

impl Known {
    async fn say<H: Host>(self: Arc<Self>, host: &H, place: u64, said: Said, digest: u64) -> Result<Answer, Problem> {
        loop {
            let turning = self.state().turn(place, digest, &said)?;
            match turning {
                Turning::Answered(answer) => return Ok(answer),
                Turning::Wait(over) => drop(over.await),
                Turning::Goes(conversation) => {
                    let (known, hearing) = (self.clone(), conversation.say(said.clone()));
                    // Its caller may leave, and a copy of it asks for the answer.
                    let saying = async move {
                        let heard = hearing.await;
                        known.state().answered(heard);
                    };
                    host.spawn(Role::Control, "outlive-said", saying).detach();
                }
            }
        }
    }

    async fn roll_back(&self) -> Result<Answer, Problem> {
        loop {
            let wait = {
                let mut state = self.state();
                match state.last {
                    // It may be the commit.
                    Last::UnderWay => state.wait(),
                    _ if state.is_committed => return Ok(answer(Err(over("it was committed before, and is over")))),
                    _ => {
                        state.conversation = None;
                        return Ok((StatusCode::OK, Bytes::from(wire::rolled_back_body())));
                    }
                }
            };
            drop(wait.await);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nothing panics while it holds the state")
    }
}

impl State {
    fn turn(&mut self, place: u64, digest: u64, said: &Said) -> Result<Turning, Problem> {
        let out_of_turn = |why: String| Err(Problem::of_copy(StatusCode::CONFLICT, why));
        let under_way = matches!(self.last, Last::UnderWay);
        if place == self.place {
            if digest != self.digest {
                return out_of_turn(format!(
                    "something else was said at place {place}; what is said next has the next"
                ));
            }
            return match &self.last {
                Last::UnderWay => Ok(Turning::Wait(self.wait())),
                Last::Answered(answer) => Ok(Turning::Answered(answer.clone())),
                Last::Forgotten => Err(gone(&Spoken::Said(said.clone()))),
            };
        }
        let next = self.place + 1;
        if place != next || under_way {
            let then = if under_way { ", once that is answered" } else { "" };
            return out_of_turn(format!(
                "place {place} is out of turn: what was said last has place {}, and what comes next has place {next}{then}",
                self.place
            ));
        }
        let Some(conversation) = self.conversation.clone() else { return Err(gone(&Spoken::Said(said.clone()))) };
        (self.place, self.digest, self.last) = (place, digest, Last::UnderWay);
        Ok(Turning::Goes(conversation))
    }

    fn wait(&mut self) -> oneshot::Receiver<()> {
        let (ends, over) = oneshot::channel();
        self.waiting.retain(|left| !left.is_closed());
        self.waiting.push(ends);
        over
    }

    fn answered(&mut self, heard: Result<Heard, CallError>) {
        self.is_committed |= matches!(heard, Ok(Heard::Committed));
        self.last = Last::Answered(answer(heard.map(wire::heard_body)));
        // They are woken in the order in which they came.
        self.waiting.clear();
    }

    fn forget_rows(&mut self) {
        if matches!(&self.last, Last::Answered((_, body)) if body.len() > KEPT_BYTES_MAX) {
            self.last = Last::Forgotten;
        }
    }
}

fn answer(heard: Result<Vec<u8>, CallError>) -> Answer {
    match heard {
        Ok(body) => (StatusCode::OK, body.into()),
        Err(error) => (wire::status_of(&error), wire::error_body(&error).into()),
    }
}

fn over(why: &str) -> CallError {
    CallError::Refused(Refusal::RolledBack { why: why.to_owned() })
}

/// What to answer of a transaction that is not known.
fn gone(what: &Spoken) -> Problem {
    let error = match what {
        Spoken::Said(Said::Commit) => CallError::Unknown {
            why: "this transaction is not open here: it is over, or the server has started again since; ask what became of \
                  it, with POST /v1/settle under its name"
                .into(),
        },
        _ => over(
            "it is not open here: it is over, or the server has started again since; nothing of it has happened, unless \
             its commit was asked for",
        ),
    };
    Problem { status: StatusCode::GONE, error }
}
