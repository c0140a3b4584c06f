//! Many jobs at once: lists of them, and what is asked for all of a list.

use super::calls::{Caller, unexpected};
use crate::error::Error;
use crate::job::{JobId, State};
use crate::limits;
use crate::protocol::{Bulk, Filter, JobSummary, ListJobs, Reply, Request};
use std::sync::Arc;

impl Filter {
    /// All jobs in this state.
    pub const fn state(state: State) -> Self {
        Self { state, kind: None, queue: None }
    }

    /// Those of this kind alone.
    pub fn kind(self, kind: impl Into<String>) -> Self {
        Self { kind: Some(kind.into()), ..self }
    }

    /// Those of this queue alone.
    pub fn queue(self, queue: impl Into<String>) -> Self {
        Self { queue: Some(queue.into()), ..self }
    }
}

/// A list of jobs, read page by page, by rising number.
#[must_use = "a list is read page by page"]
pub struct List {
    caller: Arc<Caller>,
    filter: Filter,
    /// Behind which job it goes on; none at its end.
    after: Option<JobId>,
}

impl List {
    pub(super) fn new(caller: Arc<Caller>, filter: Filter) -> Self {
        Self { caller, filter, after: Some(JobId(0)) }
    }

    /// The next page; nothing at the end. What changes meanwhile may be there, or not.
    ///
    /// # Errors
    /// [`Error::Unavailable`] if the queue can't be asked.
    pub async fn next_page(&mut self) -> Result<Option<Vec<JobSummary>>, Error> {
        while let Some(after) = self.after {
            let list = ListJobs { filter: self.filter.clone(), after, most: limits::LIST_JOBS_MAX };
            match self.caller.call(Request::List(list)).await? {
                Reply::Listed { jobs, next } => {
                    self.after = next;
                    if !jobs.is_empty() {
                        return Ok(Some(jobs));
                    }
                }
                other => return Err(unexpected("list", &other)),
            }
        }
        Ok(None)
    }

    /// All of it. A file may have millions of jobs.
    ///
    /// # Errors
    /// As [`next_page`](Self::next_page).
    pub async fn all(mut self) -> Result<Vec<JobSummary>, Error> {
        let mut all = Vec::new();
        while let Some(page) = self.next_page().await? {
            all.extend(page);
        }
        Ok(all)
    }
}

/// Asks for something for all jobs of a list, a bounded number at a time; for how many it was done.
pub(super) async fn for_all(caller: &Caller, act: Bulk, filter: Filter) -> Result<u64, Error> {
    let (mut changed, mut after) = (0, Some(JobId(0)));
    while let Some(behind) = after {
        let list = ListJobs { filter: filter.clone(), after: behind, most: limits::LIST_JOBS_MAX };
        match caller.call(Request::Bulk { act, list }).await? {
            Reply::Changed { jobs, next } => {
                changed += jobs;
                after = next;
            }
            other => return Err(unexpected("bulk", &other)),
        }
    }
    Ok(changed)
}
