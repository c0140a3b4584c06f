//! The schedule of faults, drawn by swarm: a run has a few kinds, each several times.

use outlive_sim::{Action, Fault, Fork, MachineId, OperationKind, Rng, Survivors, Trigger};
use std::time::Duration;

/// Moments that the recorder names.
const MOMENTS: [&str; 7] =
    ["after claim", "after start", "before complete", "before enqueue", "after enqueue", "before fail", "after open"];

/// Draws a schedule: crashes at moments and at operations, and a mix of everything else.
pub fn draw(fork: Fork, machine: MachineId, end: Duration) -> Vec<Fault> {
    let mut rng = fork.rng();
    let end_ms = u64::try_from(end.as_millis()).expect("a run is short");
    let mut faults = Vec::new();
    let mut add = |trigger, action| faults.push(Fault { machine, trigger, action });
    let power = rng.chance(0.6);
    let crashes = rng.between(6..=9);
    for crash in 0..crashes {
        let action =
            if power && rng.chance(0.5) { Action::PowerLoss(*rng.pick(&Survivors::ALL)) } else { Action::Crash };
        add(crash_trigger(&mut rng, crash), action);
    }
    if rng.chance(0.4) {
        for _ in 0..rng.between(1..=3) {
            add(file_trigger(&mut rng, OperationKind::Sync, 60), Action::SyncError);
        }
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
    let around = 4 + 9 * ordinal;
    match rng.between(0..=9) {
        0..=4 => {
            let name = (*rng.pick(&MOMENTS)).to_owned();
            let nth = if name == "after open" { 1 + ordinal / 2 } else { rng.between(around / 2..=around).max(1) };
            Trigger::AtEvent { name, nth }
        }
        5..=6 => file_at(rng, "-wal", OperationKind::Sync, 3 * around / 2),
        7..=8 => file_at(rng, "-wal", OperationKind::Write, 2 * around),
        _ => file_trigger(rng, OperationKind::Sync, 2 + ordinal),
    }
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
