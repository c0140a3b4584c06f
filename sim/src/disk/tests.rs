//! One test for each thing that the disk may do to a program.

use super::*;
use std::io::ErrorKind;

fn disk() -> SimDisk {
    SimDisk::new(Seed(1).fork("disk"))
}

fn life(id: u32) -> Arc<Life> {
    Life::new(ProcessId(id))
}

/// A disk with a file, synced by name and content.
fn disk_with(path: &str, bytes: &[u8]) -> SimDisk {
    let disk = disk();
    let door = disk.onlooker();
    let file = door.open(path, OpenMode::New).unwrap();
    file.write_at(0, bytes).unwrap();
    file.sync().unwrap();
    door.sync_directory(std::path::Path::new(path).parent().unwrap()).unwrap();
    disk
}

/// Fails or crashes at operations of one kind.
struct At(OperationKind, Verdict);

impl DiskFaults for At {
    fn on_operation(&self, operation: &OperationInfo<'_>) -> Verdict {
        if operation.kind == self.0 { self.1 } else { Verdict::Pass }
    }
}

fn error<T>(result: io::Result<T>) -> ErrorKind {
    result.map(|_| ()).unwrap_err().kind()
}

#[test]
fn reads_see_the_cache_and_end_where_the_file_ends() {
    let door = disk().onlooker();
    let file = door.open("/a", OpenMode::New).unwrap();
    file.write_at(2, b"bytes").unwrap();
    let mut buffer = [9; 10];
    assert_eq!(file.read_at(0, &mut buffer).unwrap(), 7);
    assert_eq!(&buffer[..7], b"\0\0bytes");
    file.truncate(4).unwrap();
    assert_eq!((file.length().unwrap(), file.read_at(3, &mut buffer).unwrap()), (4, 1));
}

#[test]
fn open_modes_demand_what_they_say() {
    let door = disk().onlooker();
    assert_eq!(error(door.open("/a", OpenMode::Existing)), ErrorKind::NotFound);
    door.open("/a", OpenMode::New).unwrap();
    assert_eq!(error(door.open("/a", OpenMode::New)), ErrorKind::AlreadyExists);
    door.open("/a", OpenMode::Any).unwrap();
    door.open("/b", OpenMode::Any).unwrap();
}

#[test]
fn a_rename_never_replaces_and_stays_in_its_directory() {
    let disk = disk_with("/a", b"a");
    let door = disk.onlooker();
    door.open("/b", OpenMode::New).unwrap();
    assert_eq!(error(door.rename_new("/a", "/b")), ErrorKind::AlreadyExists);
    assert_eq!(error(door.rename_new("/c", "/d")), ErrorKind::NotFound);
    assert_eq!(error(door.rename_new("/a", "/d/a")), ErrorKind::CrossesDevices);
    door.rename_new("/a", "/c").unwrap();
    assert_eq!(disk.paths(), ["/b", "/c"]);
}

#[test]
fn a_process_crash_keeps_the_cache_and_leaves_pending_changes_at_risk() {
    let disk = disk_with("/a", b"old");
    let door = disk.process(life(1));
    door.open("/a", OpenMode::Existing).unwrap().write_at(0, b"new").unwrap();
    disk.crash(ProcessId(1));
    assert_eq!(disk.read_all("/a").unwrap(), b"new");
    let loss = disk.lose_power(Survivors::None);
    assert_eq!(disk.read_all("/a").unwrap(), b"old");
    assert_eq!((loss.lost, loss.bytes_lost), (1, 3));
}

#[test]
fn handles_of_a_dead_process_answer_errors_and_count_nothing() {
    let disk = disk_with("/a", b"old");
    let door = disk.process(life(1));
    let file = door.open("/a", OpenMode::Existing).unwrap();
    let operations = disk.operations();
    disk.crash(ProcessId(1));
    assert_eq!(error(file.write_at(0, b"new")), ErrorKind::BrokenPipe);
    assert_eq!(error(file.read_at(0, &mut [0])), ErrorKind::BrokenPipe);
    assert_eq!(error(file.sync()), ErrorKind::BrokenPipe);
    assert_eq!(error(file.truncate(0)), ErrorKind::BrokenPipe);
    assert_eq!(error(file.length()), ErrorKind::BrokenPipe);
    assert_eq!(error(file.try_lock()), ErrorKind::BrokenPipe);
    assert_eq!(error(file.is_at("/a")), ErrorKind::BrokenPipe);
    assert_eq!(error(door.open("/b", OpenMode::Any)), ErrorKind::BrokenPipe);
    assert_eq!(error(door.rename_new("/a", "/b")), ErrorKind::BrokenPipe);
    assert_eq!(error(door.remove("/a")), ErrorKind::BrokenPipe);
    assert_eq!(error(door.sync_directory("/")), ErrorKind::BrokenPipe);
    assert_eq!(error(door.free_bytes()), ErrorKind::BrokenPipe);
    assert_eq!((disk.operations(), disk.read_all("/a").unwrap()), (operations, b"old".to_vec()));
}

