//! The clients of a run, inside the program: some behave, some do not.

use super::ballast;
use super::intent::{Intent, KINDS, QUEUES};
use super::outside::{Outside, SignalWish, Wish};
use super::plan::Plan;
use super::transfers;
use crate::event::{Event, Recorder};
use outlive::host::{Clock, Host};
use outlive::job::explain::Doing;
use outlive::job::{Gate, Holder, Lease, Level, LogLine, Nonce, Refusal, RequestId, State, Token};
use outlive::limits::LIST_JOBS_MAX;
use outlive::protocol::{
    Bulk, Call, CallError, Claim, Enqueue, Filter, Granted, ListJobs, On, Progress, QueueLimits, Reply, Reported,
    Request, Scope, Service, Signal,
};
use outlive::{Error, JobId, Outlive};
use outlive_sim::{Process, Rng};
use std::sync::Arc;
use std::time::Duration;

/// What is said of the failure of an attempt that was claimed by hand.
pub const SAID_BY_HAND: &str = "by hand";

/// What every actor has.
#[derive(Clone)]
pub struct Actor<H: Host> {
    /// Where it lives.
    pub process: Process,
    /// What it sees.
    pub host: H,
    /// Where its calls go.
    pub service: Arc<dyn Service>,
    /// What it remembers beyond its process.
    pub outside: Outside,
    /// What the run is about.
    pub plan: Arc<Plan>,
}

/// Copies of the file that a process makes at the most.
const COPIES_MAX: u32 = 10;
/// Compactions that a process makes at the most.
const COMPACTIONS_MAX: u32 = 6;
/// Numbers of jobs that are never there begin here.
const SPOILT: u64 = 1 << 41;

impl<H: Host> Actor<H> {
    pub(super) fn rng(&self, name: &str) -> Rng {
        self.process.fork().fork(name).key(self.outside.ordinal()).rng()
    }

    pub(super) async fn rest(&self, rng: &mut Rng, most: Duration) {
        let most = u64::try_from(most.as_millis()).expect("a rest is short").max(1);
        self.host.clock().sleep(Duration::from_millis(rng.between(1..=most))).await;
    }

    pub(super) async fn call(&self, id: RequestId, request: Request) -> Result<Reply, CallError> {
        self.service.call(Call { id, request }).await
    }

    /// Calls under a new name, and in some runs again under the same.
    pub(super) async fn call_and_repeat(&self, rng: &mut Rng, request: Request) -> Result<Reply, CallError> {
        let id = request_id(rng);
        let answer = self.call(id, request.clone()).await;
        let unknown = matches!(answer, Err(CallError::Unknown { .. }));
        if unknown || (self.plan.features.repeats && rng.chance(0.3)) {
            return self.call(id, request).await;
        }
        answer
    }

    /// Enqueues what is wanted, until nothing is.
    pub async fn produce(self) {
        let mut rng = self.rng("producer");
        loop {
            let pause = if self.outside.is_calm() { Duration::from_millis(50) } else { self.plan.enqueue_pause };
            self.rest(&mut rng, pause).await;
            // Several at once: they are committed in one group.
            let most = rng.between(1..=self.plan.burst as u64);
            let process = self.process.id();
            // Or together: then they are one request.
            let together = self.plan.features.batches && rng.chance(0.5);
            let batch = together.then(|| self.outside.next_together(process, most as usize)).flatten();
            let wishes: Vec<Wish> = match batch {
                Some(batch) => vec![batch],
                None => (0..most).map_while(|_| self.outside.next_wish(process)).collect(),
            };
            if wishes.is_empty() && self.outside.is_calm() {
                return;
            }
            let calls: Vec<_> = wishes
                .into_iter()
                .map(|wish| {
                    let (actor, rng) = (self.clone(), self.rng("enqueue"));
                    self.process.spawn("enqueue", async move { actor.enqueue(rng, wish).await })
                })
                .collect();
            for call in calls {
                call.await;
            }
        }
    }

