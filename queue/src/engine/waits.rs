//! What jobs wait for beside time and their turn: signals, other jobs, conditions. What makes a wait end is written with what
//! ends it, in one group: nothing is sent to anybody who could miss it.

use super::commands::Stop;
use super::due::place;
use super::group::{Group, Move};
use super::{Engine, validate};
use crate::host::Host;
use crate::job::life;
use crate::job::{Due, Job, JobId, Lease, Now, Refusal, SignalRow, State, StepRow, Unmet, Wait, WaitOn, WaitRow};
use crate::protocol::{After, On, Reply, Signal};
use crate::store::{Storage, Store, StoreError, Stored};
use std::collections::BTreeSet;
use std::sync::Arc;

/// The result of a step that waited for a signal until its time was over.
const NO_SIGNAL: &str = "null";

impl<H: Host, S: Storage> Engine<H, S> {
    /// Takes what an attempt waits for, if it is there; else the attempt ends, and the job waits.
    pub(super) async fn wait(&mut self, group: &mut Group, lease: Lease, on: &On, now: Now) -> Result<Reply, Stop> {
        match on {
            On::Condition { what, again_ms } => {
                let delay = validate::delay("time until the handler looks again", *again_ms)?;
                let what = validate::message(what).to_string();
                let due = Due::after(now, delay);
                self.suspend(group, lease, (Wait::Condition, Some(WaitOn::Condition { what })), due, now).await?;
                Ok(Reply::Suspended)
            }
            On::Signal { name, step, limit_ms } => {
                self.wait_for_signal(group, lease, (name, step), *limit_ms, now).await
            }
            On::Jobs { jobs, step } => self.wait_for_jobs(group, lease, jobs, step, now).await,
            On::Service { why, probe_ms } => self.service_down(group, lease, (why, *probe_ms), now).await,
        }
    }

    /// Ends an attempt. Whether its job waits now: one that was asked to stop has ended instead.
    pub(super) async fn suspend(
        &mut self,
        group: &mut Group,
        lease: Lease,
        on: (Wait, Option<WaitOn>),
        due: Due,
        now: Now,
    ) -> Result<bool, Stop> {
        let (mut job, mut attempt) = self.held(group, lease, now).await?;
        life::suspend(&mut job, &mut attempt, on, due, now);
        group.move_job(place(&job));
        let waits = job.state == State::Waiting;
        group.update_attempt(attempt);
        group.update_job(job);
        Ok(waits)
    }

    async fn wait_for_signal(
        &mut self,
        group: &mut Group,
        lease: Lease,
        (name, step): (&str, &str),
        limit_ms: Option<u64>,
        now: Now,
    ) -> Result<Reply, Stop> {
        validate::name("signal", name)?;
        let limit = limit_ms.map(|ms| validate::delay("time to wait for the signal", ms)).transpose()?;
        if let Some(result) = self.may_step(group, lease, step, now).await? {
            return Ok(Reply::Stepped { result });
        }
        let (job, attempt) = self.held(group, lease, now).await?;
        // A job that stops needs no signal any more: somebody else may.
        if !job.cancel_requested
            && let Some(signal) = group.untaken_signal(&mut self.store, name).await?
        {
            return Ok(Reply::Stepped { result: take(group, signal, &job, step, attempt.number, now) });
        }
        if limit.is_some_and(|limit| limit.is_zero()) {
            group.insert_step(step_row(&job, step, NO_SIGNAL, attempt.number, now));
            return Ok(Reply::Stepped { result: NO_SIGNAL.to_owned() });
        }
        let on = WaitOn::Signal { name: name.to_owned(), step: step.to_owned() };
        let due = limit.map_or(Due::never(), |limit| Due::after(now, limit));
        if self.suspend(group, lease, (Wait::Signal, Some(on)), due, now).await? {
            group.move_job(Move::Listening(lease.job, name.into()));
        }
        Ok(Reply::Suspended)
    }

