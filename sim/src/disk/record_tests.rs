//! The record names the fate of every change, and costs nobody anything who did not begin it.

use super::*;
use std::io::ErrorKind;

const SEEDS: u64 = 40;

/// An empty disk of no world that keeps a record.
fn recorded(seed: u64) -> SimDisk {
    let disk = SimDisk::new(Seed(seed).fork("disk"));
    disk.begin_record();
    disk
}

/// Fails operations of one kind.
struct Failing(OperationKind);

impl DiskFaults for Failing {
    fn on_operation(&self, operation: &OperationInfo<'_>) -> Verdict {
        if operation.kind == self.0 { Verdict::Fail(ErrorKind::Other) } else { Verdict::Pass }
    }
}

fn last(disk: &SimDisk) -> DiskChange {
    disk.record().pop().expect("something was recorded").change
}

/// A file with `writes` pending writes of a page each. Its creation has place 0, and they follow.
fn with_pending(disk: &SimDisk, writes: u8) -> SimFile {
    let file = disk.onlooker().open("/a", OpenMode::New).unwrap();
    for write in 0..writes {
        file.write_at(u64::from(write) * 4096, &[write + 1; 4096]).unwrap();
    }
    file
}

#[test]
fn nothing_is_recorded_before_it_is_asked_for() {
    let disk = SimDisk::new(Seed(1).fork("disk"));
    with_pending(&disk, 2);
    assert!(disk.record().is_empty() && disk.recorded() == 0);
    disk.begin_record();
    let file = disk.onlooker().open("/a", OpenMode::Existing).unwrap();
    file.write_at(0, b"three").unwrap();
    file.sync().unwrap();
    let made_durable = vec![0];
    assert_eq!(last(&disk), DiskChange::Sync { path: "/a".into(), made_durable }, "older changes have no place");
}

#[test]
fn a_sync_names_the_changes_that_it_made_durable() {
    let disk = recorded(1);
    let file = with_pending(&disk, 2);
    file.truncate(5000).unwrap();
    let other = disk.onlooker().open("/b", OpenMode::New).unwrap();
    other.write_at(0, b"elsewhere").unwrap();
    file.write_at(7, b"").unwrap();
    file.sync().unwrap();
    assert_eq!(last(&disk), DiskChange::Sync { path: "/a".into(), made_durable: vec![1, 2, 3] });
    file.sync().unwrap();
    assert_eq!(last(&disk), DiskChange::Sync { path: "/a".into(), made_durable: vec![] });
    let entries = disk.record();
    assert_eq!(entries[2].change, DiskChange::Write { path: "/a".into(), offset: 4096, bytes: [2; 4096][..].into() });
    assert_eq!(entries[3].change, DiskChange::SetLength { path: "/a".into(), length: 5000 });
    assert_eq!(entries[3].file, entries[0].file);
    assert_ne!(entries[3].file, entries[4].file);
}

#[test]
fn a_failed_sync_tells_what_it_kept_from_what_it_dropped() {
    let mut dropped_in_all = 0;
    for seed in 1..=SEEDS {
        let disk = recorded(seed);
        let file = with_pending(&disk, 4);
        disk.set_faults(Some(Arc::new(Failing(OperationKind::Sync))));
        file.sync().unwrap_err();
        disk.set_faults(None);
        let DiskChange::FailedSync { kept, dropped, .. } = last(&disk) else { panic!("{:?}", last(&disk)) };
        let mut decided = [kept.as_slice(), dropped.as_slice()].concat();
        decided.sort_unstable();
        assert_eq!(decided, [1, 2, 3, 4]);
        file.sync().unwrap();
        assert_eq!(last(&disk), DiskChange::Sync { path: "/a".into(), made_durable: vec![] }, "it retries nothing");
        disk.onlooker().sync_directory("/").unwrap();
        disk.lose_power(Survivors::All);
        let bytes = disk.read_all("/a").unwrap();
        for place in 1..=4 {
            let survived = bytes.get((place - 1) * 4096) == Some(&(place as u8));
            assert_eq!(survived, kept.contains(&place), "write {place} of seed {seed}");
        }
        dropped_in_all += dropped.len();
    }
    assert!(dropped_in_all > 0, "no seed dropped anything");
}

