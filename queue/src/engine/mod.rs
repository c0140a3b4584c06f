//! The single writer: takes requests, decides them in groups, and answers after the sync.
//!
//! One group is one transaction. It first writes what time has brought about, then what was asked
//! for, then gives work to those who wait for it. Nothing is answered before its sync; what was in
//! flight when the store broke is answered *unknown*, and the store is opened anew: there is one
//! way to start.

mod awaits;
mod bulk;
mod claims;
mod commands;
mod compacting;
mod copying;
mod due;
mod gates;
mod group;
mod inbox;
mod policies;
mod replay;
mod retention;
mod schedules;
mod steady;
mod transaction;
mod validate;
mod wait;
mod waits;

use crate::figures::{Commit, Figures};
use crate::host::Host;
use crate::job::{Nonce, Now, Steady, Wall};
use crate::limits;
use crate::options::Options;
use crate::order::{Gates, Order, Waits};
use crate::protocol::{Call, CallError, Reply};
use crate::store::cached::Cached;
use crate::store::{FileState, OpenError, Storage, Store, StoreError};
use awaits::{Awaits, WaitingAwait};
use claims::WaitingClaim;
use group::Group;
use inbox::{Alone, Arrived, Arriving, gather};
use std::time::Duration;
use steady::SteadyClock;
use tokio::sync::{mpsc, oneshot};

pub use compacting::{Compacting, make_smaller};
pub use copying::HeldSnapshot;
pub use inbox::Local;
#[cfg(feature = "wire")]
pub(crate) use wait::within;
pub(crate) use wait::{First, both, catch_panic, first_of, message as panic_message};

/// Whether a claim is within its limits.
///
/// # Errors
/// Which limit it exceeds.
pub(crate) fn check_claim(claim: &crate::protocol::Claim) -> Result<(), crate::job::Refusal> {
    validate::claim(claim, 0)
}

/// What became of a call in its group.
enum Decided {
    /// It is answered after the sync.
    Answer(Result<Reply, CallError>),
    /// It waits for work.
    Wait(WaitingClaim),
    /// It waits for the end of a job.
    Await(WaitingAwait),
}

impl Decided {
    /// Why it is refused, if it is.
    fn refusal(&self) -> Option<&crate::job::Refusal> {
        match self {
            Self::Answer(Err(CallError::Refused(refusal))) => Some(refusal),
            Self::Answer(_) | Self::Wait(_) | Self::Await(_) => None,
        }
    }
}

struct Engine<H: Host, S: Storage> {
    // The first to be dropped.
    holding: copying::Holding,
    host: H,
    storage: S,
    store: Cached<S::Store>,
    options: Options,
    clock: SteadyClock<H>,
    nonce: Nonce,
    /// The row as it was committed last.
    state: FileState,
    order: Order,
    waits: Waits,
    gates: Gates,
    policies: policies::Policies,
    /// The schedules that are in the file.
    schedules: schedules::Schedules,
    /// When claims were served last.
    served: Now,
    /// Who has ended long enough ago to be forgotten.
    retention: retention::Retaining,
    seen: gates::Seen,
    figures: Figures,
    claims: Vec<WaitingClaim>,
    awaits: Awaits,
    /// When the oldest remembered answer was given, at the earliest.
    oldest_request: Steady,
    /// The shortest lease granted since there was none.
    shortest_lease: Option<Duration>,
    /// When a broken store was opened anew, and how long a pause went before that.
    reopened: Option<(Steady, Duration)>,
    /// Whether the store was opened anew, and nobody was served since.
    is_anew: bool,
    /// How often rows have made it panic.
    stumbles: u32,
    /// Whether it has recovered once, so that it knows what must be in the file.
    is_open: bool,
}

/// What became of opening a broken store anew.
enum Reopened {
    Yes,
    NobodyAsks,
    /// There is no use in trying again.
    Never(String),
}

/// Why a broken store did not open, and whether it may yet.
enum Closed {
    ForNow(String),
    ForGood(String),
}

impl Closed {
    fn of(error: &OpenError) -> Self {
        match error {
            OpenError::Damaged { .. } | OpenError::LostTail { .. } => Self::ForGood(error.to_string()),
            _ => Self::ForNow(error.to_string()),
        }
    }
}

/// First and longest pause before a broken store is opened once more.
const REOPEN_PAUSE: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(5));

