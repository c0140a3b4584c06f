//! States that a large batch must reach. Each is one in which a queue of this kind goes wrong if it ever does; if none of
//! a thousand seeds comes there, the batch tests less than it says.

use super::state::{Attempts, Durability, JobState, Lease, State, Worker};
use outlive_sim::FaultKind;

/// A state that must be reached, or several of which one must.
pub struct Demanded {
    /// In words.
    pub name: &'static str,
    /// Whether it is one of them.
    pub is: fn(&State) -> bool,
}

/// All of them. Each was reached by more than one seed of fifty when it was chosen.
pub const DEMANDED: [Demanded; 14] = [
    Demanded {
        name: "a zombie awake before the store takes its expired lease back",
        is: |it| it.lease == Lease::Expired && it.worker == Worker::Zombie,
    },
    Demanded {
        name: "a worker asleep while its lease has expired and is not taken back",
        is: |it| it.lease == Lease::Expired && it.worker == Worker::Paused,
    },
    Demanded {
        name: "an expired lease of an awake worker, not taken back",
        is: |it| it.lease == Lease::Expired && it.worker == Worker::Alive,
    },
    Demanded {
        name: "a zombie while another attempt is at work",
        is: |it| it.job == JobState::Started && it.lease == Lease::TakenBack && it.worker == Worker::Zombie,
    },
    Demanded {
        name: "a zombie of a job that another attempt has completed",
        is: |it| it.job == JobState::Completed && it.lease == Lease::TakenBack && it.worker == Worker::Zombie,
    },
    Demanded {
        name: "a zombie of a job that was cancelled meanwhile",
        is: |it| it.job == JobState::Cancelled && it.lease == Lease::TakenBack && it.worker == Worker::Zombie,
    },
    Demanded {
        name: "a worker asleep within its trust under a partition",
        is: |it| {
            let is_cut = matches!(it.fault, Some(FaultKind::Partition | FaultKind::OneWayPartition));
            it.lease == Lease::Valid && it.worker == Worker::Paused && is_cut
        },
    },
    Demanded {
        name: "a claim of which nobody was told, after a crash",
        is: |it| {
            let crashed = matches!(it.fault, Some(FaultKind::Crash | FaultKind::PowerLoss));
            it.job == JobState::Claimed && it.worker == Worker::None && crashed
        },
    },
    Demanded {
        name: "a job asked to stop whose worker died",
        is: |it| it.job == JobState::Stopping && it.worker == Worker::Dead,
    },
    Demanded {
        name: "a completion that is open while power is lost",
        is: |it| {
            let is_open = it.durability == Durability::Open;
            it.job == JobState::Completed && is_open && it.fault == Some(FaultKind::PowerLoss)
        },
    },
    Demanded {
        name: "a start that is open while a sync fails",
        is: |it| {
            let is_open = it.durability == Durability::Open;
            it.job == JobState::Started && is_open && it.fault == Some(FaultKind::SyncError)
        },
    },
    Demanded {
        name: "a rest or delay while the wall clock jumps",
        is: |it| it.job.waits() && it.job != JobState::Line && it.fault == Some(FaultKind::WallJump),
    },
    Demanded {
        name: "a fourth attempt at work",
        is: |it| it.job == JobState::Started && it.attempts == Attempts::More,
    },
    Demanded { name: "a quarantine", is: |it| it.job == JobState::Quarantined },
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::coverage::possible;

    #[test]
    fn what_is_demanded_is_possible() {
        for demanded in &DEMANDED {
            assert!(possible().any(|state| (demanded.is)(&state)), "{}", demanded.name);
        }
    }
}
