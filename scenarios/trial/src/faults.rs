//! What happens to a program on trial: kills anywhere, power losses, pauses, wrong clocks.

use crate::watch::MOMENTS;
use outlive_sim::{Action, Fault, MachineId, OperationKind, Rng, Seed, Survivors, Trigger};
use std::time::Duration;

/// Most faults of a seed. Some have none: what is broken without any should be found first.
const FAULTS_MAX: u64 = 5;

/// The faults of a seed, for the only machine that there is.
pub fn draw(seed: Seed) -> Vec<Fault> {
    let fork = seed.fork("trial faults");
    let count = fork.fork("count").rng().between(0..=FAULTS_MAX);
    // Each from a fork of its own: one more leaves the others as they are.
    (0..count).map(|number| fault(&mut fork.fork("fault").key(number).rng())).collect()
}

/// Nobody knows how much a trial does: some come early, some late.
fn nth(rng: &mut Rng) -> u64 {
    let last = *rng.pick(&[3, 10, 40]);
    rng.between(1..=last)
}

fn fault(rng: &mut Rng) -> Fault {
    let trigger = match rng.between(0..=9) {
        0..=4 => Trigger::AtEvent { name: (*rng.pick(&MOMENTS)).to_owned(), nth: nth(rng) },
        5..=7 => {
            let kind = *rng.pick(&[OperationKind::Write, OperationKind::Sync]);
            Trigger::AtMatching { suffix: "-wal".into(), kind, nth: 4 * nth(rng) }
        }
        _ => {
            let longest = *rng.pick(&[50, 500, 5_000, 50_000]);
            Trigger::At(rng.duration(Duration::ZERO..=Duration::from_millis(longest)))
        }
    };
    let action = match rng.between(0..=19) {
        0..=10 => Action::Crash,
        11..=15 => Action::PowerLoss(*rng.pick(&Survivors::ALL)),
        16..=18 => Action::Pause(rng.duration(Duration::from_millis(100)..=Duration::from_secs(60))),
        _ => Action::WallJump(*rng.pick(&[-3_600_000, 3_600_000])),
    };
    Fault { machine: MachineId(0), trigger, action }
}