    async fn wait_for_jobs(
        &mut self,
        group: &mut Group,
        lease: Lease,
        jobs: &[JobId],
        step: &str,
        now: Now,
    ) -> Result<Reply, Stop> {
        let jobs = validate::waits(jobs)?;
        if let Some(result) = self.may_step(group, lease, step, now).await? {
            return Ok(Reply::Stepped { result });
        }
        // One that has ended without a result, and was retried, waits again for those for which it had waited as this step.
        let known = group.waits(&mut self.store, lease.job, step).await?;
        let jobs: BTreeSet<JobId> = jobs.union(&known).copied().collect();
        if let Some(through) = self.waits.leading_to(&jobs, lease.job) {
            return Err(Refusal::WaitsForItself { job: lease.job, through }.into());
        }
        let mut open = BTreeSet::new();
        for &other in &jobs {
            // Of those for which it had waited before, one may be forgotten by now: it had ended.
            let is_over = if known.contains(&other) {
                group.job(&mut self.store, other).await?.is_none_or(|stored| stored.job.state.is_terminal())
            } else {
                self.known(group, other).await?.job.state.is_terminal()
            };
            if !is_over {
                open.insert(other);
            }
        }
        for &on in jobs.difference(&known) {
            group.insert_wait(WaitRow { job: lease.job, step: step.into(), on });
        }
        if open.is_empty() {
            let (job, attempt) = self.held(group, lease, now).await?;
            let result = self.ends(group, job.id, step).await?;
            group.insert_step(step_row(&job, step, &result, attempt.number, now));
            return Ok(Reply::Stepped { result });
        }
        let on = WaitOn::Jobs { step: step.to_owned() };
        if self.suspend(group, lease, (Wait::Jobs, Some(on)), Due::never(), now).await? {
            group.move_job(Move::WaitingFor(lease.job, open));
        }
        Ok(Reply::Suspended)
    }

    /// The result of a step, if it has one; otherwise it may get one.
    async fn may_step(
        &mut self,
        group: &mut Group,
        lease: Lease,
        step: &str,
        now: Now,
    ) -> Result<Option<String>, Stop> {
        validate::name("step", step)?;
        let (job, _) = self.held(group, lease, now).await?;
        if let Some(row) = group.step(&mut self.store, job.id, step).await? {
            return Ok(Some(row.result.to_string()));
        }
        self.check_steps(group, job.id).await?;
        Ok(None)
    }

    /// Sends a signal. Whoever waits for one of its name has it with the same commit.
    pub(super) async fn signal(&mut self, group: &mut Group, signal: &Signal, now: Now) -> Result<Reply, Stop> {
        let payload = validate::signal(signal, &self.options)?;
        let Signal { name, key, .. } = signal;
        if let Some(key) = key
            && let Some(row) = group.signal_by_key(&mut self.store, name, key).await?
        {
            if *row.payload != *payload {
                return Err(Refusal::SignalConflict { name: name.clone(), key: key.clone() }.into());
            }
            return Ok(Reply::Signalled { fresh: false });
        }
        self.check_room()?;
        let row = SignalRow {
            id: group.take_signal_id(),
            name: name.as_str().into(),
            key: key.as_deref().map(Into::into),
            payload: payload.into(),
            sent_at: now.wall,
            taken: None,
        };
        group.put_signal(row, false);
        self.deliver(group, name, now).await?;
        Ok(Reply::Signalled { fresh: true })
    }

    /// Lets jobs that wait for signals of a name have those that nobody has taken, the oldest first.
    pub(super) async fn deliver(&mut self, group: &mut Group, name: &str, now: Now) -> Result<(), StoreError> {
        let listeners: Vec<JobId> = self.waits.listeners(name).collect();
        for id in listeners {
            let Some(Stored { mut job, .. }) = group.job(&mut self.store, id).await? else { continue };
            let Some(WaitOn::Signal { name: wanted, step }) = job.wait_on.clone() else { continue };
            if job.state != State::Waiting || wanted != name {
                continue;
            }
            let Some(signal) = group.untaken_signal(&mut self.store, name).await? else { return Ok(()) };
            let attempt = job.attempts;
            take(group, signal, &job, &step, attempt, now);
            life::go_on(&mut job, now);
            group.move_job(place(&job));
            group.update_job(job);
        }
        Ok(())
    }

