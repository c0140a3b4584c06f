//! An opening: the time in which a server vouches for what it refused.
//!
//! A network may deliver a request twice, and late. A copy of a refused one must not take effect when
//! it comes at a better time: its caller was told that nothing has happened. So a mutation says for
//! which opening it was made. Within that one the refusal is remembered; in any other one the copy
//! is turned away. So what is remembered may be lost, and may have a bound: then another opening
//! begins, and none ever comes back.

use crate::host::{self, Host};
use crate::job::{Refusal, RequestId};
use crate::limits;
use crate::protocol::{Call, CallError, Reply, Service};
use crate::wire::{OPENING, Problem};
use hyper::StatusCode;
use hyper::header::HeaderValue;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::{Mutex, MutexGuard};
use tokio::sync::oneshot;

/// The openings of one server, one after the other.
pub struct Openings<H: Host> {
    host: H,
    state: Mutex<State>,
}

struct State {
    /// What the present one is called: a number that nobody can guess.
    current: HeaderValue,
    /// What was refused in it.
    refused: BTreeMap<RequestId, CallError>,
    /// Calls that the service has, whatever they were made for, and copies that wait for their turn.
    in_service: BTreeMap<RequestId, Vec<oneshot::Sender<()>>>,
}

/// What becomes of a copy.
pub enum Turn<'a, H: Host> {
    /// It goes to the service.
    Goes(InService<'a, H>),
    /// An earlier one was refused.
    Refused(CallError),
}

/// A call that the service has. When it is answered, or its caller has left, the next copy has its turn.
pub struct InService<'a, H: Host> {
    openings: &'a Openings<H>,
    id: RequestId,
}

impl<H: Host> Openings<H> {
    /// The first one begins.
    pub fn new(host: H) -> Self {
        let state = State { current: draw(&host), refused: BTreeMap::new(), in_service: BTreeMap::new() };
        Self { host, state: Mutex::new(state) }
    }

    /// What the present one is called.
    pub fn current(&self) -> HeaderValue {
        self.state().current.clone()
    }

    /// Whether what was made for `opening` may go on.
    ///
    /// # Errors
    /// What to answer instead.
    pub fn check(&self, opening: &HeaderValue) -> Result<(), Problem> {
        self.state().check(opening)
    }

    /// Makes a call that was made for `opening`. What says afterwards that nothing has happened is
    /// right about every copy.
    ///
    /// # Errors
    /// It was made for another opening: what to answer instead.
    pub async fn call(
        &self,
        opening: &HeaderValue,
        service: &dyn Service,
        call: Call,
    ) -> Result<Result<Reply, CallError>, Problem> {
        let id = call.id;
        // Until what follows from the answer is remembered.
        let _in_service = match self.turn(opening, id).await? {
            Turn::Goes(in_service) => in_service,
            Turn::Refused(error) => return Ok(Err(error)),
        };
        let answer = service.call(call).await;
        match &answer {
            // It is about this body: the file knows the first one that had this name.
            Err(CallError::Refused(Refusal::RequestIdReused)) => {}
            Err(error @ (CallError::Refused(_) | CallError::Rejected { .. })) => self.remember(opening, id, error),
            _ => {}
        }
        Ok(match answer {
            // It did not reach the file, and only the file knows of the copies that did.
            Err(CallError::Unavailable { why }) => Err(CallError::Unknown { why }),
            answer => answer,
        })
    }

    /// Waits until no copy is in the service: one could be refused while another is accepted.
    ///
    /// # Errors
    /// It was made for another opening: what to answer instead.
    pub async fn turn(&self, opening: &HeaderValue, id: RequestId) -> Result<Turn<'_, H>, Problem> {
        loop {
            let over = {
                let mut state = self.state();
                state.check(opening)?;
                if let Some(error) = state.refused.get(&id) {
                    return Ok(Turn::Refused(error.clone()));
                }
                match state.in_service.entry(id) {
                    Entry::Vacant(free) => {
                        free.insert(Vec::new());
                        return Ok(Turn::Goes(InService { openings: self, id }));
                    }
                    Entry::Occupied(mut taken) => {
                        let (ends, over) = oneshot::channel();
                        let waiting = taken.get_mut();
                        waiting.retain(|left| !left.is_closed());
                        waiting.push(ends);
                        over
                    }
                }
            };
            // Nothing is sent: that its other end is gone says it.
            drop(over.await);
        }
    }

    fn remember(&self, opening: &HeaderValue, id: RequestId, error: &CallError) {
        let mut state = self.state();
        if state.check(opening).is_err() {
            return;
        }
        state.refused.insert(id, error.clone());
        if state.refused.len() >= limits::REFUSALS_REMEMBERED_MAX {
            state.begin_another(&self.host);
        }
    }

    /// Another opening begins: something is about to be forgotten that copies for the present one rely on.
    pub fn begin_another(&self) {
        self.state().begin_another(&self.host);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nothing panics while it holds the state")
    }
}

