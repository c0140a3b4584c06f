//! The figures themselves: their names, what they mean, and what of a commit they count.

use crate::host::Clock;
use crate::job::{Attempt, Job, JobId, Refusal};
use crate::order::Order;
use crate::store::Change;
use metrics::{Gauge, Unit};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

const ENQUEUED: &str = "outlive_jobs_enqueued_total";
const ENDED: &str = "outlive_jobs_ended_total";
const FORGOTTEN: &str = "outlive_jobs_forgotten_total";
const ATTEMPTS: &str = "outlive_attempts_total";
const REFUSED: &str = "outlive_refused_total";
const CHECKPOINTS: &str = "outlive_checkpoints_total";
const REOPENED: &str = "outlive_reopened_total";
const WAIT: &str = "outlive_wait_seconds";
const ATTEMPT: &str = "outlive_attempt_seconds";
const COMMIT: &str = "outlive_commit_seconds";
const GROUP: &str = "outlive_group_requests";
const JOBS: &str = "outlive_jobs";
const WORKER_ATTEMPTS: &str = "outlive_worker_attempts";
const WORKER_SLOTS: &str = "outlive_worker_slots";

/// The figures of one engine.
pub(crate) struct Figures {
    /// The queues that were shown, and whether they are to be shown anew.
    queues: BTreeMap<Arc<str>, bool>,
    /// Whether the order was made anew, so that every queue is to be shown.
    is_anew: bool,
}

