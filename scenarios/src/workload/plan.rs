//! The plan of a run: which features, how many jobs, what each does. Swarm testing: a run leaves
//! most things out, so that what is left meets more often.
//!
//! Source of the idea: A. Groce et al., "Swarm Testing", 2012.

use super::deploy::Deploy;
use super::faults;
use super::profile::Profile;
use super::schedules::SchedulePlan;
use super::setting::{Setting, Workload};
use outlive::job::{Backoff, Limits, Policy, Rate, TraceParent, Unmet};
use outlive::protocol::{Enqueue, KindPolicy, QueueLimits, Scope, When};
use outlive::{Options, Retention};
use outlive_sim::{Fault, Fork, Rng, Seed, Trigger};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Everything that is chosen before a run begins.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Where it takes place.
    pub setting: Setting,
    /// What the clock of each machine gains, in parts in a million.
    pub drift_ppm: Vec<i32>,
    /// Which features take part.
    pub features: Features,
    /// The limits that whoever opens the file sets.
    pub limits: Vec<QueueLimits>,
    /// The policies of kinds that he sets.
    pub policies: Vec<KindPolicy>,
    /// The schedules that he sets.
    pub schedules: Vec<SchedulePlan>,
    /// A new version of the program, if one comes.
    pub deploy: Option<Deploy>,
    /// What the queue is opened with.
    pub options: Options,
    /// The jobs that clients want.
    pub intents: Vec<Intent>,
    /// The queues that these are in.
    pub queues: Vec<String>,
    /// The workers that run them; in a cluster on a machine each.
    pub workers: Vec<WorkerPlan>,
    /// Workers in the server of a cluster.
    pub workers_here: Vec<WorkerPlan>,
    /// How long a caller of a server waits for an answer.
    pub patience: Duration,
    /// Clients that claim by hand, and are late, silent or wrong.
    pub raw_claimers: u32,
    /// Lease of claims by hand.
    pub raw_lease: Duration,
    /// Clients that enqueue.
    pub producers: u32,
    /// Pause between two enqueues of a producer, at the most.
    pub enqueue_pause: Duration,
    /// Enqueues that a producer makes at once, at the most.
    pub burst: usize,
    /// What a sync takes at the least, and half of what it takes at the most: requests that arrive
    /// meanwhile are committed together.
    pub sync_latency: Duration,
    /// Which faults it may have.
    pub profile: Profile,
    /// The faults.
    pub faults: Vec<Fault>,
    /// When faults end at the latest.
    pub faults_end: Duration,
    /// How long the machine stays down after a crash, at the most.
    pub downtime: Duration,
}

/// Features of a run: each is on in about half of them.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct Features {
    /// Idempotency keys, and repeats of them.
    pub keys: bool,
    /// Delays and times of the calendar.
    pub delays: bool,
    /// Several queues and priorities.
    pub lanes: bool,
    /// Failures, panics and payloads that do not decode.
    pub failures: bool,
    /// Snoozes.
    pub snoozes: bool,
    /// Jobs that kill their process.
    pub poison: bool,
    /// Requests to cancel.
    pub cancels: bool,
    /// Workers that stop gracefully and start again.
    pub restarts: bool,
    /// Requests that are repeated under the same id.
    pub repeats: bool,
    /// A second process that tries to open the file.
    pub rivals: bool,
    /// Handlers that do something in tables of their own, in a transaction with their completion.
    pub transfers: bool,
    /// Handlers that take steps.
    pub steps: bool,
    /// Handlers that say how far they have come.
    pub reports: bool,
    /// Handlers that say what they do.
    pub lines: bool,
    /// Jobs that are enqueued together.
    pub batches: bool,
    /// Somebody who copies the file.
    pub copies: bool,
    /// Somebody who makes the file smaller.
    pub compactions: bool,
    /// Jobs that are a part of a trace.
    pub traces: bool,
    /// Workers that decide by themselves what follows failures.
    pub judges: bool,
    /// Clients that wait for the ends of jobs.
    pub awaits: bool,
    /// Jobs that wait for signals, for other jobs, and for something outside.
    pub waits: bool,
    /// Somebody who pauses queues and kinds, and resumes them.
    pub pauses: bool,
    /// Somebody who asks for what must be refused.
    pub mischief: bool,
    /// Somebody who retries what has ended without a result.
    pub retries: bool,
}

