//! A crash sweep of a small program: the same run crashed at every single disk operation, under
//! every survivor policy. It is also the example of how a system of yours is swept.
//!
//! The program replaces nothing in place: it writes a new version under a temporary name, syncs it,
//! renames it to its own name and syncs the directory; only then it says that the version is
//! published. With the syncs in the wrong order the sweep must catch it.

#![cfg(madsim)]

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use outlive_sim::{
    Action, Fault, FaultKind, History, MachineId, Nemesis, OpenMode, Options, Outcome, Process, ProcessId, Seed,
    Survivors, Trigger, run,
};

const VERSIONS: u64 = 3;
const VERSION_BYTES: usize = 1500;

/// Whether the program does it right, or in one of the two classic wrong ways.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Order {
    SyncBeforeRename,
    RenameWithoutSync,
    NoDirectorySync,
}

fn publish(process: &Process, version: u64, order: Order) -> io::Result<()> {
    let disk = process.disk();
    let _ = disk.remove("/new");
    let file = disk.open("/new", OpenMode::New)?;
    file.write_at(0, &[version as u8; VERSION_BYTES])?;
    if order != Order::RenameWithoutSync {
        file.sync()?;
    }
    disk.rename_new("/new", format!("/version-{version}"))?;
    if order != Order::NoDirectorySync {
        disk.sync_directory("/")?;
    }
    Ok(())
}

/// Publishes all versions, with a crash and a power loss before one operation of the first process;
/// what was published but is not on the disk, and how many operations there were.
fn sweep_one(order: Order, at_operation: Option<u64>, survivors: Survivors) -> Outcome<(Vec<String>, u64, u64)> {
    run(Seed(1), Options::default(), async move |world| {
        let machine = world.add_machine("one");
        let schedule = at_operation.map(|ordinal| Fault {
            machine: MachineId(0),
            trigger: Trigger::AtOperation { process: ProcessId(1), ordinal },
            action: Action::PowerLoss(survivors),
        });
        let nemesis = Nemesis::start(&world, schedule.into_iter().collect());
        let published = History::new();
        let operations = Arc::new(AtomicU64::new(0));
        let (inside, counted) = (published.clone(), operations.clone());
        let process = world.boot(machine, "publisher", async move |process| {
            for version in 1..=VERSIONS {
                if publish(&process, version, order).is_ok() {
                    inside.record(&process, version);
                }
            }
            counted.store(process.disk().operations(), Ordering::Relaxed);
        });
        world.exited(process).await;
        // What a power loss at this very moment would leave is what counts as published.
        let disk = world.disk(machine);
        world.power_loss(machine, survivors);
        let mut violations = Vec::new();
        for version in published.entries().into_iter().map(|entry| entry.event) {
            if disk.read_all(&format!("/version-{version}")).is_err() {
                violations.push(format!("version {version} was published and is gone"));
            }
        }
        for path in disk.paths().iter().filter(|path| path.starts_with("/version-")) {
            let bytes = disk.read_all(path).unwrap();
            if bytes.len() != VERSION_BYTES || bytes.iter().any(|byte| *byte != bytes[0]) {
                violations.push(format!("{path} is torn"));
            }
        }
        let fired = nemesis.counts().get(&FaultKind::PowerLoss).map_or(0, |count| count.fired);
        (violations, operations.load(Ordering::Relaxed), fired)
    })
}

/// Sweeps every operation; all violations, and how many runs there were.
fn sweep(order: Order) -> (Vec<String>, u64) {
    let (calm, operations, _) = sweep_one(order, None, Survivors::All).result.unwrap();
    assert!(order != Order::SyncBeforeRename || calm.is_empty());
    let (mut violations, mut runs) = (Vec::new(), 0);
    for survivors in Survivors::ALL {
        for ordinal in 1..=operations + 1 {
            let (found, _, fired) = sweep_one(order, Some(ordinal), survivors).result.unwrap();
            assert_eq!(fired, u64::from(ordinal <= operations), "operation {ordinal} was reached");
            violations.extend(found.into_iter().map(|text| format!("{survivors:?} at {ordinal}: {text}")));
            runs += 1;
        }
    }
    (violations, runs)
}

#[test]
fn sync_before_rename_survives_a_crash_at_every_operation() {
    let (violations, runs) = sweep(Order::SyncBeforeRename);
    assert_eq!(violations, Vec::<String>::new());
    assert!(runs > 80, "only {runs} runs");
}

#[test]
fn a_rename_without_a_sync_is_caught_as_a_torn_version() {
    let (violations, _) = sweep(Order::RenameWithoutSync);
    assert!(violations.iter().any(|text| text.contains("is torn")), "{violations:?}");
}

#[test]
fn a_missing_sync_of_the_directory_is_caught_as_a_version_that_is_gone() {
    let (violations, _) = sweep(Order::NoDirectorySync);
    assert!(violations.iter().any(|text| text.contains("is gone")), "{violations:?}");
}
