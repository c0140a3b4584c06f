//! A disk that is full takes an opening, which needs no room, and breaks with the first change that does.

use outlive::job::Holder;
use outlive::protocol::{Call, Claim, Enqueue, Request, Service, When};
use outlive::store::turso::TursoStorage;
use outlive::{Local, Options as QueueOptions};
use outlive_scenarios::host::SimHost;
use outlive_sim::{Options, Process, Seed, Speed, run, sleep_true};
use std::time::Duration;

async fn call(local: &Local, number: u8, request: Request) {
    let id = outlive::job::RequestId([number; 16]);
    local.call(Call { id, request }).await.expect("the disk has room");
}

/// Twenty jobs that are leased for a moment: then their ends are to be written.
async fn program(process: Process) {
    let host = SimHost::new(&process, Duration::ZERO);
    let storage = TursoStorage::new(host.clone(), "/queue.db");
    let options = QueueOptions { reserve_bytes: 0, ..QueueOptions::default() };
    let local = Local::open(host, storage, options).await.expect("the file opens");
    for number in 0..20 {
        let enqueue = Enqueue {
            kind: "kind".into(),
            queue: "default".into(),
            priority: 0,
            max_attempts: 3,
            payload: format!("\"{}\"", "x".repeat(1_000)),
            when: When::Now,
            key: None,
        };
        call(&local, number, Request::Enqueue(enqueue)).await;
    }
    let claim = Claim {
        worker: "w".into(),
        holder: Holder::Here,
        queues: vec!["default".into()],
        kinds: vec!["kind".into()],
        most: 20,
        lease_ms: 1_000,
        wait_ms: 0,
    };
    call(&local, 100, Request::Claim(claim)).await;
    std::future::pending::<()>().await;
}

#[test]
fn a_full_disk_is_not_opened_again_and_again_without_a_pause() {
    let outcome = run(Seed(1), Options::default(), async |world| {
        let machine = world.add_machine("one");
        // An operation takes its time, so that time passes even for one who does not wait.
        let speed = Duration::from_micros(10);
        world.disk(machine).set_speed(Speed::Slow { least: speed, most: speed * 2 });
        world.boot(machine, "program", program);
        sleep_true(Duration::from_millis(500)).await;
        let disk = world.disk(machine);
        disk.set_capacity(Some(disk.used_bytes()));
        let before = disk.operations();
        sleep_true(Duration::from_secs(30)).await;
        (disk.refused_full(), disk.operations() - before)
    });
    let (refused, operations) = outcome.result.unwrap();
    assert!(refused >= 3, "the disk was full only {refused} times");
    // A reopening takes some dozens of them, and pauses grow to five seconds.
    assert!(operations < 2_000, "{operations} operations in 30 s on a disk that takes none");
}