    async fn enqueue(&self, mut rng: Rng, wish: Wish) {
        let (id, request) = (wish.id, wish.request());
        let answer = self.call(id, request.clone()).await;
        match &answer {
            Ok(reply @ (Reply::Enqueued { .. } | Reply::EnqueuedAll { .. })) => {
                self.outside.granted(id, &jobs_of(reply));
                if self.plan.features.repeats && rng.chance(0.2) {
                    drop(self.call(id, request).await);
                }
            }
            // Now and then nobody asks again, and the job may be there or not.
            Err(CallError::Unknown { .. }) if rng.chance(0.05) => self.outside.give_up(id),
            Err(CallError::Unknown { .. }) => self.outside.wish_again(id),
            // What it waits for can't be any more: nobody wants it.
            Err(CallError::Refused(Refusal::NeverMet { .. })) => self.outside.give_up(id),
            Err(CallError::Refused(_)) => self.outside.wish_anew(id),
            _ => self.outside.wish_unheard(id),
        }
    }

    /// Claims by hand, and is late, silent or wrong.
    pub async fn claim_by_hand(self) {
        let mut rng = self.rng("raw claimer");
        while !self.outside.is_calm() {
            self.rest(&mut rng, Duration::from_millis(1_500)).await;
            let claim = Claim {
                worker: "by hand".into(),
                holder: Holder::Here,
                queues: some_of(&mut rng, &QUEUES),
                kinds: some_of(&mut rng, &KINDS),
                most: rng.between(1..=2) as u32,
                lease_ms: u64::try_from(self.plan.raw_lease.as_millis()).expect("a lease is short"),
                wait_ms: if rng.chance(0.5) { rng.between(1..=1_000) } else { 0 },
            };
            let claimed = self.call_and_repeat(&mut rng, Request::Claim(claim)).await;
            let Ok(Reply::Claimed { grants }) = claimed else { continue };
            for granted in grants {
                self.work_by_hand(&mut rng, granted).await;
            }
        }
    }

    async fn work_by_hand(&self, rng: &mut Rng, granted: Granted) {
        let lease = granted.lease;
        if rng.chance(0.7) {
            drop(self.call(request_id(rng), Request::Start { lease }).await);
        }
        match rng.between(0..=9) {
            // Silent for ever: the lease must expire by itself.
            0..=1 => {}
            // Late: by then somebody else may have the job.
            2..=3 => {
                let late = self.plan.raw_lease + Duration::from_millis(rng.between(0..=3_000));
                self.host.clock().sleep(late).await;
                self.end(rng, lease, granted.attempt).await;
            }
            // Wrong: what it shows was never granted.
            4 => {
                for forged in forgeries(rng, lease) {
                    self.end(rng, forged, granted.attempt).await;
                }
                self.end(rng, lease, granted.attempt).await;
            }
            // Just at the edge of its lease.
            5 => {
                let edge = self.plan.raw_lease.saturating_sub(Duration::from_millis(rng.between(0..=5)));
                self.host.clock().sleep(edge).await;
                self.end(rng, lease, granted.attempt).await;
            }
            // Longer than its lease, with heartbeats.
            6 => {
                for _ in 0..rng.between(1..=4) {
                    self.host.clock().sleep(self.plan.raw_lease / 2).await;
                    drop(self.call(request_id(rng), Request::Heartbeat { leases: vec![lease] }).await);
                }
                self.end(rng, lease, granted.attempt).await;
            }
            _ => {
                self.rest(rng, self.plan.raw_lease / 3).await;
                self.end(rng, lease, granted.attempt).await;
            }
        }
    }

