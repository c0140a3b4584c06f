//! What each request does. Decided on rows and time alone, before anything is written.

use super::claims::WaitingClaim;
use super::due::{entry, place};
use super::group::{Group, Move};
use super::replay::{self, Answer};
use super::{Decided, Engine, validate};
use crate::host::{self, Host};
use crate::job::explain::{Around, Line};
use crate::job::life::{self, Report};
use crate::job::{
    Attempt, Due, Explanation, Job, JobId, KeyRow, KeyScope, Lease, LogLine, LogRow, NewJob, Now, ProgressRow, Refusal,
    Slot, StepRow, Wait, WaitOn, WaitRow, explain,
};
use crate::limits;
use crate::order::Stage;
use crate::protocol::{
    After, AttemptView, Call, CallError, Enqueue, Enqueued, FailureView, JobView, LogView, Progress, ProgressView,
    Renewal, Reply, Reported, Request, Scope, StepView, When,
};
use crate::store::{Storage, Store, StoreError, Stored};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use xxhash_rust::xxh3::xxh3_128;

/// A refusal is an outcome; an error of the store is the end of the group.
pub(super) enum Stop {
    Refused(Refusal),
    Store(StoreError),
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl<H: Host, S: Storage> Engine<H, S> {
    /// Decides one call.
    pub(super) async fn decide(&mut self, group: &mut Group, call: &Call, now: Now) -> Result<Decided, StoreError> {
        if call.request.is_remembered()
            && let Some(decided) = self.replay(group, call).await?
        {
            return Ok(decided);
        }
        if matches!(call.request, Request::Settle) {
            return self.settle_name(group, call.id, now).await;
        }
        if let Request::Claim(claim) = &call.request {
            return Ok(match validate::claim(claim, self.claims.len()) {
                Ok(()) => {
                    let claim = WaitingClaim::new(call, claim, now);
                    claim.is_seen(&mut self.seen, now);
                    Decided::Wait(claim)
                }
                Err(refusal) => Decided::Answer(Err(CallError::Refused(refusal))),
            });
        }
        let executed = match &call.request {
            Request::Await { job, wait_ms } => match self.ask(group, *job, *wait_ms, now).await {
                Ok(Err(waiting)) => return Ok(Decided::Await(waiting)),
                Ok(Ok(reply)) => Ok(reply),
                Err(stop) => Err(stop),
            },
            request => self.execute(group, request, now).await,
        };
        self.conclude(group, now).await?;
        match executed {
            Ok(reply) => {
                if let Some(answer) = answer(&reply).filter(|_| call.request.is_remembered()) {
                    group.insert_request(replay::row(call.id, replay::digest(call), now, &answer));
                }
                Ok(Decided::Answer(Ok(reply)))
            }
            Err(Stop::Refused(refusal)) => {
                // Nobody may see a time at which the lease was still good.
                if refusal.is_by_time() {
                    group.touch();
                }
                Ok(Decided::Answer(Err(CallError::Refused(refusal))))
            }
            Err(Stop::Store(error)) => Err(error),
        }
    }

    /// Does what a request says, in rows that are not committed yet.
    pub(super) async fn execute(&mut self, group: &mut Group, request: &Request, now: Now) -> Result<Reply, Stop> {
        match request {
            Request::Enqueue(enqueue) => self.enqueue(group, enqueue, None, now).await.map(Reply::from),
            Request::EnqueueAll { jobs } => self.enqueue_all(group, jobs, now).await,
            Request::Claim(_) | Request::Await { .. } => unreachable!("{} waits", request.name()),
            Request::Settle => unreachable!("it is about its own name, which is not known here"),
            Request::Heartbeat { leases } => self.heartbeat(group, leases, now).await,
            Request::Start { lease } => {
                let (job, mut attempt) = self.held(group, *lease, now).await?;
                life::check_overdue(&attempt, now)?;
                life::start(&mut attempt, now);
                renewed(group, &job, attempt);
                Ok(Reply::Done)
            }
            Request::Step { lease, name, result } => self.step(group, *lease, (name, result), now).await,
            Request::Progress { lease, progress } => self.progress(group, *lease, progress, now).await,
            Request::Log { lease, first, lines } => self.log(group, *lease, *first, lines).await,
            Request::Complete { lease, result } => {
                let result = result.as_deref().map(|json| validate::json("result", json, &self.options)).transpose()?;
                let (mut job, mut attempt) = self.held(group, *lease, now).await?;
                life::complete(&mut job, &mut attempt, result.map(Into::into), now);
                save(group, job, attempt);
                Ok(Reply::Done)
            }
            Request::Fail { lease, failure } => self.fail(group, *lease, failure, now).await,
            Request::Release { lease, why } => {
                let (mut job, mut attempt) = self.held(group, *lease, now).await?;
                let failure = life::release(&mut job, &mut attempt, validate::message(why), now);
                group.insert_failure(failure);
                save(group, job, attempt);
                Ok(Reply::Done)
            }
            Request::Snooze { lease, delay_ms } => {
                let delay = validate::delay("snooze", *delay_ms)?;
                let (mut job, mut attempt) = self.held(group, *lease, now).await?;
                life::snooze(&mut job, &mut attempt, delay, now);
                save(group, job, attempt);
                Ok(Reply::Done)
            }
            Request::Wait { lease, on } => self.wait(group, *lease, on, now).await,
            Request::Signal(signal) => self.signal(group, signal, now).await,
            Request::Obey { lease } => {
                let (mut job, mut attempt) = self.held(group, *lease, now).await?;
                if !job.cancel_requested {
                    return Err(Refusal::limit("obeyed requests to cancel", 1, 0, "release the job instead").into());
                }
                let failure = life::obey(&mut job, &mut attempt, now);
                group.insert_failure(failure);
                save(group, job, attempt);
                Ok(Reply::Done)
            }
            Request::Cancel { job } => self.cancel(group, *job, now).await,
            Request::Retry { job } => self.retry(group, *job, now).await,
            Request::Bulk { act, list } => self.bulk(group, *act, list, now).await,
            Request::List(list) => self.list(group, list).await,
            Request::Limit(limits) => self.limit(group, limits, now),
            Request::Policy(policy) => self.policy(group, policy),
            Request::Schedule(schedule) => self.schedule(group, schedule, now).await,
            Request::Unschedule { name } => self.unschedule(group, name, now).await,
            Request::Schedules => self.view_schedules(group, now).await,
            Request::Pause { gate, by, why } => self.pause(group, gate, (by, why), now),
            Request::Resume { gate } => self.resume(group, gate),
            Request::Gates => Ok(Reply::Gated(self.view_gates(now))),
            Request::Explain { job } => self.explain(group, *job, now).await.map(Reply::Explained),
            Request::Look { job } => self.look(group, *job).await.map(|view| Reply::Looked(Box::new(view))),
        }
    }

    /// Inserts a job, for a slot of a schedule or for whoever asks.
    pub(super) async fn enqueue(
        &mut self,
        group: &mut Group,
        enqueue: &Enqueue,
        slot: Option<Slot>,
        now: Now,
    ) -> Result<Enqueued, Stop> {
        let payload = validate::enqueue(enqueue, &self.options)?;
        let payload_hash = xxh3_128(payload.as_bytes());
        let known = match &enqueue.key {
            Some(key) => group.key(&mut self.store, &enqueue.kind, &key.name).await?,
            None => None,
        };
        if let Some(row) = &known
            && self.stands(group, row, now).await?
        {
            if row.payload_hash != payload_hash {
                let (kind, key) = (row.kind.to_string(), row.key.to_string());
                return Err(Refusal::KeyConflict { kind, key, job: row.job }.into());
            }
            return Ok(Enqueued { job: row.job, fresh: false });
        }
        // One that waits for none waits for nothing.
        let after = enqueue.after.as_ref().filter(|after| !after.jobs.is_empty());
        let open = match after {
            Some(after) => self.open_of(group, after).await?,
            None => BTreeSet::new(),
        };
        self.check_room()?;
        let (wait, due) = match enqueue.when {
            When::Now => (Wait::Line, Due::now(now)),
            When::After(0) => (Wait::Line, Due::now(now)),
            When::After(delay_ms) => (Wait::Delay, Due::after(now, validate::delay("delay", delay_ms)?)),
            // It has waited since it is there, whatever time it names. That of a slot was its schedule's.
            When::At(wall) if wall <= now.wall && slot.is_none() => (Wait::Line, Due::now(now)),
            When::At(wall) => (Wait::Schedule, Due::at(wall)),
        };
        let (max_attempts, deadline) = self.tries(enqueue, now);
        let new = NewJob {
            queue: enqueue.queue.as_str().into(),
            kind: enqueue.kind.as_str().into(),
            priority: enqueue.priority,
            max_attempts,
            concurrency_key: enqueue.concurrency_key.as_deref().map(Into::into),
            slot,
            trace_parent: enqueue.trace_parent.as_deref().copied(),
            payload: payload.into(),
        };
        let mut job = life::enqueue(group.take_job_id(), new, wait, due, deadline, now);
        let id = job.id;
        for &on in after.iter().flat_map(|after| &after.jobs) {
            group.insert_wait(WaitRow { job: id, step: "".into(), on });
        }
        if let Some(After { unmet, .. }) = after
            && !open.is_empty()
        {
            (job.wait, job.wait_on) = (Wait::Jobs, Some(WaitOn::Before { unmet: *unmet }));
        }
        if let Some(key) = &enqueue.key {
            let scope = match key.scope {
                Scope::Forever => KeyScope::Forever,
                Scope::WhilePending => KeyScope::WhilePending,
                Scope::PeriodMs(ms) => KeyScope::Until(Due::after(now, Duration::from_millis(ms))),
            };
            let (kind, key) = (job.new.kind.clone(), key.name.as_str().into());
            group.put_key(KeyRow { kind, key, job: id, payload_hash, scope }, known.is_some());
        }
        group.move_job(place(&job));
        if job.wait == Wait::Jobs {
            group.move_job(Move::WaitingFor(id, open));
        }
        group.insert_job(job);
        Ok(Enqueued { job: id, fresh: true })
    }

    /// Whether a key stands for its job still.
    async fn stands(&mut self, group: &mut Group, row: &KeyRow, now: Now) -> Result<bool, StoreError> {
        Ok(match row.scope {
            KeyScope::Forever => true,
            KeyScope::Until(due) => !due.is_due(now),
            KeyScope::WhilePending => {
                let stored = group.job(&mut self.store, row.job).await?;
                stored.is_some_and(|stored| !stored.job.state.is_terminal())
            }
        })
    }

    /// What is in the file must be finished within the reserve: nothing new comes into it.
    pub(super) fn check_room(&mut self) -> Result<(), Stop> {
        let (free_bytes, reserve_bytes) = (self.store.free_bytes()?, self.options.reserve_bytes);
        if free_bytes < reserve_bytes {
            return Err(Refusal::StorageFull { free_bytes, reserve_bytes }.into());
        }
        Ok(())
    }

    async fn heartbeat(&mut self, group: &mut Group, leases: &[Lease], now: Now) -> Result<Reply, Stop> {
        if leases.len() > limits::HEARTBEAT_LEASES_MAX {
            let remedy = "send several heartbeats";
            return Err(
                Refusal::limit("leases in a heartbeat", leases.len(), limits::HEARTBEAT_LEASES_MAX, remedy).into()
            );
        }
        let mut renewals = Vec::with_capacity(leases.len());
        for &lease in leases {
            renewals.push(match self.held(group, lease, now).await {
                Ok((job, mut attempt)) => match life::check_overdue(&attempt, now) {
                    Ok(()) => {
                        life::renew(&mut attempt, now);
                        renewed(group, &job, attempt);
                        Renewal::Renewed { cancel: job.cancel_requested }
                    }
                    Err(why) => Renewal::Lost { why },
                },
                Err(Stop::Refused(why)) => {
                    if why.is_by_time() {
                        group.touch();
                    }
                    Renewal::Lost { why }
                }
                Err(stop) => return Err(stop),
            });
        }
        Ok(Reply::Renewed { leases: renewals })
    }

    /// A job may have one more step.
    pub(super) async fn check_steps(&mut self, group: &mut Group, job: JobId) -> Result<(), Stop> {
        let steps = group.step_count(&mut self.store, job).await?;
        if steps >= limits::STEPS_MAX {
            let remedy = "give a step more to do, or let a job that follows go on";
            return Err(Refusal::limit("the job's steps", steps + 1, limits::STEPS_MAX, remedy).into());
        }
        Ok(())
    }

    async fn step(
        &mut self,
        group: &mut Group,
        lease: Lease,
        (name, result): (&str, &str),
        now: Now,
    ) -> Result<Reply, Stop> {
        let result = validate::step(name, result, &self.options)?;
        let (job, attempt) = self.held(group, lease, now).await?;
        if let Some(row) = group.step(&mut self.store, job.id, name).await? {
            return Ok(Reply::Stepped { result: row.result.to_string() });
        }
        self.check_steps(group, job.id).await?;
        self.check_room()?;
        let (name, stored) = (name.into(), result.as_str().into());
        group.insert_step(StepRow { job: job.id, name, result: stored, attempt: attempt.number, at: now.wall });
        Ok(Reply::Stepped { result })
    }

    async fn progress(
        &mut self,
        group: &mut Group,
        lease: Lease,
        progress: &Progress,
        now: Now,
    ) -> Result<Reply, Stop> {
        let checkpoint = validate::progress(progress, &self.options)?;
        let (job, attempt) = self.held(group, lease, now).await?;
        let known = group.progress(&mut self.store, job.id).await?;
        let is_there = known.is_some();
        if !is_there {
            self.check_room()?;
        }
        let Progress { number, parts_per_million, message, .. } = progress;
        let (earlier, earlier_message, earlier_checkpoint) = match known {
            // A copy of an earlier report, or one that was overtaken.
            Some(row) if (row.attempt, row.number) >= (attempt.number, *number) => return Ok(Reply::Done),
            Some(row) => (row.parts_per_million, row.message, row.checkpoint),
            None => (None, None, None),
        };
        let row = ProgressRow {
            job: job.id,
            attempt: attempt.number,
            number: *number,
            at: now.wall,
            parts_per_million: parts_per_million.or(earlier),
            message: message.as_deref().map(validate::message).or(earlier_message),
            checkpoint: checkpoint.map(Into::into).or(earlier_checkpoint),
        };
        group.put_progress(row, is_there);
        Ok(Reply::Done)
    }

    /// What a handler said is about its own attempt, whatever became of that: a worker that slept beyond its lease tells
    /// what it did before.
    async fn log(&mut self, group: &mut Group, lease: Lease, first: u64, lines: &[LogLine]) -> Result<Reply, Stop> {
        let lines = validate::log(first, lines)?;
        let granted = group.attempt(&mut self.store, lease.token).await?;
        if granted.is_none_or(|attempt| attempt.lease() != lease) {
            self.known(group, lease.job).await?;
            return Err(Refusal::StaleLease { job: lease.job }.into());
        }
        let known = group.log(&mut self.store, lease.token).await?;
        let is_there = known.is_some();
        let mut row = known.unwrap_or_else(|| LogRow::new(lease.token, lease.job));
        if row.hear(first, lines) {
            // No job needs it to end: what is left of the disk is for what they need.
            self.check_room()?;
            group.put_log(row, is_there);
        }
        Ok(Reply::Done)
    }

    async fn fail(&mut self, group: &mut Group, lease: Lease, reported: &Reported, now: Now) -> Result<Reply, Stop> {
        let retry_after = reported.retry_after_ms.map(|ms| validate::delay("retry_after", ms)).transpose()?;
        let report = Report {
            how: validate::how(reported.how)?,
            message: validate::message(&reported.message),
            causes: validate::causes(&reported.causes),
            retryable: reported.retryable,
            retry_after,
        };
        let (mut job, mut attempt) = self.held(group, lease, now).await?;
        let random = host::random_u64(&self.host);
        let limits = self.limits_of(&job);
        let failure = life::fail(&mut job, &mut attempt, report, &limits, random, now);
        let next = failure.next;
        group.insert_failure(failure);
        save(group, job, attempt);
        Ok(Reply::Failed { next })
    }

    pub(super) async fn explain(&mut self, group: &mut Group, id: JobId, now: Now) -> Result<Explanation, Stop> {
        let Stored { job, latest } = self.known(group, id).await?;
        if !self.minds(&job) {
            let found = format!("job {id} is {}, and no list of jobs that wait or run has it so", job.state);
            return Err(self.store.damaged(found).into());
        }
        let failure = self.last_failure(group, &job, latest.as_ref()).await?;
        let line = || Line {
            ahead: self.order.ahead(id, limits::LINE_COUNT_MAX),
            claims_waiting: self.claims.iter().filter(|claim| claim.wants(&job.new.queue, &job.new.kind)).count()
                as u64,
            asked_ms_ago: self.seen.asked_for(&job.new.queue, &job.new.kind, now),
        };
        let crashes_max = self.limits_of(&job).crashes_max;
        let open: Vec<JobId> = self.waits.open(id).collect();
        Ok({
            let around = Around { open: &open, obstacles: self.obstacles(&job, now), crashes_max };
            explain::explain(&job, latest.as_ref(), failure.as_ref(), around, now, line)
        })
    }

    async fn last_failure(
        &mut self,
        group: &mut Group,
        job: &Job,
        latest: Option<&Attempt>,
    ) -> Result<Option<crate::job::Failure>, StoreError> {
        let Some(latest) = latest else { return Ok(None) };
        if let Some(failure) = group.failure(&mut self.store, latest.token).await? {
            return Ok(Some(failure));
        }
        // The latest attempt is still open, or ended without a failure: an earlier one may have.
        for attempt in self.store.attempts(job.id).await?.into_iter().rev() {
            if let Some(failure) = group.failure(&mut self.store, attempt.token).await? {
                return Ok(Some(failure));
            }
        }
        Ok(None)
    }

    async fn look(&mut self, group: &mut Group, id: JobId) -> Result<JobView, Stop> {
        let Stored { job, latest } = self.known(group, id).await?;
        let mut attempts = self.store.attempts(id).await?;
        // This group may have changed the latest one, or added it.
        if let Some(latest) = latest {
            attempts.retain(|attempt| attempt.token != latest.token);
            attempts.push(latest);
        }
        let mut history = Vec::with_capacity(attempts.len());
        for attempt in attempts {
            let failure = group.failure(&mut self.store, attempt.token).await?;
            let log = group.log(&mut self.store, attempt.token).await?;
            history.push(AttemptView {
                number: attempt.number,
                worker: attempt.worker.to_string(),
                claimed_at: attempt.claimed_at,
                started_at: attempt.started_at,
                ended: attempt.end,
                failure: failure.map(|failure| FailureView {
                    how: failure.how,
                    message: failure.message.to_string(),
                    causes: failure.causes,
                    retryable: failure.retryable,
                    next: failure.next,
                }),
                log: log
                    .map_or_else(LogView::default, |row| LogView { dropped: row.dropped(), lines: row.lines.to_vec() }),
            });
        }
        let steps = group.steps(&mut self.store, id).await?;
        let steps = steps.into_iter().map(|StepRow { name, result, attempt, at, .. }| StepView {
            name: name.to_string(),
            result: result.to_string(),
            attempt,
            at,
        });
        let progress = group.progress(&mut self.store, id).await?;
        Ok(JobView {
            steps: steps.collect(),
            progress: progress.map(progress_view),
            id: job.id,
            kind: job.new.kind.to_string(),
            queue: job.new.queue.to_string(),
            concurrency_key: job.new.concurrency_key.as_deref().map(str::to_owned),
            state: job.state,
            priority: job.new.priority,
            attempts: job.attempts,
            max_attempts: job.new.max_attempts,
            failures: job.failures,
            crashes: job.crashes,
            snoozes: job.snoozes,
            releases: job.releases,
            cancel_requested: job.cancel_requested,
            begins_by: job.deadline.map(|deadline| deadline.wall),
            retried_at: job.retried_at,
            slot: job.new.slot,
            trace_parent: job.new.trace_parent,
            enqueued_at: job.enqueued_at,
            finished_at: job.finished_at,
            payload: job.new.payload.to_string(),
            result: job.result.map(|result| result.to_string()),
            history,
        })
    }

    pub(super) async fn known(&mut self, group: &mut Group, job: JobId) -> Result<Stored, Stop> {
        match group.job(&mut self.store, job).await? {
            Some(stored) => Ok(stored),
            // Every number was given to a job, and a job goes for no other reason.
            None if (1..self.state.next_job).contains(&job.0) => Err(Refusal::Forgotten { job }.into()),
            None => Err(Refusal::UnknownJob { job }.into()),
        }
    }

    /// The job and its attempt, if `lease` holds it now.
    pub(super) async fn held(&mut self, group: &mut Group, lease: Lease, now: Now) -> Result<(Job, Attempt), Stop> {
        let Stored { job, latest } = self.known(group, lease.job).await?;
        let attempt = match life::check(latest.as_ref(), lease, now) {
            Ok(attempt) => attempt.clone(),
            Err(stale @ Refusal::StaleLease { .. }) => return Err(self.why_stale(group, lease, stale).await?.into()),
            Err(refusal) => return Err(refusal.into()),
        };
        Ok((job, attempt))
    }

    /// An older lease of the same job is told how its attempt ended.
    async fn why_stale(&mut self, group: &mut Group, lease: Lease, stale: Refusal) -> Result<Refusal, StoreError> {
        let attempt = group.attempt(&mut self.store, lease.token).await?;
        let end = attempt.filter(|attempt| attempt.lease() == lease).and_then(|attempt| attempt.end);
        Ok(end.map_or(stale, |(_, end)| Refusal::AttemptEnded { job: lease.job, end }))
    }
}

fn progress_view(row: ProgressRow) -> ProgressView {
    let ProgressRow { attempt, number, at, parts_per_million, message, checkpoint, .. } = row;
    let text = |text: Arc<str>| text.to_string();
    ProgressView {
        attempt,
        number,
        at,
        parts_per_million,
        message: message.map(text),
        checkpoint: checkpoint.map(text),
    }
}

/// Writes down a lease that was renewed.
fn renewed(group: &mut Group, job: &Job, attempt: Attempt) {
    group.move_job(Move::To(job.id, entry(job, Stage::Leased(attempt.expires))));
    group.update_attempt(attempt);
}

/// Writes down the end of an attempt.
fn save(group: &mut Group, job: Job, attempt: Attempt) {
    group.move_job(place(&job));
    group.update_attempt(attempt);
    group.update_job(job);
}

/// The part of a reply that is remembered.
fn answer(reply: &Reply) -> Option<Answer> {
    match *reply {
        Reply::Enqueued { job, fresh } => Some(Answer::Enqueued { job, fresh }),
        Reply::EnqueuedAll { ref jobs } => Some(Answer::EnqueuedAll { jobs: jobs.clone() }),
        Reply::Done => Some(Answer::Done),
        Reply::Suspended => Some(Answer::Suspended),
        Reply::Signalled { fresh } => Some(Answer::Signalled { fresh }),
        Reply::Scheduled { next } => Some(Answer::Scheduled { next }),
        Reply::Unscheduled { was_scheduled } => Some(Answer::Unscheduled { was_scheduled }),
        Reply::Failed { next } => Some(Answer::Failed { next }),
        Reply::Resumed { was_paused } => Some(Answer::Resumed { was_paused }),
        Reply::Cancelled { at_once } => Some(Answer::Cancelled { at_once }),
        Reply::Changed { jobs, next } => Some(Answer::Changed { jobs, next }),
        Reply::Claimed { .. }
        | Reply::Renewed { .. }
        | Reply::Stepped { .. }
        | Reply::Awaited { .. }
        | Reply::Settled { .. }
        | Reply::Gated(_)
        | Reply::Schedules { .. }
        | Reply::Listed { .. }
        | Reply::Explained(_)
        | Reply::Looked(_) => None,
    }
}