#[test]
fn each_survivor_policy_tells_the_fate_of_each_write() {
    let mut torn_in_all = 0;
    for (seed, survivors) in (1..=SEEDS).flat_map(|seed| Survivors::ALL.map(|survivors| (seed, survivors))) {
        let disk = recorded(seed);
        with_pending(&disk, 4);
        disk.onlooker().sync_directory("/").unwrap();
        let loss = disk.lose_power(survivors);
        let DiskChange::PowerLoss { kept, lost, torn, torn_sectors, undone } = last(&disk) else {
            panic!("{:?}", last(&disk))
        };
        let counts = [&kept, &lost, &torn].map(|places| places.len() as u64);
        assert_eq!(counts, [loss.kept, loss.lost, loss.torn], "{survivors:?}");
        let mut decided = [kept.as_slice(), lost.as_slice(), torn.as_slice()].concat();
        decided.sort_unstable();
        assert_eq!((decided, undone), (vec![1, 2, 3, 4], vec![]), "{survivors:?}");
        match survivors {
            Survivors::None => assert_eq!(lost, [1, 2, 3, 4]),
            Survivors::All => assert_eq!(kept, [1, 2, 3, 4]),
            Survivors::Prefix => assert_eq!(kept, (1..=kept.len()).collect::<Vec<_>>()),
            Survivors::Subset => assert!(torn.is_empty()),
            Survivors::SubsetTorn => torn_in_all += torn.len(),
        }
        // What the record says is what can be read.
        let mut expected = vec![0; 4 * 4096];
        for place in &kept {
            expected[(place - 1) * 4096..place * 4096].fill(*place as u8);
        }
        for (place, sectors) in torn.iter().zip(&torn_sectors) {
            for sector in sectors {
                let start = (place - 1) * 4096 + *sector as usize * 512;
                expected[start..start + 512].fill(*place as u8);
            }
        }
        let mut bytes = disk.read_all("/a").unwrap();
        bytes.resize(expected.len(), 0);
        assert!(bytes == expected, "{survivors:?} of seed {seed}");
    }
    assert!(torn_in_all > 0, "no seed tore anything");
}

#[test]
fn a_crash_leaves_writes_pending_until_power_is_lost() {
    let disk = recorded(1);
    let door = disk.process(Life::new(ProcessId(7)));
    door.open("/a", OpenMode::New).unwrap().write_at(0, b"pending").unwrap();
    disk.crash(ProcessId(7));
    assert_eq!(last(&disk), DiskChange::Crash { process: ProcessId(7) });
    disk.crash(ProcessId(7));
    assert_eq!((disk.record().len(), disk.recorded()), (3, 3), "who is dead does not die again");
    disk.lose_power(Survivors::None);
    let DiskChange::PowerLoss { lost, undone, .. } = last(&disk) else { panic!("{:?}", last(&disk)) };
    assert_eq!((lost, undone), (vec![1], vec![0]), "without its name the file is gone");
}

#[test]
fn names_are_told_as_durable_undone_and_waiting() {
    let disk = recorded(1);
    let door = disk.onlooker();
    drop(with_pending(&disk, 0));
    door.rename_new("/a", "/b").unwrap();
    door.sync_directory("/").unwrap();
    assert_eq!(last(&disk), DiskChange::SyncDirectory { path: "/".into(), made_durable: vec![0, 1] });
    door.remove("/b").unwrap();
    door.open("/c", OpenMode::New).unwrap();
    disk.lose_power(Survivors::None);
    let DiskChange::PowerLoss { undone, .. } = last(&disk) else { panic!("{:?}", last(&disk)) };
    assert_eq!((undone, disk.paths()), (vec![3, 4], vec!["/b".to_owned()]));

    let mut waited = 0;
    for seed in 1..=SEEDS {
        let disk = recorded(seed);
        let door = disk.onlooker();
        for path in ["/a", "/b", "/c"] {
            door.open(path, OpenMode::New).unwrap();
        }
        disk.set_faults(Some(Arc::new(Failing(OperationKind::SyncDirectory))));
        door.sync_directory("/").unwrap_err();
        disk.set_faults(None);
        let DiskChange::FailedSyncDirectory { kept, waiting, .. } = last(&disk) else { panic!("{:?}", last(&disk)) };
        assert_eq!([kept.as_slice(), waiting.as_slice()].concat(), [0, 1, 2], "the first are kept");
        waited += waiting.len();
        door.sync_directory("/").unwrap();
        assert_eq!(last(&disk), DiskChange::SyncDirectory { path: "/".into(), made_durable: waiting });
    }
    assert!(waited > 0, "no change of names ever waited");
}