impl<H: Host, S: Storage> Engine<H, S> {
    async fn open(host: H, mut storage: S, options: Options) -> Result<Self, OpenError> {
        let store_error = |error| match error {
            StoreError::Damaged { path, found } => OpenError::Damaged { path, found },
            error => OpenError::Store { path: "the queue".into(), error },
        };
        options.check().map_err(OpenError::Options)?;
        let mut store = Cached::new(storage.open(&options).await?);
        let state = store.state().await.map_err(store_error)?;
        let nonce = Nonce(crate::host::random_u64(&host));
        let clock = SteadyClock::starting(host.clock().clone(), state.steady);
        let first_opening = if state.openings == 0 { nonce } else { state.first_opening };
        let state = FileState { nonce, openings: state.openings + 1, first_opening, ..state };
        let order = Order::new(options.ageing);
        let mut engine = Self {
            holding: copying::Holding::default(),
            host,
            storage,
            store,
            options,
            clock,
            nonce,
            state,
            order,
            waits: Waits::default(),
            gates: Gates::default(),
            policies: policies::Policies::default(),
            schedules: schedules::Schedules::default(),
            served: Now { steady: Steady(0), wall: Wall(0) },
            retention: retention::Retaining::default(),
            seen: gates::Seen::default(),
            figures: Figures::new(),
            claims: Vec::new(),
            awaits: Awaits::default(),
            oldest_request: Steady(0),
            shortest_lease: None,
            reopened: None,
            is_anew: false,
            stumbles: limits::STUMBLES_MAX,
            is_open: false,
        };
        engine.reload().await.map_err(store_error)?;
        (engine.stumbles, engine.is_open) = (0, true);
        engine.figures.show(&engine.order);
        Ok(engine)
    }

    async fn run(mut self, mut arriving: mpsc::Receiver<Arriving>) {
        loop {
            let mut first = None;
            let is_anew = std::mem::take(&mut self.is_anew);
            if !is_anew && self.next_wake().is_none_or(|wake| !wake.is_zero()) {
                match wait::first_of(arriving.recv(), self.rest()).await {
                    wait::First::Left(Some(arrived)) => first = Some(arrived),
                    wait::First::Left(None) => return,
                    wait::First::Right(()) => {}
                }
            }
            let (calls, alone) = gather(first, &mut arriving);
            match self.serve_all(calls, alone).await {
                Ok(()) => {}
                Err(error @ StoreError::Damaged { .. }) => {
                    return self.stop_for_good(arriving, error.to_string()).await;
                }
                Err(error) => match self.reopen(&mut arriving, error.to_string()).await {
                    // Whoever waits may have what he waits for by now.
                    Reopened::Yes => self.is_anew = true,
                    Reopened::NobodyAsks => return,
                    Reopened::Never(why) => return self.stop_for_good(arriving, why).await,
                },
            }
        }
    }

    /// Serves a group of calls, and what came after them that is served by itself.
    async fn serve_all(&mut self, calls: Vec<Arrived>, alone: Option<Alone>) -> Result<(), StoreError> {
        match (self.serve(calls).await, alone) {
            (Ok(()), Some(Alone::Transaction(opening))) => self.transact(opening).await,
            (Ok(()), Some(Alone::Copy(wanted))) => self.hold(wanted).await,
            (Ok(()), Some(Alone::Compact(wanted))) => self.compact(wanted).await,
            (Err(error), Some(alone)) => {
                alone.turn_away(CallError::Unavailable { why: error.to_string() });
                Err(error)
            }
            (served, None) => served,
        }
    }

    /// Decides, commits and answers one group.
    async fn serve(&mut self, arrived: Vec<Arrived>) -> Result<(), StoreError> {
        let (calls, senders): (Vec<Call>, Vec<_>) = arrived.into_iter().map(|it| (it.call, it.answer)).unzip();
        let now = self.clock.now();
        let outcome = wait::catch_panic(self.group(&calls, now)).await.unwrap_or_else(|panic| Err(self.stumble(panic)));
        match outcome {
            Ok(decided) => {
                self.figures.served(calls.len(), decided.iter().filter_map(Decided::refusal));
                self.figures.show(&self.order);
                for (sender, decided) in senders.into_iter().zip(decided) {
                    self.settle(sender, decided);
                }
                self.answer_claims();
                let answered = wait::catch_panic(self.answer_awaits(now)).await;
                answered.unwrap_or_else(|panic| Err(self.stumble(panic)))?;
                self.checkpoint().await
            }
            // Nobody asked for anything: it is the rows of the file that contradict each other.
            Err(StoreError::Refused(message)) if calls.is_empty() => {
                self.clock.sleep(REOPEN_PAUSE.1).await;
                Err(self.stumble(message))
            }
            // Rows that contradict the tables are a bug, but one request's bug is not its neighbour's.
            Err(StoreError::Refused(_)) if calls.len() > 1 => {
                self.reload().await?;
                for (call, answer) in calls.into_iter().zip(senders) {
                    Box::pin(self.serve(vec![Arrived { call, answer }])).await?;
                }
                Ok(())
            }
            Err(StoreError::Refused(message)) => {
                for sender in senders {
                    let refusal = crate::job::Refusal::Internal { message: message.clone() };
                    drop(sender.send(Err(CallError::Refused(refusal))));
                }
                self.reload().await
            }
            Err(error) => {
                for (call, sender) in calls.iter().zip(senders) {
                    drop(sender.send(Err(in_flight(call.request.is_read(), &error.to_string()))));
                }
                // What was about to be granted to those who wait may have been.
                for claim in self.claims.extract_if(.., |claim| claim.is_decided()) {
                    claim.abandon(&error.to_string());
                }
                Err(error)
            }
        }
    }

