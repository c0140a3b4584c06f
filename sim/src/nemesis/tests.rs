//! Faults fire when they should, and count only if they changed something.

use super::*;
use crate::{OpenMode, OperationKind, Options, Seed, Survivors, run};

const MACHINE: MachineId = MachineId(0);

fn millis(count: u64) -> Duration {
    Duration::from_millis(count)
}

fn fault(trigger: Trigger, action: Action) -> Fault {
    Fault { machine: MACHINE, trigger, action }
}

fn matching(kind: OperationKind, nth: u64) -> Trigger {
    Trigger::AtMatching { suffix: "log".into(), kind, nth }
}

/// What a writer of ten synced blocks met: how many writes and syncs failed, and how long it took.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Met {
    written: u64,
    failed: u64,
    took: Duration,
}

/// Runs such a writer, rebooted until it is done, against a schedule.
fn met(schedule: Vec<Fault>) -> (Met, Aftermath) {
    let outcome = run(Seed(1), Options::default(), async |world| {
        let machine = world.add_machine("one");
        assert_eq!(machine, MACHINE);
        let nemesis = Nemesis::start(&world, schedule);
        let met = Arc::new(Mutex::new(Met::default()));
        loop {
            let (inside, events) = (met.clone(), nemesis.clone());
            let process = world.boot(machine, "writer", async move |process| write_ten(process, inside, events).await);
            if world.exited(process).await == crate::Exit::Finished {
                break;
            }
        }
        let wall = || world.clock(machine).wall();
        let wall_before = wall();
        nemesis.stop();
        let mut met = *met.lock().unwrap();
        met.took = true_time();
        (met, Aftermath { counts: nemesis.counts(), wall_before, wall: wall(), boots: world.boots()["writer"] })
    });
    outcome.result.unwrap()
}

/// What is left of a nemesis after its run.
struct Aftermath {
    counts: BTreeMap<FaultKind, Count>,
    /// Before it stopped.
    wall_before: Duration,
    /// Once it had stopped.
    wall: Duration,
    boots: u64,
}

impl Aftermath {
    fn assert(&self, kind: FaultKind, fired: u64, effective: u64) {
        let count = self.counts[&kind];
        assert_eq!((count.fired, count.effective), (fired, effective), "{:?}", self.counts);
    }
}

async fn write_ten(process: Process, met: Arc<Mutex<Met>>, nemesis: Nemesis) {
    let file = process.disk().open("/log", OpenMode::Any).unwrap();
    let _ = process.disk().sync_directory("/");
    for block in file.length().unwrap() / 4096..10 {
        process.disk().pace().await;
        let outcome = file.write_at(block * 4096, &[block as u8; 4096]).and_then(|()| file.sync());
        nemesis.event(&process, "block written");
        met.lock().unwrap().written += u64::from(outcome.is_ok());
        met.lock().unwrap().failed += u64::from(outcome.is_err());
        process.clock().sleep(millis(10)).await;
    }
}

#[test]
fn without_faults_nothing_fails() {
    let (met, nemesis) = met(vec![]);
    assert_eq!((met.written, met.failed, nemesis.boots), (10, 0, 1));
}

#[test]
fn a_crash_strikes_at_its_time_event_and_operation() {
    for trigger in [
        Trigger::At(millis(35)),
        Trigger::AtEvent { name: "block written".into(), nth: 3 },
        Trigger::AtOperation { process: ProcessId(1), ordinal: 5 },
        matching(OperationKind::Sync, 2),
        Trigger::AtChance { suffix: "log".into(), kind: OperationKind::Write, probability: 1.0 },
    ] {
        let (_, nemesis) = met(vec![fault(trigger, Action::Crash)]);
        nemesis.assert(FaultKind::Crash, 1, 1);
        assert_eq!(nemesis.boots, 2);
    }
}

#[test]
fn a_power_loss_counts_only_if_something_was_lost() {
    let (_, nothing) = met(vec![fault(matching(OperationKind::Write, 3), Action::PowerLoss(Survivors::None))]);
    nothing.assert(FaultKind::PowerLoss, 1, 0);
    let (_, a_block) = met(vec![fault(matching(OperationKind::Sync, 3), Action::PowerLoss(Survivors::None))]);
    a_block.assert(FaultKind::PowerLoss, 1, 1);
    let (_, kept) = met(vec![fault(matching(OperationKind::Sync, 3), Action::PowerLoss(Survivors::All))]);
    kept.assert(FaultKind::PowerLoss, 1, 0);
}