#[test]
fn what_has_no_effect_is_not_recorded() {
    let disk = recorded(1);
    let door = disk.onlooker();
    door.open("/a", OpenMode::Existing).unwrap_err();
    door.remove("/a").unwrap_err();
    door.rename_new("/a", "/b").unwrap_err();
    let file = door.open("/a", OpenMode::New).unwrap();
    file.write_at(0, b"").unwrap();
    file.read_at(0, &mut [0; 4]).unwrap();
    door.open("/a", OpenMode::Any).unwrap();
    assert_eq!(disk.record().len(), 1, "{:?}", disk.record());
}

#[test]
fn a_failed_write_is_recorded_with_what_it_took() {
    let mut taken = 0;
    for seed in 1..=SEEDS {
        let disk = recorded(seed);
        let file = with_pending(&disk, 0);
        disk.set_faults(Some(Arc::new(Failing(OperationKind::Write))));
        file.write_at(0, &[9; 2000]).unwrap_err();
        disk.set_faults(None);
        let DiskChange::FailedWrite { offset: 0, bytes, .. } = last(&disk) else { panic!("{:?}", last(&disk)) };
        assert_eq!(bytes.to_vec(), disk.read_all("/a").unwrap());
        taken += bytes.len();
        file.sync().unwrap();
        let made_durable = if bytes.is_empty() { vec![] } else { vec![1] };
        assert_eq!(last(&disk), DiskChange::Sync { path: "/a".into(), made_durable });
    }
    assert!(taken > 0, "no failed write took anything");
}

#[test]
fn changes_carry_the_tag_of_their_process() {
    let disk = recorded(1);
    let (one, two) = (disk.process(Life::new(ProcessId(1))), disk.process(Life::new(ProcessId(2))));
    let file = one.open("/a", OpenMode::New).unwrap();
    one.set_tag(41);
    two.set_tag(42);
    file.write_at(0, b"one").unwrap();
    two.open("/a", OpenMode::Existing).unwrap().write_at(0, b"two").unwrap();
    one.set_tag(43);
    file.sync().unwrap();
    let tags: Vec<_> = disk.record().iter().map(|entry| (entry.process.0, entry.tag)).collect();
    assert_eq!(tags, [(1, 0), (1, 41), (2, 42), (1, 43)]);
}

#[test]
fn a_removed_file_that_is_written_on_is_not_the_one_that_took_its_name() {
    let disk = recorded(1);
    let door = disk.onlooker();
    let removed = door.open("/a", OpenMode::New).unwrap();
    door.remove("/a").unwrap();
    let new = door.open("/a", OpenMode::New).unwrap();
    removed.write_at(0, b"old").unwrap();
    new.write_at(0, b"new").unwrap();
    let files: Vec<_> = disk.record().iter().map(|entry| entry.file).collect();
    assert_eq!((files[0], files[1], files[2]), (files[3], files[0], files[4]));
    assert_ne!(files[0], files[2]);
    door.sync_directory("/").unwrap();
    disk.lose_power(Survivors::All);
    let DiskChange::PowerLoss { kept, lost, .. } = last(&disk) else { panic!("{:?}", last(&disk)) };
    assert_eq!((kept, lost), (vec![4], vec![3]), "what has no name is lost");
}
