//! Calls under request ids, repeated until their outcome is known.

use super::inside::is_inside;
use crate::error::Error;
use crate::host::{self, Clock, Host};
use crate::job::{Refusal, RequestId};
use crate::protocol::{Call, CallError, Reply, Request, Service};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// How long a call whose outcome is unknown is repeated before its caller hears of it: a server may
/// be starting again.
const PATIENCE: Duration = Duration::from_secs(10);
/// First and longest pause between two repeats; the first repeat is made at once.
const PAUSE: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));

/// Makes calls.
pub struct Caller {
    service: Arc<dyn Service>,
    clock: Box<dyn AnyClock>,
    /// Names this handle. With the count behind it, neighbours in time are neighbours in the file.
    name: u64,
    count: AtomicU64,
}

/// The clock of any host.
trait AnyClock: Send + Sync {
    fn boot(&self) -> Duration;
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>>;
}

impl<C: Clock> AnyClock for C {
    fn boot(&self) -> Duration {
        Clock::boot(self)
    }

    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(Clock::sleep(self, duration))
    }
}

impl Caller {
    pub fn new<H: Host>(host: &H, service: Arc<dyn Service>) -> Self {
        Self { service, clock: Box::new(host.clock().clone()), name: host::random_u64(host), count: AtomicU64::new(0) }
    }

    pub fn service(&self) -> Arc<dyn Service> {
        self.service.clone()
    }

    /// A name that no other request has.
    pub fn request_id(&self) -> RequestId {
        let count = self.count.fetch_add(1, Ordering::Relaxed);
        let mut id = [0; 16];
        id[..8].copy_from_slice(&self.name.to_be_bytes());
        id[8..].copy_from_slice(&count.to_be_bytes());
        RequestId(id)
    }

    /// Makes a call under a new name; while its outcome is unknown, under the same name again.
    pub async fn call(&self, request: Request) -> Result<Reply, Error> {
        self.call_as(self.request_id(), request).await
    }

    /// Makes a call under this name; while its outcome is unknown, again.
    pub async fn call_as(&self, id: RequestId, request: Request) -> Result<Reply, Error> {
        self.repeat(id, &request, None).await
    }

    /// Makes a call under a new name; while its outcome is unknown, under the same name again until
    /// it is this late by the host's clock.
    pub async fn call_until(&self, deadline: Duration, request: Request) -> Result<Reply, Error> {
        self.repeat(self.request_id(), &request, Some(deadline)).await
    }

    /// Waits by the host's clock.
    pub async fn sleep(&self, duration: Duration) {
        self.clock.sleep(duration).await;
    }

    /// Time on the host's clock.
    pub fn boot(&self) -> Duration {
        self.clock.boot()
    }

    /// Whether the queue can be asked: not by a task whose own transaction it waits for.
    pub(super) fn check_outside(&self, request: &'static str) -> Result<(), Error> {
        if is_inside(&self.service) { Err(Error::InTransaction { request }) } else { Ok(()) }
    }

    async fn repeat(&self, id: RequestId, request: &Request, deadline: Option<Duration>) -> Result<Reply, Error> {
        self.check_outside(request.name())?;
        match self.once(id, request).await {
            Ok(reply) => Ok(reply),
            Err(error @ CallError::Unknown { .. }) => self.find_out(id, request, error, deadline).await,
            Err(error) => Err(Error::of(error, id)),
        }
    }

    /// Asks the queue what became of a transaction whose commit may have happened: whether it did.
    pub(super) async fn settle(&self, transaction: RequestId, unknown: CallError) -> Result<bool, Error> {
        match self.find_out(transaction, &Request::Settle, unknown, None).await? {
            Reply::Settled { committed } => Ok(committed),
            other => Err(unexpected("settle", &other)),
        }
    }

