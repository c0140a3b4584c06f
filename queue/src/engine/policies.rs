//! Policies of kinds: what is decided for their jobs, where it differs from what is decided for all.

use super::commands::Stop;
use super::due::place;
use super::group::{Group, Move};
use super::{Engine, validate};
use crate::host::Host;
use crate::job::{Due, Job, JobId, Limits, Now, Policy, PolicyRow, life};
use crate::limits;
use crate::protocol::{Enqueue, KindPolicy, PolicyView, Reply};
use crate::store::{Storage, Store, StoreError};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// The policies that are in the file, by kind.
#[derive(Debug, Default)]
pub struct Policies(BTreeMap<Arc<str>, Policy>);

impl Policies {
    /// What is decided for the jobs of a kind; nothing of its own if nobody has said so.
    pub fn of(&self, kind: &str) -> Policy {
        self.0.get(kind).copied().unwrap_or_default()
    }

    /// The policy of a kind is this.
    pub fn put(&mut self, row: PolicyRow) {
        self.0.insert(row.kind, row.policy);
    }

    /// A kind has no policy any more.
    pub fn remove(&mut self, kind: &str) {
        self.0.remove(kind);
    }

    /// All of them, for people.
    pub fn all(&self) -> Vec<PolicyView> {
        self.0.iter().map(|(kind, policy)| KindPolicy { kind: kind.to_string(), policy: *policy }).collect()
    }
}

impl<H: Host, S: Storage> Engine<H, S> {
    /// Sets the policy of a kind.
    pub(super) fn policy(&mut self, group: &mut Group, asked: &KindPolicy) -> Result<Reply, Stop> {
        validate::policy(asked)?;
        let row = PolicyRow { kind: asked.kind.as_str().into(), policy: asked.policy };
        let is_there = self.policies.0.contains_key(&row.kind);
        if row.policy.decides_something() {
            if !is_there {
                super::gates::check_count("kinds with a policy", self.policies.0.len(), limits::GATES_MAX)?;
            }
            group.put_policy(row.clone(), is_there);
            group.move_job(Move::Policy(row));
        } else if is_there {
            group.delete_policy(row.kind.clone());
            group.move_job(Move::NoPolicy(row.kind));
        }
        Ok(Reply::Done)
    }

    /// What is decided for a job when an attempt of it has failed.
    pub(super) fn limits_of(&self, job: &Job) -> Limits {
        self.options.limits.with(&self.policies.of(&job.new.kind))
    }

    /// How often a job may fail, and from when on no attempt of it begins.
    pub(super) fn tries(&self, enqueue: &Enqueue, now: Now) -> (u32, Option<Due>) {
        let policy = self.policies.of(&enqueue.kind);
        let max_attempts = enqueue.max_attempts.or(policy.max_attempts).unwrap_or(limits::ATTEMPTS_DEFAULT);
        let max_age_ms = enqueue.max_age_ms.or(policy.max_age_ms);
        (max_attempts, max_age_ms.map(|ms| Due::after(now, Duration::from_millis(ms))))
    }

    /// Ends a job that waits, and of which no attempt may begin any more.
    pub(super) async fn discard_late(&mut self, group: &mut Group, id: JobId, now: Now) -> Result<(), StoreError> {
        let stored = group.job(&mut self.store, id).await?;
        let is_late = |job: &Job| !job.state.is_terminal() && job.deadline.is_some_and(|deadline| deadline.is_due(now));
        let Some(mut job) = stored.map(|stored| stored.job).filter(is_late) else {
            return Err(self.store.damaged(format!("it is too late for job {id}, and its row does not say so")));
        };
        life::discard_late(&mut job, now);
        group.move_job(place(&job));
        // Before anybody is granted it.
        self.arrange(group.take_moves(), now);
        group.update_job(job);
        Ok(())
    }
}