#[test]
fn errors_strike_their_operation_or_the_next_of_their_kind() {
    let (seen, nemesis) = met(vec![
        fault(matching(OperationKind::Sync, 3), Action::SyncError(Survivors::Subset)),
        fault(matching(OperationKind::Sync, 5), Action::WriteError),
        fault(Trigger::At(millis(75)), Action::SyncError(Survivors::Subset)),
    ]);
    nemesis.assert(FaultKind::SyncError, 2, 2);
    nemesis.assert(FaultKind::WriteError, 1, 1);
    assert_eq!((seen.failed, nemesis.boots), (3, 1));
}

#[test]
fn a_full_disk_refuses_until_it_has_passed() {
    let (seen, nemesis) = met(vec![fault(Trigger::At(millis(25)), Action::FullDisk(millis(20)))]);
    nemesis.assert(FaultKind::FullDisk, 1, 1);
    assert_eq!(seen.failed, 2);
    let (_, idle) = met(vec![fault(Trigger::At(millis(25)), Action::FullDisk(millis(1)))]);
    idle.assert(FaultKind::FullDisk, 1, 0);
}

#[test]
fn a_slow_disk_takes_time() {
    let (least, most) = (millis(100), millis(200));
    let action = Action::SlowDisk { least, most, lasting: millis(50) };
    let (calm, _) = met(vec![]);
    let (slow, nemesis) = met(vec![fault(Trigger::At(millis(25)), action)]);
    nemesis.assert(FaultKind::SlowDisk, 1, 1);
    assert!((least..=most + millis(1)).contains(&(slow.took - calm.took)), "{:?}", slow.took - calm.took);
}

#[test]
fn a_pause_takes_time_and_a_stop_ends_it() {
    let (calm, _) = met(vec![]);
    let (paused, nemesis) = met(vec![fault(Trigger::At(millis(25)), Action::Pause(millis(500)))]);
    nemesis.assert(FaultKind::Pause, 1, 1);
    assert!(paused.took - calm.took > millis(450));
    let outcome = run(Seed(1), Options::default(), async |world| {
        let machine = world.add_machine("one");
        let process = world.boot(machine, "main", async |_| std::future::pending().await);
        let forever = Duration::from_secs(1_000_000);
        let nemesis = Nemesis::start(&world, vec![fault(Trigger::At(millis(5)), Action::Pause(forever))]);
        sleep_true(millis(10)).await;
        let before = world.process(process).is_paused();
        nemesis.stop();
        (before, world.process(process).is_paused(), nemesis.counts()[&FaultKind::Pause].effective)
    });
    assert_eq!(outcome.result.unwrap(), (true, false, 1));
}

#[test]
fn the_wall_clock_jumps_and_a_stop_sets_it_right() {
    let (_, calm) = met(vec![]);
    let (_, jumped) = met(vec![fault(Trigger::At(millis(5)), Action::WallJump(-3_600_000))]);
    jumped.assert(FaultKind::WallJump, 1, 1);
    let back = calm.wall_before.abs_diff(jumped.wall_before);
    assert!((Duration::from_secs(3599)..Duration::from_secs(3601)).contains(&back), "{back:?}");
    assert!(calm.wall.abs_diff(jumped.wall) < Duration::from_secs(1), "{:?} and {:?}", calm.wall, jumped.wall);
}

#[test]
fn after_a_stop_nothing_fires() {
    let outcome = run(Seed(1), Options::default(), async |world| {
        let machine = world.add_machine("one");
        let schedule = vec![
            fault(Trigger::At(millis(5)), Action::Crash),
            fault(matching(OperationKind::Open, 1), Action::Crash),
            fault(Trigger::AtEvent { name: "e".into(), nth: 1 }, Action::Crash),
        ];
        let nemesis = Nemesis::start(&world, schedule);
        nemesis.stop();
        let own = nemesis.clone();
        let process = world.boot(machine, "main", async move |process| {
            process.disk().open("/log", OpenMode::Any).unwrap();
            own.event(&process, "e");
            process.clock().sleep(millis(10)).await;
        });
        (world.exited(process).await, nemesis.counts()[&FaultKind::Crash])
    });
    assert_eq!(outcome.result.unwrap(), (crate::Exit::Finished, Count { scheduled: 3, fired: 0, effective: 0 }));
}