/// A worker of the program.
#[derive(Clone, Copy, Debug)]
pub struct WorkerPlan {
    /// Jobs at once.
    pub concurrency: usize,
    /// Its lease.
    pub lease: Duration,
}

/// A job that a client wants in the file.
#[derive(Clone, Debug)]
pub struct Intent {
    /// Its number in the run; it stands in the payload, so that a row tells which wish it was.
    pub number: u64,
    /// What is asked for.
    pub enqueue: Enqueue,
    /// How often another client asks for the same under the same key.
    pub repeats: u64,
    /// The numbers of the jobs that must have ended before it may run, and what becomes of it if one of them ends without
    /// a result. Nobody asks for it before these are known.
    pub after: Option<(Vec<u64>, Unmet)>,
}

impl Intent {
    /// Whether it may be made again once its key has ended.
    pub fn recurs(&self) -> bool {
        self.enqueue.key.as_ref().is_some_and(|key| key.scope != Scope::Forever)
    }

    /// Whether some attempt of it does something in tables of its own.
    pub fn transfers(&self) -> bool {
        self.script().is_some_and(|script| script.transfers())
    }

    /// Whether its attempts take steps.
    pub fn steps(&self) -> bool {
        self.script().is_some_and(|script| script.steps > 0)
    }

    /// Whether its attempts say how far they have come.
    pub fn reports(&self) -> bool {
        self.script().is_some_and(|script| script.reports > 0)
    }

    /// Whether its attempts say what they do.
    pub fn speaks(&self) -> bool {
        self.script().is_some_and(|script| script.lines > 0)
    }

    /// What its handler does, if its payload decodes.
    pub fn script(&self) -> Option<Script> {
        serde_json::from_str(&self.enqueue.payload).ok()
    }
}

/// What a job's handler does, attempt by attempt; the last one is repeated.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Script {
    /// The intent's number.
    pub number: u64,
    /// How each attempt ends.
    pub acts: Vec<Act>,
    /// How long each takes.
    pub work_ms: u64,
    /// How many steps each takes before its end.
    #[serde(default, skip_serializing_if = "is_none")]
    pub steps: u32,
    /// How often each says how far it has come, and stores where to go on.
    #[serde(default, skip_serializing_if = "is_none")]
    pub reports: u32,
    /// How many lines each says, of what it does.
    #[serde(default, skip_serializing_if = "is_none")]
    pub lines: u32,
    /// For how many signals each waits.
    #[serde(default, skip_serializing_if = "is_none")]
    pub signals: u32,
    /// For how many other jobs each waits.
    #[serde(default, skip_serializing_if = "is_none")]
    pub others: u32,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
const fn is_none(steps: &u32) -> bool {
    *steps == 0
}

impl Script {
    /// What the job of this script carries.
    pub fn payload(&self, decodes: bool) -> String {
        if decodes {
            serde_json::to_string(self).expect("a script is JSON")
        } else {
            serde_json::json!({ GARBAGE: self.number }).to_string()
        }
    }

    /// Whether some attempt of it does something in tables of its own.
    pub fn transfers(&self) -> bool {
        self.acts.iter().any(|act| matches!(act, Act::Transfer | Act::TakeBack))
    }

    /// Whether this step, 0 first, does something in tables of its own: the first one of a job with a transfer.
    pub fn does_in_tables(&self, step: u32) -> bool {
        step == 0 && self.transfers()
    }

    /// How this attempt ends.
    pub fn act(&self, attempt: u32) -> Act {
        self.acts[(attempt as usize - 1).min(self.acts.len() - 1)]
    }
}

/// How an attempt ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Act {
    /// With a result.
    Complete,
    /// With a retryable error.
    Fail,
    /// With a retryable error that says when.
    FailAfter(u64),
    /// With an error that is not retryable.
    Discard,
    /// With a panic.
    Panic,
    /// With a snooze for this many milliseconds.
    Snooze(u64),
    /// With something outside that is not as it must be, and a look at it after this many milliseconds.
    LookAgain(u64),
    /// With a service that is down, and a job that looks whether it is back after this many milliseconds.
    ServiceDown(u64),
    /// With a result, in a transaction with what it does in tables of its own and with jobs that follow.
    Transfer,
    /// With a retryable error, after all that a transfer does.
    TakeBack,
    /// With the death of its process.
    Kill,
    /// Never.
    Hang,
}

