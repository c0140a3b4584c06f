//! Limits and pauses: how they come, how they go, and what they keep from running.

use super::commands::Stop;
use super::group::{Group, Move};
use super::{Engine, validate};
use crate::host::Host;
use crate::job::explain::{Obstacle, Slots};
use crate::job::{
    Attempt, AttemptEnd, Due, Gate, Job, JobId, Lease, LimitRow, Now, PauseRow, Place, Probe, Refusal, Steady, Token,
    Wait,
};
use crate::limits;
use crate::order::Stage;
use crate::protocol::{GatesView, LimitView, PauseView, ProbeView, QueueLimits, Reply, WorkerView};
use crate::store::{Settings, Storage, Store, StoreError};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// Who was seen: soft, and nothing is decided by it.
#[derive(Default)]
pub struct Seen {
    /// By name. Several workers may have the same.
    workers: BTreeMap<Arc<str>, Vec<Sight>>,
    count: usize,
}

struct Sight {
    queues: Vec<Arc<str>>,
    kinds: Vec<Arc<str>>,
    at: Steady,
}

impl Seen {
    /// A worker asks for jobs, or is given some.
    pub fn see(&mut self, worker: &Arc<str>, queues: &[Arc<str>], kinds: &[Arc<str>], now: Now) {
        let same = |sight: &&mut Sight| sight.queues == queues && sight.kinds == kinds;
        if let Some(sight) = self.workers.get_mut(worker).and_then(|sights| sights.iter_mut().find(same)) {
            sight.at = now.steady;
            return;
        }
        if self.count >= limits::WORKERS_SEEN_MAX {
            self.forget_one();
        }
        self.count += 1;
        let sight = Sight { queues: queues.to_vec(), kinds: kinds.to_vec(), at: now.steady };
        self.workers.entry(worker.clone()).or_default().push(sight);
    }

    /// Forgets the one that was seen longest ago.
    fn forget_one(&mut self) {
        let last = |sights: &[Sight]| sights.iter().map(|sight| sight.at).min();
        let oldest = self.workers.iter().min_by_key(|(_, sights)| last(sights)).map(|(name, _)| name.clone());
        let Some((name, sights)) = oldest.and_then(|name| self.workers.remove_entry(&name)) else { return };
        let oldest = last(&sights);
        let rest: Vec<Sight> = sights.into_iter().filter(|sight| Some(sight.at) != oldest).collect();
        if !rest.is_empty() {
            self.workers.insert(name, rest);
        }
        self.count = self.workers.values().map(Vec::len).sum();
    }

    /// How long ago somebody asked for jobs of this queue and kind, in milliseconds.
    pub fn asked_for(&self, queue: &str, kind: &str, now: Now) -> Option<u64> {
        let has = |names: &[Arc<str>], name: &str| names.iter().any(|it| **it == *name);
        let sights = self.workers.values().flatten();
        let asked = sights.filter(|sight| has(&sight.queues, queue) && has(&sight.kinds, kind));
        asked.map(|sight| ago_ms(sight.at, now)).min()
    }

    fn all(&self, now: Now) -> Vec<WorkerView> {
        let names = |names: &[Arc<str>]| names.iter().map(ToString::to_string).collect();
        let view = |worker: &Arc<str>, Sight { queues, kinds, at }: &Sight| WorkerView {
            worker: worker.to_string(),
            queues: names(queues),
            kinds: names(kinds),
            ago_ms: ago_ms(*at, now),
        };
        self.workers.iter().flat_map(|(worker, sights)| sights.iter().map(move |sight| view(worker, sight))).collect()
    }
}

fn ago_ms(at: Steady, now: Now) -> u64 {
    whole_ms(at.until(now.steady))
}

fn whole_ms(duration: Duration) -> u64 {
    crate::job::milliseconds(duration).cast_unsigned()
}

impl<H: Host, S: Storage> Engine<H, S> {
    /// Sets the limits of a queue.
    pub(super) fn limit(&mut self, group: &mut Group, asked: &QueueLimits, now: Now) -> Result<Reply, Stop> {
        validate::queue_limits(asked)?;
        let QueueLimits { queue, at_once, at_once_per_key, rate } = asked;
        let (queue, rate) = (queue.as_str().into(), *rate);
        let mut row = LimitRow { queue, at_once: *at_once, at_once_per_key: *at_once_per_key, rate, full_at_ns: 0 };
        let earlier = self.gates.limit(&row.queue).cloned();
        match &earlier {
            Some(earlier) => row.follow(earlier, now),
            None if row.limits_something() => {
                check_count("queues with limits", self.gates.count().0, limits::GATES_MAX)?
            }
            None => {}
        }
        if row.limits_something() {
            group.put_limit(row.clone(), earlier.is_some());
            group.move_job(Move::Limit(row));
        } else if earlier.is_some() {
            group.delete_limit(row.queue.clone());
            group.move_job(Move::Lift(row.queue));
        }
        Ok(Reply::Done)
    }