impl State {
    fn begin_another<H: Host>(&mut self, host: &H) {
        self.current = draw(host);
        self.refused.clear();
    }

    fn check(&self, opening: &HeaderValue) -> Result<(), Problem> {
        if *opening == self.current {
            return Ok(());
        }
        let why = format!(
            "this copy of the request was made for an earlier opening of the server, and was turned away; the answer's \
             header {OPENING} says which one there is now"
        );
        Err(Problem::of_copy(StatusCode::PRECONDITION_FAILED, why))
    }
}

impl<H: Host> Drop for InService<'_, H> {
    fn drop(&mut self) {
        let waiting = self.openings.state().in_service.remove(&self.id);
        // They are woken in the order in which they came.
        drop(waiting);
    }
}

/// What another opening is called.
fn draw<H: Host>(host: &H) -> HeaderValue {
    HeaderValue::from_str(&format!("{:016x}", host::random_u64(host))).expect("digits can stand in a header")
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "a test brings its own runtime")]
mod tests {
    use super::*;
    use crate::Effect;
    use crate::host::Os;
    use crate::job::{JobId, Refusal};
    use crate::protocol::{Answering, Begin, Beginning, Request};
    use std::collections::VecDeque;
    use std::sync::Arc;

    /// Answers calls in the order in which it got them, when it is told to.
    #[derive(Default)]
    struct ByHand(Mutex<VecDeque<oneshot::Sender<Result<Reply, CallError>>>>);

    impl ByHand {
        fn has(&self) -> usize {
            self.0.lock().unwrap().len()
        }

        fn answer(&self, answer: Result<Reply, CallError>) {
            let first = self.0.lock().unwrap().pop_front();
            first.expect("it was called").send(answer).expect("somebody waits");
        }
    }

    impl Service for ByHand {
        fn call(&self, _: Call) -> Answering {
            let (sender, answer) = oneshot::channel();
            self.0.lock().unwrap().push_back(sender);
            Box::pin(async { answer.await.expect("it is answered") })
        }

        fn begin(&self, _: Begin) -> Beginning {
            unreachable!("no test opens a transaction")
        }
    }

    struct Bench {
        openings: Arc<Openings<Os>>,
        service: Arc<ByHand>,
    }

    type Called = tokio::task::JoinHandle<Result<Result<Reply, CallError>, Problem>>;

    impl Bench {
        fn new() -> Self {
            Self { openings: Arc::new(Openings::new(Os::new().unwrap())), service: Arc::default() }
        }

        /// A copy of request `id` arrives, and comes as far as it can.
        async fn arrive(&self, opening: &HeaderValue, id: u8) -> Called {
            let (openings, service, opening) = (self.openings.clone(), self.service.clone(), opening.clone());
            let call = Call { id: RequestId([id; 16]), request: Request::Cancel { job: JobId(1) } };
            let called = tokio::spawn(async move { openings.call(&opening, &*service, call).await });
            settle().await;
            called
        }

        fn is_empty(&self) -> bool {
            let state = self.openings.state();
            state.in_service.is_empty()
        }
    }

    /// Lets every task come as far as it can.
    async fn settle() {
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
    }

    fn refused() -> Result<Reply, CallError> {
        Err(CallError::Refused(Refusal::UnknownJob { job: JobId(1) }))
    }