/// The kinds of job that workers handle.
pub const KINDS: [&str; 3] = ["alpha", "beta", "gamma"];
/// The kind whose handler blocks its thread.
pub const BLOCKING: &str = KINDS[2];
/// The number of the first job that follows a transfer, beyond that of the job with the transfer; the second one is as far
/// beyond the first.
pub const FOLLOWS: u64 = 1_000;
/// The queues.
pub const QUEUES: [&str; 3] = ["default", "mail", "bulk"];
/// A payload that no handler decodes.
pub const GARBAGE: &str = "garbage";

impl Plan {
    /// The plan of a seed, with legal faults.
    pub fn of_seed(seed: Seed, workload: Workload) -> Self {
        Self::of_case(seed, seed, workload, Profile::Legal)
    }

    /// The plan of a seed, with the faults that another one draws for the same machines. Of the illegal profile it is
    /// that of the legal one, with illegal faults beside the others, in a file that is made with checksums.
    pub fn of_case(seed: Seed, faults_of: Seed, workload: Workload, profile: Profile) -> Self {
        let (setting, drift_ppm) = Setting::draw(seed, workload);
        let fork = seed.fork("plan");
        let mut rng = fork.fork("swarm").rng();
        let features = Features::draw(&mut rng);
        let options = options(&mut rng);
        let jobs = rng.between(54..=57);
        let intents = (1..=jobs).map(|number| intent(number, &features, fork.fork("job").key(number))).collect();
        let leases: Vec<u64> = vec![1_000, 2_000, 3_000, 5_000, 10_000, 30_000];
        let lease = Duration::from_millis(*rng.pick(&leases));
        let worker = |rng: &mut Rng| WorkerPlan { concurrency: rng.between(1..=8) as usize, lease };
        let workers = (0..rng.between(1..=3)).map(|_| worker(&mut rng)).collect();
        let raw_claimers = if rng.chance(0.6) { rng.between(1..=2) as u32 } else { 0 };
        let raw_lease = Duration::from_millis(rng.between(1_000..=6_000));
        let faults_end = Duration::from_secs(rng.between(20..=45));
        let mut plan = Self {
            features,
            limits: Vec::new(),
            policies: Vec::new(),
            schedules: Vec::new(),
            deploy: None,
            options,
            intents,
            queues: QUEUES.map(str::to_owned).to_vec(),
            workers,
            workers_here: Vec::new(),
            patience: Duration::ZERO,
            raw_claimers,
            raw_lease,
            producers: rng.between(1..=3) as u32,
            enqueue_pause: Duration::from_millis(rng.between(200..=2_500)),
            burst: rng.between(1..=12) as usize,
            sync_latency: Duration::from_micros(*rng.pick(&[0, 200, 1_000, 1_000, 3_000, 8_000])),
            profile,
            faults: Vec::new(),
            faults_end,
            downtime: Duration::from_millis(rng.between(10..=3_000)),
            setting,
            drift_ppm,
        };
        plan.features.transfers = fork.fork("transfers").chance(0.4);
        if plan.features.transfers {
            plan.intents.iter_mut().for_each(|intent| let_transfer(intent, fork.fork("transfer")));
        }
        let faults = faults_of.fork("plan").fork("faults");
        match plan.setting.clone() {
            Setting::Embedded(machine) => {
                plan.faults = faults::draw_for_embedded(faults, machine, faults_end, features.poison);
            }
            Setting::Cluster(machines) => {
                let mut rng = fork.fork("cluster").rng();
                plan.workers = machines.workers.iter().map(|_| worker(&mut rng)).collect();
                plan.workers_here = if rng.chance(0.25) { vec![worker(&mut rng)] } else { Vec::new() };
                plan.patience = Duration::from_millis(rng.between(1_000..=6_000));
                let longest = plan.longest_lease();
                plan.faults = faults::draw_for_cluster(faults, &machines, faults_end, longest, features.poison);
                if plan.features.transfers {
                    let faults = faults_of.fork("plan").fork("faults of transactions");
                    plan.faults.extend(faults::draw_for_transactions(faults, &machines));
                }
            }
        }
        plan.features.steps = fork.fork("steps").chance(0.3);
        if plan.features.steps {
            plan.intents.iter_mut().for_each(|intent| let_step(intent, fork.fork("step")));
        }
        plan.features.reports = fork.fork("reports").chance(0.3);
        if plan.features.reports {
            plan.intents.iter_mut().for_each(|intent| let_report(intent, fork.fork("report")));
        }
        plan.features.lines = fork.fork("lines").chance(0.3);
        if plan.features.lines {
            plan.intents.iter_mut().for_each(|intent| let_speak(intent, fork.fork("line")));
        }
        plan.features.traces = fork.fork("traces").chance(0.3);
        if plan.features.traces {
            plan.intents.iter_mut().for_each(|intent| let_be_traced(intent, fork.fork("trace")));
        }
        if fork.fork("key scopes").chance(0.4) {
            plan.intents.iter_mut().for_each(|intent| let_key_end(intent, fork.fork("key scope")));
        }
        plan.features.batches = fork.fork("batches").chance(0.4);
        plan.features.copies = profile == Profile::Legal && fork.fork("copies").chance(0.3);
        plan.features.compactions = profile == Profile::Legal && fork.fork("compactions").chance(0.3);
        let (faults, store) = (faults_of.fork("plan"), plan.setting.store());
        if plan.features.copies {
            plan.faults.extend(faults::draw_for_copies(faults.fork("faults of copies"), store));
        }
        if plan.features.compactions {
            plan.faults.extend(faults::draw_for_compactions(faults.fork("faults of compactions"), store));
        }
        plan.features.judges = plan.features.failures && fork.fork("judges").chance(0.4);
        plan.features.awaits = fork.fork("awaits").chance(0.4);
        plan.features.waits = fork.fork("waits").chance(0.4);
        if plan.features.waits {
            plan.intents.iter_mut().for_each(|intent| let_wait(intent, fork.fork("wait")));
        }
        if fork.fork("limits").chance(0.4) {
            plan.limits = QUEUES.iter().filter_map(|queue| limits_of(queue, fork.fork("limit"))).collect();
            plan.intents.iter_mut().for_each(|intent| let_share(intent, fork.fork("concurrency key")));
        }
        if fork.fork("policies").chance(0.4) {
            plan.policies = KINDS.iter().filter_map(|kind| policy_of(kind, fork.fork("policy"))).collect();
            plan.intents.iter_mut().for_each(|intent| let_policy_decide(intent, fork.fork("tries")));
        }
        if fork.fork("schedules").chance(0.3) {
            plan.schedules = SchedulePlan::draw(fork.fork("schedule"));
        }
        if fork.fork("deploys").chance(0.3) {
            plan.deploy = Some(Deploy::draw(fork.fork("deploy"), faults_end));
        }
        if profile == Profile::Legal && fork.fork("retention").chance(0.3) {
            plan.options.retention = retention(&mut fork.fork("kept").rng());
        }
        if plan.features.lanes && fork.fork("ageing").chance(0.4) {
            plan.options.ageing = Some(Duration::from_millis(fork.fork("ageing step").rng().between(1_000..=4_000)));
        }
        plan.options.page_checksums = profile == Profile::Illegal || fork.fork("checksums").chance(0.3);
        plan.features.retries = fork.fork("retries").chance(0.3);
        plan.features.mischief = fork.fork("mischief").chance(0.3);
        plan.features.pauses = fork.fork("pauses").chance(0.3);
        if fork.fork("services").chance(0.3) {
            plan.intents.iter_mut().for_each(|intent| let_find_down(intent, fork.fork("service")));
        }
        if profile == Profile::Illegal {
            plan.faults.extend(faults::draw_illegal(fork.fork("illegal faults"), plan.setting.store(), faults_end));
        }
        // In the order in which a file has them: what waits for something first, then what comes at a time.
        plan.faults.sort_by_key(|fault| if let Trigger::At(time) = fault.trigger { time } else { Duration::ZERO });
        plan
    }

