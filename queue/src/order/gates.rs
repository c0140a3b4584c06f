//! Which queues and kinds let jobs through: their limits and pauses. An index over rows, as the order is.

use crate::job::{Gate, JobId, LimitRow, Now, PauseRow, Token};
use crate::limits;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// All limits and pauses.
#[derive(Debug, Default)]
pub struct Gates {
    limits: BTreeMap<Arc<str>, LimitRow>,
    /// The queues that have a rate.
    rated: BTreeSet<Arc<str>>,
    queues: BTreeMap<Arc<str>, PauseRow>,
    kinds: BTreeMap<Arc<str>, PauseRow>,
    /// Kinds whose service is down.
    down: BTreeMap<Arc<str>, PauseRow>,
}

impl Gates {
    /// Puts a row there, instead of the one that was.
    pub fn put_limit(&mut self, row: LimitRow) {
        if row.rate.is_some() {
            self.rated.insert(row.queue.clone());
        } else {
            self.rated.remove(&row.queue);
        }
        self.limits.insert(row.queue.clone(), row);
    }

    /// Takes the limits of a queue away.
    pub fn lift(&mut self, queue: &str) {
        self.limits.remove(queue);
        self.rated.remove(queue);
    }

    /// Puts a row there, instead of the one that was.
    pub fn put_pause(&mut self, row: PauseRow) {
        let (gate, is_down) = row.key();
        self.pauses_mut(&gate, is_down).insert(gate.name().into(), row);
    }

    /// Takes a pause away.
    pub fn resume(&mut self, gate: &Gate, is_down: bool) {
        self.pauses_mut(gate, is_down).remove(gate.name());
    }

    fn pauses_mut(&mut self, gate: &Gate, is_down: bool) -> &mut BTreeMap<Arc<str>, PauseRow> {
        match gate {
            Gate::Queue(_) => &mut self.queues,
            Gate::Kind(_) if is_down => &mut self.down,
            Gate::Kind(_) => &mut self.kinds,
        }
    }

    /// The limits of a queue.
    pub fn limit(&self, queue: &str) -> Option<&LimitRow> {
        self.limits.get(queue)
    }

    /// The pause of a gate: by somebody, or because a service is down.
    pub fn pause(&self, gate: &Gate, is_down: bool) -> Option<&PauseRow> {
        match gate {
            Gate::Queue(name) => self.queues.get(name.as_str()).filter(|_| !is_down),
            Gate::Kind(name) if is_down => self.down.get(name.as_str()),
            Gate::Kind(name) => self.kinds.get(name.as_str()),
        }
    }

    /// All limits.
    pub fn limits(&self) -> impl Iterator<Item = &LimitRow> {
        self.limits.values()
    }

    /// All pauses: of queues, of kinds, and of kinds whose service is down.
    pub fn pauses(&self) -> impl Iterator<Item = &PauseRow> {
        self.queues.values().chain(self.kinds.values()).chain(self.down.values())
    }

    /// The pauses that keep jobs of this queue and kind.
    pub fn pauses_of(&self, queue: &str, kind: &str) -> impl Iterator<Item = &PauseRow> {
        let pauses = [self.queues.get(queue), self.kinds.get(kind), self.down.get(kind)];
        pauses.into_iter().flatten()
    }

    /// Whether a job of this queue and kind may be claimed now, while so many of the queue are leased as `leased` says.
    pub fn is_open(&self, queue: &str, kind: &str, leased: impl Fn() -> usize, now: Now) -> bool {
        let has_room = |limit: &LimitRow| {
            limit.at_once.is_none_or(|at_once| leased() < at_once as usize) && limit.wait(now).is_zero()
        };
        let may_probe = |pause: &PauseRow| pause.probe.is_some_and(|probe| probe.may_begin(now));
        !self.queues.contains_key(queue)
            && !self.kinds.contains_key(kind)
            && self.down.get(kind).is_none_or(may_probe)
            && self.limits.get(queue).is_none_or(has_room)
    }

    /// A job of this queue and kind is claimed. The rows that changes.
    pub fn pass(
        &mut self,
        queue: &str,
        kind: &str,
        (job, token): (JobId, Token),
        now: Now,
    ) -> (Option<LimitRow>, Option<PauseRow>) {
        let limit = self.limits.get_mut(queue).and_then(|limit| limit.take(now).then(|| limit.clone()));
        let probe = self.down.get_mut(kind).map(|pause| {
            if let Some(probe) = &mut pause.probe {
                (probe.last, probe.under_way) = (Some(job), Some(token));
            }
            pause.clone()
        });
        (limit, probe)
    }