#[test]
fn names_that_were_not_synced_are_undone_by_a_power_loss() {
    let disk = disk_with("/a", b"a");
    let door = disk.onlooker();
    door.rename_new("/a", "/b").unwrap();
    let new = door.open("/new", OpenMode::New).unwrap();
    new.write_at(0, b"synced, but nameless").unwrap();
    new.sync().unwrap();
    let loss = disk.lose_power(Survivors::None);
    assert_eq!((disk.paths(), loss.entries_lost), (vec!["/a".to_owned()], 2));
    assert_eq!(disk.read_all("/a").unwrap(), b"a");
}

#[test]
fn a_removal_that_was_not_synced_brings_the_file_back() {
    let disk = disk_with("/a", b"a");
    disk.onlooker().remove("/a").unwrap();
    assert_eq!(error(disk.read_all("/a")), ErrorKind::NotFound);
    assert_eq!(disk.lose_power(Survivors::None).entries_lost, 1);
    assert_eq!(disk.read_all("/a").unwrap(), b"a");
}

#[test]
fn synced_names_and_bytes_survive_any_power_loss() {
    for survivors in Survivors::ALL {
        let disk = disk_with("/a", b"a");
        let door = disk.onlooker();
        door.rename_new("/a", "/b").unwrap();
        door.sync_directory("/").unwrap();
        assert!(!disk.lose_power(survivors).changed_something());
        assert_eq!((disk.paths(), disk.read_all("/b").unwrap()), (vec!["/b".to_owned()], b"a".to_vec()));
    }
}

#[test]
fn a_prefix_of_the_changes_of_names_survives() {
    let mut seen = [false; 4];
    for seed in 0..40 {
        let disk = SimDisk::new(Seed(seed).fork("disk"));
        for path in ["/1", "/2", "/3"] {
            disk.onlooker().open(path, OpenMode::New).unwrap();
        }
        disk.lose_power(Survivors::SubsetTorn);
        let paths = disk.paths();
        assert_eq!(paths, ["/1", "/2", "/3"][..paths.len()]);
        seen[paths.len()] = true;
    }
    assert_eq!(seen, [true; 4], "every prefix was met");
}

#[test]
fn a_removed_file_is_there_for_who_has_it_open() {
    let disk = disk_with("/a", b"a");
    let door = disk.onlooker();
    let file = door.open("/a", OpenMode::Existing).unwrap();
    door.remove("/a").unwrap();
    let other = door.open("/a", OpenMode::New).unwrap();
    assert_eq!(file.read_at(0, &mut [0; 4]).unwrap(), 1);
    assert!(!file.is_at("/a").unwrap() && other.is_at("/a").unwrap());
}

#[test]
fn a_failed_sync_leaves_changes_durable_or_lost_later() {
    let mut lost = 0;
    for seed in 0..20 {
        let disk = SimDisk::new(Seed(seed).fork("disk"));
        let door = disk.onlooker();
        let file = door.open("/a", OpenMode::New).unwrap();
        door.sync_directory("/").unwrap();
        file.write_at(0, b"x").unwrap();
        disk.set_faults(Some(Arc::new(At(OperationKind::Sync, Verdict::Fail(ErrorKind::Other)))));
        assert_eq!(error(file.sync()), ErrorKind::Other);
        disk.set_faults(None);
        file.sync().unwrap();
        assert_eq!(disk.read_all("/a").unwrap(), b"x", "the cache still has it");
        lost += disk.lose_power(Survivors::All).bytes_lost;
        assert_eq!(
            disk.read_all("/a").unwrap().is_empty(),
            disk.image(View::Durable).read_all("/a").unwrap().is_empty()
        );
    }
    assert!((1..20).contains(&lost), "lost in {lost} of 20");
}