    /// The longest lease that anybody asks for.
    pub fn longest_lease(&self) -> Duration {
        self.workers.iter().map(|worker| worker.lease).chain([self.raw_lease]).max().unwrap_or_default()
    }
}

impl Features {
    fn draw(rng: &mut Rng) -> Self {
        Self {
            keys: rng.chance(0.5),
            delays: rng.chance(0.5),
            lanes: rng.chance(0.5),
            failures: rng.chance(0.6),
            snoozes: rng.chance(0.4),
            poison: rng.chance(0.25),
            cancels: rng.chance(0.4),
            restarts: rng.chance(0.3),
            repeats: rng.chance(0.5),
            rivals: rng.chance(0.3),
            // Drawn from forks of their own.
            transfers: false,
            steps: false,
            reports: false,
            lines: false,
            batches: false,
            copies: false,
            compactions: false,
            traces: false,
            judges: false,
            awaits: false,
            waits: false,
            pauses: false,
            mischief: false,
            retries: false,
        }
    }
}

fn options(rng: &mut Rng) -> Options {
    let first = |rng: &mut Rng| Duration::from_millis(rng.between(100..=1_000));
    Options {
        limits: Limits {
            backoff: Backoff::Exponential { first: first(rng), longest: Duration::from_secs(8) },
            crash_backoff: Backoff::Exponential { first: first(rng), longest: Duration::from_secs(4) },
            crashes_max: 5,
        },
        checkpoint_frames: *rng.pick(&[4, 16, 32, 48, 64, 64, 80, 80, 100, 100, 100, 1_000]),
        // Small pages split often.
        page_bytes: *rng.pick(&[512, 1_024, 1_024, 1_024, 2_048, 4_096]),
        reserve_bytes: 256 << 10,
        retention: Retention::FOREVER,
        ..Options::default()
    }
}

