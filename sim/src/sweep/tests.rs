//! Counts for known pending sets, and images that are what a disk would have left.

use std::collections::BTreeSet;

use super::*;
use crate::disk::{OpenMode, Survivors, View};
use crate::seed::Seed;

fn recorded() -> SimDisk {
    let disk = SimDisk::new(Seed(1).fork("disk"));
    disk.begin_record();
    disk
}

/// A durable file of `pages` pages.
fn with_file(pages: usize) -> SimDisk {
    let disk = SimDisk::from_files([("/a".to_owned(), vec![9; pages * 4096])].into());
    disk.begin_record();
    disk
}

fn files(image: &CrashImage) -> Vec<(String, Vec<u8>)> {
    let disk = image.to_disk();
    disk.paths().into_iter().map(|path| (path.clone(), disk.read_all(&path).unwrap())).collect()
}

fn counts(disk: &SimDisk, point: usize) -> (usize, usize) {
    let sweep = Sweep::of(disk);
    let crashes = sweep.at(point);
    (crashes.len(), crashes.iter().map(|crash| crash.hash).collect::<BTreeSet<_>>().len())
}

#[test]
fn a_disk_at_rest_has_one_image() {
    let disk = with_file(1);
    assert_eq!(counts(&disk, 0), (2, 1), "a power loss and a process crash, which leave the same");
}

#[test]
fn small_writes_survive_in_every_subset() {
    let disk = with_file(4);
    let file = disk.onlooker().open("/a", OpenMode::Existing).unwrap();
    for page in 0..3 {
        file.write_at(page * 4096 + 100, b"new").unwrap();
    }
    // Eight subsets and a process crash; none of the writes can be torn.
    assert_eq!(counts(&disk, 3), (9, 9));
    assert_eq!(counts(&disk, 2), (5, 5));
    file.sync().unwrap();
    // The sync may also fail.
    assert_eq!(counts(&disk, 3), (10, 10));
    assert_eq!(counts(&disk, 4), (2, 1));
    let sweep = Sweep::of(&disk);
    let mut images = sweep.images();
    let met = images.by_ref().count();
    // Subsets are met once: 1, 1 more, 2 more, 4 more; 3 process crashes, 1 failed sync. At the
    // end the same as everything surviving before.
    assert_eq!((met, images.enumerated()), (8 + 3 + 1, 2 + 3 + 5 + 10 + 2));
}

#[test]
fn equal_images_of_another_class_are_met_again() {
    let disk = with_file(1);
    let file = disk.onlooker().open("/a", OpenMode::Existing).unwrap();
    file.write_at(0, b"new").unwrap();
    file.sync().unwrap();
    let sweep = Sweep::of(&disk);
    assert_eq!(sweep.images().count(), 4);
    assert_eq!(sweep.with_classes(vec![0, 0, 1]).images().count(), 5);
}

#[test]
fn a_header_and_the_last_write_are_torn_at_sectors() {
    let disk = with_file(4);
    let file = disk.onlooker().open("/a", OpenMode::Existing).unwrap();
    file.write_at(0, &[1; 1024]).unwrap();
    file.write_at(8192, &[2; 1024]).unwrap();
    file.write_at(12288, &[3; 1024]).unwrap();
    // Eight subsets and a process crash; two of the writes are torn in two ways, each among all
    // others and alone.
    assert_eq!(counts(&disk, 3), (9 + 2 * 2 * 2, 17));
    let torn: BTreeSet<usize> = Sweep::of(&disk)
        .at(3)
        .into_iter()
        .filter_map(|crash| match crash.fate {
            Fate::PowerLoss { torn: Some((place, _)), .. } => Some(place),
            _ => None,
        })
        .collect();
    assert_eq!(torn, BTreeSet::from([0, 2]));
}

#[test]
fn names_are_undone_as_prefixes() {
    let disk = recorded();
    let door = disk.onlooker();
    door.open("/a", OpenMode::New).unwrap();
    door.rename_new("/a", "/b").unwrap();
    door.open("/c", OpenMode::New).unwrap();
    let names: BTreeSet<Vec<String>> =
        Sweep::of(&disk).at(3).iter().map(|crash| crash.image.to_disk().image(View::Durable).paths()).collect();
    let expected: [&[&str]; 4] = [&[], &["/a"], &["/b"], &["/b", "/c"]];
    assert_eq!(names, expected.map(|names| names.iter().map(|name| (*name).to_owned()).collect()).into());
    assert_eq!(counts(&disk, 3), (5, 5), "and a process crash");
}

