//! States that can't be, with the reason for each rule. A run that reaches one of them has failed: either the queue is
//! wrong, or what is said here.

use super::state::{Attempts, JobState, Lease, State, Worker};
use crate::drive::Evidence;

/// A rule by which states can't be.
pub struct Rule {
    /// In a few words, which name no number.
    pub name: &'static str,
    /// Why no run can reach such a state.
    pub why: &'static str,
    /// Whether it is such a state.
    pub forbids: fn(&State) -> bool,
    /// Whether the rule is one of this run.
    pub applies: fn(&Evidence) -> bool,
}

const fn always(_: &Evidence) -> bool {
    true
}

/// All rules. A state that none of them forbids is possible.
pub const RULES: &[Rule] = &[
    Rule {
        name: "a waiting job with a lease in force",
        why: "before a job waits again its attempt has ended: its holder ended it, or the store took it back after its end",
        forbids: |it| it.job.waits() && matches!(it.lease, Lease::Valid | Lease::TrustOver | Lease::Expired),
        applies: always,
    },
    Rule {
        name: "a terminal job with a lease in force",
        why: "the change that makes a job terminal ends its attempt, and an earlier one was taken back after its end",
        forbids: |it| it.job.is_terminal() && matches!(it.lease, Lease::Valid | Lease::TrustOver | Lease::Expired),
        applies: always,
    },
    Rule {
        name: "a leased job without a lease",
        why: "a job is claimed in the same change that grants the lease, and the end of the lease ends that",
        forbids: |it| it.job.is_leased() && it.lease == Lease::None,
        applies: always,
    },
    Rule {
        name: "a lease before the first attempt",
        why: "a lease is one attempt's",
        forbids: |it| it.attempts == Attempts::None && it.lease != Lease::None,
        applies: always,
    },
    Rule {
        name: "a job past its first attempt without one",
        why: "until its first attempt a job waits in line, for its time or for other jobs, or is ended with one of these",
        forbids: |it| {
            let waits = matches!(it.job, JobState::Line | JobState::Delay | JobState::Held);
            let before = waits || matches!(it.job, JobState::Cancelled | JobState::Discarded);
            it.attempts == Attempts::None && !before
        },
        applies: always,
    },
    Rule {
        name: "a delay after the first attempt",
        why: "the time that a job was enqueued for is over when it is claimed, and is not looked at again",
        forbids: |it| it.job == JobState::Delay && it.attempts != Attempts::None,
        applies: always,
    },
    Rule {
        name: "a worker without a lease",
        why: "whoever ended its lease is not looked at any more",
        forbids: |it| it.lease == Lease::None && it.worker != Worker::None,
        applies: always,
    },
    Rule {
        name: "a lease that nobody was told of, relied upon or surely expired",
        why: "nobody can rely on it, and how it was asked for nobody knows, so that its end is not known either",
        forbids: |it| it.worker == Worker::None && matches!(it.lease, Lease::Valid | Lease::Expired),
        applies: always,
    },
    Rule {
        name: "a start of what nobody was told of",
        why: "only who was told of a lease can show it",
        forbids: |it| it.job == JobState::Started && it.worker == Worker::None && it.lease != Lease::TakenBack,
        applies: always,
    },
    Rule {
        name: "a lease that is relied upon by the dead",
        why: "a dead process relies on nothing",
        forbids: |it| it.lease == Lease::Valid && it.worker == Worker::Dead,
        applies: always,
    },
    Rule {
        name: "a zombie within its trust",
        why: "a zombie is who woke after the end of its trust",
        forbids: |it| it.lease == Lease::Valid && it.worker == Worker::Zombie,
        applies: always,
    },
    Rule {
        name: "a rest after a crash, or a quarantine, of a lease that was not taken back",
        why: "a crash is a lease that the store took back",
        forbids: |it| matches!(it.job, JobState::CrashBackoff | JobState::Quarantined) && it.lease != Lease::TakenBack,
        applies: always,
    },
    Rule {
        name: "a crash of whom nobody was told",
        why: "only an attempt that has started can crash, and only who was told of its lease can start it",
        forbids: |it| {
            let crashed = matches!(it.job, JobState::CrashBackoff | JobState::Quarantined);
            crashed && it.lease == Lease::TakenBack && it.worker == Worker::None
        },
        applies: always,
    },
    Rule {
        name: "an only attempt that was taken back, and goes on",
        why: "what was taken back is neither claimed nor started, it can't complete, fail or snooze, and is asked to stop in vain; only its deadline may end it",
        forbids: |it| it.attempts == Attempts::One && it.lease == Lease::TakenBack && goes_on(it.job),
        applies: always,
    },
    Rule {
        name: "a silent holder that was overtaken",
        why: "once another attempt has begun, an earlier one is looked at only while its holder lives and is yet to be heard of",
        forbids: |it| {
            let silent = matches!(it.worker, Worker::None | Worker::Dead);
            it.lease == Lease::TakenBack && goes_on(it.job) && silent
        },
        applies: always,
    },
    Rule {
        name: "a quarantine after few attempts",
        why: "a job is quarantined after its fifth crash, which is one of a fifth attempt at the earliest",
        forbids: |it| it.job == JobState::Quarantined && it.attempts < Attempts::More,
        applies: |run| {
            let of_kinds = run.plan.policies.iter().filter_map(|it| it.policy.crashes_max);
            of_kinds.chain([run.plan.options.limits.crashes_max]).all(|crashes| crashes >= 4)
        },
    },
    Rule {
        name: "a paused worker without a pause",
        why: "a pause is a fault, and is active until its end",
        forbids: |it| it.worker == Worker::Paused && it.fault.is_none(),
        // What a scenario file does by hand is not known by its kind.
        applies: |run| run.seen.faults.iter().all(|fault| fault.kind.is_some()),
    },
];

