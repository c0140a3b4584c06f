//! A crash sweep of a small program: crashed at every change of its disk, with every choice of what
//! survives. It is also the example of how a system of yours is swept.
//!
//! The program replaces nothing in place: it writes a new version under a temporary name, syncs it,
//! renames it to its own name and syncs the directory; only then it says that the version is
//! published. With the syncs in the wrong order the sweep must catch it.

#![cfg(madsim)]

use std::io;

use outlive_sim::sweep::{Fate, Sweep};
use outlive_sim::{OpenMode, Options, Process, Seed, run};

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

/// Publishes all versions; the record of the disk, and how far that was when each was published.
fn publish_all(order: Order) -> (Sweep, Vec<usize>) {
    let outcome = run(Seed(1), Options::default(), async move |world| {
        let machine = world.add_machine("one");
        let disk = world.disk(machine);
        disk.begin_record();
        let (sender, published) = std::sync::mpsc::channel();
        let seen = disk.clone();
        let process = world.boot(machine, "publisher", async move |process| {
            for version in 1..=VERSIONS {
                publish(&process, version, order).unwrap();
                sender.send(seen.recorded()).unwrap();
            }
        });
        world.exited(process).await;
        (Sweep::of(&disk), published.try_iter().collect::<Vec<_>>())
    });
    outcome.result.unwrap()
}

/// Sweeps everything; all violations, and how many images there were.
fn sweep(order: Order) -> (Vec<String>, usize) {
    let (sweep, published) = publish_all(order);
    let published_by = |point: usize| published.iter().filter(|mark| **mark <= point).count();
    // What was published by then is part of what an image means.
    let classes = (0..sweep.points()).map(|point| published_by(point) as u64).collect();
    let sweep = sweep.with_classes(classes);
    let (mut violations, mut images) = (Vec::new(), 0);
    for crash in sweep.images() {
        images += 1;
        let disk = crash.image.to_disk();
        let mut violation = |what: String| {
            let before = sweep.entries().get(crash.point).map(|entry| &entry.change);
            violations.push(format!("{what} after a crash before {before:?} with {:?}", crash.fate));
        };
        for version in 1..=published_by(crash.point) {
            if disk.read_all(&format!("/version-{version}")).is_err() {
                violation(format!("version {version} was published and is gone"));
            }
        }
        for path in disk.paths().iter().filter(|path| path.starts_with("/version-")) {
            let bytes = disk.read_all(path).unwrap();
            if bytes.len() != VERSION_BYTES || bytes.iter().any(|byte| *byte != bytes[0]) {
                violation(format!("{path} is torn"));
            }
        }
    }
    (violations, images)
}

#[test]
fn sync_before_rename_survives_a_crash_at_every_change() {
    let (violations, images) = sweep(Order::SyncBeforeRename);
    assert_eq!(violations, Vec::<String>::new());
    // Fewer would mean that a choice is left out, more that equal ones are met twice.
    assert_eq!(images, 40);
}

#[test]
fn every_change_has_its_point_and_both_kinds_of_crash() {
    let (sweep, published) = publish_all(Order::SyncBeforeRename);
    // Each version is made, written, synced and renamed, and its directory is synced; then the process ends.
    assert_eq!((sweep.points(), published), (5 * 3 + 2, vec![5, 10, 15]));
    for point in 0..sweep.points() {
        let fates: Vec<Fate> = sweep.at(point).into_iter().map(|crash| crash.fate).collect();
        assert!(fates.contains(&Fate::ProcessCrash), "point {point}");
        assert!(fates.iter().any(|fate| matches!(fate, Fate::PowerLoss { .. })), "point {point}");
    }
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
