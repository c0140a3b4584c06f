//! Remembered answers: what a repeated request is told.
//!
//! Only answers that changed something are remembered. A refusal need not be: a stale lease stays
//! stale, and a claim that got nothing may as well get something.

use super::claims::granted;
use super::group::Group;
use super::{Decided, Engine};
use crate::host::Host;
use crate::job::{Attempt, AttemptEnd, JobId, Next, Now, Refusal, RequestId, Token, Wall};
use crate::protocol::{Call, CallError, Enqueued, Granted, Reply};
use crate::store::{RequestRow, Storage, Store, StoreError};
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

/// An answer, as its row has it. A claim's is short: the rest is in the rows that it names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    Enqueued {
        job: JobId,
        fresh: bool,
    },
    EnqueuedAll {
        jobs: Vec<Enqueued>,
    },
    Claimed {
        tokens: Vec<Token>,
    },
    Done,
    Failed {
        next: Next,
    },
    Cancelled {
        at_once: bool,
    },
    /// Of what was asked for many.
    Changed {
        jobs: u64,
        next: Option<JobId>,
    },
    Suspended,
    Resumed {
        was_paused: bool,
    },
    Signalled {
        fresh: bool,
    },
    Scheduled {
        next: Wall,
    },
    Unscheduled {
        was_scheduled: bool,
    },
    /// A transaction of the caller's was committed.
    Committed,
    /// A transaction of the caller's was settled before anything of it was in the file: nothing ever will be.
    RolledBack,
}

/// Tells two requests under one id apart.
pub fn digest(call: &Call) -> u64 {
    xxh3_64(&serde_json::to_vec(&call.request).expect("a request is JSON"))
}

/// The row for an answer.
pub fn row(id: RequestId, digest: u64, now: Now, answer: &Answer) -> RequestRow {
    let answer = serde_json::to_string(answer).expect("an answer is JSON").into();
    RequestRow { id, at: now.steady, digest, answer }
}

/// The answer of a row.
pub fn read(answer: &str) -> Result<Answer, String> {
    serde_json::from_str(answer).map_err(|error| format!("a remembered answer does not read back: {error}"))
}

impl<H: Host, S: Storage> Engine<H, S> {
    /// The first answer to this call, if it is a repeat.
    pub(super) async fn replay(&mut self, group: &mut Group, call: &Call) -> Result<Option<Decided>, StoreError> {
        let Some(row) = group.request(&mut self.store, call.id).await? else { return Ok(None) };
        if row.digest != digest(call) {
            return Ok(Some(Decided::Answer(Err(CallError::Refused(Refusal::RequestIdReused)))));
        }
        let reply = match read(&row.answer).map_err(|found| self.store.damaged(found))? {
            Answer::Enqueued { job, fresh } => Reply::Enqueued { job, fresh },
            Answer::EnqueuedAll { jobs } => Reply::EnqueuedAll { jobs },
            Answer::Claimed { tokens } => Reply::Claimed { grants: self.granted_again(group, &tokens).await? },
            Answer::Done => Reply::Done,
            Answer::Failed { next } => Reply::Failed { next },
            Answer::Cancelled { at_once } => Reply::Cancelled { at_once },
            Answer::Changed { jobs, next } => Reply::Changed { jobs, next },
            Answer::Suspended => Reply::Suspended,
            Answer::Resumed { was_paused } => Reply::Resumed { was_paused },
            Answer::Signalled { fresh } => Reply::Signalled { fresh },
            Answer::Scheduled { next } => Reply::Scheduled { next },
            Answer::Unscheduled { was_scheduled } => Reply::Unscheduled { was_scheduled },
            // No call has the name of a transaction, unless its digest is the same by chance.
            Answer::Committed | Answer::RolledBack => {
                return Ok(Some(Decided::Answer(Err(CallError::Refused(Refusal::RequestIdReused)))));
            }
        };
        Ok(Some(Decided::Answer(Ok(reply))))
    }

    /// The grants of an earlier claim, whatever became of them since.
    pub(super) async fn granted_again(
        &mut self,
        group: &mut Group,
        tokens: &[Token],
    ) -> Result<Vec<Granted>, StoreError> {
        let mut grants = Vec::with_capacity(tokens.len());
        for &token in tokens {
            let Some(attempt) = group.attempt(&mut self.store, token).await? else { continue };
            let Some(stored) = group.job(&mut self.store, attempt.job).await? else { continue };
            let failures = self.failures_before(group, &attempt).await?;
            grants.push(granted(&stored.job, &attempt, failures, self.state.first_opening));
        }
        Ok(grants)
    }

    /// How often a job had failed when this attempt of it began.
    async fn failures_before(&mut self, group: &mut Group, attempt: &Attempt) -> Result<u32, StoreError> {
        let mut failures = 0;
        for earlier in self.store.attempts(attempt.job).await? {
            // This group may have ended it.
            let earlier = group.attempt(&mut self.store, earlier.token).await?.unwrap_or(earlier);
            let failed = matches!(earlier.end, Some((_, AttemptEnd::Failed)));
            failures += u32::from(failed && earlier.token < attempt.token);
        }
        Ok(failures)
    }
}

#[cfg(test)]
mod tests {
    use crate::protocol::{Enqueue, Request};

    /// An answer that an earlier version gave is found by what it was asked for, and a file outlives versions.
    #[test]
    fn an_enqueue_is_remembered_as_by_the_version_before() {
        let asked = serde_json::to_string(&Request::Enqueue(Enqueue::new("mail", "null"))).unwrap();
        let before = r#"{"request":"enqueue","kind":"mail","queue":"default","priority":0,"max_attempts":null,"max_age_ms":null,"payload":"null","when":"now","key":null,"after":null,"concurrency_key":null}"#;
        assert_eq!(asked, before);
    }
}
