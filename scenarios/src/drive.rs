//! One run: faults first, then calm, then the evidence.

use crate::event::{Event, Recorder};
use crate::image::Rows;
use crate::workload::{Outside, PATH, Plan, Program};
use outlive_sim::{Entry, FaultKind, Loss, MachineId, Nemesis, ProcessId, Times, View, World, sleep_true, true_time};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// What checkers judge.
pub struct Evidence {
    /// What was planned.
    pub plan: Arc<Plan>,
    /// What clients saw, in order.
    pub entries: Vec<Entry<Event>>,
    /// When each process lived.
    pub times: Vec<Times>,
    /// The rows of the file at the end.
    pub rows: Result<Rows, String>,
    /// What came of the faults.
    pub faults: BTreeMap<FaultKind, outlive_sim::Count>,
    /// What power losses took.
    pub loss: Loss,
    /// When the run ended.
    pub ended: Duration,
    /// When faults ended.
    pub calm_since: Duration,
    /// Disk operations of all processes.
    pub disk_operations: u64,
}

/// Simulated time for everything to become terminal once faults have ended: the longest leases and
/// backoffs of a run, several times over.
const SETTLE: Duration = Duration::from_secs(400);
const LOOK: Duration = Duration::from_millis(100);

/// Drives one run.
pub async fn drive(world: World) -> Evidence {
    let machine = world.add_machine("host");
    let plan = Arc::new(Plan::draw(&world, machine));
    let nemesis = Nemesis::start(&world, plan.faults.clone());
    let recorder = Recorder::new(nemesis.clone());
    let outside = Outside::new(&plan.intents, world.fork("outside"));
    let program =
        Program { world: world.clone(), plan: plan.clone(), outside: outside.clone(), recorder: recorder.clone() };
    let stopped = Arc::new(AtomicBool::new(false));
    let supervisor = world.spawn(supervise(program.clone(), machine, stopped.clone()));
    if plan.features.rivals {
        world.spawn(send_rivals(program, machine, stopped.clone())).detach();
    }
    // Faults: until they have had their time and clients have what they wanted.
    while true_time() < plan.faults_end || (!outside.is_content() && true_time() < plan.faults_end * 2) {
        sleep_true(LOOK).await;
    }
    nemesis.stop();
    outside.calm_down();
    let calm_since = true_time();
    while !(outside.is_content() && outside.pending().is_empty()) && true_time() < calm_since + SETTLE {
        sleep_true(LOOK).await;
    }
    let ended = true_time();
    stopped.store(true, Ordering::Relaxed);
    for process in world.living(machine) {
        world.crash(process);
    }
    supervisor.await;
    let disk = world.disk(machine);
    Evidence {
        rows: Rows::read(&disk.image(View::Cache), PATH),
        entries: recorder.history().entries(),
        times: world.times(),
        faults: nemesis.counts(),
        loss: nemesis.loss(),
        disk_operations: disk.operations(),
        plan,
        ended,
        calm_since,
    }
}

/// Boots the program again whenever it has died.
async fn supervise(program: Program, machine: MachineId, stopped: Arc<AtomicBool>) {
    let mut rng = program.world.fork("supervisor").rng();
    while !stopped.load(Ordering::Relaxed) {
        let main = program.clone();
        let process: ProcessId = program.world.boot(machine, "program", |process| main.run(process));
        program.world.exited(process).await;
        program.outside.process_died();
        let longest = u64::try_from(program.plan.downtime.as_millis()).expect("downtime is short");
        sleep_true(Duration::from_millis(rng.between(1..=longest))).await;
    }
}

/// Boots a second process now and then.
async fn send_rivals(program: Program, machine: MachineId, stopped: Arc<AtomicBool>) {
    let mut rng = program.world.fork("rivals").rng();
    loop {
        sleep_true(Duration::from_millis(rng.between(1_000..=10_000))).await;
        if stopped.load(Ordering::Relaxed) || program.outside.is_calm() {
            return;
        }
        let rival = program.clone();
        let process = program.world.boot(machine, "rival", |process| rival.run_as_rival(process));
        program.world.exited(process).await;
    }
}