/// For how long what has ended is kept: long enough that whoever looks at the file now and then finds it there.
fn retention(rng: &mut Rng) -> Retention {
    let mut kept = || rng.chance(0.8).then(|| Duration::from_millis(rng.between(8_000..=24_000)));
    Retention { completed: kept(), cancelled: kept(), discarded: kept(), quarantined: kept() }
}

fn intent(number: u64, features: &Features, fork: Fork) -> Intent {
    let mut rng = fork.rng();
    let acts = acts(number, features, &mut rng);
    // A request to cancel is heard of with a heartbeat: some work must take long enough.
    let work_ms = *rng.pick(if features.cancels {
        &[1, 5, 20, 20, 100, 100, 400, 1_500]
    } else {
        &[1, 5, 20, 20, 100, 100, 400, 400]
    });
    let script = Script { number, acts, work_ms, steps: 0, reports: 0, lines: 0, signals: 0, others: 0 };
    let undecodable = features.failures && rng.chance(0.03);
    let payload = script.payload(!undecodable);
    let when = match features.delays.then(|| rng.between(0..=9)) {
        Some(0..=1) => When::After(rng.between(1..=8_000)),
        Some(2) => When::At(outlive::job::Wall(1_750_000_000_000 + rng.between(0..=20_000).cast_signed())),
        _ => When::Now,
    };
    let lane = if features.lanes { rng.between(0..=2) as usize } else { 0 };
    let priority = if features.lanes { *rng.pick(&[0, 0, 0, 5, -5, 100, -100]) } else { 0 };
    let key = (features.keys && rng.chance(0.4)).then(|| format!("key-{number}").into());
    let enqueue = Enqueue {
        kind: KINDS[rng.between(0..=2) as usize].into(),
        queue: QUEUES[lane].into(),
        priority,
        max_attempts: Some(rng.between(1..=4) as u32),
        max_age_ms: None,
        payload,
        when,
        key,
        after: None,
        concurrency_key: None,
        trace_parent: None,
    };
    let repeats = u64::from(enqueue.key.is_some() && rng.chance(0.5));
    Intent { number, enqueue, repeats, after: None }
}