    #[tokio::test]
    async fn what_was_refused_stays_refused_as_long_as_the_opening() {
        let bench = Bench::new();
        let opening = bench.openings.current();
        let first = bench.arrive(&opening, 1).await;
        bench.service.answer(refused());
        assert_eq!(first.await.unwrap(), Ok(refused()));
        // The service, which might accept it now, is not asked.
        assert_eq!(bench.arrive(&opening, 1).await.await.unwrap(), Ok(refused()));
        let another = bench.arrive(&opening, 2).await;
        bench.service.answer(Ok(Reply::Done));
        assert_eq!(another.await.unwrap(), Ok(Ok(Reply::Done)));
        for other in [HeaderValue::from_static("none"), Openings::new(Os::new().unwrap()).current()] {
            let problem = bench.arrive(&other, 3).await.await.unwrap().unwrap_err();
            assert_eq!(problem.status, StatusCode::PRECONDITION_FAILED);
            assert_eq!(problem.error.effect(), Effect::Unknown);
        }
        assert!(bench.is_empty() && bench.service.has() == 0);
    }

    #[tokio::test]
    async fn what_was_accepted_or_is_unknown_may_be_asked_again() {
        let bench = Bench::new();
        let opening = bench.openings.current();
        let why = || "the disk failed".to_owned();
        for (answer, told) in [
            (Err(CallError::Unknown { why: why() }), Err(CallError::Unknown { why: why() })),
            // Another copy may have reached the file before.
            (Err(CallError::Unavailable { why: why() }), Err(CallError::Unknown { why: why() })),
            (Ok(Reply::Done), Ok(Reply::Done)),
            (Ok(Reply::Done), Ok(Reply::Done)),
        ] {
            let called = bench.arrive(&opening, 1).await;
            bench.service.answer(answer);
            assert_eq!(called.await.unwrap(), Ok(told));
        }
    }

    #[tokio::test]
    async fn a_copy_waits_for_the_one_before_it() {
        let bench = Bench::new();
        let opening = bench.openings.current();
        let first = bench.arrive(&opening, 1).await;
        let (second, third) = (bench.arrive(&opening, 1).await, bench.arrive(&opening, 1).await);
        let other = bench.arrive(&opening, 2).await;
        assert_eq!(bench.service.has(), 2, "another request waits for nobody");
        bench.service.answer(refused());
        for copy in [first, second, third] {
            assert_eq!(copy.await.unwrap(), Ok(refused()));
        }
        bench.service.answer(Ok(Reply::Done));
        assert_eq!(other.await.unwrap(), Ok(Ok(Reply::Done)));
        assert!(bench.is_empty());
    }

    #[tokio::test]
    async fn a_caller_who_leaves_lets_the_next_copy_pass() {
        let bench = Bench::new();
        let opening = bench.openings.current();
        let (first, second) = (bench.arrive(&opening, 1).await, bench.arrive(&opening, 1).await);
        let third = bench.arrive(&opening, 1).await;
        for (leaver, asked) in [(second, 1), (first, 2)] {
            leaver.abort();
            settle().await;
            assert_eq!(bench.service.has(), asked);
        }
        drop(bench.service.0.lock().unwrap().pop_front());
        bench.service.answer(Ok(Reply::Done));
        assert_eq!(third.await.unwrap(), Ok(Ok(Reply::Done)));
        assert!(bench.is_empty());
    }

    #[tokio::test]
    async fn another_opening_begins_before_a_refusal_is_forgotten() {
        let bench = Bench::new();
        let opening = bench.openings.current();
        let early = bench.arrive(&opening, 255).await;
        let waiting = bench.arrive(&opening, 255).await;
        for number in 0..limits::REFUSALS_REMEMBERED_MAX {
            assert_eq!(bench.openings.current(), opening, "after {number}");
            let mut id = [0; 16];
            id[..8].copy_from_slice(&number.to_be_bytes());
            bench.openings.remember(&opening, RequestId(id), &refused().unwrap_err());
        }
        let next = bench.openings.current();
        assert_ne!(next, opening);
        // It is in the service while the next opening begins: its copy for that one waits all the same.
        let anew = bench.arrive(&next, 255).await;
        assert_eq!(bench.service.has(), 1);
        bench.service.answer(refused());
        assert_eq!(early.await.unwrap(), Ok(refused()));
        assert_eq!(waiting.await.unwrap().unwrap_err().status, StatusCode::PRECONDITION_FAILED);
        settle().await;
        bench.service.answer(Ok(Reply::Done));
        assert_eq!(anew.await.unwrap(), Ok(Ok(Reply::Done)));
        // A refusal of an opening that is over is not remembered in the next one.
        assert!(bench.openings.state().refused.is_empty());
    }
}
