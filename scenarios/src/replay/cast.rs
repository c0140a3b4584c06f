//! Who plays whom: machines for the names of a file, numbers for its jobs, and the plan that they follow.

use super::fault::fault_of;
use crate::scn::{
    Action, Anchor, AttemptScript, ClientName, Job, JobOption, KeyFor, Name, Number, Payload, Process as Who,
    RhythmWord, Scenario, Step, Times, Unmet, WorkerName, WorldItem,
};
use crate::workload::{
    Act, Deploy, Features, Intent, KINDS, Machines, OFTEN, Plan, Profile, QUEUES, SchedulePlan, Script, Setting,
    WorkerPlan, traced,
};
use outlive::job::{self, Backoff, Policy, Rate, Wall};
use outlive::protocol::{Enqueue, KindPolicy, QueueLimits, Scope, When};
use outlive::{Options, Retention};
use outlive_sim::{Action as FaultAction, Fault, MachineId, Trigger};
use std::time::Duration;

/// Who plays whom.
pub struct Cast {
    /// Their machines.
    pub machines: Machines,
    /// Whether everybody is in the store's process.
    embedded: bool,
    /// Whether everybody does as in a run of a seed.
    improvised: bool,
    workers: Vec<Name>,
    /// How many of them run from the beginning.
    running: usize,
    clients: Vec<Name>,
    /// Their jobs.
    pub jobs: Vec<Job>,
}

/// What is so if a file says nothing.
const CONCURRENCY: usize = 4;
const LEASE: Duration = Duration::from_secs(30);
const DOWNTIME: Duration = Duration::from_secs(1);
const PATIENCE: Duration = Duration::from_secs(10);
impl Cast {
    /// The cast of a file.
    pub fn of(scenario: &Scenario) -> Self {
        let workers = [scenario.world.workers(), scenario.world.spares()].concat();
        let running = scenario.world.workers().len();
        let clients = scenario.world.clients().to_vec();
        let has = |item: WorldItem| scenario.world.items.contains(&item);
        let embedded = has(WorldItem::Program {});
        let improvised = scenario.world.improvised().is_some();
        let machines = if embedded {
            Machines::of(0, 0, false)
        } else if improvised {
            Machines::of(workers.len(), clients.len(), has(WorldItem::Middlebox {}))
        } else {
            // Somebody enqueues the jobs of nobody in particular.
            Machines::of(workers.len(), clients.len() + 1, scenario.meddles_with_messages())
        };
        Self { machines, embedded, improvised, workers, running, clients, jobs: scenario.jobs.clone() }
    }

    /// The cast of a run of a seed: everybody has the name of a place.
    pub fn of_plan(plan: &Plan) -> Self {
        let names = |letter: char, count: usize| -> Vec<Name> {
            (1..=count).map(|place| Name::new(&format!("{letter}{place}")).expect("it is a name")).collect()
        };
        let (embedded, machines) = match &plan.setting {
            Setting::Embedded(_) => (true, Machines::of(0, 0, false)),
            Setting::Cluster(machines) => (false, machines.clone()),
        };
        let (workers, clients) = (names('w', plan.workers.len()), names('c', machines.clients.len()));
        Self { machines, embedded, improvised: true, running: workers.len(), workers, clients, jobs: Vec::new() }
    }

    /// The workers.
    pub fn workers(&self) -> &[Name] {
        &self.workers
    }

    /// The clients that have a name.
    pub fn clients(&self) -> &[Name] {
        &self.clients
    }

    /// The machine of a process.
    pub fn machine(&self, who: &Who) -> MachineId {
        match who {
            _ if self.embedded => self.machines.store,
            Who::Store => self.machines.store,
            Who::Worker(WorkerName(name)) => self.machines.workers[place(&self.workers, name)],
            Who::Client(ClientName(name)) => self.machines.clients[place(&self.clients, name)],
            Who::Middlebox => self.machines.door(),
        }
    }

    /// Whose machine it is; nobody's if nobody in particular has it.
    pub fn process(&self, machine: MachineId) -> Option<Who> {
        let Machines { workers, clients, store, .. } = &self.machines;
        let at = |machines: &[MachineId]| machines.iter().position(|it| *it == machine);
        match (at(workers), at(clients)) {
            (Some(place), _) => Some(Who::Worker(WorkerName(self.workers.get(place)?.clone()))),
            (_, Some(place)) => Some(Who::Client(ClientName(self.clients.get(place)?.clone()))),
            _ if machine == *store => Some(Who::Store),
            _ => Some(Who::Middlebox),
        }
    }

