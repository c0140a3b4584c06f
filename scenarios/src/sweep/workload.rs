//! What is swept: small workloads of one program that embeds the queue, built in or from a scenario file.

use crate::replay;
use crate::workload::{Act, Features, Intent, KINDS, Plan, Profile, Script, Setting, WorkerPlan};
use outlive::Options;
use outlive::job::{Backoff, Limits};
use outlive::protocol::{Enqueue, When};
use outlive_sim::MachineId;
use std::path::Path;
use std::time::Duration;

/// A workload, and how deep it is swept unless told otherwise.
pub struct Swept {
    pub name: String,
    pub plan: Plan,
    pub depth: u8,
    /// Whether crashes during recovery are all visited, whatever that takes.
    pub complete: bool,
}

/// The built-in workloads.
pub const NAMES: [&str; 3] = ["five", "fifty", "checkpoints"];

/// The workload of a built-in name or of a scenario file.
///
/// # Errors
/// There is no such name, and no such file; or the file has a job that never lets a calm run end.
pub fn of(name: &str) -> anyhow::Result<Swept> {
    let (plan, depth, complete) = match name {
        "five" => (five(), 2, true),
        "fifty" => (fifty(), 1, false),
        "checkpoints" => (checkpoints(), 1, false),
        file => (from_file(Path::new(file))?, 1, false),
    };
    Ok(Swept { name: name.to_owned(), plan, depth, complete })
}

fn five() -> Plan {
    plan((1..=5).map(|number| intent(number, vec![Act::Complete])).collect(), Options::default())
}

/// Each enqueue, claim, start and end is a commit of its own.
fn fifty() -> Plan {
    let options = Options { page_bytes: 1_024, checkpoint_frames: 100, ..Options::default() };
    plan((1..=50).map(|number| intent(number, vec![Act::Complete])).collect(), options)
}

/// Small pages that split often, a log that is emptied often, and ends of all kinds.
fn checkpoints() -> Plan {
    let acts = |number: u64| match number % 4 {
        0 => vec![Act::Fail, Act::Complete],
        1 => vec![Act::Snooze(300), Act::Complete],
        2 => vec![Act::Discard],
        _ => vec![Act::Complete],
    };
    let limits = Limits {
        backoff: Backoff::Exponential { first: Duration::from_millis(200), longest: Duration::from_secs(1) },
        ..Options::default().limits
    };
    let options = Options { page_bytes: 512, checkpoint_frames: 16, limits, ..Options::default() };
    let intents = (1..=8).map(|number| {
        let mut intent = intent(number, acts(number));
        if number % 3 == 0 {
            intent.enqueue.key = Some(format!("key-{number}").into());
            intent.repeats = 1;
        }
        intent
    });
    plan(intents.collect(), options)
}

fn intent(number: u64, acts: Vec<Act>) -> Intent {
    let script = Script { number, acts, work_ms: 5, steps: 0, reports: 0, lines: 0, signals: 0, others: 0 };
    let enqueue = Enqueue {
        kind: KINDS[(number % 2) as usize].into(),
        queue: "default".into(),
        priority: 0,
        max_attempts: Some(5),
        max_age_ms: None,
        payload: serde_json::to_string(&script).expect("a script is JSON"),
        when: When::Now,
        key: None,
        after: None,
        concurrency_key: None,
        trace_parent: None,
    };
    Intent { number, enqueue, repeats: 0, after: None }
}

fn plan(intents: Vec<Intent>, options: Options) -> Plan {
    Plan {
        setting: Setting::Embedded(MachineId(0)),
        drift_ppm: vec![0],
        features: Features::default(),
        limits: Vec::new(),
        policies: Vec::new(),
        schedules: Vec::new(),
        deploy: None,
        options: Options { reserve_bytes: 256 << 10, ..options },
        intents,
        queues: vec!["default".into()],
        workers: vec![WorkerPlan { concurrency: 1, lease: Duration::from_secs(30) }],
        workers_here: Vec::new(),
        patience: Duration::ZERO,
        raw_claimers: 0,
        raw_lease: Duration::from_secs(30),
        producers: 1,
        enqueue_pause: Duration::from_millis(20),
        burst: 1,
        sync_latency: Duration::from_millis(1),
        profile: Profile::Legal,
        faults: Vec::new(),
        faults_end: Duration::ZERO,
        downtime: Duration::from_millis(100),
    }
}

/// The jobs, workers and options of a file, in one program and without its faults: a sweep brings its own.
fn from_file(file: &Path) -> anyhow::Result<Plan> {
    anyhow::ensure!(
        file.exists(),
        "{} is neither a built-in workload ({}) nor a file",
        file.display(),
        NAMES.join(", ")
    );
    let read = replay::plan_of(&replay::read(file)?);
    for intent in &read.intents {
        let script: Script = serde_json::from_str(&intent.enqueue.payload)?;
        let endless = script.acts.iter().find(|act| matches!(act, Act::Kill | Act::Hang));
        if let Some(act) = endless {
            let number = intent.number;
            anyhow::bail!(
                "{}: job {number} has an attempt that ends with {act:?}: a calm run has no such end",
                file.display()
            );
        }
    }
    let workers = read.workers.clone();
    let plan = plan(read.intents, read.options);
    Ok(Plan { queues: read.queues, workers, sync_latency: read.sync_latency.max(Duration::from_millis(1)), ..plan })
}