    /// Moves the log into the file, if it has grown enough.
    async fn checkpoint(&mut self) -> Result<(), StoreError> {
        if !self.may_checkpoint()? {
            return Ok(());
        }
        self.move_log(self.options.checkpoint_frames).await
    }

    /// Moves the log into the file, if it has as many frames as this.
    async fn move_log(&mut self, frames: u64) -> Result<(), StoreError> {
        let checkpoint = wait::catch_panic(self.store.checkpoint(frames)).await;
        if checkpoint.unwrap_or_else(|panic| Err(self.stumble(panic)))? {
            self.figures.checkpointed();
        }
        Ok(())
    }

    /// Decides one group and commits it.
    async fn group(&mut self, calls: &[Call], now: Now) -> Result<Vec<Decided>, StoreError> {
        let mut group = Group::new(self.state, now);
        self.order.advance(now);
        self.write_due(&mut group, now).await?;
        let mut decided = Vec::with_capacity(calls.len());
        for call in calls {
            decided.push(self.decide(&mut group, call, now).await?);
        }
        self.serve_claims(&mut group, now, &mut decided).await?;
        self.forget(&mut group, now).await?;
        if self.mark_is_old(now) {
            group.touch();
        }
        self.commit(group, now).await?;
        Ok(decided)
    }

    async fn commit(&mut self, group: Group, now: Now) -> Result<(), StoreError> {
        let before = Steady(now.steady.0.saturating_sub(crate::job::milliseconds(self.options.request_retention)));
        let remembers = group.remembers();
        let forget = (remembers && self.oldest_request < before).then_some(before);
        let Some((state, changes)) = group.into_changes(forget) else { return Ok(()) };
        let commit = Commit::begin(&changes, self.host.clock());
        self.store.commit(changes).await?;
        self.figures.committed(commit, self.host.clock());
        self.state = state;
        if forget.is_some() {
            self.oldest_request = self.store.oldest_request().await?.unwrap_or(now.steady);
        }
        Ok(())
    }

    fn settle(&mut self, sender: oneshot::Sender<Result<Reply, CallError>>, decided: Decided) {
        match decided {
            // A caller that is gone is answered as well as one that was never there.
            Decided::Answer(answer) => drop(sender.send(answer)),
            Decided::Wait(claim) => self.claims.push(claim.with(sender)),
            Decided::Await(waiting) => self.awaits.add(waiting, sender),
        }
    }

    /// Opens the store anew, however long it takes; whoever asks meanwhile hears why.
    async fn reopen(&mut self, arriving: &mut mpsc::Receiver<Arriving>, why: String) -> Reopened {
        let (mut why, mut pause) = (why, self.pause_before_reopening());
        loop {
            if !pause.is_zero() {
                let refuse = async {
                    while let Some(arrived) = arriving.recv().await {
                        arrived.turn_away(&why);
                    }
                };
                if let First::Left(()) = wait::first_of(refuse, self.clock.sleep(pause)).await {
                    return Reopened::NobodyAsks;
                }
            }
            match self.try_reopen().await {
                Ok(()) => break,
                Err(Closed::ForNow(error)) => why = error,
                Err(Closed::ForGood(error)) => return Reopened::Never(error),
            }
            pause = longer(pause);
        }
        self.reopened = Some((self.clock.now().steady, pause));
        self.figures.reopened();
        Reopened::Yes
    }

    /// None, unless the store has broken again right after it was opened: it opens on a full disk, and breaks
    /// with the first change that needs room.
    fn pause_before_reopening(&self) -> Duration {
        let Some((at, pause)) = self.reopened else { return Duration::ZERO };
        let next = longer(pause);
        if self.clock.now().steady < at.plus(2 * next) { next } else { Duration::ZERO }
    }

    async fn try_reopen(&mut self) -> Result<(), Closed> {
        // An opening moves the log about.
        self.holding.give_up();
        let opened = wait::catch_panic(self.storage.open(&self.options)).await.map_err(Closed::ForNow)?;
        self.store = Cached::new(opened.map_err(|error| Closed::of(&error))?);
        self.reload().await.map_err(|error| match error {
            StoreError::Damaged { .. } => Closed::ForGood(error.to_string()),
            error => Closed::ForNow(error.to_string()),
        })
    }