    /// Asks, at once and then with pauses, until it is known what became of what may have happened.
    async fn find_out(
        &self,
        id: RequestId,
        request: &Request,
        mut unknown: CallError,
        deadline: Option<Duration>,
    ) -> Result<Reply, Error> {
        let deadline = deadline.unwrap_or_else(|| self.clock.boot() + PATIENCE);
        let mut pause = Duration::ZERO;
        while self.clock.boot() + pause < deadline {
            if !pause.is_zero() {
                self.clock.sleep(pause).await;
            }
            match self.once(id, request).await {
                Ok(reply) => return Ok(reply),
                // A limit may be told at the door, which does not know of earlier tries.
                Err(CallError::Refused(Refusal::Limit { .. })) => {}
                // The file knows of every earlier try.
                Err(error @ CallError::Refused(_)) if request.is_remembered() => return Err(Error::of(error, id)),
                // No other try will do, and an earlier one may have.
                Err(CallError::Refused(_)) => return Err(Error::of(unknown, id)),
                // This try changed nothing, but an earlier one may have.
                Err(CallError::Rejected { .. } | CallError::Unavailable { .. }) => {}
                Err(error @ CallError::Unknown { .. }) => unknown = error,
            }
            pause = (2 * pause).clamp(PAUSE.0, PAUSE.1);
        }
        Err(Error::of(unknown, id))
    }

    /// Makes a call under this name, once.
    pub async fn once(&self, id: RequestId, request: &Request) -> Result<Reply, CallError> {
        self.service.call(Call { id, request: request.clone() }).await
    }
}

/// The error for an answer of the wrong kind.
pub fn unexpected(request: &str, reply: &Reply) -> Error {
    Error::Internal(format!("{request} was answered with {reply:?}"))
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "a test brings its own runtime")]
mod tests {
    use super::*;
    use crate::job::{JobId, Lease, Nonce, Refusal, Token};
    use crate::protocol::{Answering, Begin, Beginning};
    use std::collections::VecDeque;
    use std::sync::Mutex;

    const LEASE: Lease = Lease { job: JobId(1), token: Token(1), nonce: Nonce(1) };

    /// A clock that goes on by what is slept.
    #[derive(Clone, Default)]
    struct SleptClock(Arc<Mutex<Duration>>);

    impl Clock for SleptClock {
        fn wall(&self) -> Duration {
            Duration::ZERO
        }

        fn boot(&self) -> Duration {
            *self.0.lock().unwrap()
        }

