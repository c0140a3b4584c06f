//! The plan of a run: which features, how many jobs, what each does. Swarm testing: a run leaves
//! most things out, so that what is left meets more often.
//!
//! Source of the idea: A. Groce et al., "Swarm Testing", 2012.

use super::deploy::Deploy;
use super::draw::{
    intent, let_be_traced, let_find_down, let_key_end, let_policy_decide, let_report, let_share, let_speak, let_step,
    let_transfer, let_wait,
};
use super::faults;
use super::intent::{Intent, KINDS, QUEUES};
use super::profile::Profile;
use super::schedules::SchedulePlan;
use super::setting::{Setting, Workload};
use outlive::job::{Backoff, Limits, Policy, Rate};
use outlive::protocol::{KindPolicy, QueueLimits};
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
