//! What is run: the workload once, and the program anew on what a crash has left.

use super::past::{DOWNTIME, Life, Marks, Past};
use crate::event::{Event, Recorder};
use crate::host::SimHost;
use crate::image::Rows;
use crate::seams;
use crate::workload::{Outside, PATH, Plan, Program};
use outlive::job::RequestId;
use outlive::protocol::Service;
use outlive::{JobId, Local};
use outlive_sim::sweep::{CrashImage, Sweep};
use outlive_sim::{Failure, Nemesis, Options, Process, ProcessId, Seed, View, World, run, sleep_true, true_time};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How far a run goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// The file is open, every job was asked why it waits, and everybody who did not hear an answer has
    /// asked again.
    Asked,
    /// And workers have brought everything to its end.
    Settled,
}

/// The seed of the run that is swept; recoveries have the next ones.
const SEED: u64 = 1;
/// Simulated time for everything to end.
const SETTLE: Duration = Duration::from_secs(400);
const LOOK: Duration = Duration::from_millis(1);
const LOOK_AT_ROWS: Duration = Duration::from_millis(500);

/// The calm run that is swept.
///
/// # Errors
/// It did not come to its end.
pub fn play(plan: &Arc<Plan>) -> Result<Life, String> {
    let life = live(plan, Past::default(), None, SEED, Until::Settled)?;
    match &life.rows {
        Ok(rows) if rows.is_settled() => Ok(life),
        Ok(_) => Err(format!("not every job was at its end after {SETTLE:?}")),
        Err(why) => Err(format!("its file does not read: {why}")),
    }
}

/// Recovers what a crash has left after `before`; `depth` is how many crashes there were.
///
/// # Errors
/// It did not come to its end: a panic, or no end of simulated time.
pub fn recover(plan: &Arc<Plan>, before: Past, image: &CrashImage, depth: u64, until: Until) -> Result<Life, String> {
    live(plan, before, Some(image), SEED + depth, until)
}

fn live(plan: &Arc<Plan>, before: Past, image: Option<&CrashImage>, seed: u64, until: Until) -> Result<Life, String> {
    let options = Options { time_limit: SETTLE * 3, ..Options::default() };
    let (past, plan) = (before.clone(), plan.clone());
    let outcome = run(Seed(seed), options, async move |world| act(world, plan, past, image, until).await);
    let panic =
        outcome.panics.first().map(|it| format!("task {} panicked at {}: {}", it.task, it.location, it.message));
    match (outcome.result, panic) {
        (Err(Failure::TimeLimit), _) => Err("no end of simulated time".into()),
        (Err(Failure::Panicked { message, location }), _) => Err(format!("panicked at {location}: {message}")),
        (Ok(_), Some(panic)) => Err(panic),
        (Ok(life), None) => Ok(Life { before, ..life }),
    }
}

async fn act(world: World, plan: Arc<Plan>, past: Past, image: Option<&CrashImage>, until: Until) -> Life {
    let machine = world.add_machine("host");
    let disk = world.disk(machine);
    match image {
        Some(image) => {
            image.install(&disk);
            let wall = past.until + DOWNTIME;
            world.clock(machine).jump_wall(i64::try_from(wall.as_millis()).expect("a run is short"));
        }
        None => disk.begin_record(),
    }
    let marks = Marks::new(disk.clone());
    let recorder = Recorder::new(Nemesis::start(&world, Vec::new())).with_onlooker(marks.clone());
    let program = Program {
        world: world.clone(),
        outside: remembered(&plan, &past),
        plan: plan.clone(),
        recorder: recorder.clone(),
    };
    let asked = Arc::new(AtomicBool::new(false));
    let main = {
        let (program, asked) = (program.clone(), asked.clone());
        move |process| recovered_program(program, process, past, asked, until)
    };
    let process = world.boot(machine, "program", main);
    let rows = || Rows::read(&disk.image(View::Cache), PATH);
    while !asked.load(Ordering::Relaxed) && world.exit(process).is_none() && true_time() < SETTLE {
        sleep_true(LOOK).await;
    }
    if until == Until::Settled && world.exit(process).is_none() {
        while true_time() < SETTLE {
            sleep_true(LOOK_AT_ROWS).await;
            if program.outside.is_content() && rows().map_or(true, |rows| rows.is_settled()) {
                break;
            }
        }
    }
    let (entries, marks) = (recorder.history().entries(), marks.take());
    assert_eq!(entries.len(), marks.len(), "each event has its mark");
    let sweep = Sweep::of(&disk);
    let classes = Life::classes(&entries, &marks, sweep.points());
    let sweep = sweep.with_classes(classes);
    Life { before: Past::default(), sweep, entries, marks, times: world.times(), ended: true_time(), rows: rows() }
}

/// What clients still want after `past`: under the same names as ever.
fn remembered(plan: &Plan, past: &Past) -> Outside {
    let outside = Outside::new(&plan.intents, Seed(SEED).fork("outside"));
    outside.calm_down();
    if past.times.is_empty() {
        return outside;
    }
    let enqueued = past.enqueued();
    let wishes: Vec<_> = std::iter::from_fn(|| outside.next_wish(ProcessId::WORLD)).collect();
    for wish in wishes {
        match enqueued.get(&wish.id) {
            Some(job) => outside.granted(wish.id, &[*job]),
            None => outside.wish_again(wish.id),
        }
    }
    outside
}

async fn recovered_program(program: Program, process: Process, past: Past, asked: Arc<AtomicBool>, until: Until) {
    let host = seams::host(SimHost::new(&process, program.plan.sync_latency));
    let storage = program.recorder.storage(seams::storage(&host, PATH), &program.world, &process);
    program.recorder.record(&process, Event::Opening);
    let local = match Local::open(host.clone(), storage, seams::options(&program.plan.options)).await {
        Ok(local) => local,
        Err(error) => return program.recorder.record(&process, Event::OpenFailed(error.to_string())),
    };
    let service: Arc<dyn Service> = program.recorder.service(&process, seams::service(&host, Arc::new(local)));
    program.recorder.record(&process, Event::Opened);
    if !past.times.is_empty() {
        // Every job of the file, whether or not anybody was told of it.
        let rows = Rows::read(&program.world.disk(process.machine()).image(View::Cache), PATH);
        for job in rows.iter().flat_map(|rows| rows.jobs.keys()) {
            program.outside.granted(RequestId([0; 16]), &[JobId(*job)]);
        }
        program.take_census(&process, &host, &*service).await;
        for call in past.unknown() {
            drop(service.call((*call).clone()).await);
        }
    }
    asked.store(true, Ordering::Relaxed);
    let mut workers = Vec::new();
    if until == Until::Settled {
        program.start_producers(&process, &host, &service, program.plan.producers);
        for plan in &program.plan.workers {
            workers.push(program.start_worker(&process, &host, &service, plan, None));
        }
    }
    std::future::pending::<()>().await;
}