#[test]
fn a_file_without_a_name_survives_no_power_loss_and_counts_in_no_choice() {
    let disk = recorded();
    let door = disk.onlooker();
    let file = door.open("/a", OpenMode::New).unwrap();
    file.write_at(0, b"one").unwrap();
    file.write_at(5000, b"two").unwrap();
    // Without the name one image; with it four; and a process crash.
    assert_eq!(counts(&disk, 3), (6, 6));
}

/// Whatever the disk itself leaves is among the images, and reads the same.
#[test]
fn every_power_loss_of_the_disk_is_among_the_images() {
    for survivors in Survivors::ALL {
        for seed in 0..20 {
            let disk = SimDisk::new(Seed(seed).fork("disk"));
            disk.begin_record();
            let door = disk.onlooker();
            let file = door.open("/a", OpenMode::New).unwrap();
            file.write_at(0, &[1; 3000]).unwrap();
            file.sync().unwrap();
            door.sync_directory("/").unwrap();
            file.write_at(100, &[2; 300]).unwrap();
            file.truncate(2000).unwrap();
            file.write_at(5000, &[3; 100]).unwrap();
            door.rename_new("/a", "/b").unwrap();
            door.open("/c", OpenMode::New).unwrap().write_at(0, b"c").unwrap();
            let sweep = Sweep::of(&disk);
            let point = sweep.points() - 1;
            disk.lose_power(survivors);
            let left: Vec<_> =
                disk.paths().into_iter().map(|path| (path.clone(), disk.read_all(&path).unwrap())).collect();
            assert!(sweep.at(point).iter().any(|crash| files(&crash.image) == left), "{survivors:?} of seed {seed}");
            // And the record of the loss leads to the same.
            let after = Sweep::of(&disk);
            let last = after.at(after.points() - 1);
            assert!(last.iter().all(|crash| files(&crash.image) == left), "{survivors:?} of seed {seed}");
        }
    }
}

#[test]
fn what_is_pending_in_an_image_is_at_risk_again() {
    let disk = with_file(1);
    let file = disk.onlooker().open("/a", OpenMode::Existing).unwrap();
    file.write_at(0, b"new").unwrap();
    let new = disk.onlooker().open("/b", OpenMode::New).unwrap();
    new.write_at(0, b"synced, but nameless").unwrap();
    new.sync().unwrap();
    let sweep = Sweep::of(&disk);
    let crash = sweep.at(sweep.points() - 1).into_iter().find(|crash| crash.fate == Fate::ProcessCrash).unwrap();
    let again = crash.image.to_disk();
    assert_eq!(&again.read_all("/a").unwrap()[..4], b"new\x09");
    assert_eq!(again.read_all("/b").unwrap(), b"synced, but nameless");
    // The record of the second disk knows of it.
    let second = Sweep::of(&again);
    let names: BTreeSet<usize> = second
        .at(second.points() - 1)
        .iter()
        .map(|crash| crash.image.to_disk().image(View::Durable).paths().len())
        .collect();
    assert_eq!(names, BTreeSet::from([1, 2]));
    again.lose_power(Survivors::None);
    assert_eq!((again.paths(), again.read_all("/a").unwrap()), (vec!["/a".to_owned()], vec![9; 4096]));
}

#[test]
fn what_a_failed_sync_dropped_is_read_and_no_later_sync_saves_it() {
    let disk = with_file(1);
    let file = disk.onlooker().open("/a", OpenMode::Existing).unwrap();
    file.write_at(0, b"new").unwrap();
    file.sync().unwrap();
    let sweep = Sweep::of(&disk);
    let failed = sweep.at(1).into_iter().find(|crash| matches!(crash.fate, Fate::FailedSync { .. })).unwrap();
    let again = failed.image.to_disk();
    assert_eq!(&again.read_all("/a").unwrap()[..3], b"new");
    // A second crash of the process does not change that, and its record knows.
    let second = Sweep::of(&again);
    let crash = second.at(second.points() - 1).into_iter().find(|crash| crash.fate == Fate::ProcessCrash).unwrap();
    assert_eq!(&crash.image.to_disk().read_all("/a").unwrap()[..3], b"new");
    again.onlooker().open("/a", OpenMode::Existing).unwrap().sync().unwrap();
    again.lose_power(Survivors::All);
    assert_eq!(again.read_all("/a").unwrap(), vec![9; 4096]);
}