    /// Lets no job of a gate begin any more.
    pub(super) fn pause(
        &mut self,
        group: &mut Group,
        gate: &Gate,
        (by, why): (&str, &str),
        now: Now,
    ) -> Result<Reply, Stop> {
        validate::gate(gate)?;
        validate::name("pausing person", by)?;
        validate::reason(why)?;
        let earlier = self.gates.pause(gate, false).cloned();
        if earlier.is_none() {
            // Also on a disk that is nearly full: it is small, and may be what helps.
            check_count("pauses", self.gates.count().1, limits::GATES_MAX)?;
        }
        let (by, why) = (by.into(), validate::message(why));
        // Who says it last is asked; since when it holds is what it was.
        let at = earlier.as_ref().map_or(now.wall, |earlier| earlier.at);
        let row = PauseRow { gate: gate.clone(), by, why, at, probe: None };
        group.put_pause(row.clone(), earlier.is_some());
        group.move_job(Move::Pause(row));
        Ok(Reply::Done)
    }

    /// Lets jobs of a gate begin again.
    pub(super) fn resume(&mut self, group: &mut Group, gate: &Gate) -> Result<Reply, Stop> {
        validate::gate(gate)?;
        let pauses: Vec<PauseRow> =
            [false, true].into_iter().filter_map(|is_down| self.gates.pause(gate, is_down).cloned()).collect();
        for row in &pauses {
            end(group, row);
        }
        Ok(Reply::Resumed { was_paused: !pauses.is_empty() })
    }

    /// An attempt ends because the service is down that its kind needs: its job waits for its turn again, and no job of
    /// the kind begins until one that is let through completes.
    pub(super) async fn service_down(
        &mut self,
        group: &mut Group,
        lease: Lease,
        (why, probe_ms): (&str, u64),
        now: Now,
    ) -> Result<Reply, Stop> {
        validate::probe(probe_ms)?;
        validate::reason(why)?;
        let why = validate::message(why);
        let (job, attempt) = self.held(group, lease, now).await?;
        let gate = Gate::Kind(job.new.kind.to_string());
        let earlier = self.gates.pause(&gate, true).cloned();
        let mut probe = Probe { every_ms: probe_ms, due: Due::now(now), last: Some(lease.job), under_way: None };
        probe.rest(now);
        let known = earlier.as_ref().and_then(|earlier| Some((earlier.at, earlier.probe?)));
        if let Some((_, before)) = known
            && before.under_way != Some(lease.token)
        {
            // It had begun before the pause: when the next one looks stays as it is.
            probe = Probe { every_ms: probe_ms, ..before };
        }
        let row = PauseRow {
            gate,
            by: attempt.worker.clone(),
            why,
            at: known.map_or(now.wall, |(at, _)| at),
            probe: Some(probe),
        };
        group.put_pause(row.clone(), earlier.is_some());
        group.move_job(Move::Pause(row));
        self.suspend(group, lease, (Wait::Line, None), Due::now(now), now).await?;
        Ok(Reply::Suspended)
    }

    /// Decides what follows for pauses from the ends of attempts.
    pub(super) fn follow_probes(&mut self, group: &mut Group, now: Now) {
        while let Some(attempt) = group.take_ended_attempt() {
            if let Some(row) = self.gates.probed_by(attempt.token).cloned() {
                probe_has_ended(group, row, &attempt, now);
            }
        }
    }

    /// Reads what people have set, at an opening.
    pub(super) async fn recover_settings(&mut self) -> Result<(), StoreError> {
        (self.gates, self.policies, self.schedules) = Default::default();
        let Settings { limits, pauses, policies, schedules } = self.store.settings().await?;
        for row in limits {
            self.order.limit_keys(&row.queue, row.at_once_per_key);
            self.gates.put_limit(row);
        }
        pauses.into_iter().for_each(|row| self.gates.put_pause(row));
        policies.into_iter().for_each(|row| self.policies.put(row));
        schedules.into_iter().for_each(|row| self.schedules.put(row));
        Ok(())
    }

    /// Finds out, at an opening, which jobs that were let through have ended since.
    pub(super) async fn recover_probes(&mut self, group: &mut Group, now: Now) -> Result<(), StoreError> {
        let under_way = |row: &PauseRow| Some((row.clone(), row.probe?.under_way?));
        let probed: Vec<(PauseRow, Token)> = self.gates.pauses().filter_map(under_way).collect();
        for (row, token) in probed {
            let Some(attempt) = group.attempt(&mut self.store, token).await? else {
                let found =
                    format!("an attempt is to find out whether the service of {} is back, and is not there", row.gate);
                return Err(self.store.damaged(found));
            };
            if attempt.end.is_some() {
                probe_has_ended(group, row, &attempt, now);
            }
        }
        Ok(())
    }