    async fn end(&self, rng: &mut Rng, lease: Lease, attempt: u32) {
        if self.plan.features.lines && rng.chance(0.4) {
            let first = rng.between(1..=3);
            let line = |number| LogLine { after_ms: number, level: Level::Info, text: format!("by hand, {number}") };
            let lines = (first..first + rng.between(1..=3)).map(line).collect();
            drop(self.call_and_repeat(rng, Request::Log { lease, first, lines }).await);
        }
        if self.plan.features.reports && rng.chance(0.3) {
            let checkpoint = Some(attempt.to_string());
            let number = rng.between(1..=3);
            let progress = Progress { number, parts_per_million: None, message: None, checkpoint };
            drop(self.call_and_repeat(rng, Request::Progress { lease, progress }).await);
        }
        if self.plan.features.steps && rng.chance(0.3) {
            let (name, result) = (format!("step-{}", rng.between(0..=2)), attempt.to_string());
            drop(self.call_and_repeat(rng, Request::Step { lease, name, result }).await);
        }
        if self.plan.features.waits && rng.chance(0.2) {
            // For what nobody sends.
            let (name, step) = ("by-hand".to_owned(), format!("by-hand-{attempt}"));
            let what = "the file is not mounted".to_owned();
            let on = match rng.between(0..=2) {
                0 => On::Signal { name, step, limit_ms: Some(rng.between(0..=2_000)) },
                1 => On::Condition { what, again_ms: rng.between(1..=2_000) },
                _ => On::Jobs { jobs: vec![JobId(rng.between(1..=60).cast_signed())], step },
            };
            let answer = self.call_and_repeat(rng, Request::Wait { lease, on }).await;
            if matches!(answer, Ok(Reply::Suspended)) {
                return;
            }
        }
        let failure = |retryable| Reported {
            how: outlive::job::How::Error,
            message: SAID_BY_HAND.into(),
            causes: vec!["because".into()],
            retryable,
            retry_after_ms: None,
        };
        let request = match rng.between(0..=11) {
            0..=5 if self.plan.features.transfers && rng.chance(0.5) => {
                let clock = self.host.clock();
                return transfers::complete_by_hand(rng, &*self.service, (lease, attempt), clock).await;
            }
            0..=5 => {
                let result = format!("{{\"number\":0,\"attempt\":{attempt}}}");
                Request::Complete { lease, result: Some(result) }
            }
            6..=7 => Request::Fail { lease, failure: failure(true) },
            8 => Request::Fail { lease, failure: failure(false) },
            9 => Request::Release { lease, why: "by hand".into() },
            10 => Request::Snooze { lease, delay_ms: rng.between(1..=3_000) },
            _ => Request::Obey { lease },
        };
        drop(self.call_and_repeat(rng, request).await);
    }

    /// Cancels a known job now and then.
    pub async fn cancel(self) {
        let mut rng = self.rng("canceller");
        while !self.outside.is_calm() {
            self.rest(&mut rng, Duration::from_millis(2_500)).await;
            // What has ended can't be cancelled, which somebody must try too.
            let jobs = if rng.chance(0.7) { self.outside.pending() } else { self.outside.known() };
            if let Some(&job) = pick(&mut rng, &jobs) {
                drop(self.call_and_repeat(&mut rng, Request::Cancel { job }).await);
            }
        }
    }

    /// Retries what has ended without a result, now and then: one job, or some of a list.
    pub async fn retry(self) {
        let mut rng = self.rng("second chance");
        while !self.outside.is_calm() {
            self.rest(&mut rng, Duration::from_millis(5_000)).await;
            let states = [State::Discarded, State::Discarded, State::Quarantined, State::Cancelled];
            let (kind, state) = (rng.chance(0.4).then(|| (*rng.pick(&KINDS)).to_owned()), *rng.pick(&states));
            let filter = Filter { state, kind, queue: None };
            let list = ListJobs { filter, after: JobId(0), most: LIST_JOBS_MAX };
            let listed = self.call(request_id(&mut rng), Request::List(list.clone())).await;
            let Ok(Reply::Listed { jobs, .. }) = listed else { continue };
            let jobs: Vec<JobId> = jobs.iter().map(|job| job.id).collect();
            // Nobody knows whether one whose answer is lost waits again.
            match rng.between(0..=5) {
                0 => {
                    jobs.iter().for_each(|job| self.outside.may_wait_again(*job));
                    let list = ListJobs { most: rng.between(1..=3) as u32, ..list };
                    drop(self.call_and_repeat(&mut rng, Request::Bulk { act: Bulk::Retry, list }).await);
                }
                1 if self.plan.features.cancels => {
                    let filter = Filter { state: State::Waiting, kind: None, queue: Some(QUEUES[0].to_owned()) };
                    let list = ListJobs { filter, after: JobId(0), most: 1 };
                    drop(self.call_and_repeat(&mut rng, Request::Bulk { act: Bulk::Cancel, list }).await);
                }
                _ => {
                    if let Some(&job) = pick(&mut rng, &jobs) {
                        self.outside.may_wait_again(job);
                        drop(self.call_and_repeat(&mut rng, Request::Retry { job }).await);
                    }
                }
            }
        }
    }