/// What a commit will have done, if it succeeds.
pub(crate) struct Commit {
    begun: Duration,
    /// By queue and kind.
    enqueued: BTreeMap<(Arc<str>, Arc<str>), u64>,
    /// By queue, kind and state.
    ended: BTreeMap<(Arc<str>, Arc<str>, &'static str), u64>,
    /// By kind and end.
    attempts: BTreeMap<(Arc<str>, &'static str), u64>,
    /// For how long a job of a queue and a kind could have run before it was claimed.
    waits: Vec<(Arc<str>, Arc<str>, Duration)>,
    /// How long an attempt of a kind took from its start.
    took: Vec<(Arc<str>, Duration)>,
    forgotten: u64,
    /// Queues whose jobs have changed.
    queues: Vec<Arc<str>>,
}

/// A gauge that stands higher for as long as this lives.
pub(crate) struct Raised {
    gauge: Gauge,
    by: f64,
}

impl Figures {
    /// Nothing is counted yet. What the figures mean is said to the recorder that is installed by now.
    pub fn new() -> Self {
        describe();
        for name in [FORGOTTEN, CHECKPOINTS, REOPENED] {
            // What has never happened is zero on a dashboard, and not missing.
            metrics::counter!(name).increment(0);
        }
        Self { queues: BTreeMap::new(), is_anew: true }
    }

    /// A commit is in the file.
    pub fn committed(&mut self, commit: Commit, clock: &impl Clock) {
        metrics::histogram!(COMMIT).record(clock.boot().saturating_sub(commit.begun));
        for ((queue, kind), jobs) in commit.enqueued {
            metrics::counter!(ENQUEUED, "queue" => queue, "kind" => kind).increment(jobs);
        }
        for ((queue, kind, state), jobs) in commit.ended {
            metrics::counter!(ENDED, "queue" => queue, "kind" => kind, "state" => state).increment(jobs);
        }
        for ((kind, ended), attempts) in commit.attempts {
            metrics::counter!(ATTEMPTS, "kind" => kind, "ended" => ended).increment(attempts);
        }
        for (queue, kind, wait) in commit.waits {
            metrics::histogram!(WAIT, "queue" => queue, "kind" => kind).record(wait);
        }
        for (kind, took) in commit.took {
            metrics::histogram!(ATTEMPT, "kind" => kind).record(took);
        }
        if commit.forgotten > 0 {
            metrics::counter!(FORGOTTEN).increment(commit.forgotten);
        }
        self.queues.extend(commit.queues.into_iter().map(|queue| (queue, true)));
    }

    /// A group of so many calls was served, and these of them were refused.
    pub fn served<'a>(&self, calls: usize, refusals: impl Iterator<Item = &'a Refusal>) {
        // Without calls it is time that brought something about.
        if calls > 0 {
            metrics::histogram!(GROUP).record(calls as f64);
        }
        for refusal in refusals {
            metrics::counter!(REFUSED, "refusal" => word(refusal)).increment(1);
        }
    }

    /// The log was moved into the file.
    pub fn checkpointed(&self) {
        metrics::counter!(CHECKPOINTS).increment(1);
    }

    /// The store had broken, and was opened anew.
    pub fn reopened(&self) {
        metrics::counter!(REOPENED).increment(1);
    }

    /// The order is made anew from the rows: what was shown of it may not be so any more.
    pub fn look_anew(&mut self) {
        self.is_anew = true;
    }

    /// Shows how many jobs wait and run, of the queues in which that has changed.
    pub fn show(&mut self, order: &Order) {
        if std::mem::take(&mut self.is_anew) {
            self.queues.extend(order.queues().map(|queue| (queue.clone(), false)));
            self.queues.values_mut().for_each(|is_changed| *is_changed = true);
        }
        for (queue, is_changed) in &mut self.queues {
            if std::mem::take(is_changed) {
                let (all, running) = (order.count(queue), order.leased(queue));
                metrics::gauge!(JOBS, "queue" => queue.clone(), "state" => "waiting").set((all - running) as f64);
                metrics::gauge!(JOBS, "queue" => queue.clone(), "state" => "running").set(running as f64);
            }
        }
    }
}

impl Commit {
    /// What these changes will have done. It begins now.
    pub fn begin(changes: &[Change], clock: &impl Clock) -> Self {
        let mut commit = Self {
            begun: clock.boot(),
            enqueued: BTreeMap::new(),
            ended: BTreeMap::new(),
            attempts: BTreeMap::new(),
            waits: Vec::new(),
            took: Vec::new(),
            forgotten: 0,
            queues: Vec::new(),
        };
        let mut jobs: BTreeMap<JobId, &Job> = BTreeMap::new();
        for change in changes {
            match change {
                Change::InsertJob(job) => {
                    *commit.enqueued.entry((job.new.queue.clone(), job.new.kind.clone())).or_default() += 1;
                    commit.job(job);
                    jobs.insert(job.id, job);
                }
                Change::UpdateJob(job) => {
                    commit.job(job);
                    jobs.insert(job.id, job);
                }
                Change::DeleteJob { .. } => commit.forgotten += 1,
                _ => {}
            }
        }
        for change in changes {
            // With the beginning of an attempt and with its end its job changes too.
            match change {
                Change::InsertAttempt(attempt) => {
                    jobs.get(&attempt.job).into_iter().for_each(|job| commit.begun(job, attempt));
                }
                Change::UpdateAttempt(attempt) => {
                    jobs.get(&attempt.job).into_iter().for_each(|job| commit.end(job, attempt));
                }
                _ => {}
            }
        }
        commit
    }

    fn job(&mut self, job: &Job) {
        let (queue, kind) = (job.new.queue.clone(), job.new.kind.clone());
        self.queues.push(queue.clone());
        if job.state.is_terminal() {
            *self.ended.entry((queue, kind, job.state.as_str())).or_default() += 1;
        }
    }

    fn begun(&mut self, job: &Job, attempt: &Attempt) {
        let could_run = job.due.wall.max(job.enqueued_at);
        let wait = could_run.until(attempt.claimed_at);
        self.waits.push((job.new.queue.clone(), job.new.kind.clone(), wait));
        self.end(job, attempt);
    }

    fn end(&mut self, job: &Job, attempt: &Attempt) {
        let Some((at, end)) = attempt.end else { return };
        *self.attempts.entry((job.new.kind.clone(), end.as_str())).or_default() += 1;
        if let Some(started_at) = attempt.started_at {
            self.took.push((job.new.kind.clone(), started_at.until(at)));
        }
    }
}

impl Raised {
    fn new(gauge: Gauge, by: f64) -> Self {
        gauge.increment(by);
        Self { gauge, by }
    }