#[test]
fn rewriting_after_a_failed_sync_makes_the_bytes_durable() {
    for seed in 0..20 {
        let disk = SimDisk::new(Seed(seed).fork("disk"));
        let door = disk.onlooker();
        let file = door.open("/a", OpenMode::New).unwrap();
        door.sync_directory("/").unwrap();
        file.write_at(0, b"x").unwrap();
        disk.set_faults(Some(Arc::new(At(OperationKind::Sync, Verdict::Fail(ErrorKind::Other)))));
        file.sync().unwrap_err();
        disk.set_faults(None);
        file.write_at(0, b"x").unwrap();
        file.sync().unwrap();
        assert!(!disk.lose_power(Survivors::None).changed_something());
    }
}

#[test]
fn a_failed_write_takes_its_first_sectors_at_most() {
    let mut taken = std::collections::BTreeSet::new();
    for seed in 0..40 {
        let disk = SimDisk::new(Seed(seed).fork("disk"));
        let file = disk.onlooker().open("/a", OpenMode::New).unwrap();
        disk.set_faults(Some(Arc::new(At(OperationKind::Write, Verdict::Fail(ErrorKind::Other)))));
        assert_eq!(error(file.write_at(0, &[7; 1100])), ErrorKind::Other);
        taken.insert(file.length().unwrap());
    }
    assert_eq!(taken, [0, 512, 1024].into());
}

#[test]
fn a_full_disk_refuses_growth_and_new_files_but_takes_overwrites() {
    let disk = disk_with("/a", b"four");
    disk.set_capacity(Some(6));
    let door = disk.onlooker();
    let file = door.open("/a", OpenMode::Existing).unwrap();
    assert_eq!(door.free_bytes().unwrap(), 2);
    assert_eq!(error(file.write_at(2, b"12345")), ErrorKind::StorageFull);
    assert_eq!(error(file.truncate(7)), ErrorKind::StorageFull);
    assert_eq!(disk.read_all("/a").unwrap(), b"four", "nothing of it was written");
    file.write_at(0, b"123456").unwrap();
    assert_eq!(error(door.open("/b", OpenMode::New)), ErrorKind::StorageFull);
    file.write_at(0, b"again").unwrap();
    file.truncate(1).unwrap();
    door.open("/b", OpenMode::New).unwrap();
    assert_eq!(disk.refused_full(), 3);
}

#[test]
fn a_lock_is_exclusive_and_dies_with_its_handle() {
    let disk = disk_with("/a", b"a");
    let (one, two) = (disk.process(life(1)), disk.process(life(2)));
    let first = one.open("/a", OpenMode::Existing).unwrap();
    let second = two.open("/a", OpenMode::Existing).unwrap();
    let same_process = one.open("/a", OpenMode::Existing).unwrap();
    assert!(first.try_lock().unwrap() && first.try_lock().unwrap());
    assert!(!second.try_lock().unwrap() && !same_process.try_lock().unwrap());
    drop(same_process);
    assert!(!second.try_lock().unwrap(), "closing another handle does not unlock");
    drop(first);
    assert!(second.try_lock().unwrap());
}

#[test]
fn a_lock_dies_with_its_process_even_if_the_handle_is_dropped_later() {
    let disk = disk_with("/a", b"a");
    let first = disk.process(life(1)).open("/a", OpenMode::Existing).unwrap();
    let second = disk.process(life(2)).open("/a", OpenMode::Existing).unwrap();
    assert!(first.try_lock().unwrap());
    disk.crash(ProcessId(1));
    assert!(second.try_lock().unwrap());
    drop(first);
    let third = disk.process(life(3)).open("/a", OpenMode::Existing).unwrap();
    assert!(!third.try_lock().unwrap(), "the dead handle took nobody's lock with it");
}

#[test]
fn a_crash_before_an_operation_leaves_it_without_effect() {
    let disk = disk_with("/a", b"old");
    let door = disk.process(life(1));
    let file = door.open("/a", OpenMode::Existing).unwrap();
    disk.set_faults(Some(Arc::new(At(OperationKind::Write, Verdict::CrashBefore))));
    assert_eq!(error(file.write_at(0, b"new")), ErrorKind::BrokenPipe);
    assert_eq!(error(file.length()), ErrorKind::BrokenPipe);
    assert_eq!(disk.read_all("/a").unwrap(), b"old");
}