/// Lets some jobs end with a transfer instead, and some of these take one back before that. What blocks a thread
/// can't await.
fn let_transfer(intent: &mut Intent, fork: Fork) {
    let mut rng = fork.key(intent.number).rng();
    let Some(mut script) = intent.script() else { return };
    if intent.enqueue.kind == BLOCKING || script.acts.last() != Some(&Act::Complete) || rng.chance(0.5) {
        return;
    }
    script.acts.pop();
    if rng.chance(0.2) {
        script.acts.push(Act::TakeBack);
    }
    script.acts.push(Act::Transfer);
    intent.enqueue.payload = script.payload(true);
}

/// Lets half of the jobs take steps, those that do not block a thread.
fn let_step(intent: &mut Intent, fork: Fork) {
    let mut rng = fork.key(intent.number).rng();
    let Some(mut script) = intent.script() else { return };
    if intent.enqueue.kind != BLOCKING && rng.chance(0.5) {
        script.steps = rng.between(1..=3) as u32;
        intent.enqueue.payload = script.payload(true);
    }
}

/// Lets half of the jobs say how far they have come, those that do not block a thread.
fn let_report(intent: &mut Intent, fork: Fork) {
    let mut rng = fork.key(intent.number).rng();
    let Some(mut script) = intent.script() else { return };
    if intent.enqueue.kind != BLOCKING && rng.chance(0.5) {
        script.reports = rng.between(1..=3) as u32;
        intent.enqueue.payload = script.payload(true);
    }
}

/// Lets half of the jobs say what they do, and some of these more than is kept.
fn let_speak(intent: &mut Intent, fork: Fork) {
    let mut rng = fork.key(intent.number).rng();
    let Some(mut script) = intent.script() else { return };
    if rng.chance(0.5) {
        script.lines = *rng.pick(&[1, 2, 5, 70]);
        intent.enqueue.payload = script.payload(true);
    }
}

/// Lets half of the jobs be a part of a trace, whose numbers are their own.
fn let_be_traced(intent: &mut Intent, fork: Fork) {
    if fork.key(intent.number).chance(0.5) {
        intent.enqueue.trace_parent = traced(intent.number + 1);
    }
}

/// The trace of this number, from 1 on.
pub fn traced(number: u64) -> Option<Box<TraceParent>> {
    TraceParent::new(number.into(), number, number.is_multiple_of(2)).map(Box::new)
}

/// Lets some jobs wait for signals, for other jobs, or for something outside. What recurs would take the signals of
/// others.
fn let_wait(intent: &mut Intent, fork: Fork) {
    let mut rng = fork.key(intent.number).rng();
    if intent.number > 3 && rng.chance(0.25) {
        let unmet = *rng.pick(&[Unmet::Cancel, Unmet::Cancel, Unmet::Discard, Unmet::Run]);
        let numbers = (0..rng.between(1..=3)).map(|_| rng.between(1..=intent.number - 1)).collect();
        intent.after = Some((numbers, unmet));
    }
    let recurs = intent.recurs();
    let Some(mut script) = intent.script() else { return };
    if intent.enqueue.kind == BLOCKING || script.acts == [Act::Kill] {
        return;
    }
    match rng.between(0..=9) {
        0..=3 if !recurs => script.signals = rng.between(1..=2) as u32,
        4 if !recurs => script.others = rng.between(1..=3) as u32,
        5..=6 => script.acts.insert(0, Act::LookAgain(rng.between(1..=3_000))),
        _ => return,
    }
    intent.enqueue.payload = script.payload(true);
}

/// The limits of a queue, in most runs that have any.
fn limits_of(queue: &str, fork: Fork) -> Option<QueueLimits> {
    let mut rng = fork.fork(queue).rng();
    let mut some = |chance: f64, most: u64| rng.chance(chance).then(|| rng.between(1..=most) as u32);
    let (at_once, at_once_per_key, jobs) = (some(0.6, 4), some(0.6, 2), some(0.4, 12));
    let rate = jobs.map(|jobs| {
        let burst = rng.between(1..=u64::from(jobs.min(4))) as u32;
        Rate { jobs, per_ms: rng.between(500..=4_000), burst }
    });
    let limits = QueueLimits { queue: queue.to_owned(), at_once, at_once_per_key, rate };
    (at_once.is_some() || at_once_per_key.is_some() || rate.is_some()).then_some(limits)
}

