//! The caller's transaction: statements of its own and commands of the queue, true together or not at all.
//!
//! While one is open nobody else is served, so it has a time limit. It is a group of its own: what its commands
//! change is kept in memory beside the group, and written with the commit, in the very transaction of the database
//! in which its statements ran.
//!
//! A lease that it shows is looked at twice: when it is shown, and at the commit.

use super::commands::Stop;
use super::group::Group;
use super::inbox::{Alone, Arriving, ask};
use super::replay::{self, Answer};
use super::waits::Seen;
use super::{Decided, Engine, wait};
use crate::host::Host;
use crate::job::{Lease, Now, Refusal, RequestId, Steady};
use crate::limits;
use crate::protocol::{Access, Begin, Beginning, CallError, Conversation, Heard, Hearing, Reply, Request, Said};
use crate::sql::Statement;
use crate::store::{SqlError, Storage, Store, StoreError};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// A transaction that somebody wants to open.
#[derive(Debug)]
pub struct Opening {
    begin: Begin,
    opened: oneshot::Sender<Result<(), CallError>>,
    said: mpsc::Receiver<Spoken>,
    ended: Ended,
}

/// Why a transaction ended before its commit was answered: whatever is said to it afterwards is answered with that.
type Ended = Arc<OnceLock<CallError>>;

/// Something that was said, and where its answer goes.
#[derive(Debug)]
struct Spoken {
    said: Said,
    answer: oneshot::Sender<Result<Heard, CallError>>,
}

/// The caller's end of an open transaction.
struct Line {
    to_engine: mpsc::Sender<Spoken>,
    ended: Ended,
    access: Access,
}

/// Opens a transaction at the engine behind `inbox`.
pub fn begin(inbox: mpsc::Sender<Arriving>, begin: Begin) -> Beginning {
    Box::pin(async move {
        let (to_engine, said) = mpsc::channel(1);
        let (ended, access) = (Ended::default(), begin.access);
        let opening = |opened| Alone::Transaction(Opening { begin, opened, said, ended: ended.clone() });
        ask(inbox, opening).await?;
        Ok(Arc::new(Line { to_engine, ended, access }) as Arc<dyn Conversation>)
    })
}

impl Conversation for Line {
    fn say(&self, said: Said) -> Hearing {
        let (to_engine, ended, access) = (self.to_engine.clone(), self.ended.clone(), self.access);
        Box::pin(async move {
            let commits = matches!(said, Said::Commit) && access == Access::Write;
            let why = || "the engine stopped before it answered".to_owned();
            let (answer, answering) = oneshot::channel();
            if to_engine.send(Spoken { said, answer }).await.is_err() {
                return Err(ended.get().cloned().unwrap_or_else(|| CallError::Unavailable { why: why() }));
            }
            answering.await.unwrap_or_else(|_| {
                Err(match ended.get() {
                    Some(error) => error.clone(),
                    None if commits => CallError::Unknown { why: why() },
                    None => CallError::Unavailable { why: why() },
                })
            })
        })
    }
}

impl Opening {
    /// Does not open it.
    pub fn turn_away(self, why: CallError) {
        drop(self.opened.send(Err(why)));
    }
}

/// An open transaction.
struct Open {
    begin: Begin,
    /// What its commands change.
    group: Group,
    /// Leases that it has shown, and until when each holds.
    leases: Vec<(Lease, Steady)>,
    /// Why it may not write, if there is too little room.
    full: Option<Refusal>,
}

/// What becomes of an open transaction.
enum Fate {
    /// It is in the file.
    Committed,
    /// Nothing of it has happened.
    RolledBack(CallError),
    /// It was dropped by whoever opened it.
    Dropped,
}

impl<H: Host, S: Storage> Engine<H, S> {
    /// Serves one transaction, from its opening to its end.
    pub(super) async fn transact(&mut self, opening: Opening) -> Result<(), StoreError> {
        let Opening { begin, opened, said, ended } = opening;
        let limit = Duration::from_millis(begin.limit_ms);
        if limit > limits::TRANSACTION_MAX {
            let (longest, remedy) = (limits::TRANSACTION_MAX.as_millis(), "do less in one transaction");
            let refusal = Refusal::limit("the transaction's time limit in ms", begin.limit_ms, longest, remedy);
            drop(opened.send(Err(CallError::Refused(refusal))));
            return Ok(());
        }
        let served = wait::catch_panic(self.converse(begin, opened, said, &ended, limit)).await;
        match served.unwrap_or_else(|panic| Err(self.stumble(panic)))? {
            // Whoever waits for work may have some now.
            Fate::Committed => self.serve(Vec::new()).await,
            Fate::RolledBack(_) | Fate::Dropped => Ok(()),
        }
    }