/// Whether the attempt that brought a job there, or keeps it there, was not taken back.
fn goes_on(job: JobState) -> bool {
    let ended_by_its_holder =
        matches!(job, JobState::Backoff | JobState::Snooze | JobState::Held | JobState::Completed);
    job.is_leased() || ended_by_its_holder
}

/// The first rule that forbids a state.
pub fn forbidden(state: &State) -> Option<&'static Rule> {
    RULES.iter().find(|rule| (rule.forbids)(state))
}

/// The states that no rule forbids, in order.
pub fn possible() -> impl Iterator<Item = State> {
    State::all().filter(|state| forbidden(state).is_none())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::coverage::Durability;
    use outlive_sim::FaultKind;

    #[test]
    fn each_rule_forbids_what_no_other_does() {
        for rule in RULES {
            let alone = |state: &State| {
                let mut others = RULES.iter().filter(|other| other.name != rule.name);
                (rule.forbids)(state) && others.all(|other| !(other.forbids)(state))
            };
            assert!(State::all().any(|state| alone(&state)), "{}", rule.name);
        }
    }

    fn state(job: JobState, lease: Lease, worker: Worker, attempts: usize) -> State {
        let fault = (worker == Worker::Paused).then_some(FaultKind::Pause);
        State { job, lease, worker, durability: Durability::Durable, attempts: Attempts::of(attempts), fault }
    }

    fn forbids(state: State, name: &str) {
        assert_eq!(forbidden(&state).map(|rule| rule.name), Some(name), "{state}");
    }

    #[test]
    fn states_that_can_not_be() {
        use JobState as J;
        use Lease as L;
        use Worker as W;
        forbids(state(J::Line, L::Expired, W::Alive, 1), "a waiting job with a lease in force");
        forbids(state(J::Completed, L::Valid, W::Alive, 1), "a terminal job with a lease in force");
        forbids(state(J::Claimed, L::None, W::None, 1), "a leased job without a lease");
        forbids(state(J::Line, L::TakenBack, W::Dead, 0), "a lease before the first attempt");
        forbids(state(J::Completed, L::None, W::None, 0), "a job past its first attempt without one");
        forbids(state(J::Delay, L::None, W::None, 1), "a delay after the first attempt");
        forbids(state(J::Line, L::None, W::Dead, 1), "a worker without a lease");
        let untold = "a lease that nobody was told of, relied upon or surely expired";
        forbids(state(J::Claimed, L::Expired, W::None, 1), untold);
        forbids(state(J::Started, L::TrustOver, W::None, 1), "a start of what nobody was told of");
        forbids(state(J::Started, L::Valid, W::Dead, 1), "a lease that is relied upon by the dead");
        forbids(state(J::Started, L::Valid, W::Zombie, 1), "a zombie within its trust");
        let not_taken = "a rest after a crash, or a quarantine, of a lease that was not taken back";
        forbids(state(J::CrashBackoff, L::None, W::None, 1), not_taken);
        forbids(state(J::CrashBackoff, L::TakenBack, W::None, 1), "a crash of whom nobody was told");
        forbids(state(J::Completed, L::TakenBack, W::Zombie, 1), "an only attempt that was taken back, and goes on");
        forbids(state(J::Started, L::TakenBack, W::Dead, 2), "a silent holder that was overtaken");
        forbids(state(J::Quarantined, L::TakenBack, W::Dead, 3), "a quarantine after few attempts");
        let without = State { fault: None, ..state(J::Started, L::Valid, W::Paused, 1) };
        forbids(without, "a paused worker without a pause");
    }

    #[test]
    fn states_that_matter_are_possible() {
        use JobState as J;
        use Lease as L;
        use Worker as W;
        for possible in [
            state(J::Line, L::None, W::None, 0),
            state(J::Cancelled, L::None, W::None, 0),
            state(J::Claimed, L::TrustOver, W::None, 1),
            state(J::Started, L::Valid, W::Paused, 1),
            state(J::Started, L::Expired, W::Zombie, 1),
            state(J::Started, L::TakenBack, W::Zombie, 2),
            state(J::Completed, L::TakenBack, W::Zombie, 2),
            state(J::CrashBackoff, L::TakenBack, W::Alive, 1),
            state(J::Line, L::TakenBack, W::None, 1),
            state(J::Quarantined, L::TakenBack, W::Dead, 5),
            // By its deadline.
            state(J::Discarded, L::TakenBack, W::Dead, 1),
        ] {
            assert_eq!(forbidden(&possible).map(|rule| rule.name), None, "{possible}");
        }
    }
}