#[test]
fn a_later_pause_strikes_so_many_polls_after_its_moment() {
    for polls in 1..=4 {
        let outcome = run(Seed(1), Options::default(), async move |world| {
            let machine = world.add_machine("one");
            let action = Action::PauseLater { polls, lasting: millis(500) };
            let trigger = Trigger::AtEvent { name: "begun".into(), nth: 1 };
            let nemesis = Nemesis::start(&world, vec![fault(trigger, action)]);
            let steps = Arc::new(Mutex::new(0));
            let (inside, events) = (steps.clone(), nemesis.clone());
            let process = world.boot(machine, "main", async move |process| {
                events.event(&process, "begun");
                for _ in 0..10 {
                    *inside.lock().unwrap() += 1;
                    process.clock().sleep(millis(10)).await;
                }
            });
            sleep_true(millis(200)).await;
            let paused = *steps.lock().unwrap();
            world.exited(process).await;
            (paused, nemesis.counts()[&FaultKind::Pause].effective)
        });
        assert_eq!(outcome.result.unwrap(), (polls, 1));
    }
}

#[test]
fn what_is_to_be_done_to_a_message_is_told_to_who_carries_it() {
    let outcome = run(Seed(1), Options::default(), async |world| {
        let machine = world.add_machine("one");
        let other = world.add_machine("two");
        let at = |nth| Trigger::AtEvent { name: "request".into(), nth };
        let nemesis = Nemesis::start(&world, vec![fault(at(2), Action::Message(MessageFault::Lose))]);
        let duplicate = fault(at(1), Action::Message(MessageFault::Duplicate));
        let first = nemesis.message(machine, "request");
        let added = nemesis.add(vec![duplicate]);
        assert_eq!(nemesis.waiting(), [0, added.start]);
        let strange = nemesis.message(other, "request");
        let second = nemesis.message(machine, "request");
        nemesis.took_effect(FaultKind::LostMessage);
        (first, strange, second, nemesis.waiting(), nemesis.counts())
    });
    let (first, strange, second, waiting, counts) = outcome.result.unwrap();
    assert!(first.is_empty() && strange.is_empty());
    assert_eq!(second, [MessageFault::Lose, MessageFault::Duplicate]);
    assert!(waiting.is_empty(), "{waiting:?}");
    assert_eq!(counts[&FaultKind::LostMessage], Count { scheduled: 1, fired: 1, effective: 1 });
    assert_eq!(counts[&FaultKind::DuplicatedMessage], Count { scheduled: 1, fired: 1, effective: 0 });
}

#[test]
fn a_lying_sync_strikes_its_sync_or_the_next_with_something_to_do() {
    let power_loss = fault(matching(OperationKind::Write, 6), Action::PowerLoss(Survivors::None));
    let lie = fault(matching(OperationKind::Sync, 5), Action::LyingSync);
    let (seen, nemesis) = met(vec![lie, power_loss.clone()]);
    nemesis.assert(FaultKind::LyingSync, 1, 1);
    nemesis.assert(FaultKind::PowerLoss, 1, 1);
    assert_eq!((seen.failed, seen.written), (1, 11), "the write without power failed, and a block was written twice");
    let (_, armed) = met(vec![fault(Trigger::At(millis(45)), Action::LyingSync), power_loss]);
    armed.assert(FaultKind::LyingSync, 1, 1);
}

#[test]
fn a_write_goes_astray_only_if_there_is_another_place_for_it() {
    let (seen, nemesis) = met(vec![
        fault(matching(OperationKind::Write, 1), Action::MisdirectedWrite),
        fault(matching(OperationKind::Write, 7), Action::MisdirectedWrite),
    ]);
    // The first one finds an empty file, waits, and strikes the second write.
    nemesis.assert(FaultKind::MisdirectedWrite, 2, 2);
    assert_eq!(seen.failed, 0);
}

#[test]
fn rot_counts_if_there_was_a_durable_byte() {
    let (_, nemesis) = met(vec![
        fault(matching(OperationKind::Open, 1), Action::BitRot),
        fault(matching(OperationKind::Write, 4), Action::BitRot),
    ]);
    nemesis.assert(FaultKind::BitRot, 2, 1);
}