        fn sleep(&self, duration: Duration) -> impl Future<Output = ()> + Send + 'static {
            *self.0.lock().unwrap() += duration;
            std::future::ready(())
        }
    }

    /// Gives these answers, and the last of them for ever; notes when it was asked.
    struct Script {
        clock: SleptClock,
        answers: Mutex<VecDeque<Result<Reply, CallError>>>,
        asked: Arc<Mutex<Vec<(Duration, RequestId)>>>,
    }

    impl Service for Script {
        fn call(&self, call: Call) -> Answering {
            self.asked.lock().unwrap().push((Clock::boot(&self.clock), call.id));
            let mut answers = self.answers.lock().unwrap();
            let answer = if answers.len() > 1 { answers.pop_front() } else { answers.front().cloned() };
            Box::pin(std::future::ready(answer.expect("there is an answer")))
        }

        fn begin(&self, _: Begin) -> Beginning {
            unreachable!("no test opens a transaction")
        }
    }

    fn unknown() -> Result<Reply, CallError> {
        Err(CallError::Unknown { why: "no answer".into() })
    }

    fn unavailable() -> Result<Reply, CallError> {
        Err(CallError::Unavailable { why: "nobody listens".into() })
    }

    fn rejected() -> Result<Reply, CallError> {
        Err(CallError::Rejected { why: "no token".into() })
    }

    fn refused() -> Result<Reply, CallError> {
        Err(CallError::Refused(Refusal::UnknownJob { job: JobId(1) }))
    }

    /// What a caller hears of a call that is answered so, and when it was made, in milliseconds.
    async fn heard(
        answers: impl IntoIterator<Item = Result<Reply, CallError>>,
        deadline: Option<Duration>,
    ) -> (Result<Reply, Error>, Vec<u128>) {
        heard_of(Request::Cancel { job: JobId(1) }, answers, deadline).await
    }

    async fn heard_of(
        request: Request,
        answers: impl IntoIterator<Item = Result<Reply, CallError>>,
        deadline: Option<Duration>,
    ) -> (Result<Reply, Error>, Vec<u128>) {
        let (clock, asked) = (SleptClock::default(), Arc::default());
        let answers = Mutex::new(answers.into_iter().collect());
        let service = Arc::new(Script { clock: clock.clone(), answers, asked: Arc::clone(&asked) });
        let caller = Caller { service, clock: Box::new(clock), name: 7, count: AtomicU64::new(0) };
        let heard = match deadline {
            Some(deadline) => caller.call_until(deadline, request).await,
            None => caller.call(request).await,
        };
        let asked = asked.lock().unwrap().clone();
        assert!(asked.iter().all(|(_, id)| *id == asked[0].1), "under one name");
        (heard, asked.into_iter().map(|(at, _)| at.as_millis()).collect())
    }

    #[tokio::test]
    async fn what_is_unknown_is_tried_again_at_once_then_with_pauses_then_told() {
        let (heard, asked) = heard([unknown()], None).await;
        assert!(matches!(heard, Err(Error::Unknown { .. })), "{heard:?}");
        assert_eq!(asked, [0, 0, 50, 150, 350, 750, 1_550, 3_150, 5_150, 7_150, 9_150]);
    }

    #[tokio::test]
    async fn only_who_has_asked_the_file_ends_what_is_unknown() {
        let (answer, asked) = heard([unknown(), unavailable(), rejected(), Ok(Reply::Done)], None).await;
        assert!(matches!(answer, Ok(Reply::Done)), "{answer:?}");
        assert_eq!(asked, [0, 0, 50, 150]);
        let (answer, asked) = heard([unknown(), refused()], None).await;
        assert!(matches!(answer, Err(Error::Refused(_))), "{answer:?}");
        assert_eq!(asked, [0, 0]);
        let (answer, asked) = heard([unknown(), unavailable()], None).await;
        assert!(matches!(answer, Err(Error::Unknown { .. })), "{answer:?}");
        assert_eq!(asked.len(), 11);
    }

    /// Nobody remembers its answer, so a refusal says nothing of an earlier try.
    #[tokio::test]
    async fn what_is_not_remembered_stays_unknown_when_it_is_refused_later() {
        let request = Request::Step { lease: LEASE, name: "charge".into(), result: "1".into() };
        let (answer, asked) = heard_of(request, [unknown(), refused()], None).await;
        assert!(matches!(answer, Err(Error::Unknown { .. })), "{answer:?}");
        assert_eq!(asked, [0, 0]);
    }

    #[tokio::test]
    async fn whoever_settles_asks_until_the_file_has_answered() {
        let settled = Ok(Reply::Settled { committed: true });
        let (clock, asked) = (SleptClock::default(), Arc::default());
        let answers = Mutex::new([unavailable(), unknown(), rejected(), settled].into());
        let service = Arc::new(Script { clock: clock.clone(), answers, asked: Arc::clone(&asked) });
        let caller = Caller { service, clock: Box::new(clock), name: 7, count: AtomicU64::new(0) };
        let id = RequestId([9; 16]);
        assert!(caller.settle(id, unknown().unwrap_err()).await.unwrap());
        let asked = asked.lock().unwrap();
        assert_eq!(asked.iter().map(|(at, _)| at.as_millis()).collect::<Vec<_>>(), [0, 50, 150, 350]);
        assert!(asked.iter().all(|(_, name)| *name == id), "under the name of the transaction");
    }

    #[tokio::test]
    async fn what_has_not_happened_is_told_at_once() {
        for answer in [unavailable(), rejected(), refused()] {
            let (heard, asked) = heard([answer], None).await;
            assert_eq!(heard.unwrap_err().effect(), crate::Effect::Impossible);
            assert_eq!(asked, [0]);
        }
    }

    #[tokio::test]
    async fn nothing_is_repeated_once_its_deadline_has_passed() {
        let (_, asked) = heard([unknown()], Some(Duration::from_millis(400))).await;
        assert_eq!(asked, [0, 0, 50, 150, 350]);
        let (_, asked) = heard([unknown()], Some(Duration::ZERO)).await;
        assert_eq!(asked, [0]);
    }
}