    /// The time to wait for a signal is over.
    pub(super) async fn time_out(&mut self, group: &mut Group, id: JobId, now: Now) -> Result<(), StoreError> {
        let stored = group.job(&mut self.store, id).await?;
        let Some(Stored { mut job, .. }) = stored.filter(|stored| stored.job.state == State::Waiting) else {
            return Err(self.store.damaged(format!("job {id} waits for a signal, and its row does not say so")));
        };
        let Some(WaitOn::Signal { step, .. }) = job.wait_on.clone() else {
            return Err(self
                .store
                .damaged(format!("job {id} waits until its time is over, and does not say for what")));
        };
        group.insert_step(step_row(&job, &step, NO_SIGNAL, job.attempts, now));
        life::go_on(&mut job, now);
        group.move_job(place(&job));
        group.update_job(job);
        Ok(())
    }

    /// Whether a job that is enqueued must wait for others: for which, of those that have not ended.
    pub(super) async fn open_of(&mut self, group: &mut Group, after: &After) -> Result<BTreeSet<JobId>, Stop> {
        let mut open = BTreeSet::new();
        for other in validate::waits(&after.jobs)? {
            match self.known(group, other).await?.job.state {
                State::Completed => {}
                state if state.is_terminal() && after.unmet != Unmet::Run => {
                    return Err(Refusal::NeverMet { job: other, state }.into());
                }
                state if state.is_terminal() => {}
                _ => {
                    open.insert(other);
                }
            }
        }
        Ok(open)
    }

    /// Decides what follows for others from the ends of jobs, and from that, until nothing does. What belongs elsewhere in
    /// the order then is put there at once, or stays in the group of a transaction.
    pub(super) async fn follow_up(&mut self, group: &mut Group, seen: Seen, now: Now) -> Result<(), StoreError> {
        self.follow_probes(group, now);
        while let Some(ended) = group.take_ended() {
            let dependents = group.dependents(&self.waits, ended);
            if dependents.is_empty() {
                continue;
            }
            let stored = group.job(&mut self.store, ended).await?;
            let state = stored.expect("what has ended is in the group").job.state;
            for dependent in dependents {
                self.other_has_ended(group, dependent, (ended, state), now).await?;
                if seen == Seen::AtOnce {
                    self.arrange(group.take_moves(), now);
                }
            }
        }
        Ok(())
    }

    /// One of those for which a job waits has ended.
    async fn other_has_ended(
        &mut self,
        group: &mut Group,
        id: JobId,
        (other, state): (JobId, State),
        now: Now,
    ) -> Result<(), StoreError> {
        let Some(Stored { mut job, .. }) = group.job(&mut self.store, id).await? else { return Ok(()) };
        if job.state != State::Waiting || job.wait != Wait::Jobs {
            return Ok(());
        }
        if let Some(WaitOn::Before { unmet }) = job.wait_on
            && state != State::Completed
            && unmet != Unmet::Run
        {
            life::give_up(&mut job, unmet, (other, state), now);
            group.move_job(place(&job));
            group.update_job(job);
            return Ok(());
        }
        group.move_job(Move::Met(id, other));
        if group.open_waits(&self.waits, id).is_empty() { self.all_have_ended(group, job, now).await } else { Ok(()) }
    }

    /// A job that was retried waits for one that waits for it: that one goes on.
    async fn goes_on_without(
        &mut self,
        group: &mut Group,
        id: JobId,
        other: JobId,
        now: Now,
    ) -> Result<(), StoreError> {
        let Some(Stored { job, .. }) = group.job(&mut self.store, id).await? else { return Ok(()) };
        if job.state != State::Waiting || job.wait != Wait::Jobs {
            return Ok(());
        }
        group.move_job(Move::Met(id, other));
        if group.open_waits(&self.waits, id).is_empty() { self.all_have_ended(group, job, now).await } else { Ok(()) }
    }

    async fn all_have_ended(&mut self, group: &mut Group, mut job: Job, now: Now) -> Result<(), StoreError> {
        let again = self.retried_since(group, &job).await?;
        if !again.is_empty() {
            group.move_job(Move::WaitingFor(job.id, again));
            return Ok(());
        }
        if let Some(WaitOn::Jobs { step }) = job.wait_on.clone() {
            let result = self.ends(group, job.id, &step).await?;
            group.insert_step(step_row(&job, &step, &result, job.attempts, now));
            life::go_on(&mut job, now);
        } else {
            life::let_run(&mut job, now);
        }
        group.move_job(place(&job));
        group.update_job(job);
        Ok(())
    }