    /// Whether this is a machine of workers.
    pub fn has_workers(&self, machine: MachineId) -> bool {
        self.embedded || self.machines.workers.contains(&machine)
    }

    /// Whether this is a machine of clients.
    pub fn has_clients(&self, machine: MachineId) -> bool {
        self.embedded || self.machines.clients.contains(&machine)
    }

    /// The end of a link from `who` to `other`: whoever talks to the store talks to what stands before it.
    pub fn end_of_link(&self, who: &Who, other: &Who) -> MachineId {
        match (who, other) {
            (Who::Store, Who::Middlebox) => self.machines.store,
            (Who::Store, _) => self.machines.door(),
            _ => self.machine(who),
        }
    }

    /// What a machine's process is called in the file.
    pub fn name(&self, machine: MachineId) -> String {
        let among = |machines: &[MachineId], names: &[Name]| {
            machines.iter().position(|it| *it == machine).and_then(|place| names.get(place)).map(ToString::to_string)
        };
        let worker = || among(&self.machines.workers, &self.workers);
        let client = || among(&self.machines.clients, &self.clients);
        if machine == self.machines.store {
            return "store".into();
        }
        worker().or_else(client).unwrap_or_else(|| "somebody".into())
    }

    /// Whether the worker of this place runs from the beginning.
    pub fn runs(&self, place: usize) -> bool {
        place < self.running
    }

    /// The place of a client: of nobody in particular it is the last one.
    pub fn client_of(&self, job: &Job) -> usize {
        let client = job.options.iter().find_map(|option| match option {
            JobOption::Client { client: ClientName(name) } => Some(place(&self.clients, name)),
            _ => None,
        });
        client.unwrap_or(self.clients.len())
    }

    /// The number of a job, which stands in its payload.
    pub fn number(&self, job: &Name) -> u64 {
        let place = self.jobs.iter().position(|it| it.name == *job).expect("a job is declared");
        number(&self.jobs[place], place, self.improvised)
    }

    /// What a `job` line asks for.
    fn intent(&self, job: &Job, place: usize, improvised: bool) -> Intent {
        let number = number(job, place, improvised);
        let (mut repeats, mut scope, mut decodes) = (0, Scope::Forever, true);
        let (mut after, mut unmet) = (Vec::new(), job::Unmet::Cancel);
        let mut script = Script {
            number,
            acts: vec![Act::Complete],
            work_ms: 1_000,
            steps: 0,
            reports: 0,
            lines: 0,
            signals: 0,
            others: 0,
        };
        let mut enqueue = Enqueue {
            kind: KINDS[0].into(),
            queue: "default".into(),
            priority: 0,
            max_attempts: None,
            max_age_ms: None,
            payload: String::new(),
            when: When::Now,
            key: None,
            after: None,
            concurrency_key: None,
            trace_parent: None,
        };
        for option in &job.options {
            match option {
                JobOption::Kind { kind } if improvised => enqueue.kind = kind.to_string(),
                // The handlers of all kinds do what the script says.
                JobOption::Kind { .. } | JobOption::Client { .. } => {}
                JobOption::RunAt { wall_ms } => enqueue.when = When::At(Wall(wall_ms.cast_signed())),
                JobOption::Payload { payload: Payload::Garbage } => decodes = false,
                JobOption::Asked { times: Times::Twice {} } => repeats = 1,
                JobOption::Asked { times: Times::Often {} } => repeats = OFTEN,
                JobOption::KeyFor { scope: KeyFor::Pending {} } => scope = Scope::WhilePending,
                JobOption::KeyFor { scope: KeyFor::Period { period } } => scope = Scope::PeriodMs(ms(*period)),
                JobOption::Key { key } => enqueue.key = Some(key.to_string().into()),
                JobOption::Queue { queue } => enqueue.queue = queue.to_string(),
                JobOption::Priority { priority } => {
                    enqueue.priority = i16::try_from(priority.get()).expect("it was read within its limits");
                }
                JobOption::ConcurrencyKey { key } => enqueue.concurrency_key = Some(key.to_string()),
                JobOption::Trace { trace } => enqueue.trace_parent = traced(count(trace)),
                JobOption::MaxAttempts { attempts } => enqueue.max_attempts = Some(count(attempts) as u32),
                JobOption::MaxAge { age } => enqueue.max_age_ms = Some(ms(*age)),
                JobOption::Delay { delay } => enqueue.when = When::After(ms(*delay)),
                JobOption::Work { work } => script.work_ms = ms(*work),
                JobOption::Steps { steps } => script.steps = count(steps) as u32,
                JobOption::Reports { reports } => script.reports = count(reports) as u32,
                JobOption::Lines { lines } => script.lines = count(lines) as u32,
                JobOption::Signals { signals } => script.signals = count(signals) as u32,
                JobOption::Others { others } => script.others = count(others) as u32,
                JobOption::After { jobs } => after = jobs.iter().map(|job| self.number(&job.0)).collect(),
                JobOption::Unmet { unmet: it } => {
                    unmet = match it {
                        Unmet::Cancel {} => job::Unmet::Cancel,
                        Unmet::Discard {} => job::Unmet::Discard,
                        Unmet::Run {} => job::Unmet::Run,
                    }
                }
                JobOption::Attempts { ends } => script.acts = ends.iter().map(act).collect(),
            }
        }
        enqueue.payload = script.payload(decodes);
        if let Some(key) = &mut enqueue.key {
            key.scope = scope;
        }
        Intent { number, enqueue, repeats, after: (!after.is_empty()).then_some((after, unmet)) }
    }