    /// Sends the signals for which jobs wait, until all are sent.
    pub async fn send_signals(self) {
        let mut rng = self.rng("signaller");
        loop {
            let most = if self.outside.is_calm() { 50 } else { 1_500 };
            self.rest(&mut rng, Duration::from_millis(most)).await;
            let Some(SignalWish { id, signal, .. }) = self.outside.next_signal(self.process.id()) else {
                if self.outside.is_calm() {
                    return;
                }
                continue;
            };
            let answer = self.call(id, Request::Signal(signal.clone())).await;
            self.outside.signal_answered(id, &answer);
            if self.plan.features.repeats && rng.chance(0.3) {
                // Under the same key, by another name.
                drop(self.call(request_id(&mut rng), Request::Signal(signal)).await);
            }
        }
    }

    /// Pauses a queue or a kind now and then, and resumes it some time later; in the end all that may be paused.
    pub async fn pause_and_resume(self) {
        let mut rng = self.rng("steward");
        while !self.outside.is_calm() {
            self.rest(&mut rng, Duration::from_millis(5_000)).await;
            if !self.plan.limits.is_empty() && rng.chance(0.4) {
                self.lower_limits(&mut rng).await;
            }
            let queue = || QUEUES.map(Gate::queue);
            let gates: Vec<Gate> = queue().into_iter().chain(KINDS.map(Gate::kind)).collect();
            let gate = rng.pick(&gates).clone();
            self.outside.pauses(&gate);
            let (by, why) = ("the steward".to_owned(), "to see who waits".to_owned());
            let pause = Request::Pause { gate: gate.clone(), by, why };
            drop(self.call_and_repeat(&mut rng, pause).await);
            self.rest(&mut rng, Duration::from_millis(4_000)).await;
            if rng.chance(0.9) && self.call_and_repeat(&mut rng, Request::Resume { gate: gate.clone() }).await.is_ok() {
                self.outside.has_resumed(&gate);
            }
        }
        loop {
            for gate in self.outside.paused() {
                if self.call(request_id(&mut rng), Request::Resume { gate: gate.clone() }).await.is_ok() {
                    self.outside.has_resumed(&gate);
                }
            }
            self.rest(&mut rng, Duration::from_millis(500)).await;
        }
    }

    /// Lowers the limits of a queue, and sets them as they were some time later.
    async fn lower_limits(&self, rng: &mut Rng) {
        let usual = rng.pick(&self.plan.limits).clone();
        let lower = |jobs: Option<u32>| jobs.map(|jobs| jobs.saturating_sub(1).max(1));
        let (at_once, at_once_per_key) = (lower(usual.at_once), lower(usual.at_once_per_key));
        let lowered = QueueLimits { at_once, at_once_per_key, ..usual.clone() };
        drop(self.call_and_repeat(rng, Request::Limit(lowered)).await);
        self.rest(rng, Duration::from_millis(3_000)).await;
        drop(self.call_and_repeat(rng, Request::Limit(usual)).await);
    }

    /// Sets the limits of queues and the policies of kinds, as a program does at each start.
    pub async fn set_up(self) {
        let mut rng = self.rng("limits");
        for limits in self.plan.limits.clone() {
            drop(self.call(request_id(&mut rng), Request::Limit(limits)).await);
        }
        for policy in self.plan.policies.clone() {
            drop(self.call(request_id(&mut rng), Request::Policy(policy)).await);
        }
    }

    /// Waits for the end of a known job now and then, for some time.
    pub async fn wait_for_ends(self) {
        let mut rng = self.rng("awaiter");
        while !self.outside.is_calm() {
            self.rest(&mut rng, Duration::from_millis(1_000)).await;
            let jobs = if rng.chance(0.8) { self.outside.pending() } else { self.outside.known() };
            if let Some(&job) = pick(&mut rng, &jobs) {
                let wait_ms = rng.between(0..=6_000);
                drop(self.call(request_id(&mut rng), Request::Await { job, wait_ms }).await);
            }
        }
    }

