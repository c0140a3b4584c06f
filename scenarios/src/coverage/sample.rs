//! Looks at every job whenever something of its state changes.

use super::durability::Durability;
use super::faults::{ActiveFaults, kinds};
use super::holder::Holders;
use super::life::{Life, Lives};
use super::rules::forbidden;
use super::state::{self, Attempts, State};
use super::{Coverage, StateSet};
use crate::checkers::Facts;
use crate::drive::Evidence;
use outlive::JobId;
use std::time::Duration;

/// Of a run; nothing if its file does not read.
pub fn sample(evidence: &Evidence, facts: &Facts) -> Coverage {
    let mut coverage = Coverage::default();
    let Some(lives) = Lives::of(evidence, facts) else { return coverage };
    let mut sampler = Sampler {
        holders: Holders::of(evidence, facts),
        durability: Durability::of(facts),
        faults: ActiveFaults::of(&evidence.seen.faults),
        ended: evidence.ended,
        times: Vec::new(),
        coverage: &mut coverage,
    };
    for job in lives.jobs() {
        // Its rows tell of its last end alone.
        let life = lives.life(job).filter(|_| !facts.retried.contains(&job));
        match life {
            Some(life) => sampler.sample(job, &life),
            None => sampler.coverage.left_out += 1,
        }
    }
    coverage
}

struct Sampler<'a> {
    holders: Holders<'a>,
    durability: Durability,
    faults: ActiveFaults,
    ended: Duration,
    /// When something of the job at hand changes.
    times: Vec<Duration>,
    coverage: &'a mut Coverage,
}

impl Sampler<'_> {
    fn sample(&mut self, job: JobId, life: &Life<'_>) {
        let begins = life.begins();
        let end = life.finished().map_or(self.ended, |finished| self.last_look(life, finished));
        let mut times = std::mem::take(&mut self.times);
        times.clear();
        times.extend(life.phases.iter().map(|(at, ..)| *at));
        let changes = life.phases.iter().filter(|(.., changes_rows)| *changes_rows);
        let known: Vec<(Duration, Duration)> = changes.map(|(at, ..)| (*at, self.durability.known(*at))).collect();
        times.extend(known.iter().map(|(_, known)| *known));
        times.extend(self.durability.open(job).iter().flat_map(|(from, to)| [*from, *to]));
        for attempt in &life.attempts {
            times.extend(attempt.ended.iter().map(|(at, _)| *at));
            if let Some(grant) = attempt.grant {
                times.extend(self.holders.changes(grant).filter(|at| *at > attempt.claimed));
                times.push(self.holders.last_sign(grant));
            }
        }
        times.extend(self.faults.changes(begins, end));
        times.retain(|at| (begins..=end).contains(at));
        times.sort_unstable();
        times.dedup();
        for (place, at) in times.iter().enumerate() {
            let next = times.get(place + 1).copied().unwrap_or(end);
            let mut at = *at;
            // What ends by time alone is no event.
            while let Some(later) = self.look(job, life, &known, at).filter(|later| *later < next) {
                at = later;
            }
        }
        self.times = times;
    }

    /// A terminal job is looked at until it is known to be that, and while an earlier holder is yet to be heard of.
    fn last_look(&self, life: &Life<'_>, finished: Duration) -> Duration {
        let signs = life.attempts.iter().filter(|attempt| attempt.ended.is_some_and(|(_, by_store)| by_store));
        let signs = signs.filter_map(|attempt| Some(self.holders.last_sign(attempt.grant?)));
        signs.chain([finished, self.durability.known(finished)]).max().unwrap_or(finished).min(self.ended)
    }

    /// Looks once; when to look again although nothing happens.
    fn look(&mut self, job: JobId, life: &Life<'_>, known: &[(Duration, Duration)], at: Duration) -> Option<Duration> {
        let phase = life.phases.partition_point(|(since, ..)| *since <= at);
        let (_, phase, _) = life.phases[phase - 1];
        let begun = life.attempts.partition_point(|attempt| attempt.claimed <= at);
        let change = known.partition_point(|(since, _)| *since <= at);
        let is_known = known[..change].last().is_none_or(|(_, known)| *known <= at);
        let is_asked = self.durability.open(job).iter().any(|(from, to)| *from <= at && at < *to);
        let durability = if is_known && !is_asked { state::Durability::Durable } else { state::Durability::Open };
        let state =
            |lease, worker| State { job: phase, lease, worker, durability, attempts: Attempts::of(begun), fault: None };
        let Some((latest, earlier)) = life.attempts[..begun].split_last() else {
            self.reach(job, state(state::Lease::None, state::Worker::None), at);
            return None;
        };
        let (lease, worker, mut again) = self.holders.see(latest, at);
        self.reach(job, state(lease, worker), at);
        for attempt in earlier {
            // Of an earlier attempt there is something to say only while its holder has not said its last.
            let (Some((_, true)), Some(grant)) = (attempt.ended, attempt.grant) else { continue };
            if at > self.holders.last_sign(grant) {
                continue;
            }
            let (lease, worker, later) = self.holders.see(attempt, at);
            if worker != state::Worker::Dead {
                self.reach(job, state(lease, worker), at);
                again = [again, later].into_iter().flatten().min();
            }
        }
        again
    }

    fn reach(&mut self, job: JobId, state: State, at: Duration) {
        for fault in kinds(self.faults.at(at)) {
            let state = State { fault, ..state };
            if self.coverage.reached.insert(state) && forbidden(&state).is_some() {
                self.coverage.impossible.push((state, at, job));
            }
        }
    }
}

impl StateSet {
    /// Its states that are possible.
    pub fn possible(&self) -> impl Iterator<Item = State> {
        self.iter().filter(|state| forbidden(state).is_none())
    }
}
