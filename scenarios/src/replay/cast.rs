//! Who plays whom: machines for the names of a file, numbers for its jobs, and the plan that they follow.

use crate::scn::{
    Action, AttemptScript, CLIENTS_MAX, ClientName, Job, JobOption, Name, Number, Payload, Process as Who, Scenario,
    Step, WORKERS_MAX, WorkerName, WorldItem,
};
use crate::workload::{Act, Features, GARBAGE, Intent, KINDS, Machines, Plan, Script, Setting, WorkerPlan};
use outlive::Options;
use outlive::job::Backoff;
use outlive::protocol::{Enqueue, When};
use outlive_sim::{Action as FaultAction, Fault, MachineId, Trigger, World};
use std::time::Duration;

/// Who plays whom.
pub struct Cast {
    pub machines: Machines,
    workers: Vec<Name>,
    /// How many of them run from the beginning.
    running: usize,
    clients: Vec<Name>,
    pub jobs: Vec<Job>,
}

const LEASE: Duration = Duration::from_secs(30);
const DOWNTIME: Duration = Duration::from_secs(1);
const PATIENCE: Duration = Duration::from_secs(10);
/// Machines of workers and clients: as many as a story can have.
const WORKERS: [&str; WORKERS_MAX] =
    ["worker-1", "worker-2", "worker-3", "worker-4", "worker-5", "worker-6", "worker-7", "worker-8"];
const CLIENTS: [&str; CLIENTS_MAX + 1] =
    ["client-1", "client-2", "client-3", "client-4", "client-5", "client-6", "client-7", "client-8"];

impl Cast {
    /// The cast of a file, whose machines are added to `world`.
    pub fn of(scenario: &Scenario, world: &World) -> Self {
        let workers = [scenario.world.workers(), scenario.world.spares()].concat();
        let running = scenario.world.workers().len();
        let clients = scenario.world.clients().to_vec();
        let add = |names: &[&'static str], count: usize| -> Vec<MachineId> {
            names[..count].iter().map(|name| world.add_machine(name)).collect()
        };
        // Somebody enqueues the jobs of nobody in particular.
        let machines = Machines {
            store: world.add_machine("store"),
            workers: add(&WORKERS, workers.len()),
            clients: add(&CLIENTS, clients.len() + 1),
            middlebox: scenario.meddles_with_messages().then(|| world.add_machine("middlebox")),
        };
        Self { machines, workers, running, clients, jobs: scenario.jobs.clone() }
    }

    /// The machine of a process.
    pub fn machine(&self, who: &Who) -> MachineId {
        match who {
            Who::Store => self.machines.store,
            Who::Worker(WorkerName(name)) => self.machines.workers[place(&self.workers, name)],
            Who::Client(ClientName(name)) => self.machines.clients[place(&self.clients, name)],
        }
    }

    /// The other end of a link from here to a process: whoever talks to the store talks to what stands
    /// before it.
    pub fn end_of_link(&self, who: &Who) -> MachineId {
        if matches!(who, Who::Store) { self.machines.door() } else { self.machine(who) }
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
        1 + self.jobs.iter().position(|it| it.name == *job).expect("a job is declared") as u64
    }

