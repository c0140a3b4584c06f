//! Runs of one seed are the same, and a run that fails says how.

use super::*;
use crate::{Fork, OpenMode, Speed, Survivors, first_difference, sleep_true};

/// A writer with a slow disk that is crashed now and then; everything in it draws from forks.
async fn workload(world: World) -> u64 {
    let machine = world.add_machine("one");
    let least = Duration::from_micros(20);
    world.disk(machine).set_speed(Speed::Slow { least, most: Duration::from_millis(2) });
    let choices: Fork = world.fork("crashes");
    for round in 0..5 {
        let process = world.boot(machine, "writer", async |process| {
            let file = process.disk().open("/log", OpenMode::Any).unwrap();
            let mut ordinal = 0u64;
            loop {
                process.disk().pace().await;
                let at = file.length().unwrap_or(0);
                if file.write_at(at, &ordinal.to_le_bytes()).is_err() {
                    break;
                }
                let random = std::collections::HashMap::from([(ordinal, ()), (ordinal + 1, ())]);
                process.event("first", &[*random.keys().next().unwrap()], &[]);
                ordinal += 1;
                if ordinal.is_multiple_of(3) {
                    let _ = file.sync();
                }
            }
        });
        sleep_true(choices.key(round).duration(Duration::from_millis(1)..=Duration::from_millis(30))).await;
        if choices.key(round).fork("power").chance(0.5) {
            world.power_loss(machine, Survivors::SubsetTorn);
        } else {
            world.crash(process);
        }
    }
    world.disk(machine).operations()
}

fn recorded() -> Options {
    Options { recording: Recording::Memory, ..Options::default() }
}

#[test]
fn the_same_seed_runs_the_same_in_any_order() {
    let hashes = |seeds: &[u64]| -> BTreeMap<u64, u64> {
        seeds.iter().map(|seed| (*seed, run(Seed(*seed), Options::default(), workload).hash)).collect()
    };
    let once = hashes(&[1, 2, 3, 4]);
    assert_eq!(once, hashes(&[4, 2, 1, 3]));
    let mut distinct: Vec<u64> = once.into_values().collect();
    distinct.dedup();
    assert_eq!(distinct.len(), 4);
}

#[test]
fn two_recordings_of_a_seed_have_no_difference_and_record_the_same_hash() {
    let (one, two) = (run(Seed(8), recorded(), workload), run(Seed(8), recorded(), workload));
    assert_eq!(first_difference(&one.trace, &two.trace), None);
    assert_eq!(one.hash, run(Seed(8), Options::default(), workload).hash);
    assert!(one.trace.len() > 50 && one.events["disk.write"] > 20, "{:?}", one.events);
    let other = run(Seed(9), recorded(), workload);
    assert!(first_difference(&one.trace, &other.trace).is_some());
}

#[test]
fn a_panic_of_the_driver_is_the_outcome() {
    let outcome = run(Seed(1), Options::default(), async |_| {
        sleep_true(Duration::from_millis(1)).await;
        panic!("no luck");
    });
    let Err(Failure::Panicked { message, location }) = outcome.result else { panic!("it panicked") };
    assert_eq!(message, "no luck");
    assert!(location.contains("run/tests.rs"), "{location}");
}

#[test]
fn a_panic_of_a_task_of_the_world_ends_the_run() {
    let outcome = run(Seed(1), Options::default(), async |world| {
        world.spawn(async { panic!("a bug of the driver's") }).detach();
        std::future::pending::<()>().await;
    });
    assert!(matches!(outcome.result, Err(Failure::Panicked { message, .. }) if message == "a bug of the driver's"));
}

#[test]
fn a_driver_that_never_ends_meets_the_time_limit() {
    let options = Options { time_limit: Duration::from_secs(5), ..Options::default() };
    let outcome = run(Seed(1), options, async |_| std::future::pending::<()>().await);
    assert_eq!(outcome.result, Err(Failure::TimeLimit));
    assert_eq!(outcome.simulated.as_secs(), 5);
}

#[test]
fn nothing_of_a_run_stays_in_memory() {
    let kept = std::sync::Arc::new(());
    let inside = kept.clone();
    run(Seed(1), Options::default(), async |world| {
        let machine = world.add_machine("one");
        world.boot(machine, "sleeper", {
            let inside = inside.clone();
            async move |process| {
                let own = (inside, process.clone());
                process
                    .spawn("forever", async move {
                        own.1.clock().sleep(Duration::from_secs(1_000)).await;
                    })
                    .detach();
                std::future::pending::<()>().await;
            }
        });
        world
            .spawn(async move {
                let _inside = inside;
                sleep_true(Duration::from_secs(1_000)).await;
            })
            .detach();
        sleep_true(Duration::from_secs(1)).await;
    })
    .result
    .unwrap();
    assert_eq!(std::sync::Arc::strong_count(&kept), 1);
}
