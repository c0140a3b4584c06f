//! Faults of a machine on which somebody copies the file, or makes it smaller: just then, which by chance they seldom are.

use outlive_sim::{Action, Fault, Fork, MachineId, OperationKind, Rng, Survivors, Trigger};

/// How many times what somebody does is interrupted, or nearly.
const TIMES: usize = 4;

/// Draws what interrupts copies.
pub fn draw_for_copies(fork: Fork, machine: MachineId) -> Vec<Fault> {
    let kinds = [OperationKind::Write, OperationKind::Sync, OperationKind::Rename];
    draw(fork.rng(), machine, |rng| (".partial", *rng.pick(&kinds), rng.between(1..=8)))
}

/// Draws what interrupts compactions. Beside them only openings open the log, and nobody cuts the file.
pub fn draw_for_compactions(fork: Fork, machine: MachineId) -> Vec<Fault> {
    draw(fork.rng(), machine, |rng| {
        if rng.chance(0.2) {
            (".db", OperationKind::Truncate, rng.between(1..=4))
        } else {
            ("-wal", OperationKind::Open, rng.between(8..=80))
        }
    })
}

fn draw(
    mut rng: Rng,
    machine: MachineId,
    mut at: impl FnMut(&mut Rng) -> (&'static str, OperationKind, u64),
) -> Vec<Fault> {
    let interrupt = |_| {
        let (suffix, kind, nth) = at(&mut rng);
        let action = if rng.chance(0.8) { Action::PowerLoss(*rng.pick(&Survivors::ALL)) } else { Action::Crash };
        Fault { machine, trigger: Trigger::AtMatching { suffix: suffix.to_owned(), kind, nth }, action }
    };
    (0..TIMES).map(interrupt).collect()
}