    /// The job of this number.
    pub fn job(&self, wanted: u64) -> Option<Name> {
        let mut jobs = self.jobs.iter().enumerate();
        jobs.find(|(place, job)| number(job, *place, self.improvised) == wanted).map(|(_, job)| job.name.clone())
    }

    /// The number of the job that an effect is of.
    pub fn number_of_effect(&self, effect: &Name) -> u64 {
        let has_key =
            |job: &Job| job.options.iter().any(|option| matches!(option, JobOption::Key { key } if key == effect));
        let place = self.jobs.iter().position(has_key).expect("an effect is a job's key");
        number(&self.jobs[place], place, self.improvised)
    }

    /// Jumps of the store's wall clock: checkers must know of them. The stage plays them.
    fn jumps(&self, scenario: &Scenario) -> Vec<Fault> {
        let store = self.machines.store;
        let steps = scenario.blocks.iter().flat_map(|block| &block.steps);
        let jumps = steps.filter(|step| matches!(step, Step::Do(Action::JumpClock { process: Who::Store, .. })));
        let fault =
            |_| Fault { machine: store, trigger: Trigger::At(Duration::ZERO), action: FaultAction::WallJump(1) };
        jumps.map(fault).collect()
    }

    /// The plan that programs and checkers know.
    pub fn plan(&self, scenario: &Scenario) -> Plan {
        let mut plan = self.calm_plan();
        let (mut lease, mut concurrency, mut here) = (LEASE, vec![CONCURRENCY], None);
        let limits = &mut plan.options.limits;
        let improvised = self.improvised;
        for item in &scenario.world.items {
            match item {
                WorldItem::Lease { lease: chosen } => lease = *chosen,
                WorldItem::Concurrency { jobs } => concurrency = jobs.iter().map(|jobs| count(jobs) as usize).collect(),
                WorldItem::Checkpoint { frames } => plan.options.checkpoint_frames = count(frames),
                WorldItem::Ageing { step } => plan.options.ageing = Some(*step),
                WorldItem::Checksums {} => plan.options.page_checksums = true,
                WorldItem::Keep { state, kept } => *state.kept(&mut plan.options.retention) = Some(*kept),
                WorldItem::Page { bytes } => plan.options.page_bytes = count(bytes) as u32,
                WorldItem::Sync { takes } => plan.sync_latency = *takes,
                WorldItem::Downtime { lasting } => plan.downtime = *lasting,
                WorldItem::Backoff { first, longest } => {
                    limits.backoff = Backoff::Exponential { first: *first, longest: *longest }
                }
                WorldItem::CrashBackoff { first, longest } => {
                    limits.crash_backoff = Backoff::Exponential { first: *first, longest: *longest };
                }
                WorldItem::CrashesMax { crashes } => limits.crashes_max = count(crashes) as u32,
                WorldItem::Improvised { end } => plan.faults_end = *end,
                WorldItem::Producers { count: producers, pause, burst } => {
                    plan.producers = count(producers) as u32;
                    (plan.enqueue_pause, plan.burst) = (*pause, count(burst) as usize);
                }
                WorldItem::Claimers { count: claimers, lease } => {
                    (plan.raw_claimers, plan.raw_lease) = (count(claimers) as u32, *lease);
                }
                WorldItem::StoreWorker { jobs } => here = Some(count(jobs) as usize),
                WorldItem::Drifts { ppm } => {
                    for (drift, ppm) in plan.drift_ppm.iter_mut().zip(ppm) {
                        *drift = ppm.get() as i32;
                    }
                }
                WorldItem::Patience { patience } => plan.patience = *patience,
                WorldItem::Repeats {} => plan.features.repeats = true,
                WorldItem::Cancels {} => plan.features.cancels = true,
                WorldItem::Judges {} => plan.features.judges = true,
                WorldItem::Batches {} => plan.features.batches = true,
                WorldItem::Copies {} => plan.features.copies = true,
                WorldItem::Compactions {} => plan.features.compactions = true,
                WorldItem::Awaits {} => plan.features.awaits = true,
                WorldItem::Waits {} => plan.features.waits = true,
                WorldItem::Mischief {} => plan.features.mischief = true,
                WorldItem::Pauses {} => plan.features.pauses = true,
                WorldItem::Retries {} => plan.features.retries = true,
                WorldItem::AtOnce { jobs, queue } => {
                    limits_of(&mut plan.limits, queue).at_once = Some(count(jobs) as u32)
                }
                WorldItem::AtOncePerKey { jobs, queue } => {
                    limits_of(&mut plan.limits, queue).at_once_per_key = Some(count(jobs) as u32);
                }
                WorldItem::Rate { jobs, period, burst, queue } => {
                    let (jobs, burst) = (count(jobs) as u32, count(burst) as u32);
                    limits_of(&mut plan.limits, queue).rate = Some(Rate { jobs, per_ms: ms(*period), burst });
                }
                WorldItem::Timeout { longest, kind } => {
                    policy_of(&mut plan.policies, kind, improvised).timeout_ms = Some(ms(*longest));
                }
                WorldItem::MaxAge { age, kind } => {
                    policy_of(&mut plan.policies, kind, improvised).max_age_ms = Some(ms(*age));
                }
                WorldItem::MaxAttempts { attempts, kind } => {
                    policy_of(&mut plan.policies, kind, improvised).max_attempts = Some(count(attempts) as u32);
                }
                WorldItem::KindCrashes { crashes, kind } => {
                    policy_of(&mut plan.policies, kind, improvised).crashes_max = Some(count(crashes) as u32);
                }
                WorldItem::FixedBackoff { rest, kind } => {
                    let backoff = Backoff::Fixed { rest: *rest };
                    policy_of(&mut plan.policies, kind, improvised).backoff = Some(backoff);
                }
                WorldItem::KindBackoff { first, longest, kind } => {
                    let backoff = Backoff::Exponential { first: *first, longest: *longest };
                    policy_of(&mut plan.policies, kind, improvised).backoff = Some(backoff);
                }
                WorldItem::Schedule { name, rhythm, interval, catch_up, late, kind } => {
                    plan.schedules.push(SchedulePlan {
                        name: name.to_string(),
                        interval: *interval,
                        by_cron: *rhythm == RhythmWord::Cron,
                        catch_up: catch_up.value(),
                        late: *late,
                        kind: kind.to_string(),
                    });
                }
                WorldItem::Deploy { kind, changes } => {
                    let mut changes = changes.clone();
                    changes.sort_unstable();
                    plan.deploy = Some(Deploy { kind: kind.to_string(), changes });
                }
                WorldItem::Restarts {} => plan.features.restarts = true,
                WorldItem::Rivals {} => plan.features.rivals = true,
                WorldItem::Store {}
                | WorldItem::Program {}
                | WorldItem::Middlebox {}
                | WorldItem::Workers { .. }
                | WorldItem::Spares { .. }
                | WorldItem::Clients { .. } => {}
            }
        }
        let worker = |concurrency: usize| WorkerPlan { concurrency, lease };
        let each = |place: usize| concurrency.get(place).or(concurrency.first()).copied().unwrap_or(CONCURRENCY);
        plan.workers = (0..self.workers.len()).map(|place| worker(each(place))).collect();
        plan.workers_here = here.into_iter().map(worker).collect();
        let improvised = scenario.world.improvised().is_some();
        plan.intents = self.jobs.iter().enumerate().map(|(place, job)| self.intent(job, place, improvised)).collect();
        plan.features.transfers = plan.intents.iter().any(Intent::transfers);
        plan.features.steps = plan.intents.iter().any(Intent::steps);
        plan.features.reports = plan.intents.iter().any(Intent::reports);
        plan.features.lines = plan.intents.iter().any(Intent::speaks);
        plan.features.traces = plan.intents.iter().any(|intent| intent.enqueue.trace_parent.is_some());
        if improvised {
            plan.queues = QUEUES.map(str::to_owned).to_vec();
            plan.faults = schedule_of(scenario, self).unwrap_or_default();
        } else {
            plan.queues = plan.intents.iter().map(|intent| intent.enqueue.queue.clone()).collect();
            plan.queues.sort();
            plan.queues.dedup();
            plan.faults = self.jumps(scenario);
        }
        plan
    }

