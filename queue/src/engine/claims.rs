//! Claims: taking runnable jobs, and waiting for them.

use super::gates::Seen;
use super::group::Group;
use super::replay::{self, Answer};
use super::{Decided, Engine};
use crate::host::Host;
use crate::job::life::{self, Grant};
use crate::job::{Attempt, Holder, Job, JobId, Nonce, Now, RequestId, Steady, identity};
use crate::order::Stage;
use crate::protocol::{Call, CallError, Claim, Granted, Reply};
use crate::store::{Storage, Store, StoreError};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;

/// A claim that waits for work: until it gets some, or its time is over.
pub struct WaitingClaim {
    id: RequestId,
    digest: u64,
    wish: Wish,
    deadline: Steady,
    answer: Option<Reply>,
    sender: Option<oneshot::Sender<Result<Reply, CallError>>>,
}

/// What a claim asks for, in the order's own words.
struct Wish {
    worker: Arc<str>,
    holder: Holder,
    queues: Vec<Arc<str>>,
    kinds: Vec<Arc<str>>,
    most: u32,
    lease: Duration,
}

impl WaitingClaim {
    /// A claim as it arrived.
    pub fn new(call: &Call, claim: &Claim, now: Now) -> Self {
        let names = |names: &[String]| names.iter().map(|name| name.as_str().into()).collect();
        let wish = Wish {
            worker: claim.worker.as_str().into(),
            holder: claim.holder,
            queues: names(&claim.queues),
            kinds: names(&claim.kinds),
            most: claim.most,
            lease: Duration::from_millis(claim.lease_ms),
        };
        let deadline = now.steady.plus(Duration::from_millis(claim.wait_ms));
        Self { id: call.id, digest: replay::digest(call), wish, deadline, answer: None, sender: None }
    }

    /// Where its answer goes.
    pub fn with(self, sender: oneshot::Sender<Result<Reply, CallError>>) -> Self {
        Self { sender: Some(sender), ..self }
    }

    /// When it is answered with nothing.
    pub const fn deadline(&self) -> Steady {
        self.deadline
    }

    /// Whether its answer stands, once the group is committed.
    pub const fn is_decided(&self) -> bool {
        self.answer.is_some()
    }

    /// Whether it asks for jobs like this.
    pub fn wants(&self, queue: &str, kind: &str) -> bool {
        self.wish.queues.iter().any(|it| **it == *queue) && self.wish.kinds.iter().any(|it| **it == *kind)
    }

    /// Whoever sent it is there.
    pub fn is_seen(&self, seen: &mut Seen, now: Now) {
        let Wish { worker, queues, kinds, .. } = &self.wish;
        seen.see(worker, queues, kinds, now);
    }

    /// Answers it: the store broke under its group.
    pub fn abandon(self, why: &str) {
        if let Some(sender) = self.sender {
            drop(sender.send(Err(CallError::Unknown { why: why.to_owned() })));
        }
    }

    /// Answers it.
    fn send(self) {
        if let (Some(sender), Some(answer)) = (self.sender, self.answer) {
            drop(sender.send(Ok(answer)));
        }
    }

    fn is_abandoned(&self) -> bool {
        self.sender.as_ref().is_some_and(oneshot::Sender::is_closed)
    }
}

/// The workers that run a suspect. All those in the process that has the file die with it, whatever they are called.
#[derive(Default)]
struct Wards {
    here: bool,
    elsewhere: BTreeSet<Arc<str>>,
}

impl Wards {
    /// Whether this worker runs one.
    fn holds(&self, holder: Holder, worker: &Arc<str>) -> bool {
        match holder {
            Holder::Here => self.here,
            Holder::Elsewhere => self.elsewhere.contains(worker),
        }
    }

    /// This worker runs one.
    fn take(&mut self, holder: Holder, worker: &Arc<str>) {
        match holder {
            Holder::Here => self.here = true,
            Holder::Elsewhere => drop(self.elsewhere.insert(worker.clone())),
        }
    }
}

impl<H: Host, S: Storage> Engine<H, S> {
    /// Gives work to those who wait for it, first come first served: the older claims, then the
    /// group's own.
    pub(super) async fn serve_claims(
        &mut self,
        group: &mut Group,
        now: Now,
        decided: &mut [Decided],
    ) -> Result<(), StoreError> {
        self.served = now;
        let mut claims = std::mem::take(&mut self.claims);
        // A caller that is gone would take a job with it until its lease expires.
        claims.retain(|claim| !claim.is_abandoned());
        let outcome = self.serve_each(group, now, &mut claims, decided).await;
        self.claims = claims;
        outcome
    }