    /// Asks for what must be refused, and for what nobody else asks.
    pub async fn make_mischief(self, recorder: Recorder) {
        let mut rng = self.rng("mischief");
        while !self.outside.is_calm() {
            self.rest(&mut rng, Duration::from_millis(2_500)).await;
            match rng.between(0..=if self.plan.features.batches { 5 } else { 4 }) {
                0 => self.take_a_key(&mut rng).await,
                5 => self.spoil_a_batch(&mut rng).await,
                1 => {
                    let (key, id) = (Some(format!("{:016x}", rng.between(0..=u64::MAX))), request_id(&mut rng));
                    self.send_twice(&mut rng, key, (id, None)).await;
                }
                2 => {
                    let id = request_id(&mut rng);
                    self.send_twice(&mut rng, None, (id, Some(id))).await;
                }
                3 => {
                    let outlive = Outlive::on(self.host.clone(), self.service.clone());
                    let read = outlive.read(async |tx| tx.query("SELECT nothing FROM nowhere", ()).await);
                    if let Err(Error::Refused(why)) = read.await {
                        recorder.record(&self.process, Event::Refused(why));
                    }
                }
                _ => {
                    drop(self.call(request_id(&mut rng), Request::Gates).await);
                    if let Some(&job) = pick(&mut rng, &self.outside.known()) {
                        drop(self.call(request_id(&mut rng), Request::Look { job }).await);
                        if rng.chance(0.5) {
                            // Most jobs wait, run or are completed.
                            self.outside.may_wait_again(job);
                            drop(self.call(request_id(&mut rng), Request::Retry { job }).await);
                        }
                    }
                }
            }
        }
    }

    /// Enqueues something else under a key that stands for ever.
    async fn take_a_key(&self, rng: &mut Rng) {
        let stands = |intent: &&Intent| {
            let key = intent.enqueue.key.as_ref();
            key.is_some_and(|key| key.scope == Scope::Forever) && self.outside.knows(intent.number)
        };
        let taken: Vec<&Intent> = self.plan.intents.iter().filter(stands).collect();
        if let Some(intent) = pick(rng, &taken) {
            let payload = serde_json::json!({ "number": intent.number, "and": "something else" }).to_string();
            let enqueue = Enqueue { payload, ..intent.enqueue.clone() };
            drop(self.call(request_id(rng), Request::Enqueue(enqueue)).await);
        }
    }

    /// Enqueues some jobs together, of which one can't be: none is.
    async fn spoil_a_batch(&self, rng: &mut Rng) {
        let wanted = rng.between(2..=4);
        let spoilt = rng.between(0..=wanted - 1);
        let job = |place: u64, number: u64| {
            let payload = serde_json::json!({ "number": number }).to_string();
            let max_attempts = if place == spoilt { Some(0) } else { None };
            Enqueue { max_attempts, ..Enqueue::new(KINDS[0], payload) }
        };
        let jobs = (0..wanted).map(|place| job(place, SPOILT + rng.between(0..=1 << 40))).collect();
        drop(self.call_and_repeat(rng, Request::EnqueueAll { jobs }).await);
    }

    /// Sends a signal that nobody waits for, and another one as if it were the same.
    async fn send_twice(&self, rng: &mut Rng, key: Option<String>, (id, again): (RequestId, Option<RequestId>)) {
        let signal = |payload: &str| {
            let (name, key) = ("mischief".to_owned(), key.clone());
            Request::Signal(Signal { name, key, payload: payload.to_owned() })
        };
        if self.call(id, signal("1")).await.is_ok() {
            drop(self.call(again.unwrap_or_else(|| request_id(rng)), signal("2")).await);
        }
    }

    /// Copies the file now and then.
    pub async fn copy(self, recorder: Recorder) {
        let mut rng = self.rng("copier");
        for _ in 0..COPIES_MAX {
            self.rest(&mut rng, Duration::from_millis(3_000)).await;
            if self.outside.is_calm() {
                return;
            }
            let path = format!("/copy-{:08x}.db", rng.between(0..=u64::from(u32::MAX)));
            recorder.record(&self.process, Event::CopyAsked { path: path.clone() });
            let made = Outlive::on(self.host.clone(), self.service.clone()).backup(&path).await;
            let failed = made.err().map(|error| error.to_string());
            recorder.record(&self.process, Event::CopyMade { path, failed });
        }
    }

    /// Makes the file smaller now and then.
    pub async fn compact(self, recorder: Recorder) {
        let mut rng = self.rng("compactor");
        for _ in 0..COMPACTIONS_MAX {
            self.rest(&mut rng, Duration::from_millis(5_000)).await;
            if self.outside.is_calm() {
                return;
            }
            // Jobs that come behind the ballast are moved to where it was.
            let outlive = Outlive::on(self.host.clone(), self.service.clone());
            let loaded = ballast::load(&outlive, rng.between(0..=40)).await;
            self.rest(&mut rng, Duration::from_millis(2_000)).await;
            if loaded.is_ok() {
                drop(ballast::unload(&outlive).await);
            }
            recorder.record(&self.process, Event::CompactionAsked);
            let made = outlive.compact().await;
            recorder.record(&self.process, Event::Compacted(made.map_err(|error| error.to_string())));
        }
    }