    /// Those for which a job waits that have not ended, though they may have before somebody retried them. Of two that would
    /// wait for each other since, the first goes on.
    pub(super) async fn retried_since(&mut self, group: &mut Group, job: &Job) -> Result<BTreeSet<JobId>, StoreError> {
        let step = if let Some(WaitOn::Jobs { step }) = &job.wait_on { step } else { "" };
        let mut again = BTreeSet::new();
        for other in group.waits(&mut self.store, job.id, step).await? {
            let stored = group.job(&mut self.store, other).await?;
            let waits_for_it = self.waits.leading_to(&BTreeSet::from([other]), job.id).is_some();
            if stored.is_some_and(|stored| !stored.job.state.is_terminal()) && !waits_for_it {
                again.insert(other);
            }
        }
        Ok(again)
    }

    /// What became of the jobs for which a job waited, as JSON.
    async fn ends(&mut self, group: &mut Group, job: JobId, step: &str) -> Result<String, StoreError> {
        let mut ends = Vec::new();
        for other in group.waits(&mut self.store, job, step).await? {
            let stored = group.job(&mut self.store, other).await?;
            let state = stored.map(|stored| stored.job.state.as_str());
            ends.push(serde_json::json!({ "job": other, "state": state }));
        }
        Ok(crate::canonical::text(&ends.into()))
    }

    /// Finds out, at an opening, for which of these jobs what they waited for has come true.
    pub(super) async fn recover_waits(&mut self, group: &mut Group, held: Held, now: Now) -> Result<(), StoreError> {
        for (id, step) in held.for_jobs {
            let others = group.waits(&mut self.store, id, &step).await?;
            self.waits.wait_for_jobs(id, others.clone());
            if others.is_empty() {
                return Err(self.store.damaged(format!("job {id} waits for other jobs, and for none")));
            }
            for other in others {
                let state = match group.job(&mut self.store, other).await? {
                    Some(stored) => stored.job.state,
                    // It had ended, and was forgotten, before somebody retried the one that had waited for it.
                    None if (1..self.state.next_job).contains(&other.0) => {
                        self.goes_on_without(group, id, other, now).await?;
                        self.arrange(group.take_moves(), now);
                        continue;
                    }
                    None => {
                        return Err(self.store.damaged(format!("job {id} waits for job {other}, which is not there")));
                    }
                };
                if state.is_terminal() {
                    self.other_has_ended(group, id, (other, state), now).await?;
                } else if self.waits.leading_to(&BTreeSet::from([other]), id).is_some() {
                    self.goes_on_without(group, id, other, now).await?;
                }
                self.arrange(group.take_moves(), now);
            }
        }
        for name in held.for_signals {
            self.deliver(group, &name, now).await?;
            self.arrange(group.take_moves(), now);
        }
        self.follow_up(group, Seen::AtOnce, now).await?;
        self.arrange(group.take_moves(), now);
        Ok(())
    }
}

/// When the order sees what follows from an end.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// With the decision.
    AtOnce,
    /// With the commit.
    WithTheCommit,
}

/// What an opening finds held.
#[derive(Default)]
pub struct Held {
    /// Jobs that wait for others, and as which step.
    pub for_jobs: Vec<(JobId, String)>,
    /// Names of signals for which jobs wait.
    pub for_signals: BTreeSet<Arc<str>>,
}

/// Lets a step have a signal; the step's result.
fn take(group: &mut Group, signal: SignalRow, job: &Job, step: &str, attempt: u32, now: Now) -> String {
    let result = format!("{{\"sent\":{}}}", signal.payload);
    group.insert_step(step_row(job, step, &result, attempt, now));
    group.put_signal(SignalRow { taken: Some((job.id, step.into())), ..signal }, true);
    result
}

fn step_row(job: &Job, step: &str, result: &str, attempt: u32, now: Now) -> StepRow {
    StepRow { job: job.id, name: step.into(), result: result.into(), attempt, at: now.wall }
}