    async fn serve_each(
        &mut self,
        group: &mut Group,
        now: Now,
        claims: &mut [WaitingClaim],
        decided: &mut [Decided],
    ) -> Result<(), StoreError> {
        let arrived = decided.iter_mut().filter_map(|decided| match decided {
            Decided::Wait(claim) => Some(claim),
            Decided::Answer(_) | Decided::Await(_) => None,
        });
        let mut wards = self.wards(group).await?;
        // While more has come too late than one group writes down, nobody is served: the next group follows at once.
        let is_behind = !self.order.too_late(now, 1).is_empty();
        for claim in claims.iter_mut().chain(arrived) {
            let grants = if is_behind { Vec::new() } else { self.grant(group, claim, &mut wards, now).await? };
            // An answer that an earlier group decided, and the store then refused, is no answer.
            let is_over = !grants.is_empty() || claim.deadline <= now.steady;
            if is_over {
                claim.is_seen(&mut self.seen, now);
            }
            claim.answer = is_over.then_some(Reply::Claimed { grants });
        }
        Ok(())
    }

    /// Sends the answers that stand now that the group is committed.
    pub(super) fn answer_claims(&mut self) {
        self.claims.extract_if(.., |claim| claim.is_decided()).for_each(WaitingClaim::send);
    }

    async fn grant(
        &mut self,
        group: &mut Group,
        claim: &WaitingClaim,
        wards: &mut Wards,
        now: Now,
    ) -> Result<Vec<Granted>, StoreError> {
        let wish = &claim.wish;
        let mut with_suspects = !wards.holds(wish.holder, &wish.worker);
        if self.next_for(wish, with_suspects, now).is_none() {
            return Ok(Vec::new());
        }
        // Its first copy may have been answered while this one waited.
        if let Some(row) = group.request(&mut self.store, claim.id).await? {
            return match replay::read(&row.answer).map_err(|found| self.store.damaged(found))? {
                Answer::Claimed { tokens } => self.granted_again(group, &tokens).await,
                _ => Ok(Vec::new()),
            };
        }
        let mut grants = Vec::new();
        while let Some(id) = self.next_for(wish, with_suspects, now).filter(|_| grants.len() < wish.most as usize) {
            let stored = group.job(&mut self.store, id).await?;
            let mut job = stored.expect("what is in the order is in the file").job;
            let token = group.take_token();
            let timeout_ms = self.policies.of(&job.new.kind).timeout_ms.map(u64::cast_signed);
            let (worker, holder, lease) = (wish.worker.clone(), wish.holder, wish.lease);
            let grant = Grant { token, nonce: self.nonce, worker, holder, lease, timeout_ms };
            let attempt = life::claim(&mut job, grant, now);
            let entry = super::due::entry(&job, Stage::Leased(attempt.expires));
            if entry.is_suspect {
                wards.take(wish.holder, &wish.worker);
                with_suspects = false;
            }
            self.order.put(id, entry, now);
            let (limit, pause) = self.gates.pass(&job.new.queue, &job.new.kind, (id, token), now);
            limit.into_iter().for_each(|row| group.put_limit(row, true));
            pause.into_iter().for_each(|row| group.put_pause(row, true));
            grants.push(granted(&job, &attempt, job.failures, self.state.first_opening));
            group.insert_attempt(attempt);
            group.update_job(job);
        }
        if !self.order.has_leases() {
            self.shortest_lease = None;
        }
        self.mind_lease(wish.lease);
        let tokens = grants.iter().map(|grant| grant.lease.token).collect();
        group.insert_request(replay::row(claim.id, claim.digest, now, &Answer::Claimed { tokens }));
        Ok(grants)
    }

    /// The workers that run a suspect.
    async fn wards(&mut self, group: &mut Group) -> Result<Wards, StoreError> {
        let mut wards = Wards::default();
        let suspects: Vec<JobId> = self.order.leased_suspects().collect();
        for id in suspects {
            let stored = group.job(&mut self.store, id).await?;
            if let Some(attempt) = stored.and_then(|stored| stored.latest) {
                wards.take(attempt.holder, &attempt.worker);
            }
        }
        Ok(wards)
    }

    fn next_for(&self, wish: &Wish, with_suspects: bool, now: Now) -> Option<JobId> {
        let is_open = |queue: &str, kind: &str| self.gates.is_open(queue, kind, || self.order.leased(queue), now);
        let first = self.order.first(&wish.queues, &wish.kinds, with_suspects, is_open)?;
        let kind = &self.order.entries()[&first].kind;
        // One that finds out whether a service is back is not the one that has tried before, if there are others.
        let behind = |last| self.order.behind(last, &wish.queues, kind, with_suspects, is_open);
        let behind = self.gates.last_probe(kind).and_then(behind);
        Some(behind.unwrap_or(first))
    }
}

/// What a worker is told of its grant, of a job that had failed this often by then.
pub(super) fn granted(job: &Job, attempt: &Attempt, failures: u32, first_opening: Nonce) -> Granted {
    Granted {
        lease: attempt.lease(),
        attempt: attempt.number,
        kind: job.new.kind.to_string(),
        queue: job.new.queue.to_string(),
        payload: job.new.payload.to_string(),
        identity: identity(first_opening, job.id, job.enqueued_at),
        lease_ms: attempt.lease_ms.max(0).cast_unsigned(),
        failures,
        max_attempts: job.new.max_attempts,
        timeout_ms: attempt.timeout_ms.map(|ms| ms.max(0).cast_unsigned()),
        slot: job.new.slot.clone(),
        trace_parent: job.new.trace_parent,
    }
}
