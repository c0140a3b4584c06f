//! Faults that wait for an operation of a disk: which are due, and what becomes of the operation.

use std::io;

use super::fault::{Action, Fault, FaultKind, Trigger};
use super::{Armed, Nemesis, State};
use crate::clock::true_time;
use crate::disk::{DiskFaults, OperationInfo, OperationKind, Verdict, can_be_misdirected};

impl Nemesis {
    /// The faults that waited for this operation, which then wait no more.
    fn all_due(&self, operation: &OperationInfo<'_>) -> Vec<usize> {
        let mut due = Vec::new();
        let mut state = self.0.state.lock().unwrap();
        let State { at_operations, schedule, .. } = &mut *state;
        at_operations.retain_mut(|(place, seen)| {
            let fault = &schedule[*place];
            let fires = fault.machine == operation.machine && self.is_due(*place, fault, seen, operation);
            if fires {
                due.push(*place);
            }
            !fires
        });
        due
    }

    fn is_due(&self, place: usize, fault: &Fault, seen: &mut u64, operation: &OperationInfo<'_>) -> bool {
        let matches = |suffix: &str, kind: OperationKind| kind == operation.kind && operation.path.ends_with(suffix);
        match &fault.trigger {
            Trigger::AtOperation { process, ordinal } => {
                *process == operation.process && *ordinal == operation.of_process
            }
            Trigger::AtMatching { suffix, kind, nth } => {
                *seen += u64::from(matches(suffix, *kind));
                *seen == *nth
            }
            Trigger::AtChance { suffix, kind, probability } => {
                let matches = matches(suffix, *kind);
                *seen += u64::from(matches);
                matches && self.0.fork.key(place as u64).key(*seen).chance(*probability)
            }
            Trigger::At(_) | Trigger::AtEvent { .. } => unreachable!("it waits for an operation"),
        }
    }

    /// An armed fault that strikes this operation, and is armed no more.
    fn strike_armed(&self, operation: &OperationInfo<'_>) -> Option<Action> {
        let mut state = self.0.state.lock().unwrap();
        let struck = |armed: &Armed| armed.machine == operation.machine && strikes(armed.action.kind(), operation);
        let index = state.armed.iter().position(struck)?;
        let Armed { action, fired, .. } = state.armed.remove(index);
        state.fired[fired].until = Some(true_time());
        state.struck(action.kind(), Some(fired));
        Some(action)
    }
}

/// Whether a fault of this kind makes a difference to an operation.
pub(super) fn strikes(kind: FaultKind, operation: &OperationInfo<'_>) -> bool {
    let OperationInfo { offset, bytes, length, pending, .. } = *operation;
    match operation.kind {
        OperationKind::Sync => matches!(kind, FaultKind::SyncError | FaultKind::LyingSync) && pending > 0,
        OperationKind::SyncDirectory => kind == FaultKind::SyncError && pending > 0,
        OperationKind::Write if kind == FaultKind::MisdirectedWrite => can_be_misdirected(offset, bytes, length),
        OperationKind::Write => kind == FaultKind::WriteError,
        OperationKind::Open
        | OperationKind::Read
        | OperationKind::Truncate
        | OperationKind::Rename
        | OperationKind::Remove => false,
    }
}

/// What becomes of an operation that a fault strikes.
pub(super) fn verdict(action: Action) -> Verdict {
    match action {
        Action::SyncError(survivors) => Verdict::FailSync(survivors),
        Action::WriteError => Verdict::Fail(io::ErrorKind::Other),
        Action::LyingSync => Verdict::Lie,
        Action::MisdirectedWrite => Verdict::Misdirect,
        other => unreachable!("{other:?} strikes no operation"),
    }
}

/// Which of two verdicts counts: a process that dies sees no error, and what fails does nothing else.
fn worse(one: Verdict, other: Verdict) -> Verdict {
    let rank = |verdict: &Verdict| match verdict {
        Verdict::Pass => 0,
        Verdict::Lie | Verdict::Misdirect => 1,
        Verdict::Fail(_) | Verdict::FailSync(_) => 2,
        Verdict::CrashBefore => 3,
    };
    if rank(&other) > rank(&one) { other } else { one }
}

impl DiskFaults for Nemesis {
    fn on_operation(&self, operation: &OperationInfo<'_>) -> Verdict {
        {
            let state = self.0.state.lock().unwrap();
            if state.stopped || (state.at_operations.is_empty() && state.armed.is_empty()) {
                return Verdict::Pass;
            }
        }
        let mut decided = Verdict::Pass;
        for place in self.all_due(operation) {
            decided = worse(decided, self.fire(place, &[operation.process], Some(operation)));
        }
        if decided == Verdict::Pass
            && let Some(action) = self.strike_armed(operation)
        {
            decided = verdict(action);
        }
        decided
    }
}