    /// The number of the job that an effect is of.
    pub fn number_of_effect(&self, effect: &Name) -> u64 {
        let has_key =
            |job: &Job| job.options.iter().any(|option| matches!(option, JobOption::Key { key } if key == effect));
        1 + self.jobs.iter().position(has_key).expect("an effect is a job's key") as u64
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
        let (mut lease, mut concurrency, mut downtime, mut sync_latency) = (LEASE, 4, DOWNTIME, Duration::ZERO);
        let mut options = Options { reserve_bytes: 256 << 10, ..Options::default() };
        for item in &scenario.world.items {
            match item {
                WorldItem::Lease { lease: chosen } => lease = *chosen,
                WorldItem::Concurrency { jobs } => concurrency = count(jobs) as usize,
                WorldItem::Checkpoint { frames } => options.checkpoint_frames = count(frames),
                WorldItem::Page { bytes } => options.page_bytes = count(bytes) as u32,
                WorldItem::Sync { takes } => sync_latency = *takes,
                WorldItem::Downtime { lasting } => downtime = *lasting,
                WorldItem::Backoff { first, longest } => {
                    options.limits.backoff = Backoff { first: *first, longest: *longest };
                }
                WorldItem::CrashBackoff { first, longest } => {
                    options.limits.crash_backoff = Backoff { first: *first, longest: *longest };
                }
                WorldItem::CrashesMax { crashes } => options.limits.crashes_max = count(crashes) as u32,
                WorldItem::Store {}
                | WorldItem::Workers { .. }
                | WorldItem::Spares { .. }
                | WorldItem::Clients { .. } => {}
            }
        }
        let intents: Vec<Intent> = self.jobs.iter().zip(1..).map(|(job, number)| intent(job, number)).collect();
        let mut queues: Vec<String> = intents.iter().map(|intent| intent.enqueue.queue.clone()).collect();
        queues.sort();
        queues.dedup();
        Plan {
            setting: Setting::Cluster(self.machines.clone()),
            features: Features::default(),
            options,
            intents,
            queues,
            workers: self.workers.iter().map(|_| WorkerPlan { concurrency, lease }).collect(),
            workers_here: Vec::new(),
            patience: PATIENCE,
            raw_claimers: 0,
            raw_lease: lease,
            producers: 0,
            enqueue_pause: Duration::ZERO,
            burst: 1,
            sync_latency,
            faults: self.jumps(scenario),
            faults_end: Duration::ZERO,
            downtime,
        }
    }
}

fn place(names: &[Name], name: &Name) -> usize {
    names.iter().position(|it| it == name).expect("a name is declared")
}

fn count<const MIN: i64, const MAX: i64>(number: &Number<MIN, MAX>) -> u64 {
    number.get().cast_unsigned()
}

fn intent(job: &Job, number: u64) -> Intent {
    let mut decodes = true;
    let mut script = Script { number, acts: vec![Act::Complete], work_ms: 1_000 };
    let mut enqueue = Enqueue {
        kind: KINDS[0].into(),
        queue: "default".into(),
        priority: 0,
        max_attempts: 25,
        payload: String::new(),
        when: When::Now,
        key: None,
    };
    for option in &job.options {
        match option {
            // The handlers of all kinds do what the script says.
            JobOption::Kind { .. } | JobOption::Client { .. } => {}
            JobOption::Key { key } => enqueue.key = Some(key.to_string()),
            JobOption::Queue { queue } => enqueue.queue = queue.to_string(),
            JobOption::Priority { priority } => {
                enqueue.priority = i16::try_from(priority.get()).expect("it was read within its limits");
            }
            JobOption::MaxAttempts { attempts } => enqueue.max_attempts = count(attempts) as u32,
            JobOption::Delay { delay } => enqueue.when = When::After(ms(*delay)),
            JobOption::Work { work } => script.work_ms = ms(*work),
            JobOption::Attempts { ends } => script.acts = ends.iter().map(act).collect(),
            JobOption::Payload { payload: Payload::Garbage } => decodes = false,
        }
    }
    enqueue.payload = if decodes {
        serde_json::to_string(&script).expect("a script is JSON")
    } else {
        serde_json::json!({ GARBAGE: number }).to_string()
    };
    Intent { number, enqueue, repeated_by_key: false }
}

fn act(end: &AttemptScript) -> Act {
    match end {
        AttemptScript::Complete {} => Act::Complete,
        AttemptScript::FailAfter { after } => Act::FailAfter(ms(*after)),
        AttemptScript::Fail {} => Act::Fail,
        AttemptScript::Discard {} => Act::Discard,
        AttemptScript::Panic {} => Act::Panic,
        AttemptScript::Snooze { lasting } => Act::Snooze(ms(*lasting)),
        AttemptScript::Crash {} => Act::Kill,
        AttemptScript::Hang {} => Act::Hang,
    }
}

fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
