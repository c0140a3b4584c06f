//! Claims: taking runnable jobs, and waiting for them.

use super::gates::Seen;
use super::group::Group;
use super::replay::{self, Answer};
use super::{Decided, Engine};
use crate::host::Host;
use crate::job::life::{self, Grant};
use crate::job::{Attempt, Holder, Job, Nonce, Now, RequestId, Steady, identity};
use crate::order::Stage;
use crate::protocol::{Call, CallError, Claim, Granted, Reply};
use crate::store::{Storage, Store, StoreError};
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
        for claim in claims.iter_mut().chain(arrived) {
            let grants = self.grant(group, claim, now).await?;
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

    async fn grant(&mut self, group: &mut Group, claim: &WaitingClaim, now: Now) -> Result<Vec<Granted>, StoreError> {
        let wish = &claim.wish;
        if self.next_for(wish, now).is_none() {
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
        while let Some(id) = self.next_for(wish, now).filter(|_| grants.len() < wish.most as usize) {
            let stored = group.job(&mut self.store, id).await?;
            let mut job = stored.expect("what is in the order is in the file").job;
            let token = group.take_token();
            let grant =
                Grant { token, nonce: self.nonce, worker: wish.worker.clone(), holder: wish.holder, lease: wish.lease };
            let attempt = life::claim(&mut job, grant, now);
            self.order.put(id, super::due::entry(&job, Stage::Leased(attempt.expires)), now);
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

    fn next_for(&self, wish: &Wish, now: Now) -> Option<crate::job::JobId> {
        let is_open = |queue: &str, kind: &str| self.gates.is_open(queue, kind, || self.order.leased(queue), now);
        let first = self.order.first(&wish.queues, &wish.kinds, is_open)?;
        let kind = &self.order.entries()[&first].kind;
        // One that finds out whether a service is back is not the one that has tried before, if there are others.
        let behind = self.gates.last_probe(kind).and_then(|last| self.order.behind(last, &wish.queues, kind, is_open));
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
    }
}
