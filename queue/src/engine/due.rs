//! What time brings about by itself, and what an opening finds.
//!
//! No worker, leader or table of workers has a part in it: the file and the time decide.

use super::Engine;
use super::group::{Group, Move};
use super::retention::Retaining;
use super::waits::{Held, Seen};
use crate::host::{self, Host};
use crate::job::{Attempt, Due, Holder, Job, JobId, NewJob, Now, State, Wait, WaitOn, life};
use crate::limits;
use crate::order::{Entry, Order, Stage, Waits};
use crate::store::{Live, Storage, Store, StoreError, Stored};
use std::time::Duration;

const EXPIRED: &str = "the lease expired without a word from its worker";
const GONE: &str = "the process of its worker is gone: the file was opened by another one";

impl<H: Host, S: Storage> Engine<H, S> {
    /// Writes down which leases have expired, the longest expired first, up to a bound.
    pub(super) async fn write_due(&mut self, group: &mut Group, now: Now) -> Result<(), StoreError> {
        self.write_slots(group, now).await?;
        for id in self.order.expired(now, limits::GROUP_DUE_MAX) {
            self.lose(group, id, EXPIRED, now).await?;
        }
        for id in self.order.over(now, limits::GROUP_DUE_MAX) {
            self.time_out(group, id, now).await?;
        }
        self.conclude(group, now).await?;
        for id in self.order.too_late(now, limits::GROUP_DUE_MAX) {
            self.discard_late(group, id, now).await?;
        }
        self.conclude(group, now).await
    }

    /// Decides all that follows from what was decided, and lets it be seen in the order.
    pub(super) async fn conclude(&mut self, group: &mut Group, now: Now) -> Result<(), StoreError> {
        self.arrange(group.take_moves(), now);
        self.follow_up(group, Seen::AtOnce, now).await?;
        self.arrange(group.take_moves(), now);
        Ok(())
    }

    /// Reads all that the engine keeps in memory. Leases of workers in a process that had the file
    /// before are taken back: this exclusive opening is the proof that it is gone. Workers elsewhere
    /// keep theirs.
    pub(super) async fn recover(&mut self) -> Result<(), StoreError> {
        let state = self.store.state().await?;
        let now = self.clock.now();
        assert!(state.steady <= now.steady, "steady time ran back from {:?} to {:?}", state.steady, now.steady);
        self.miss_nothing(&state)?;
        self.state.steady = now.steady;
        let crate::store::FileState { next_job, next_token, next_signal, next_end, .. } = state;
        self.state = crate::store::FileState { next_job, next_token, next_signal, next_end, ..self.state };
        (self.order, self.waits) = (Order::new(self.options.ageing), Waits::default());
        self.retention = Retaining::of(&self.options.retention);
        self.recover_settings().await?;
        let mut held = Held::default();
        let mut after = JobId(0);
        loop {
            let page = self.store.live(after, limits::OPEN_PAGE_JOBS).await?;
            let is_last = page.len() < limits::OPEN_PAGE_JOBS;
            after = page.last().map_or(after, |live| live.id);
            let mut group = Group::new(self.state, now);
            for live in page {
                self.recover_job(&mut group, live, &mut held, now).await?;
            }
            // The mark and the nonce are written even if there is nothing else to write.
            if is_last {
                self.recover_waits(&mut group, std::mem::take(&mut held), now).await?;
                self.recover_probes(&mut group, now).await?;
                self.arrange(group.take_moves(), now);
                group.touch();
            }
            self.commit(group, now).await?;
            if is_last {
                self.awaits.look_at_all();
                return Ok(());
            }
        }
    }

    async fn recover_job(
        &mut self,
        group: &mut Group,
        live: Live,
        held: &mut Held,
        now: Now,
    ) -> Result<(), StoreError> {
        let Live { id, queue, kind, priority, concurrency_key: key, wait, wait_on, due, deadline, crashes, leased } =
            live;
        let attempt = match leased {
            Some(token) => group.attempt(&mut self.store, token).await?,
            None => None,
        };
        let is_its_own = |attempt: &Attempt| attempt.job == id && attempt.end.is_none();
        if leased.is_some() && !attempt.as_ref().is_some_and(is_its_own) {
            return Err(self.store.damaged(format!("job {id} is running, and its attempt is not")));
        }
        let stage = attempt.as_ref().map_or(stage(wait, due), |attempt| Stage::Leased(attempt.expires));
        match wait_on.filter(|_| attempt.is_none()) {
            Some(WaitOn::Before { .. }) => held.for_jobs.push((id, String::new())),
            Some(WaitOn::Jobs { step }) => held.for_jobs.push((id, step)),
            Some(WaitOn::Signal { name, .. }) => {
                let name: std::sync::Arc<str> = name.into();
                self.waits.listen(id, name.clone());
                held.for_signals.insert(name);
            }
            Some(WaitOn::Condition { .. } | WaitOn::Unmet { .. } | WaitOn::TooLate {}) | None => {}
        }
        self.order.put(id, Entry { queue, kind, priority, key, deadline, is_suspect: is_suspect(crashes), stage }, now);
        match attempt {
            Some(attempt) if attempt.holder == Holder::Here && attempt.nonce != self.nonce => {
                self.lose(group, id, GONE, now).await
            }
            Some(attempt) => {
                self.mind_lease(Duration::from_millis(attempt.lease_ms.max(0).cast_unsigned()));
                Ok(())
            }
            None => Ok(()),
        }
    }