    /// It stands lower again.
    pub fn lower(self) {}
}

impl Drop for Raised {
    fn drop(&mut self) {
        self.gauge.decrement(self.by);
    }
}

/// A worker of this process has an attempt of this kind for as long as this lives.
pub(crate) fn attempt(kind: &str) -> Raised {
    Raised::new(metrics::gauge!(WORKER_ATTEMPTS, "kind" => kind.to_owned()), 1.0)
}

/// A worker of this process has so many slots for as long as this lives.
pub(crate) fn slots(slots: usize) -> Raised {
    describe();
    Raised::new(metrics::gauge!(WORKER_SLOTS), slots as f64)
}

fn describe() {
    let counters = [
        (ENQUEUED, "Jobs that were enqueued, those of schedules too"),
        (ENDED, "Jobs that have ended, by the state in which they did"),
        (FORGOTTEN, "Jobs that had ended and were removed after their time"),
        (ATTEMPTS, "Attempts that have ended, by how they did"),
        (REFUSED, "Calls that were refused, by why they were"),
        (CHECKPOINTS, "How often the log was moved into the file"),
        (REOPENED, "How often the store broke and was opened anew"),
    ];
    for (name, says) in counters {
        metrics::describe_counter!(name, Unit::Count, says);
    }
    metrics::describe_histogram!(WAIT, Unit::Seconds, "From when a job could run to when it was claimed");
    metrics::describe_histogram!(ATTEMPT, Unit::Seconds, "From the start of an attempt to its end");
    metrics::describe_histogram!(COMMIT, Unit::Seconds, "What a commit took, its sync included");
    metrics::describe_histogram!(GROUP, Unit::Count, "Calls that were decided as one group");
    metrics::describe_gauge!(JOBS, Unit::Count, "Jobs that wait or run");
    metrics::describe_gauge!(WORKER_ATTEMPTS, Unit::Count, "Attempts that the workers of this process have");
    metrics::describe_gauge!(WORKER_SLOTS, Unit::Count, "Attempts that the workers of this process may have at once");
}

/// The word for a refusal, as in the body of an error.
const fn word(refusal: &Refusal) -> &'static str {
    match refusal {
        Refusal::UnknownJob { .. } => "unknown-job",
        Refusal::Forgotten { .. } => "forgotten",
        Refusal::StaleLease { .. } => "stale-lease",
        Refusal::LeaseExpired { .. } => "lease-expired",
        Refusal::AttemptEnded { .. } => "attempt-ended",
        Refusal::Overdue { .. } => "overdue",
        Refusal::Finished { .. } => "finished",
        Refusal::NotRetryable { .. } => "not-retryable",
        Refusal::KeyConflict { .. } => "key-conflict",
        Refusal::OneOfMany { .. } => "one-of-many",
        Refusal::NeverMet { .. } => "never-met",
        Refusal::WaitsForItself { .. } => "waits-for-itself",
        Refusal::SignalConflict { .. } => "signal-conflict",
        Refusal::RequestIdReused => "request-id-reused",
        Refusal::Limit { .. } => "limit",
        Refusal::StorageFull { .. } => "storage-full",
        Refusal::Statement { .. } => "statement",
        Refusal::RolledBack { .. } => "rolled-back",
        Refusal::Internal { .. } => "internal",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_has_the_word_that_it_has_in_answers() {
        let job = JobId(1);
        let why = String::new;
        let refusals = [
            Refusal::UnknownJob { job },
            Refusal::StaleLease { job },
            Refusal::KeyConflict { kind: why(), key: why(), job },
            Refusal::WaitsForItself { job, through: job },
            Refusal::RequestIdReused,
            Refusal::StorageFull { free_bytes: 0, reserve_bytes: 0 },
            Refusal::RolledBack { why: why() },
        ];
        for refusal in refusals {
            assert_eq!(serde_json::to_value(&refusal).unwrap()["refused"], word(&refusal));
        }
    }
}