    /// What is so if a file says nothing.
    fn calm_plan(&self) -> Plan {
        let machines = self.machines.clone();
        Plan {
            drift_ppm: vec![0; machines.all().len()],
            setting: if self.embedded { Setting::Embedded(machines.store) } else { Setting::Cluster(machines) },
            features: Features::default(),
            limits: Vec::new(),
            policies: Vec::new(),
            schedules: Vec::new(),
            deploy: None,
            options: Options { reserve_bytes: 256 << 10, retention: Retention::FOREVER, ..Options::default() },
            intents: Vec::new(),
            queues: Vec::new(),
            workers: Vec::new(),
            workers_here: Vec::new(),
            patience: PATIENCE,
            raw_claimers: 0,
            raw_lease: LEASE,
            producers: 1,
            enqueue_pause: Duration::from_secs(1),
            burst: 1,
            sync_latency: Duration::ZERO,
            profile: Profile::Legal,
            faults: Vec::new(),
            faults_end: Duration::ZERO,
            downtime: DOWNTIME,
        }
    }
}

/// The schedule of an improvised world all of whose blocks come at a time: then nobody need watch for their moments.
/// None if one of them comes at something else, or does what is no fault.
pub fn schedule_of(scenario: &Scenario, cast: &Cast) -> Option<Vec<Fault>> {
    let mut faults = Vec::new();
    for block in &scenario.blocks {
        let Anchor::At { time } = block.anchor else { return None };
        for step in &block.steps {
            let Step::Do(action) = step else { return None };
            let fault = fault_of(action, cast, time)?;
            // What begins to wait later than at the beginning needs somebody who tells it to.
            let begins_later = time > Duration::ZERO && !matches!(fault.trigger, Trigger::At(_));
            faults.push(Some(fault).filter(|_| !begins_later)?);
        }
    }
    Some(faults)
}