    /// The pause of a kind whose service is down, if this attempt is to find out whether it is back.
    pub fn probed_by(&self, token: Token) -> Option<&PauseRow> {
        self.down.values().find(|pause| pause.probe.is_some_and(|probe| probe.under_way == Some(token)))
    }

    /// If a kind is paused because its service is down, the job that was let through last.
    pub fn last_probe(&self, kind: &str) -> Option<JobId> {
        self.down.get(kind)?.probe?.last
    }

    /// How long until one of them opens by itself that was closed when claims were served last: none at all, if it has
    /// opened since.
    pub fn next_event(&self, served: Now, now: Now) -> Option<Duration> {
        let rates = self.rates().filter(|limit| !limit.wait(served).is_zero()).map(|limit| limit.wait(now));
        let probes = self.down.values().filter_map(|pause| pause.probe);
        let probes = probes.filter(|probe| probe.under_way.is_none() && !probe.due.is_due(served));
        rates.chain(probes.map(|probe| probe.due.wait(now))).min()
    }

    /// How often steady time must be written, so that a rate goes on however often the file is opened anew.
    pub fn mark_interval(&self, now: Now) -> Option<Duration> {
        let slow = self.rates().filter(|limit| !limit.wait(now).is_zero()).filter_map(LimitRow::interval);
        slow.map(|interval| (interval / limits::MARKS_PER_INTERVAL).clamp(limits::MARK_MIN, limits::MARK_MAX)).min()
    }

    fn rates(&self) -> impl Iterator<Item = &LimitRow> {
        self.rated.iter().filter_map(|queue| self.limits.get(queue))
    }

    /// How many limits there are, and how many pauses.
    pub fn count(&self) -> (usize, usize) {
        (self.limits.len(), self.queues.len() + self.kinds.len() + self.down.len())
    }

    /// Whether any of them waits for a time that the wall clock may bring.
    pub fn has_timed(&self) -> bool {
        self.down.values().any(|pause| pause.probe.is_some_and(|probe| probe.under_way.is_none()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::{Due, Probe, Rate, Steady, Wall};

    fn at(ms: i64) -> Now {
        Now { steady: Steady(ms), wall: Wall(ms) }
    }

    fn gates(full_at_ms: i64) -> Gates {
        let rate = Some(Rate { jobs: 10, per_ms: 1_000, burst: 1 });
        let full_at_ns = full_at_ms * 1_000_000;
        let mut gates = Gates::default();
        gates.put_limit(LimitRow { queue: "q".into(), at_once: None, at_once_per_key: None, rate, full_at_ns });
        gates
    }

    #[test]
    fn what_has_opened_since_claims_were_served_wakes_at_once() {
        let gates = gates(1_000);
        assert_eq!(gates.next_event(at(990), at(990)), Some(Duration::from_millis(10)));
        assert_eq!(gates.next_event(at(990), at(1_005)), Some(Duration::ZERO), "the commit took its time");
        assert_eq!(gates.next_event(at(1_005), at(1_005)), None, "nobody is woken again and again");
    }

    #[test]
    fn a_probe_that_has_come_due_since_claims_were_served_wakes_at_once() {
        let mut gates = Gates::default();
        let probe = |under_way| {
            let due = Due { steady: Some(Steady(1_000)), wall: Wall(1_000) };
            Some(Probe { every_ms: 500, due, last: None, under_way })
        };
        let pause = |under_way| {
            let (by, why) = ("w".into(), "down".into());
            PauseRow { gate: Gate::kind("k"), by, why, at: Wall(0), probe: probe(under_way) }
        };
        gates.put_pause(pause(None));
        assert_eq!(gates.next_event(at(400), at(400)), Some(Duration::from_millis(600)));
        assert_eq!(gates.next_event(at(400), at(1_200)), Some(Duration::ZERO));
        assert_eq!(gates.next_event(at(1_200), at(1_200)), None);
        gates.put_pause(pause(Some(Token(7))));
        assert_eq!(gates.next_event(at(400), at(1_200)), None, "one is under way");
    }

    #[test]
    fn steady_time_is_written_while_a_slow_bucket_is_empty() {
        let mut gates = gates(90_000_000);
        assert_eq!(gates.mark_interval(at(0)), Some(limits::MARK_MIN));
        assert_eq!(gates.mark_interval(at(90_000_000)), None);
        let mut slow = gates.limit("q").unwrap().clone();
        slow.rate = Some(Rate { jobs: 1, per_ms: 86_400_000, burst: 1 });
        gates.put_limit(slow);
        assert_eq!(gates.mark_interval(at(0)), Some(limits::MARK_MAX));
        gates.lift("q");
        assert_eq!(gates.mark_interval(at(0)), None);
    }
}
