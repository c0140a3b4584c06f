//! What no disk is allowed to do: drawn beside the legal faults of a run, in a profile of its own.

use super::disk::{at, file_trigger};
use outlive_sim::{Action, Fault, Fork, MachineId, OperationKind, Survivors, Trigger};
use std::time::Duration;

/// Draws some of it for the machine that has the file: a run has one kind or a few, as with all faults.
pub fn draw(fork: Fork, machine: MachineId, end: Duration) -> Vec<Fault> {
    let mut rng = fork.rng();
    let mut faults = Vec::new();
    let mut add = |trigger, action| faults.push(Fault { machine, trigger, action });
    let kinds = rng.between(1..=7);
    if kinds & 1 != 0 {
        for _ in 0..rng.between(1..=3) {
            let (suffix, most) = *rng.pick(&[("-wal", 60), ("-wal", 60), (".db", 8)]);
            let nth = rng.between(2..=most);
            let on = |nth| Trigger::AtMatching { suffix: suffix.into(), kind: OperationKind::Sync, nth };
            add(on(nth), Action::LyingSync);
            // What it did not write is lost with the next power loss: let it come soon.
            if rng.chance(0.7) {
                add(on(nth + rng.between(1..=4)), Action::PowerLoss(*rng.pick(&Survivors::ALL)));
            }
        }
    }
    if kinds & 2 != 0 {
        for _ in 0..rng.between(1..=6) {
            let kind =
                *rng.pick(&[OperationKind::Read, OperationKind::Read, OperationKind::Write, OperationKind::Sync]);
            let trigger = match kind {
                _ if rng.chance(0.2) => at(&mut rng, end),
                // The pages that are read when the file is opened again, and while it is used.
                OperationKind::Read => Trigger::AtMatching { suffix: ".db".into(), kind, nth: rng.between(1..=800) },
                _ => file_trigger(&mut rng, kind, 60),
            };
            add(trigger, Action::BitRot);
        }
    }
    if kinds & 4 != 0 {
        for _ in 0..rng.between(1..=2) {
            add(file_trigger(&mut rng, OperationKind::Write, 100), Action::MisdirectedWrite);
        }
    }
    faults
}
