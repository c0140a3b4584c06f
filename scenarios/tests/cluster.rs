//! The queue's own server, client and worker as processes of three machines, on the simulated
//! network: nothing in them knows that it is one.

use outlive::client::ConnectOptions;
use outlive::host::{Clock, Host};
use outlive::job::State;
use outlive::server::{ServeOptions, Server};
use outlive::store::turso::TursoStorage;
use outlive::{Context, Done, Failure, Job, JobId, Options as QueueOptions, Outlive};
use outlive_scenarios::host::SimHost;
use outlive_sim::{
    Action, Fault, FaultKind, MachineId, Nemesis, Options, Process, Seed, Survivors, Trigger, World, run, sleep_true,
    true_time,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

const JOBS: i64 = 20;
const URL: &str = "http://store:7400";
const TOKEN: &str = "a-token-of-some-length";

#[derive(Serialize, Deserialize)]
struct Square {
    number: i64,
}

impl Job for Square {
    const KIND: &'static str = "square";
    type Output = i64;
}

async fn square(context: Context, job: Square) -> Result<Done<i64>, Failure> {
    context.sleep(Duration::from_millis(200)).await;
    Ok(Done::complete(job.number * job.number))
}

async fn store(process: Process) {
    let host = SimHost::new(&process, Duration::from_millis(1));
    let storage = TursoStorage::new(host.clone(), "/queue.db");
    let outlive = Outlive::open_on(host, storage, QueueOptions::default()).await.expect("the file opens");
    let options = ServeOptions { token: Some(TOKEN.into()), ..ServeOptions::default() };
    let _server = Server::start(&outlive, "store:7400", options).await.expect("the port is free");
    std::future::pending::<()>().await;
}

fn connect(process: &Process) -> Outlive<SimHost> {
    let host = SimHost::new(process, Duration::ZERO);
    let options = ConnectOptions { token: Some(TOKEN.into()), ..ConnectOptions::default() };
    Outlive::connect_on(host, URL, options).expect("the address is one")
}

async fn worker(process: Process) {
    let worker = connect(&process).worker().lease(Duration::from_secs(5)).concurrency(4).handle(square);
    let _worker = worker.start().expect("the settings are within their limits");
    std::future::pending::<()>().await;
}

/// Enqueues all jobs, each until it is acknowledged, and waits for all results.
async fn client(process: Process, results: Arc<Mutex<Vec<i64>>>) {
    let outlive = connect(&process);
    let clock = SimHost::new(&process, Duration::ZERO);
    let pause = || clock.clock().sleep(Duration::from_millis(500));
    let mut jobs: Vec<JobId> = Vec::new();
    for number in 1..=JOBS {
        let enqueued = loop {
            match outlive.enqueue(Square { number }).key(format!("square {number}")).await {
                Ok(enqueued) => break enqueued,
                Err(_) => pause().await,
            }
        };
        jobs.push(enqueued.job);
    }
    for job in jobs {
        let view = loop {
            match outlive.look(job).await {
                Ok(view) if view.state == State::Completed => break view,
                _ => pause().await,
            }
        };
        results.lock().unwrap().push(view.result.expect("it completed").parse().expect("a number"));
    }
}

/// Boots a program again whenever it has died.
async fn keep<F: Future<Output = ()> + Send + 'static>(
    world: World,
    machine: MachineId,
    name: &'static str,
    main: impl Fn(Process) -> F + Clone + Send + 'static,
) {
    loop {
        let main = main.clone();
        let process = world.boot(machine, name, main);
        world.exited(process).await;
        sleep_true(Duration::from_millis(300)).await;
    }
}

/// The results that the client got, the hash, and which kinds of fault took no effect.
fn simulate(seed: u64, schedule: fn([MachineId; 3]) -> Vec<Fault>) -> (Vec<i64>, u64, Vec<FaultKind>) {
    let outcome = run(Seed(seed), Options::default(), async move |world| {
        let machines = [world.add_machine("store"), world.add_machine("worker"), world.add_machine("client")];
        let nemesis = Nemesis::start(&world, schedule(machines));
        world.spawn(keep(world.clone(), machines[0], "store", store)).detach();
        world.spawn(keep(world.clone(), machines[1], "worker", worker)).detach();
        let results = Arc::new(Mutex::new(Vec::new()));
        let inside = results.clone();
        let client = world.boot(machines[2], "client", move |process| client(process, inside));
        while world.exit(client).is_none() && true_time() < Duration::from_secs(300) {
            sleep_true(Duration::from_millis(100)).await;
        }
        nemesis.stop();
        let results = results.lock().unwrap().clone();
        let idle = nemesis.counts().into_iter().filter(|(_, count)| count.effective == 0).map(|(kind, _)| kind);
        (results, idle.collect::<Vec<_>>())
    });
    assert!(outcome.panics.is_empty(), "{:?}", outcome.panics);
    let (results, idle) = outcome.result.unwrap();
    (results, outcome.hash, idle)
}

fn all() -> Vec<i64> {
    (1..=JOBS).map(|number| number * number).collect()
}

fn at(machine: MachineId, ms: u64, action: Action) -> Fault {
    Fault { machine, trigger: Trigger::At(Duration::from_millis(ms)), action }
}

#[test]
fn a_calm_cluster_runs_every_job_and_every_run_of_a_seed_is_the_same() {
    let first = simulate(1, |_| Vec::new());
    assert_eq!(first.0, all());
    assert_ne!(first.1, simulate(2, |_| Vec::new()).1);
    assert_eq!(first, simulate(1, |_| Vec::new()));
}

#[test]
fn a_cluster_survives_deaths_and_a_cut_network() {
    let schedule = |[store, worker, client]: [MachineId; 3]| {
        let lasting = Duration::from_secs(7);
        vec![
            at(store, 300, Action::Crash),
            at(worker, 900, Action::Partition { other: store, lasting }),
            at(client, 1_200, Action::ConnectionResets { other: store }),
            at(store, 9_000, Action::PowerLoss(Survivors::None)),
            at(worker, 9_800, Action::Crash),
            at(store, 1_500, Action::OneWayPartition { to: client, lasting }),
        ]
    };
    let mut idle_in_all: Option<BTreeSet<FaultKind>> = None;
    for seed in 1..=8 {
        let (results, hash, idle) = simulate(seed, schedule);
        assert_eq!(results, all(), "seed {seed}");
        assert_eq!(simulate(seed, schedule).1, hash, "seed {seed}");
        let idle = BTreeSet::from_iter(idle);
        idle_in_all = Some(idle_in_all.map_or(idle.clone(), |all| all.intersection(&idle).copied().collect()));
    }
    assert_eq!(idle_in_all, Some(BTreeSet::new()), "these took no effect in any seed");
}
