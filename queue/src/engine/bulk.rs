//! Many jobs at once: enqueued together; and in small bounded steps lists of them, and what people ask for all of a list.

use super::commands::Stop;
use super::due::place;
use super::group::{Group, Move};
use super::{Engine, validate};
use crate::host::Host;
use crate::job::explain::LastFailure;
use crate::job::life::{self, Cancelled};
use crate::job::{JobId, Now, Refusal, Unmet, Wait, WaitOn};
use crate::limits;
use crate::protocol::{Bulk, Enqueue, Enqueued, Filter, JobSummary, ListJobs, Reply};
use crate::store::{Listed, Storage, Store, StoreError};

/// The refusal of one of many, which names none of the others by a number that nobody has.
fn within(why: Refusal, is_of_these: impl Fn(JobId) -> bool) -> Refusal {
    match why {
        Refusal::KeyConflict { kind, key, job } if is_of_these(job) => {
            let what = format!("payloads under the key {key:?} of kind {kind:?}");
            Refusal::limit(&what, 2, 1, "use another key for other work")
        }
        why => why,
    }
}

impl<H: Host, S: Storage> Engine<H, S> {
    /// Inserts jobs: all of them, or none.
    pub(super) async fn enqueue_all(&mut self, group: &mut Group, jobs: &[Enqueue], now: Now) -> Result<Reply, Stop> {
        validate::enqueue_all(jobs, &self.options)?;
        let before = group.clone();
        let mut enqueued = Vec::with_capacity(jobs.len());
        for (place, job) in jobs.iter().enumerate() {
            match self.enqueue(group, job, None, now).await {
                Ok(there) => enqueued.push(there),
                Err(Stop::Refused(why)) => {
                    *group = before;
                    let why = within(why, |job| enqueued.contains(&Enqueued { job, fresh: true }));
                    return Err(Refusal::OneOfMany { number: place + 1, of: jobs.len(), why: Box::new(why) }.into());
                }
                Err(stop) => return Err(stop),
            }
        }
        Ok(Reply::EnqueuedAll { jobs: enqueued })
    }

    /// A page of the jobs in a state.
    pub(super) async fn list(&mut self, group: &mut Group, asked: &ListJobs) -> Result<Reply, Stop> {
        validate::list(asked)?;
        let (page, next) = self.page(asked, asked.most as usize).await?;
        let mut jobs = Vec::with_capacity(page.len());
        for listed in page {
            let failure = match listed.token {
                Some(token) => group.failure(&mut self.store, token).await?,
                None => None,
            };
            jobs.push(JobSummary {
                id: listed.id,
                kind: listed.kind.to_string(),
                queue: listed.queue.to_string(),
                state: listed.state,
                attempts: listed.attempts,
                max_attempts: listed.max_attempts,
                failures: listed.failures,
                crashes: listed.crashes,
                enqueued_at: listed.enqueued_at,
                finished_at: listed.finished_at,
                last_failure: failure.as_ref().map(LastFailure::of),
            });
        }
        Ok(Reply::Listed { jobs, next })
    }

    /// Does what is asked for some of the jobs in a state, and says how many they were and where to go on.
    pub(super) async fn bulk(
        &mut self,
        group: &mut Group,
        act: Bulk,
        asked: &ListJobs,
        now: Now,
    ) -> Result<Reply, Stop> {
        validate::list(asked)?;
        validate::bulk(act, asked.filter.state)?;
        let (page, next) = self.page(asked, asked.most as usize).await?;
        let mut changed = 0;
        for listed in page {
            // This group may have changed it, since the page was committed.
            let done = match act {
                Bulk::Retry => self.retry(group, listed.id, now).await.map(drop),
                Bulk::Cancel => self.cancel(group, listed.id, now).await.map(drop),
            };
            match done {
                Ok(()) => changed += 1,
                Err(Stop::Refused(_)) => {}
                Err(stop) => return Err(stop),
            }
        }
        Ok(Reply::Changed { jobs: changed, next })
    }

    /// Lets a job that has ended without a result be tried once more.
    pub(super) async fn retry(&mut self, group: &mut Group, id: JobId, now: Now) -> Result<Reply, Stop> {
        let mut job = self.known(group, id).await?.job;
        let unmet = if let Some(WaitOn::Before { unmet }) = job.wait_on { unmet } else { Unmet::Run };
        life::revive(&mut job, now)?;
        // It still comes after those that it was enqueued to come after, if they are yet to end.
        let open = self.retried_since(group, &job).await?;
        if !open.is_empty() {
            (job.wait, job.wait_on) = (Wait::Jobs, Some(WaitOn::Before { unmet }));
        }
        group.move_job(place(&job));
        if !open.is_empty() {
            group.move_job(Move::WaitingFor(id, open));
        }
        group.update_job(job);
        Ok(Reply::Done)
    }

    /// Asks for a job to stop.
    pub(super) async fn cancel(&mut self, group: &mut Group, id: JobId, now: Now) -> Result<Reply, Stop> {
        let mut job = self.known(group, id).await?.job;
        let at_once = life::cancel(&mut job, now)? == Cancelled::Now;
        if at_once {
            group.move_job(place(&job));
        }
        group.update_job(job);
        Ok(Reply::Cancelled { at_once })
    }

    /// Up to `most` jobs in a state, and behind which one there may be more. No more than a bound are looked at.
    async fn page(&mut self, asked: &ListJobs, most: usize) -> Result<(Vec<Listed>, Option<JobId>), StoreError> {
        let Filter { state, kind, queue } = &asked.filter;
        let looked_at = limits::LIST_JOBS_MAX as usize;
        let found = self.store.list(*state, asked.after, looked_at).await?;
        let mut last = found.last().filter(|_| found.len() == looked_at).map(|listed| listed.id);
        let is = |name: &Option<String>, of: &str| name.as_deref().is_none_or(|name| name == of);
        let mut page: Vec<Listed> =
            found.into_iter().filter(|it| it.state == *state && is(kind, &it.kind) && is(queue, &it.queue)).collect();
        if page.len() > most {
            page.truncate(most);
            last = page.last().map(|listed| listed.id);
        }
        Ok((page, last))
    }
}