    async fn converse(
        &mut self,
        begin: Begin,
        opened: oneshot::Sender<Result<(), CallError>>,
        mut said: mpsc::Receiver<Spoken>,
        ended: &Ended,
        limit: Duration,
    ) -> Result<Fate, StoreError> {
        let until = self.clock.now().steady.plus(limit);
        let mut open = match self.open_transaction(begin).await {
            Ok(open) => open,
            Err(error) => {
                drop(opened.send(Err(CallError::Unavailable { why: error.to_string() })));
                return Err(error);
            }
        };
        if opened.send(Ok(())).is_err() {
            self.store.roll_back().await?;
            return Ok(Fate::Dropped);
        }
        loop {
            let rest = self.clock.now().steady.until(until);
            let heard = async { if rest.is_zero() { None } else { Some(said.recv().await) } };
            let spoken = match wait::first_of(heard, self.clock.sleep(rest)).await {
                wait::First::Left(Some(None)) => {
                    self.store.roll_back().await?;
                    return Ok(Fate::Dropped);
                }
                wait::First::Left(Some(Some(spoken))) => Some(spoken),
                wait::First::Left(None) | wait::First::Right(()) => None,
            };
            let Some(Spoken { said, answer }) = spoken else {
                let why = format!(
                    "it was open for longer than its limit of {} ms, and nobody else is served meanwhile; do what \
                     takes time before it or after it",
                    limit.as_millis()
                );
                drop(ended.set(CallError::Refused(Refusal::RolledBack { why })));
                self.store.roll_back().await?;
                return Ok(Fate::Dropped);
            };
            let heard = match said {
                Said::Statement(statement) => self.run_statement(&mut open, &statement, rest).await,
                Said::Command(request) => self.command(&mut open, &request).await,
                Said::Commit => {
                    let mut asked = false;
                    let fate = self.commit_transaction(open, &mut asked).await;
                    return self.settle_transaction(fate, answer, ended, asked);
                }
            };
            match heard {
                Ok(Ok(heard)) => drop(answer.send(Ok(heard))),
                Ok(Err(Refused { why, ends: false })) => drop(answer.send(Err(CallError::Refused(why)))),
                Ok(Err(Refused { why, ends: true })) => {
                    let fate = self.refuse_transaction(why).await;
                    return self.settle_transaction(fate, answer, ended, false);
                }
                Err(error) => return self.settle_transaction(Err(error), answer, ended, false),
            }
        }
    }

    async fn open_transaction(&mut self, begin: Begin) -> Result<Open, StoreError> {
        let (free_bytes, reserve_bytes) = (self.store.free_bytes()?, self.options.reserve_bytes);
        let full = (free_bytes < reserve_bytes).then_some(Refusal::StorageFull { free_bytes, reserve_bytes });
        self.store.begin().await?;
        Ok(Open { begin, group: Group::new(self.state, self.clock.now()), leases: Vec::new(), full })
    }

    /// Answers what ended a transaction; `asked` says whether the store was asked to commit it.
    fn settle_transaction(
        &self,
        fate: Result<Fate, StoreError>,
        answer: oneshot::Sender<Result<Heard, CallError>>,
        ended: &Ended,
        asked: bool,
    ) -> Result<Fate, StoreError> {
        let heard = match &fate {
            Ok(Fate::Committed) => Ok(Heard::Committed),
            Ok(Fate::RolledBack(error)) => Err(error.clone()),
            Ok(Fate::Dropped) => unreachable!("nobody dropped it"),
            Err(error) if asked => Err(CallError::Unknown { why: error.to_string() }),
            Err(error) => Err(CallError::Unavailable { why: error.to_string() }),
        };
        let over = || CallError::Refused(Refusal::RolledBack { why: "it was committed before, and is over".into() });
        drop(ended.set(heard.as_ref().err().cloned().unwrap_or_else(over)));
        drop(answer.send(heard));
        fate
    }

    async fn run_statement(
        &mut self,
        open: &mut Open,
        statement: &Statement,
        limit: Duration,
    ) -> Result<Outcome, StoreError> {
        let may_write = match open.begin.access {
            Access::Read => Err("it changes something, and this transaction is for reading; use `transaction`".into()),
            Access::Write => open.full.as_ref().map_or(Ok(()), |full| Err(full.to_string())),
        };
        match self.store.run_statement(statement, may_write, limit).await {
            Ok(rows) => Ok(Ok(Heard::Rows(rows))),
            Err(SqlError::Refused(why)) => Ok(Err(Refused { why: Refusal::Statement { why }, ends: false })),
            Err(SqlError::RolledBack(why)) => Ok(Err(Refused { why: Refusal::RolledBack { why }, ends: true })),
            Err(SqlError::Store(error)) => Err(error),
        }
    }

