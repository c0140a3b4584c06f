//! The schedule of faults, drawn by swarm: a run has a few kinds, each several times.

use outlive_sim::{Action, Fault, Fork, MachineId, OperationKind, Rng, Survivors, Trigger};
use std::time::Duration;

/// Moments at which a crash hurts in any run: a lease is live, or a change is on its way.
const MOMENTS: [&str; 4] = ["after claim", "after start", "before complete", "before enqueue"];

/// Draws a schedule: crashes at moments and at operations, and a mix of everything else.
pub fn draw(fork: Fork, machine: MachineId, end: Duration, poison: bool) -> Vec<Fault> {
    let mut rng = fork.rng();
    let end_ms = u64::try_from(end.as_millis()).expect("a run is short");
    let mut faults = Vec::new();
    let mut add = |trigger, action| faults.push(Fault { machine, trigger, action });
    let power = rng.chance(0.7);
    // A job that kills its process does so until it is quarantined.
    let crashes = if poison { rng.between(2..=4) } else { rng.between(6..=7) };
    for crash in 0..crashes {
        let action =
            if power && rng.chance(0.5) { Action::PowerLoss(*rng.pick(&Survivors::ALL)) } else { Action::Crash };
        add(crash_trigger(&mut rng, crash), action);
    }
    if rng.chance(0.5) {
        for _ in 0..rng.between(1..=2) {
            let nth = rng.between(2..=60);
            add(log_sync(nth), Action::SyncError);
            // What a failed sync left behind is lost with the next power loss: let it come soon.
            if rng.chance(0.7) {
                let survivors = *rng.pick(&Survivors::ALL);
                add(log_sync(nth + rng.between(2..=8)), Action::PowerLoss(survivors));
            }
        }
        add(file_trigger(&mut rng, OperationKind::Sync, 60), Action::SyncError);
    }
    if rng.chance(0.3) {
        for _ in 0..rng.between(1..=2) {
            add(file_trigger(&mut rng, OperationKind::Write, 150), Action::WriteError);
        }
    }
    let at = |rng: &mut Rng| Trigger::At(Duration::from_millis(rng.between(1..=end_ms)));
    if rng.chance(0.2) {
        add(at(&mut rng), Action::FullDisk(Duration::from_millis(rng.between(500..=5_000))));
    }
    if rng.chance(0.3) {
        let least = Duration::from_micros(rng.between(10..=500));
        let most = least * rng.between(2..=20) as u32;
        add(at(&mut rng), Action::SlowDisk { least, most, lasting: Duration::from_millis(rng.between(500..=6_000)) });
    }
    if rng.chance(0.35) {
        for _ in 0..rng.between(1..=3) {
            add(at(&mut rng), Action::WallJump(jump(&mut rng)));
        }
    }
    if rng.chance(0.4) {
        for _ in 0..rng.between(1..=3) {
            let trigger = if rng.chance(0.5) { at(&mut rng) } else { crash_trigger(&mut rng, 3) };
            add(trigger, Action::Pause(Duration::from_millis(rng.between(50..=12_000))));
        }
    }
    faults
}

/// Spread over the run: the first ones come early, the last ones late.
fn crash_trigger(rng: &mut Rng, ordinal: u64) -> Trigger {
    // What a run sees of each, divided by the crashes that it has.
    let (moments, operations) = (6 * (ordinal + 1), 18 * (ordinal + 1));
    match rng.between(0..=39) {
        0..=25 => {
            let nth = rng.between(moments * 2 / 3..=moments);
            Trigger::AtEvent { name: (*rng.pick(&MOMENTS)).to_owned(), nth }
        }
        26..=30 => file_between(rng, "-wal", OperationKind::Sync, operations),
        31..=36 => file_between(rng, "-wal", OperationKind::Write, operations),
        37 => Trigger::AtEvent { name: "before fail".into(), nth: 1 + ordinal },
        38 => Trigger::AtEvent { name: "after open".into(), nth: 1 + ordinal / 2 },
        _ => file_trigger(rng, OperationKind::Sync, 4 + 4 * ordinal),
    }
}

fn file_between(rng: &mut Rng, suffix: &str, kind: OperationKind, up_to: u64) -> Trigger {
    Trigger::AtMatching { suffix: suffix.into(), kind, nth: rng.between(up_to * 2 / 3..=up_to) }
}

fn log_sync(nth: u64) -> Trigger {
    Trigger::AtMatching { suffix: "-wal".into(), kind: OperationKind::Sync, nth }
}

fn file_trigger(rng: &mut Rng, kind: OperationKind, up_to: u64) -> Trigger {
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