#[test]
fn an_image_is_a_disk_of_its_own() {
    let disk = disk_with("/a", b"durable");
    let file = disk.onlooker().open("/a", OpenMode::Existing).unwrap();
    file.write_at(0, b"cached!").unwrap();
    let (cache, durable) = (disk.image(View::Cache), disk.image(View::Durable));
    file.write_at(0, b"later!!").unwrap();
    assert_eq!(cache.read_all("/a").unwrap(), b"cached!");
    assert_eq!(durable.read_all("/a").unwrap(), b"durable");
    cache.onlooker().remove("/a").unwrap();
    assert_eq!(disk.paths(), ["/a"]);
}

#[test]
fn a_disk_can_be_made_of_files() {
    let disk = SimDisk::from_files([("/a".to_owned(), b"one".to_vec()), ("/d/b".to_owned(), b"two".to_vec())].into());
    assert!(!disk.lose_power(Survivors::None).changed_something());
    assert_eq!(disk.paths(), ["/a", "/d/b"]);
    assert_eq!(disk.read_all("/d/b").unwrap(), b"two");
}

#[test]
fn operations_are_counted_by_process_machine_and_name() {
    struct Seen(Mutex<Vec<(String, u64, u64, u64)>>);
    impl DiskFaults for Seen {
        fn on_operation(&self, operation: &OperationInfo<'_>) -> Verdict {
            let counted = (operation.of_process, operation.of_machine, operation.nth);
            self.0.lock().unwrap().push((operation.path.into(), counted.0, counted.1, counted.2));
            Verdict::Pass
        }
    }
    let disk = disk();
    let seen = Arc::new(Seen(Mutex::default()));
    disk.set_faults(Some(Arc::clone(&seen) as Arc<dyn DiskFaults>));
    let (one, two) = (disk.process(life(1)), disk.process(life(2)));
    one.open("/a", OpenMode::Any).unwrap();
    two.open("/a", OpenMode::Any).unwrap();
    one.rename_new("/a", "/b").unwrap();
    two.open("/b", OpenMode::Any).unwrap();
    let expected = [("/a", 1, 1, 1), ("/a", 1, 2, 2), ("/a", 2, 3, 1), ("/b", 2, 4, 1)];
    assert_eq!(*seen.0.lock().unwrap(), expected.map(|(path, a, b, c)| (path.to_owned(), a, b, c)));
}

#[test]
#[should_panic(expected = "never awaits")]
fn a_dead_process_that_spins_is_stopped() {
    let disk = disk();
    let door = disk.process(life(1));
    disk.crash(ProcessId(1));
    while door.open("/a", OpenMode::Any).is_err() {}
}

#[test]
fn a_survivor_is_chosen_by_its_file_and_not_by_its_neighbours() {
    let survived = |neighbour: bool| {
        let disk = SimDisk::new(Seed(9).fork("disk"));
        let door = disk.onlooker();
        if neighbour {
            let other = door.open("/0", OpenMode::New).unwrap();
            other.write_at(0, b"more to choose from").unwrap();
        }
        let file = door.open("/a", OpenMode::New).unwrap();
        door.sync_directory("/").unwrap();
        for block in 0..64 {
            file.write_at(block * 4096, &[1; 4096]).unwrap();
        }
        disk.lose_power(Survivors::SubsetTorn);
        disk.read_all("/a").unwrap()
    };
    assert_eq!(survived(false), survived(true));
}

#[test]
fn all_spellings_of_a_path_are_one() {
    let disk = disk_with("/d/a", b"a");
    let door = disk.onlooker();
    let file = door.open("/d/./a", OpenMode::Existing).unwrap();
    assert!(file.is_at("/d//a").unwrap());
    door.sync_directory("/d/").unwrap();
    assert!(!disk.lose_power(Survivors::None).changed_something());
    assert_eq!(disk.read_all("/d/./a").unwrap(), b"a");
    assert_eq!(error(door.open("/d/../a", OpenMode::Any)), ErrorKind::InvalidInput);
    door.open("beside", OpenMode::New).unwrap();
    door.sync_directory(".").unwrap();
    assert!(!disk.lose_power(Survivors::None).changed_something());
}