    async fn command(&mut self, open: &mut Open, request: &Request) -> Result<Outcome, StoreError> {
        let refused = |why, ends| Ok(Err(Refused { why, ends }));
        if open.begin.access == Access::Read || !request.is_for_transactions() {
            let (what, limit) = (
                "a transaction's command",
                "enqueue, enqueue-all, step, progress, complete, fail, release, snooze, signal or cancel",
            );
            let remedy = "ask for it outside of the transaction, or open one that may change something";
            return refused(Refusal::limit(what, request.name(), limit, remedy), false);
        }
        let now = self.clock.now();
        open.group.go_on(now);
        if let Request::Step { lease, name, .. } = request
            && open.group.step(&mut self.store, lease.job, name).await?.is_some()
        {
            let why = format!(
                "step {name:?} has its result already, and what belongs to it is not done a second time; ask for the step \
                 first, by `ctx.step` around the transaction"
            );
            return refused(Refusal::RolledBack { why }, true);
        }
        // Before the command ends its attempt.
        let shown = match request.lease() {
            Some(lease) => self.holds_until(&mut open.group, lease).await?,
            None => None,
        };
        match self.execute(&mut open.group, request, now).await {
            Ok(reply) => {
                // What is asked next sees all that follows from it.
                self.follow_up(&mut open.group, Seen::WithTheCommit, now).await?;
                open.leases.extend(shown);
                Ok(Ok(Heard::Reply(reply)))
            }
            Err(Stop::Refused(why)) => {
                // A result that is too large can be replaced by a smaller one; a lease that does not hold can't.
                let is_about_the_result = matches!(why, Refusal::Limit { .. } | Refusal::StorageFull { .. });
                let ends = request.lease().is_some() && !is_about_the_result;
                refused(why, ends)
            }
            Err(Stop::Store(error)) => Err(error),
        }
    }

    async fn holds_until(&mut self, group: &mut Group, lease: Lease) -> Result<Option<(Lease, Steady)>, StoreError> {
        let attempt = group.attempt(&mut self.store, lease.token).await?;
        Ok(attempt.map(|attempt| (lease, attempt.expires)))
    }

    /// Ends a transaction because of a refusal.
    async fn refuse_transaction(&mut self, why: Refusal) -> Result<Fate, StoreError> {
        self.store.roll_back().await?;
        // Nobody may see a time at which the lease was still good.
        if why.is_by_time() {
            let now = self.clock.now();
            let mut group = Group::new(self.state, now);
            group.touch();
            self.commit(group, now).await?;
        }
        Ok(Fate::RolledBack(CallError::Refused(why)))
    }

    /// Commits a transaction; `asked` becomes true before the store is asked to.
    async fn commit_transaction(&mut self, open: Open, asked: &mut bool) -> Result<Fate, StoreError> {
        let Open { begin, mut group, leases, .. } = open;
        if begin.access == Access::Read {
            self.store.roll_back().await?;
            return Ok(Fate::Committed);
        }
        let now = self.clock.now();
        group.go_on(now);
        if let Some((lease, expired)) = leases.into_iter().find(|(_, expires)| *expires <= now.steady) {
            let late_ms = now.steady.0 - expired.0;
            return self.refuse_transaction(Refusal::LeaseExpired { job: lease.job, late_ms }).await;
        }
        if let Some(row) = group.request(&mut self.store, begin.id).await? {
            let answer = replay::read(&row.answer).map_err(|found| self.store.damaged(found))?;
            let settled = || Refusal::RolledBack { why: "it was settled before its commit".into() };
            let refusal = if answer == Answer::RolledBack { settled() } else { Refusal::RequestIdReused };
            return self.refuse_transaction(refusal).await;
        }
        group.insert_request(replay::row(begin.id, 0, now, &Answer::Committed));
        let moves = group.take_moves();
        *asked = true;
        match self.commit(group, now).await {
            Ok(()) => {
                self.arrange(moves, now);
                Ok(Fate::Committed)
            }
            // The store has rolled it back, all of it.
            Err(StoreError::Refused(message)) => {
                Ok(Fate::RolledBack(CallError::Refused(Refusal::Internal { message })))
            }
            Err(error) => Err(error),
        }
    }
}

impl<H: Host, S: Storage> Engine<H, S> {
    /// Says what became of the transaction of this name. If it is not in the file, a row under its name sees to it that
    /// it never will be, however late its commit comes.
    pub(super) async fn settle_name(
        &mut self,
        group: &mut Group,
        id: RequestId,
        now: Now,
    ) -> Result<Decided, StoreError> {
        let committed = match group.request(&mut self.store, id).await? {
            Some(row) => match replay::read(&row.answer).map_err(|found| self.store.damaged(found))? {
                Answer::Committed => true,
                Answer::RolledBack => false,
                _ => return Ok(Decided::Answer(Err(CallError::Refused(Refusal::RequestIdReused)))),
            },
            None => {
                group.insert_request(replay::row(id, 0, now, &Answer::RolledBack));
                false
            }
        };
        Ok(Decided::Answer(Ok(Reply::Settled { committed })))
    }
}

/// What became of something that was said.
type Outcome = Result<Heard, Refused>;

/// A refusal, and whether it is the end of the transaction.
struct Refused {
    why: Refusal,
    ends: bool,
}