    /// What keeps a job from running, beside its time and its turn. What passes by itself while others run counts
    /// only for one that is due.
    pub(super) fn obstacles(&self, job: &Job, now: Now) -> Vec<Obstacle> {
        let (queue, kind) = (&job.new.queue, &job.new.kind);
        let pauses = self.gates.pauses_of(queue, kind).map(|row| match row.probe {
            Some(probe) => Obstacle::Down { row: row.clone(), probe },
            None => Obstacle::Paused(row.clone()),
        });
        let mut obstacles: Vec<Obstacle> = pauses.collect();
        let is_in_line = self.order.entries().get(&job.id).is_some_and(|entry| match entry.stage {
            Stage::Waiting(due) => due.is_due(now),
            Stage::Held(_) | Stage::Leased(_) => false,
        });
        let is_suspect = |id: &JobId| self.order.entries().get(id).is_some_and(|entry| entry.is_suspect);
        let beside: Vec<JobId> = self.order.leased_suspects().take(limits::CLAIM_NAMES_MAX).collect();
        if is_in_line && is_suspect(&job.id) && !beside.is_empty() {
            obstacles.push(Obstacle::Suspect(beside));
        }
        let Some(limit) = self.gates.limit(queue).filter(|_| is_in_line) else { return obstacles };
        if let Some(at_once) = limit.at_once
            && self.order.leased(queue) >= at_once as usize
        {
            let holders = self.order.holders(queue, None);
            obstacles.push(Obstacle::Slots(self.slots(None, at_once, holders, now)));
        }
        if let (Some(at_once), Some(key)) = (limit.at_once_per_key, &job.new.concurrency_key)
            && let holders = self.order.holders(queue, Some(key))
            && holders.len() >= at_once as usize
        {
            let ahead = self.order.ahead_of_key(job.id, limits::LINE_COUNT_MAX);
            obstacles.push(Obstacle::Slots(self.slots(Some((key.clone(), ahead)), at_once, holders, now)));
        }
        if !limit.wait(now).is_zero() {
            obstacles.push(Obstacle::Rate(limit.clone()));
        }
        obstacles
    }

    fn slots(&self, key: Option<(Arc<str>, Place)>, at_once: u32, holders: Vec<JobId>, now: Now) -> Slots {
        let expires = |id: &JobId| match self.order.entries().get(id)?.stage {
            Stage::Leased(expires) => Some(now.steady.until(expires)),
            _ => None,
        };
        let first_expires_in = holders.iter().filter_map(expires).min().unwrap_or_default();
        Slots { key, at_once, holders, first_expires_in }
    }

    /// Limits, pauses and workers, for people.
    pub(super) fn view_gates(&self, now: Now) -> GatesView {
        let limit = |row: &LimitRow| LimitView {
            limits: QueueLimits {
                queue: row.queue.to_string(),
                at_once: row.at_once,
                at_once_per_key: row.at_once_per_key,
                rate: row.rate,
            },
            leased: self.order.leased(&row.queue) as u64,
            rate_wait_ms: whole_ms(row.wait(now)),
        };
        let pause = |row: &PauseRow| PauseView {
            gate: row.gate.clone(),
            by: row.by.to_string(),
            why: row.why.to_string(),
            since: row.at,
            probe: row.probe.map(|probe| ProbeView {
                in_ms: whole_ms(probe.due.wait(now)),
                job: probe.last.filter(|_| probe.under_way.is_some()),
            }),
        };
        GatesView {
            limits: self.gates.limits().map(limit).collect(),
            pauses: self.gates.pauses().map(pause).collect(),
            policies: self.policies.all(),
            workers: self.seen.all(now),
        }
    }
}

/// The attempt has ended that was to find out whether a service is back.
fn probe_has_ended(group: &mut Group, mut row: PauseRow, attempt: &Attempt, now: Now) {
    if matches!(attempt.end, Some((_, AttemptEnd::Completed))) {
        return end(group, &row);
    }
    // It has not found out, or nobody knows: the next one may.
    if let Some(probe) = &mut row.probe {
        probe.rest(now);
    }
    group.put_pause(row.clone(), true);
    group.move_job(Move::Pause(row));
}

/// There is one more of something that only people should make.
pub(super) fn check_count(what: &str, count: usize, most: usize) -> Result<(), Refusal> {
    if count < most {
        return Ok(());
    }
    Err(Refusal::limit(what, count + 1, most, "take away some that nobody needs"))
}

fn end(group: &mut Group, row: &PauseRow) {
    group.delete_pause(row);
    let (gate, is_down) = row.key();
    group.move_job(Move::Resume(gate, is_down));
}
