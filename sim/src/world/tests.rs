//! Boots, crashes, pauses, and what is left of a process after them.

use std::time::Duration;

use super::*;
use crate::{OpenMode, Options, Speed, run, sleep_true};

/// Runs a driver on a world with one machine; its value.
fn on_one_machine<T: Send, F: Future<Output = T>>(driver: impl FnOnce(World, MachineId) -> F + Send) -> T {
    let outcome = run(Seed(1), Options::default(), async |world| {
        let machine = world.add_machine("one");
        driver(world, machine).await
    });
    outcome.result.unwrap()
}

fn millis(count: u64) -> Duration {
    Duration::from_millis(count)
}

/// Ticks once a millisecond into a counter until it dies.
async fn tick(process: Process, ticks: Arc<AtomicU64>) {
    loop {
        process.clock().sleep(millis(1)).await;
        ticks.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn a_process_whose_main_returns_has_finished_with_all_its_tasks() {
    on_one_machine(async |world, machine| {
        let ticks = Arc::new(AtomicU64::new(0));
        let inside = ticks.clone();
        let process = world.boot(machine, "main", async move |process| {
            process.spawn("ticks", tick(process.clone(), inside)).detach();
            process.clock().sleep(millis(10)).await;
        });
        assert_eq!(world.exited(process).await, Exit::Finished);
        let before = ticks.load(Ordering::Relaxed);
        sleep_true(millis(100)).await;
        assert!((5..=10).contains(&before) && ticks.load(Ordering::Relaxed) == before);
    });
}

#[test]
fn a_crash_is_at_once_and_happens_once() {
    on_one_machine(async |world, machine| {
        let process = world.boot(machine, "main", async |_| std::future::pending().await);
        sleep_true(millis(1)).await;
        let handle = world.process(process);
        assert!(handle.is_alive() && world.crash(process));
        assert!(!handle.is_alive() && !world.crash(process));
        assert_eq!(world.exited(process).await, Exit::Crashed);
        assert_eq!(world.living(machine), []);
    });
}

#[test]
fn a_process_can_crash_itself_and_runs_on_to_its_next_await_only() {
    on_one_machine(async |world, machine| {
        let reached = Arc::new(AtomicU64::new(0));
        let (inside, own) = (reached.clone(), world.clone());
        let process = world.boot(machine, "main", async move |process| {
            own.crash(process.id());
            inside.store(1, Ordering::Relaxed);
            assert!(process.disk().open("/a", OpenMode::Any).is_err());
            process.clock().sleep(millis(1)).await;
            inside.store(2, Ordering::Relaxed);
        });
        assert_eq!(world.exited(process).await, Exit::Crashed);
        sleep_true(millis(10)).await;
        assert_eq!(reached.load(Ordering::Relaxed), 1);
    });
}

#[test]
fn each_incarnation_has_its_own_randomness_and_a_number() {
    on_one_machine(async |world, machine| {
        let drawn = Arc::new(Mutex::new(Vec::new()));
        for _ in 0..2 {
            let drawn = drawn.clone();
            let process = world.boot(machine, "main", async move |process| {
                let mut bytes = [[0; 8]; 2];
                process.fill_random(&mut bytes[0]);
                process.fill_random(&mut bytes[1]);
                drawn.lock().unwrap().push((process.incarnation(), bytes[0]));
                drawn.lock().unwrap().push((process.incarnation(), bytes[1]));
            });
            world.exited(process).await;
        }
        let drawn = drawn.lock().unwrap().clone();
        assert_eq!(drawn.iter().map(|(incarnation, _)| *incarnation).collect::<Vec<_>>(), [0, 0, 1, 1]);
        let distinct: std::collections::BTreeSet<_> = drawn.iter().map(|(_, bytes)| *bytes).collect();
        assert_eq!(distinct.len(), 4);
    });
}

#[test]
fn a_paused_process_stands_still_and_goes_on() {
    on_one_machine(async |world, machine| {
        let ticks = Arc::new(AtomicU64::new(0));
        let inside = ticks.clone();
        let process = world.boot(machine, "main", async move |process| tick(process, inside).await);
        sleep_true(millis(10)).await;
        assert!(world.pause(process) && !world.pause(process) && world.process(process).is_paused());
        let before = ticks.load(Ordering::Relaxed);
        sleep_true(millis(50)).await;
        assert_eq!(ticks.load(Ordering::Relaxed), before);
        assert!(world.resume(process) && !world.resume(process));
        sleep_true(millis(10)).await;
        assert!(ticks.load(Ordering::Relaxed) > before);
    });
}

#[test]
fn a_paused_process_keeps_its_lock_until_it_is_crashed() {
    on_one_machine(async |world, machine| {
        let process = world.boot(machine, "owner", async |process| {
            let file = process.disk().open("/lock", OpenMode::Any).unwrap();
            assert!(file.try_lock().unwrap());
            std::future::pending().await
        });
        sleep_true(millis(5)).await;
        world.pause(process);
        let door = world.disk(machine).onlooker();
        let file = door.open("/lock", OpenMode::Any).unwrap();
        assert!(!file.try_lock().unwrap());
        assert!(world.crash(process));
        assert!(file.try_lock().unwrap());
    });
}

#[test]
fn destructors_that_sleep_spawn_or_boot_survive_the_crash_of_a_paused_process() {
    struct Restless(Process, World);
    impl Drop for Restless {
        fn drop(&mut self) {
            self.0.spawn("late", self.0.clock().sleep(millis(1))).detach();
            self.1.boot(self.0.machine(), "heir", async |_| ());
        }
    }
    on_one_machine(async |world, machine| {
        let own = world.clone();
        let process = world.boot(machine, "main", async move |process| {
            let restless = Restless(process.clone(), own);
            loop {
                restless.0.clock().sleep(millis(1)).await;
            }
        });
        sleep_true(millis(5)).await;
        world.pause(process);
        sleep_true(millis(5)).await;
        world.crash(process);
        sleep_true(millis(5)).await;
        assert_eq!((world.panics(), world.boots()["heir"]), (vec![], 1));
    });
}

#[test]
fn a_panic_of_a_task_is_recorded_and_the_process_lives_on() {
    on_one_machine(async |world, machine| {
        let process = world.boot(machine, "main", async |process| {
            let task = process.spawn("fragile", async { panic!("broke {}", 1 + 1) });
            let answer: Option<()> = task.await;
            assert_eq!(answer, None);
            let _ = std::panic::catch_unwind(|| panic!("caught by the program itself"));
            process.clock().sleep(millis(1)).await;
        });
        assert_eq!(world.exited(process).await, Exit::Finished);
        let panics = world.panics();
        assert_eq!(panics.len(), 1);
        assert_eq!(
            (panics[0].process, panics[0].task.as_str(), panics[0].message.as_str()),
            (process, "fragile", "broke 2")
        );
        assert!(panics[0].location.contains("world/tests.rs"), "{}", panics[0].location);
    });
}

#[test]
fn a_panic_of_the_main_future_ends_the_process() {
    on_one_machine(async |world, machine| {
        let process = world.boot(machine, "main", async |_| panic!("at once"));
        assert_eq!(world.exited(process).await, Exit::Panicked);
        assert_eq!(world.panics().len(), 1);
    });
}

#[test]
fn panics_after_death_are_nobodys_concern() {
    struct Explodes;
    impl Drop for Explodes {
        fn drop(&mut self) {
            panic!("in a destructor");
        }
    }
    on_one_machine(async |world, machine| {
        let process = world.boot(machine, "main", async |_| {
            let _explodes = Explodes;
            std::future::pending().await
        });
        sleep_true(millis(1)).await;
        world.crash(process);
        sleep_true(millis(1)).await;
        assert_eq!(world.panics(), []);
    });
}

#[test]
fn a_dropped_task_is_cancelled_and_a_detached_one_runs_on() {
    on_one_machine(async |world, machine| {
        let (dropped, detached) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let inside = (dropped.clone(), detached.clone());
        world.boot(machine, "main", async move |process| {
            let task = process.spawn("dropped", tick(process.clone(), inside.0));
            process.spawn("detached", tick(process.clone(), inside.1)).detach();
            process.clock().sleep(millis(10)).await;
            drop(task);
            std::future::pending().await
        });
        sleep_true(millis(100)).await;
        assert!(dropped.load(Ordering::Relaxed) <= 10 && detached.load(Ordering::Relaxed) > 50);
    });
}

#[test]
fn power_loss_kills_every_process_and_restarts_boot_time() {
    on_one_machine(async |world, machine| {
        let other = world.add_machine("other");
        let dying = [0, 1].map(|_| world.boot(machine, "main", async |_| std::future::pending().await));
        let bystander = world.boot(other, "main", async |_| std::future::pending().await);
        sleep_true(millis(50)).await;
        world.power_loss(machine, Survivors::None);
        assert!(dying.iter().all(|process| !world.process(*process).is_alive()));
        assert!(world.process(bystander).is_alive());
        assert_eq!(world.clock(machine).boot(), Duration::ZERO);
        assert!(world.clock(other).boot() >= millis(50));
    });
}

#[test]
fn a_slow_disk_lets_a_dead_process_wait_for_ever_and_traces_nothing_of_it() {
    on_one_machine(async |world, machine| {
        let (least, most) = (millis(2), millis(3));
        world.disk(machine).set_speed(Speed::Slow { least, most });
        let steps = Arc::new(AtomicU64::new(0));
        let (inside, own) = (steps.clone(), world.clone());
        let process = world.boot(machine, "main", async move |process| {
            process.disk().pace().await;
            inside.fetch_add(1, Ordering::Relaxed);
            let file = process.disk().open("/a", OpenMode::New).unwrap();
            own.crash(process.id());
            let before = own.trace().hash();
            let _ = file.write_at(0, b"late");
            process.event("late", &[], &[]);
            assert_eq!(own.trace().hash(), before);
            inside.fetch_add(1, Ordering::Relaxed);
            process.disk().pace().await;
            inside.fetch_add(1, Ordering::Relaxed);
        });
        world.exited(process).await;
        sleep_true(millis(50)).await;
        assert_eq!((steps.load(Ordering::Relaxed), world.disk(machine).slowed()), (2, 1));
    });
}
