//! What no disk is allowed to do, each told by the record.

use super::*;

/// Does one thing to every operation of a kind.
struct Always(OperationKind, Verdict);

impl DiskFaults for Always {
    fn on_operation(&self, operation: &OperationInfo<'_>) -> Verdict {
        if operation.kind == self.0 { self.1 } else { Verdict::Pass }
    }
}

/// A disk with a file of two pages, durable, and a record.
fn disk_with_pages(seed: u64) -> (SimDisk, SimFile) {
    let disk = SimDisk::new(Seed(seed).fork("disk"));
    let door = disk.onlooker();
    let file = door.open("/a", OpenMode::New).unwrap();
    file.write_at(0, &[1; 8192]).unwrap();
    file.sync().unwrap();
    door.sync_directory("/").unwrap();
    disk.begin_record();
    (disk, file)
}

fn changes(disk: &SimDisk) -> Vec<DiskChange> {
    disk.record().into_iter().map(|entry| entry.change).collect()
}

#[test]
fn a_lying_sync_says_yes_and_a_power_loss_shows_that_nothing_was_durable() {
    let (mut waited, mut dropped) = (0, 0);
    for seed in 0..20 {
        let (disk, file) = disk_with_pages(seed);
        disk.set_faults(Some(Arc::new(Always(OperationKind::Sync, Verdict::Lie))));
        file.write_at(0, &[2; 4096]).unwrap();
        file.sync().unwrap();
        assert_eq!(disk.read_all("/a").unwrap()[0], 2, "the cache shows it");
        let DiskChange::LyingSync { waiting, dropped: gone, .. } = changes(&disk).pop().unwrap() else {
            panic!("{:?}", changes(&disk));
        };
        assert_eq!(waiting.len() + gone.len(), 1);
        disk.set_faults(None);
        // A later sync that does not lie makes durable what still waits, and nothing else.
        file.sync().unwrap();
        disk.lose_power(Survivors::All);
        assert_eq!(disk.read_all("/a").unwrap()[0], if gone.is_empty() { 2 } else { 1 });
        *(if gone.is_empty() { &mut waited } else { &mut dropped }) += 1;
    }
    assert!(waited > 0 && dropped > 0, "{waited} waited, {dropped} were dropped");
}

#[test]
fn a_misdirected_write_leaves_its_place_as_it_was_and_strikes_another() {
    let (disk, file) = disk_with_pages(1);
    disk.set_faults(Some(Arc::new(Always(OperationKind::Write, Verdict::Misdirect))));
    file.write_at(4096, &[2; 4096]).unwrap();
    file.sync().unwrap();
    disk.lose_power(Survivors::None);
    let bytes = disk.read_all("/a").unwrap();
    assert_eq!((bytes.len(), bytes[0], bytes[4095], bytes[4096]), (8192, 2, 2, 1));
    let astray = |change: &DiskChange| match change {
        DiskChange::MisdirectedWrite { meant, offset, .. } => Some((*meant, *offset)),
        _ => None,
    };
    assert_eq!(changes(&disk).iter().find_map(astray), Some((4096, 0)));
}

#[test]
fn what_rots_is_durable_and_shows_at_once_or_after_a_power_loss() {
    let (mut at_once, mut later) = (0, 0);
    for seed in 0..20 {
        let (disk, file) = disk_with_pages(seed);
        file.write_at(0, &[2; 4096]).unwrap();
        let rot = disk.rot(Some(RotAt { path: "/a", within: None }), ProcessId::WORLD, Seed(seed).fork("rot")).unwrap();
        let rotted = |disk: &SimDisk| disk.read_all("/a").unwrap()[rot.offset as usize] & !3 != 0;
        assert!(matches!(changes(&disk).pop(), Some(DiskChange::Rot { offset, .. }) if offset == rot.offset));
        if rot.bits & !3 != 0 {
            assert_eq!(rotted(&disk), rot.visible);
            assert!(!rot.visible || rot.offset >= 4096, "what is about to be written stays as it was written");
            let (counter, lost) =
                (if rot.visible { &mut at_once } else { &mut later }, disk.lose_power(Survivors::None));
            *counter += 1;
            assert!(rotted(&disk), "{lost:?}");
        }
    }
    assert!(at_once > 0 && later > 0, "{at_once} at once, {later} later");
    let (disk, _) = disk_with_pages(1);
    for seed in 0..20 {
        let at = |within| Some(RotAt { path: "/a", within });
        let near = disk.rot(at(Some(4000..5000)), ProcessId::WORLD, Seed(seed).fork("near")).unwrap();
        assert!((4000..5000).contains(&near.offset), "{near:?}");
        let beyond = disk.rot(at(Some(9000..9100)), ProcessId::WORLD, Seed(seed).fork("beyond")).unwrap();
        assert!(beyond.offset < 8192, "anywhere, where nothing is there: {beyond:?}");
    }
    let empty = SimDisk::new(Seed(1).fork("disk"));
    assert_eq!(empty.rot(None, ProcessId::WORLD, Seed(1).fork("rot")), None);
}

#[test]
fn a_sweep_of_a_record_comes_to_the_same_bytes() {
    for seed in 0..40 {
        let (disk, file) = disk_with_pages(seed);
        let verdict = [Verdict::Misdirect, Verdict::Pass][(seed % 2) as usize];
        disk.set_faults(Some(Arc::new(Always(OperationKind::Write, verdict))));
        file.write_at(4096, &[2; 4096]).unwrap();
        disk.rot(Some(RotAt { path: "/a", within: None }), ProcessId::WORLD, Seed(seed).fork("rot"));
        disk.set_faults(Some(Arc::new(Always(OperationKind::Sync, Verdict::Lie))));
        file.sync().unwrap();
        disk.set_faults(None);
        disk.lose_power(Survivors::None);
        let sweep = crate::sweep::Sweep::of(&disk);
        let last = sweep.at(sweep.points() - 1);
        let left = last[0].image.to_disk().image(View::Durable);
        assert_eq!(left.read_all("/a").unwrap(), disk.read_all("/a").unwrap(), "seed {seed}");
    }
}