    /// Answers whoever asks that the file is damaged, until nobody does. To open it again would bring the same
    /// bytes, and to write to it would make it worse.
    async fn stop_for_good(mut self, mut arriving: mpsc::Receiver<Arriving>, why: String) {
        for claim in self.claims.drain(..) {
            claim.abandon(&why);
        }
        self.awaits.abandon(&why);
        while let Some(arrived) = arriving.recv().await {
            arrived.turn_away(&why);
        }
    }

    /// Rows have made it panic, or contradict each other. It may have been a bug of ours, and then the next opening
    /// goes on; if it happens again and again, it is the file.
    fn stumble(&mut self, says: String) -> StoreError {
        self.stumbles += 1;
        if self.stumbles > limits::STUMBLES_MAX { self.store.damaged(says) } else { StoreError::Broken(says) }
    }

    /// Compares what the file says with what this very process has committed to it.
    fn miss_nothing(&self, found: &FileState) -> Result<(), StoreError> {
        let FileState { next_job, next_token, next_signal, nonce, .. } = self.state;
        let has_all = found.next_job >= next_job && found.next_token >= next_token && found.next_signal >= next_signal;
        let ours = found.nonce == nonce && has_all;
        if ours || !self.is_open {
            return Ok(());
        }
        Err(self.store.damaged(format!(
            "it has lost changes that were acknowledged: this process has given out jobs up to {} and tokens up to {}, \
             and the file knows of jobs up to {} and tokens up to {}",
            next_job - 1,
            next_token - 1,
            found.next_job - 1,
            found.next_token - 1
        )))
    }

    /// Reads everything that the engine keeps in memory from the rows, after a panic too.
    async fn reload(&mut self) -> Result<(), StoreError> {
        self.figures.look_anew();
        match wait::catch_panic(self.recover()).await {
            // Nobody asked for anything: it is the rows of the file that contradict each other.
            Ok(Err(StoreError::Refused(says))) | Err(says) => Err(self.stumble(says)),
            Ok(recovered) => recovered,
        }
    }

    /// Until something is due, if anything is.
    fn next_wake(&self) -> Option<Duration> {
        let now = self.clock.now();
        let claims = self.claims.iter().map(|claim| now.steady.until(claim.deadline())).min();
        let mark = self.next_mark(now);
        // The wall clock may jump over a due time while we wait for it.
        let is_timed = self.order.has_timed() || self.gates.has_timed();
        let look = (!self.claims.is_empty() && is_timed).then_some(limits::WALL_LOOK);
        let gates = if self.claims.is_empty() { None } else { self.gates.next_event(self.served, now) };
        let awaits = self.awaits.next_deadline().map(|deadline| now.steady.until(deadline));
        let slots = self.schedules.next_event(now);
        let forget = self.retention.next_event(now);
        [self.order.next_event(now), gates, claims, awaits, mark, look, slots, forget].into_iter().flatten().min()
    }

    async fn rest(&self) {
        match self.next_wake() {
            Some(wake) => self.clock.sleep(wake).await,
            None => std::future::pending().await,
        }
    }

    /// While a lease lives or the bucket of a rate is empty, steady time is written often enough that a crash loop can't
    /// hold it; and now and then if anything is to be forgotten.
    fn next_mark(&self, now: Now) -> Option<Duration> {
        let lease = self.shortest_lease.filter(|_| self.order.has_leases());
        let lease = lease.map(|lease| lease / limits::MARKS_PER_LEASE);
        let kept = self.retention.mark_interval();
        let interval = [lease, self.gates.mark_interval(now), kept].into_iter().flatten().min()?;
        Some(now.steady.until(self.state.steady.plus(interval)))
    }

    /// Writes steady time often enough for a lease of this length.
    fn mind_lease(&mut self, lease: Duration) {
        self.shortest_lease = Some(self.shortest_lease.map_or(lease, |shortest| shortest.min(lease)));
    }

    fn mark_is_old(&self, now: Now) -> bool {
        self.next_mark(now).is_some_and(|wait| wait.is_zero())
    }
}

/// The pause after this one.
fn longer(pause: Duration) -> Duration {
    (2 * pause).clamp(REOPEN_PAUSE.0, REOPEN_PAUSE.1)
}

/// The error of a call that was in flight when the store broke.
fn in_flight(is_read: bool, why: &str) -> CallError {
    let why = why.to_owned();
    if is_read { CallError::Unavailable { why } } else { CallError::Unknown { why } }
}
