//! Faults of a machine that has the file: its disk and its wall clock.

use outlive_sim::{Action, OperationKind, Rng, Survivors, Trigger};
use std::time::Duration;

/// Draws what goes wrong with the disk and the wall clock of a machine within `end`.
pub fn draw(rng: &mut Rng, end: Duration) -> Vec<(Trigger, Action)> {
    let mut faults = Vec::new();
    let mut add = |trigger, action| faults.push((trigger, action));
    if rng.chance(0.5) {
        for _ in 0..rng.between(1..=2) {
            let nth = rng.between(2..=60);
            add(log_sync(nth), Action::SyncError(Survivors::Subset));
            // What a failed sync left behind is lost with the next power loss: let it come soon.
            if rng.chance(0.7) {
                let survivors = *rng.pick(&Survivors::ALL);
                add(log_sync(nth + rng.between(2..=8)), Action::PowerLoss(survivors));
            }
        }
        add(file_trigger(rng, OperationKind::Sync, 60), Action::SyncError(Survivors::Subset));
    }
    if rng.chance(0.3) {
        for _ in 0..rng.between(1..=2) {
            add(file_trigger(rng, OperationKind::Write, 150), Action::WriteError);
        }
    }
    if rng.chance(0.2) {
        add(at(rng, end), Action::FullDisk(Duration::from_millis(rng.between(500..=5_000))));
    }
    if rng.chance(0.3) {
        let least = Duration::from_micros(rng.between(10..=500));
        let most = least * rng.between(2..=20) as u32;
        add(at(rng, end), Action::SlowDisk { least, most, lasting: Duration::from_millis(rng.between(500..=6_000)) });
    }
    if rng.chance(0.35) {
        for _ in 0..rng.between(1..=3) {
            add(at(rng, end), Action::WallJump(jump(rng)));
        }
    }
    faults
}

/// At any time of the run.
pub fn at(rng: &mut Rng, end: Duration) -> Trigger {
    let end_ms = u64::try_from(end.as_millis()).expect("a run is short");
    Trigger::At(Duration::from_millis(rng.between(1..=end_ms)))
}

/// At an operation on the log: one of the last third of so many.
pub fn file_between(rng: &mut Rng, suffix: &str, kind: OperationKind, up_to: u64) -> Trigger {
    Trigger::AtMatching { suffix: suffix.into(), kind, nth: rng.between(up_to * 2 / 3..=up_to) }
}

fn log_sync(nth: u64) -> Trigger {
    Trigger::AtMatching { suffix: "-wal".into(), kind: OperationKind::Sync, nth }
}

/// At an operation on the log, or now and then on the database.
pub fn file_trigger(rng: &mut Rng, kind: OperationKind, up_to: u64) -> Trigger {
    let suffix = *rng.pick(&["-wal", "-wal", ".db"]);
    let up_to = if suffix == ".db" { up_to / 4 + 2 } else { up_to };
    file_at(rng, suffix, kind, up_to)
}

fn file_at(rng: &mut Rng, suffix: &str, kind: OperationKind, up_to: u64) -> Trigger {
    Trigger::AtMatching { suffix: suffix.into(), kind, nth: rng.between(1..=up_to.max(2)) }
}

fn jump(rng: &mut Rng) -> i64 {
    let ms = rng.between(100..=600_000).cast_signed();
    if rng.chance(0.5) { ms } else { -ms }
}