/// The number of a job: its place, or in an improvised world what follows the letter of a name like `j17`, which is
/// what the jobs of seeds are called. What is drawn for a job is drawn by its number, whichever others there are.
fn number(job: &Job, place: usize, improvised: bool) -> u64 {
    let digits = job.name.as_str().strip_prefix('j').filter(|digits| improvised && !digits.starts_with('0'));
    digits.and_then(|digits| digits.parse().ok()).unwrap_or(1 + place as u64)
}

fn place(names: &[Name], name: &Name) -> usize {
    names.iter().position(|it| it == name).expect("a name is declared")
}

fn count<const MIN: i64, const MAX: i64>(number: &Number<MIN, MAX>) -> u64 {
    number.get().cast_unsigned()
}

fn act(end: &AttemptScript) -> Act {
    match end {
        AttemptScript::Complete {} => Act::Complete,
        AttemptScript::FailAfter { after } => Act::FailAfter(ms(*after)),
        AttemptScript::Fail {} => Act::Fail,
        AttemptScript::Discard {} => Act::Discard,
        AttemptScript::Panic {} => Act::Panic,
        AttemptScript::ServiceDown { probe } => Act::ServiceDown(ms(*probe)),
        AttemptScript::LookAgain { after } => Act::LookAgain(ms(*after)),
        AttemptScript::Snooze { lasting } => Act::Snooze(ms(*lasting)),
        AttemptScript::Transfer {} => Act::Transfer,
        AttemptScript::TakeBack {} => Act::TakeBack,
        AttemptScript::Crash {} => Act::Kill,
        AttemptScript::Hang {} => Act::Hang,
    }
}

fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// The policy of a kind, among those of a plan. In a world that is not improvised one handler does what all jobs say.
fn policy_of<'a>(policies: &'a mut Vec<KindPolicy>, kind: &Name, improvised: bool) -> &'a mut Policy {
    let kind = if improvised { kind.as_str() } else { KINDS[0] };
    let place = policies.iter().position(|policy| policy.kind == kind).unwrap_or_else(|| {
        policies.push(KindPolicy { kind: kind.to_owned(), policy: Policy::default() });
        policies.len() - 1
    });
    &mut policies[place].policy
}

/// The limits of a queue, among those of a plan.
fn limits_of<'a>(limits: &'a mut Vec<QueueLimits>, queue: &Name) -> &'a mut QueueLimits {
    let place = limits.iter().position(|limits| limits.queue == queue.as_str()).unwrap_or_else(|| {
        let queue = queue.to_string();
        limits.push(QueueLimits { queue, at_once: None, at_once_per_key: None, rate: None });
        limits.len() - 1
    });
    &mut limits[place]
}