    /// Counts the coins now and then.
    pub async fn count(self, recorder: Recorder) {
        let mut rng = self.rng("accountant");
        while !self.outside.is_calm() {
            self.rest(&mut rng, Duration::from_millis(4_000)).await;
            let outlive = Outlive::on(self.host.clone(), self.service.clone());
            if let Ok((coins, spent, transfers)) = transfers::count(&outlive).await {
                recorder.record(&self.process, Event::Counted { coins, spent, transfers });
            }
        }
    }

    /// Moves a coin between two accounts, and cancels a job with it, in little time: often too little.
    pub async fn hurry(self) {
        let mut rng = self.rng("hasty");
        while !self.outside.is_calm() {
            self.rest(&mut rng, Duration::from_millis(4_000)).await;
            let pending = self.outside.pending();
            let job = pick(&mut rng, &pending).copied().filter(|_| self.plan.features.cancels);
            let limit = Duration::from_millis(rng.between(20..=200));
            let pause = Duration::from_millis(rng.between(0..=250));
            let outlive = Outlive::on(self.host.clone(), self.service.clone());
            let host = &self.host;
            drop(transfers::hurry(&outlive, job, limit, || host.clock().sleep(pause)).await);
        }
    }

    /// Asks why jobs wait; once clients behave, until each is terminal.
    pub async fn audit(self) {
        let mut rng = self.rng("auditor");
        loop {
            let calm = self.outside.is_calm();
            self.rest(&mut rng, Duration::from_millis(if calm { 4_000 } else { 1_500 })).await;
            let pending = self.outside.pending();
            let asked: Vec<JobId> =
                if calm { pending } else { pick(&mut rng, &pending).into_iter().copied().collect() };
            for job in asked {
                let answer = self.call(request_id(&mut rng), Request::Explain { job }).await;
                if let Ok(Reply::Explained(explanation)) = &answer
                    && matches!(explanation.doing, Doing::Finished { .. })
                {
                    self.outside.saw_terminal(job);
                } else if matches!(
                    answer,
                    Err(CallError::Refused(Refusal::UnknownJob { .. } | Refusal::Forgotten { .. }))
                ) {
                    // What a disk has lost never ends.
                    self.outside.saw_terminal(job);
                }
            }
        }
    }
}

fn pick<'a, T>(rng: &mut Rng, items: &'a [T]) -> Option<&'a T> {
    if items.is_empty() { None } else { Some(rng.pick(items)) }
}

/// All of these names, mostly; or one, or what is left without one.
fn some_of(rng: &mut Rng, names: &[&str]) -> Vec<String> {
    let (one, is_choosy, wants_one) = (*rng.pick(names), rng.chance(0.3), rng.chance(0.5));
    let wanted = names.iter().filter(|name| !is_choosy || (**name == one) == wants_one);
    wanted.map(|name| (*name).to_owned()).collect()
}

fn jobs_of(reply: &Reply) -> Vec<JobId> {
    match reply {
        Reply::Enqueued { job, .. } => vec![*job],
        Reply::EnqueuedAll { jobs } => jobs.iter().map(|it| it.job).collect(),
        _ => Vec::new(),
    }
}

/// A new name for a request.
pub(super) fn request_id(rng: &mut Rng) -> RequestId {
    let mut bytes = [0; 16];
    rng.fill(&mut bytes);
    RequestId(bytes)
}

/// Leases that were never granted, nor ever will be: of a later token, of another opening, of another job.
fn forgeries(rng: &mut Rng, lease: Lease) -> [Lease; 3] {
    [
        Lease { token: Token(lease.token.0 + rng.between(1_000_000..=1_000_003).cast_signed()), ..lease },
        Lease { nonce: Nonce(lease.nonce.0 ^ 1), ..lease },
        Lease { job: JobId(if lease.job.0 == 1 { 2 } else { lease.job.0 - 1 }), ..lease },
    ]
}