    async fn lose(&mut self, group: &mut Group, id: JobId, why: &str, now: Now) -> Result<(), StoreError> {
        let stored = group.job(&mut self.store, id).await?;
        let Some(Stored { mut job, latest: Some(mut attempt) }) = stored else {
            return Err(self.store.damaged(format!("job {id} is leased, but has no attempt")));
        };
        let random = host::random_u64(&self.host);
        let limits = self.limits_of(&job);
        let failure = life::lose(&mut job, &mut attempt, why, &limits, random, now);
        group.move_job(place(&job));
        self.arrange(group.take_moves(), now);
        group.insert_failure(failure);
        group.update_attempt(attempt);
        group.update_job(job);
        Ok(())
    }

    /// Whether a job that is not terminal is where time and claims find it. What an opening did not find among those that
    /// are not terminal, because the file keeps an old list of them, would wait for ever.
    pub(super) fn minds(&self, job: &Job) -> bool {
        let is_leased = |entry: &Entry| matches!(entry.stage, Stage::Leased(_));
        let entry = self.order.entries().get(&job.id);
        job.state.is_terminal() || entry.is_some_and(|entry| is_leased(entry) == (job.state == State::Running))
    }

    /// Puts jobs where they belong in the order by now.
    pub(super) fn arrange(&mut self, moves: Vec<Move>, now: Now) {
        for to in moves {
            match to {
                Move::To(id, entry) => {
                    if !matches!(entry.stage, Stage::Held(_)) {
                        self.waits.remove(id);
                    }
                    self.order.put(id, entry, now);
                }
                Move::Listening(id, name) => self.waits.listen(id, name),
                Move::WaitingFor(id, on) => self.waits.wait_for_jobs(id, on),
                Move::Met(id, other) => self.waits.met(id, other),
                Move::Limit(row) => {
                    self.order.limit_keys(&row.queue, row.at_once_per_key);
                    self.gates.put_limit(row);
                }
                Move::Lift(queue) => {
                    self.order.limit_keys(&queue, None);
                    self.gates.lift(&queue);
                }
                Move::Policy(row) => self.policies.put(row),
                Move::NoPolicy(kind) => self.policies.remove(&kind),
                Move::Schedule(row) => self.schedules.put(row),
                Move::Unschedule(name) => self.schedules.remove(&name),
                Move::Pause(row) => self.gates.put_pause(row),
                Move::Resume(gate, is_down) => self.gates.resume(&gate, is_down),
                Move::Out(id) => {
                    self.order.remove(id);
                    self.waits.remove(id);
                    self.awaits.has_ended(id);
                }
            }
        }
    }
}

/// Where a job that is not leased belongs.
pub(super) fn place(job: &Job) -> Move {
    if job.state.is_terminal() { Move::Out(job.id) } else { Move::To(job.id, entry(job, stage(job.wait, job.due))) }
}

/// Where a job stands that waits for this.
fn stage(wait: Wait, due: Due) -> Stage {
    match wait {
        Wait::Signal => Stage::Held((!due.is_never()).then_some(due)),
        // Its due time counts once the jobs have ended.
        Wait::Jobs => Stage::Held(None),
        Wait::Line
        | Wait::Delay
        | Wait::Schedule
        | Wait::Backoff
        | Wait::CrashBackoff
        | Wait::Snooze
        | Wait::Condition => Stage::Waiting(due),
    }
}

/// Whether a job that has crashed so often may be what kills its workers: one of those that run beside each other when
/// that happens is, and nobody knows which. What runs beside no other one is found out.
fn is_suspect(crashes: u32) -> bool {
    crashes >= limits::SUSPECT_CRASHES
}

/// What the order must know of a job.
pub(super) fn entry(job: &Job, stage: Stage) -> Entry {
    let NewJob { queue, kind, priority, concurrency_key, .. } = &job.new;
    let key = concurrency_key.clone();
    let (queue, kind) = (queue.clone(), kind.clone());
    let is_suspect = is_suspect(job.crashes);
    Entry { queue, kind, priority: *priority, key, deadline: job.deadline, is_suspect, stage }
}
