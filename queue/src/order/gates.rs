//! Which queues and kinds let jobs through: their limits and pauses. An index over rows, as the order is.

use crate::job::{Gate, JobId, LimitRow, Now, PauseRow, Token};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// All limits and pauses.
#[derive(Debug, Default)]
pub struct Gates {
    limits: BTreeMap<Arc<str>, LimitRow>,
    queues: BTreeMap<Arc<str>, PauseRow>,
    kinds: BTreeMap<Arc<str>, PauseRow>,
    /// Kinds whose service is down.
    down: BTreeMap<Arc<str>, PauseRow>,
}

impl Gates {
    /// Puts a row there, instead of the one that was.
    pub fn put_limit(&mut self, row: LimitRow) {
        self.limits.insert(row.queue.clone(), row);
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

    /// Whether a job of this queue and kind may be claimed now, while so many of the queue are leased.
    pub fn is_open(&self, queue: &str, kind: &str, leased: usize, now: Now) -> bool {
        let has_room = |limit: &LimitRow| {
            limit.at_once.is_none_or(|at_once| leased < at_once as usize) && limit.wait(now).is_zero()
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
                probe.under_way = Some((job, token));
            }
            pause.clone()
        });
        (limit, probe)
    }

    /// The pause of a kind whose service is down, if this attempt is to find out whether it is back.
    pub fn probed_by(&self, token: Token) -> Option<&PauseRow> {
        let is_probe = |pause: &&PauseRow| {
            pause.probe.and_then(|probe| probe.under_way).is_some_and(|(_, under_way)| under_way == token)
        };
        self.down.values().find(is_probe)
    }

    /// How long until one of them opens by itself that is closed now.
    pub fn next_event(&self, now: Now) -> Option<Duration> {
        let rates = self.limits.values().map(|limit| limit.wait(now));
        let probes = self.down.values().filter_map(|pause| pause.probe);
        let probes = probes.filter(|probe| probe.under_way.is_none()).map(|probe| probe.due.wait(now));
        rates.chain(probes).filter(|wait| !wait.is_zero()).min()
    }

    /// Whether any of them waits for a time that the wall clock may bring.
    pub fn has_timed(&self) -> bool {
        self.down.values().any(|pause| pause.probe.is_some_and(|probe| probe.under_way.is_none()))
    }
}
