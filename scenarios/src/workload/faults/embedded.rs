//! Faults of a program that embeds the queue.

use super::disk::{self, at, file_between, file_trigger};
use outlive_sim::{Action, Fault, Fork, MachineId, OperationKind, Rng, Survivors, Trigger};
use std::time::Duration;

/// Moments at which a crash hurts in any run: a lease is live, or a change is on its way.
const MOMENTS: [&str; 4] = ["after claim", "handler starts", "before complete", "before enqueue"];

/// Draws a schedule: crashes at moments and at operations, and a mix of everything else.
pub fn draw(fork: Fork, machine: MachineId, end: Duration, poison: bool) -> Vec<Fault> {
    let mut rng = fork.rng();
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
    for (trigger, action) in disk::draw(&mut rng, end) {
        add(trigger, action);
    }
    if rng.chance(0.4) {
        for _ in 0..rng.between(1..=3) {
            let trigger = if rng.chance(0.5) { at(&mut rng, end) } else { crash_trigger(&mut rng, 3) };
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