/// The policy of a kind, in most runs that have any.
fn policy_of(kind: &str, fork: Fork) -> Option<KindPolicy> {
    let mut rng = fork.fork(kind).rng();
    let mut some = |chance: f64, least: u64, most: u64| rng.chance(chance).then(|| rng.between(least..=most));
    let max_attempts = some(0.5, 1, 4).map(|attempts| attempts as u32);
    let (max_age_ms, timeout_ms) = (some(0.3, 2_000, 40_000), some(0.5, 5, 1_200));
    let crashes_max = some(0.3, 4, 7).map(|crashes| crashes as u32);
    let (fixed, first) = (some(0.4, 50, 3_000), some(0.5, 50, 1_000));
    let backoff = match (fixed, first) {
        (Some(rest), _) => Some(Backoff::Fixed { rest: Duration::from_millis(rest) }),
        (None, Some(first)) => {
            Some(Backoff::Exponential { first: Duration::from_millis(first), longest: Duration::from_secs(4) })
        }
        (None, None) => None,
    };
    let policy = Policy { backoff, max_attempts, max_age_ms, timeout_ms, crashes_max };
    policy.decides_something().then(|| KindPolicy { kind: kind.to_owned(), policy })
}

/// Lets the policy of its kind decide how often most of the jobs are tried, and some say for how long.
fn let_policy_decide(intent: &mut Intent, fork: Fork) {
    let mut rng = fork.key(intent.number).rng();
    if rng.chance(0.7) {
        intent.enqueue.max_attempts = None;
    }
    intent.enqueue.max_age_ms = rng.chance(0.15).then(|| rng.between(500..=30_000));
}

/// Lets half of the jobs share slots with some others.
fn let_share(intent: &mut Intent, fork: Fork) {
    let mut rng = fork.key(intent.number).rng();
    intent.enqueue.concurrency_key = rng.chance(0.5).then(|| (*rng.pick(&["red", "green"])).to_owned());
}

/// Lets some jobs find a service down at first.
fn let_find_down(intent: &mut Intent, fork: Fork) {
    let mut rng = fork.key(intent.number).rng();
    let Some(mut script) = intent.script() else { return };
    if script.acts == [Act::Kill] || rng.chance(0.85) {
        return;
    }
    for _ in 0..rng.between(1..=2) {
        script.acts.insert(0, Act::ServiceDown(rng.between(300..=3_000)));
    }
    intent.enqueue.payload = script.payload(true);
}

/// How often what has a key that ends is asked for again: some time later, each.
pub const OFTEN: u64 = 3;

/// Lets most keys end, and their jobs be asked for again and again. What is done once for a job's number is left out.
fn let_key_end(intent: &mut Intent, fork: Fork) {
    let mut rng = fork.key(intent.number).rng();
    let transfers = intent.transfers();
    let Some(key) = &mut intent.enqueue.key else { return };
    if !transfers && rng.chance(0.7) {
        let period = Scope::PeriodMs(rng.between(500..=8_000));
        key.scope = if rng.chance(0.6) { Scope::WhilePending } else { period };
        intent.repeats = OFTEN;
    }
}

fn acts(number: u64, features: &Features, rng: &mut Rng) -> Vec<Act> {
    // Two jobs of a run, at the most, kill their process each time: they must end quarantined, and run beside each other
    // only until they are suspected.
    if features.poison && matches!(number, 5 | 6) {
        return vec![Act::Kill];
    }
    let mut acts = Vec::new();
    while acts.len() < 3 {
        match rng.between(0..=19) {
            0..=2 if features.failures => acts.push(Act::Fail),
            3 if features.failures => acts.push(Act::FailAfter(rng.between(1..=3_000))),
            4 if features.failures => acts.push(Act::Discard),
            5 if features.failures => acts.push(Act::Panic),
            6..=7 if features.snoozes => acts.push(Act::Snooze(rng.between(1..=4_000))),
            _ => break,
        }
    }
    acts.push(Act::Complete);
    acts
}
