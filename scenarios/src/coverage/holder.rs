//! What there is to say, at a time, of a lease and of the worker that has it.

use super::life::Attempt;
use super::state::{Lease, Worker};
use crate::checkers::{Facts, Grant};
use crate::drive::Evidence;
use outlive::job::Token;
use outlive::protocol::Request;
use outlive_sim::{ProcessId, Times};
use std::collections::BTreeMap;
use std::time::Duration;

/// The holders of all leases.
pub struct Holders<'a> {
    facts: &'a Facts,
    times: BTreeMap<ProcessId, &'a Times>,
    /// When each lease was shown last, or that was answered.
    last_signs: BTreeMap<Token, Duration>,
}

impl<'a> Holders<'a> {
    /// Those of a run.
    pub fn of(evidence: &'a Evidence, facts: &'a Facts) -> Self {
        let mut last_signs: BTreeMap<Token, Duration> = BTreeMap::new();
        for call in &facts.calls {
            let at = call.answer.as_ref().map_or(call.invoked, |(answered, _)| *answered);
            let mut sign = |token| {
                let last = last_signs.entry(token).or_insert(at);
                *last = (*last).max(at);
            };
            match &call.what.request {
                Request::Heartbeat { leases } => leases.iter().for_each(|lease| sign(lease.token)),
                _ => call.lease().iter().for_each(|lease| sign(lease.token)),
            }
        }
        let times = evidence.times.iter().map(|times| (times.process, times)).collect();
        Self { facts, times, last_signs }
    }

    /// Until when something was heard of the holder of a lease.
    pub fn last_sign(&self, grant: &Grant) -> Duration {
        self.last_signs.get(&grant.lease.token).copied().unwrap_or(grant.answered)
    }

    /// The lease of an attempt at a time, the worker, and when that may be different without anything happening.
    pub fn see(&self, attempt: &Attempt<'_>, at: Duration) -> (Lease, Worker, Option<Duration>) {
        let ended = attempt.ended.filter(|(ended, _)| *ended <= at);
        match (ended, attempt.grant) {
            (Some((_, false)), _) => (Lease::None, Worker::None, None),
            (Some(_), None) => (Lease::TakenBack, Worker::None, None),
            // How it was asked for is not known, and so not when it expires.
            (None, None) => (Lease::TrustOver, Worker::None, None),
            (taken_back, Some(grant)) => {
                let trusted = grant.trust_ends_as_of(at);
                let worker = self.worker(grant.process, trusted, at);
                if at < trusted && worker != Worker::Dead {
                    return (Lease::Valid, worker, Some(trusted));
                }
                if taken_back.is_some() {
                    return (Lease::TakenBack, worker, None);
                }
                let expired = grant.surely_expired_as_of(at);
                if at < expired { (Lease::TrustOver, worker, Some(expired)) } else { (Lease::Expired, worker, None) }
            }
        }
    }

    fn worker(&self, process: ProcessId, trusted: Duration, at: Duration) -> Worker {
        if self.facts.deaths.get(&process).is_some_and(|death| *death <= at) {
            return Worker::Dead;
        }
        let pauses = || self.times[&process].pauses.iter().map(|(from, to)| (*from, to.unwrap_or(Duration::MAX)));
        if pauses().any(|(from, to)| from <= at && at < to) {
            Worker::Paused
        } else if pauses().any(|(from, to)| from < trusted && trusted <= to && to <= at) {
            Worker::Zombie
        } else {
            Worker::Alive
        }
    }

    /// When the worker of a grant was paused, woke or died.
    pub fn changes(&self, grant: &Grant) -> impl Iterator<Item = Duration> {
        let pauses = self.times[&grant.process].pauses.iter().flat_map(|(from, to)| [Some(*from), *to]);
        pauses.flatten().chain(self.facts.deaths.get(&grant.process).copied())
    }
}
