//! Whoever waits for the end of a job: answered after the sync that ends it.

use super::commands::Stop;
use super::group::Group;
use super::{Engine, validate};
use crate::host::Host;
use crate::job::{JobId, Now, State, Steady};
use crate::protocol::{CallError, Reply};
use crate::store::{Storage, StoreError};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tokio::sync::oneshot;

/// A question that waits for the end of its job, or for the end of its own time.
pub struct WaitingAwait {
    job: JobId,
    deadline: Steady,
}

/// Where an answer goes.
type Sender = oneshot::Sender<Result<Reply, CallError>>;

/// All who wait for the end of a job.
#[derive(Default)]
pub struct Awaits {
    of_job: BTreeMap<JobId, Vec<(Steady, Sender)>>,
    deadlines: BTreeSet<(Steady, JobId)>,
    count: usize,
    /// Jobs that may have ended since somebody looked.
    ended: BTreeSet<JobId>,
}

impl Awaits {
    /// How many wait.
    pub const fn len(&self) -> usize {
        self.count
    }

    /// Somebody waits.
    pub fn add(&mut self, WaitingAwait { job, deadline }: WaitingAwait, sender: Sender) {
        self.of_job.entry(job).or_default().push((deadline, sender));
        self.deadlines.insert((deadline, job));
        self.count += 1;
        // It may have ended in the very group.
        self.ended.insert(job);
    }

    /// Forgets those whose callers are gone.
    pub fn forget_abandoned(&mut self) {
        let Self { of_job, deadlines, count, .. } = self;
        of_job.retain(|job, waiting| {
            for (deadline, _) in waiting.extract_if(.., |(_, sender)| sender.is_closed()) {
                *count -= 1;
                deadlines.remove(&(deadline, *job));
            }
            deadlines.extend(waiting.iter().map(|(deadline, _)| (*deadline, *job)));
            !waiting.is_empty()
        });
    }

    /// A job has ended, once what was decided stands.
    pub fn has_ended(&mut self, job: JobId) {
        if self.of_job.contains_key(&job) {
            self.ended.insert(job);
        }
    }

    /// Nobody knows what has ended: the file was opened anew.
    pub fn look_at_all(&mut self) {
        self.ended = self.of_job.keys().copied().collect();
    }

    /// When the first of them is answered with nothing.
    pub fn next_deadline(&self) -> Option<Steady> {
        self.deadlines.first().map(|(deadline, _)| *deadline)
    }

    /// Tells all of them that nobody will say.
    pub fn abandon(&mut self, why: &str) {
        for (_, sender) in std::mem::take(&mut self.of_job).into_values().flatten() {
            drop(sender.send(Err(CallError::Unavailable { why: why.to_owned() })));
        }
        *self = Self::default();
    }

    fn take_all(&mut self, job: JobId) -> Vec<Sender> {
        let taken = self.of_job.remove(&job).unwrap_or_default();
        self.count -= taken.len();
        for (deadline, _) in &taken {
            self.deadlines.remove(&(*deadline, job));
        }
        taken.into_iter().map(|(_, sender)| sender).collect()
    }

    fn take_late(&mut self, now: Now) -> Vec<(JobId, Sender)> {
        let mut late = Vec::new();
        while let Some((deadline, job)) = self.deadlines.first().copied().filter(|(at, _)| *at <= now.steady) {
            self.deadlines.remove(&(deadline, job));
            let waiting = self.of_job.entry(job).or_default();
            late.extend(waiting.extract_if(.., |(at, _)| *at <= now.steady).map(|(_, sender)| (job, sender)));
            if waiting.is_empty() {
                self.of_job.remove(&job);
            }
        }
        self.count -= late.len();
        late
    }
}

impl<H: Host, S: Storage> Engine<H, S> {
    /// Asks what a job results in: an answer, if it has ended or nobody wants to wait.
    pub(super) async fn ask(
        &mut self,
        group: &mut Group,
        job: JobId,
        wait_ms: u64,
        now: Now,
    ) -> Result<Result<Reply, WaitingAwait>, Stop> {
        if self.awaits.len() >= crate::limits::AWAITS_MAX {
            self.awaits.forget_abandoned();
        }
        validate::wait(wait_ms, self.awaits.len())?;
        let is_over = self.known(group, job).await?.job.state.is_terminal();
        if is_over || wait_ms == 0 {
            return self.awaited(group, job, now).await.map(Ok);
        }
        let deadline = now.steady.plus(Duration::from_millis(wait_ms));
        Ok(Err(WaitingAwait { job, deadline }))
    }

    async fn awaited(&mut self, group: &mut Group, job: JobId, now: Now) -> Result<Reply, Stop> {
        let stored = self.known(group, job).await?.job;
        let result = stored.result.filter(|_| stored.state == State::Completed).map(|result| result.to_string());
        Ok(Reply::Awaited { result, explanation: self.explain(group, job, now).await? })
    }

    /// Answers whoever's job has ended, or whose time is over, now that the group of this time is committed.
    pub(super) async fn answer_awaits(&mut self, now: Now) -> Result<(), StoreError> {
        for job in std::mem::take(&mut self.awaits.ended) {
            if !self.order.entries().contains_key(&job) {
                for sender in self.awaits.take_all(job) {
                    self.answer_await(job, sender, now).await?;
                }
            }
        }
        for (job, sender) in self.awaits.take_late(now) {
            self.answer_await(job, sender, now).await?;
        }
        Ok(())
    }

    async fn answer_await(&mut self, job: JobId, sender: Sender, now: Now) -> Result<(), StoreError> {
        let answer = match self.awaited(&mut Group::new(self.state, now), job, now).await {
            Ok(reply) => Ok(reply),
            Err(Stop::Refused(refusal)) => Err(CallError::Refused(refusal)),
            Err(Stop::Store(error)) => return Err(error),
        };
        // Nobody may wait any more.
        drop(sender.send(answer));
        Ok(())
    }
}
