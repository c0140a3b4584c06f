//! Faults of a schedule as lines of a file, and back.
//!
//! What waits for an operation, an event or a message stands in a block `at 0s`: it is armed from the beginning.
//! What comes at a time stands in a block of that time.

use super::cast::Cast;
use crate::scn::{
    Action, DiskFile, For, Jump, Keep, Message, MomentName, Nth, Number, OnFile, OneWay, Polls, Process as Who,
    RequestKind, Sent, When,
};
use outlive_sim::{
    Action as FaultAction, Fault, FaultKind, MachineId, MessageFault, OperationKind, Survivors, Trigger,
};
use std::time::Duration;

/// The fault that a line stands for, which begins to count at `now`. None if somebody is told to do something, or if
/// a line lasts until another one ends it.
pub fn fault_of(action: &Action, cast: &Cast, now: Duration) -> Option<Fault> {
    let store = cast.machines.store;
    let soon = Trigger::At(now);
    let link = |from: &Who, to: &Who| (cast.end_of_link(from, to), cast.end_of_link(to, from));
    let timed = |at: &Option<When>| at.as_ref().map_or(Trigger::At(now), operation);
    let (machine, trigger, action) = match action {
        Action::Pause { process, at, polls, lasting: Some(For::For { lasting }) } => {
            let pause = match polls {
                Some(Polls::After { polls }) => {
                    FaultAction::PauseLater { polls: polls.get() as u32, lasting: *lasting }
                }
                None => FaultAction::Pause(*lasting),
            };
            (cast.machine(process), timed(at), pause)
        }
        Action::PowerLoss { process, at, keep: Keep::Keep { survivors } } => {
            (cast.machine(process), timed(at), FaultAction::PowerLoss(*survivors))
        }
        Action::Crash { process, at } => (cast.machine(process), timed(at), FaultAction::Crash),
        Action::Partition { from, to, one_way, lasting: Some(For::For { lasting }) } => {
            let ((from, to), lasting) = (link(from, to), *lasting);
            let cut = match one_way {
                Some(_) => FaultAction::OneWayPartition { to, lasting },
                None => FaultAction::Partition { other: to, lasting },
            };
            (from, soon, cut)
        }
        Action::SlowLink { from, to, least, most, lasting: For::For { lasting } } => {
            let (from, to) = link(from, to);
            (from, soon, FaultAction::Clog { to, least: *least, most: *most, lasting: *lasting })
        }
        Action::HangConnects { from, to, lasting: For::For { lasting } } => {
            let (from, to) = link(from, to);
            (from, soon, FaultAction::HangingConnects { to, lasting: *lasting })
        }
        Action::LateEnds { from, to, least, most, lasting: For::For { lasting } } => {
            let (from, to) = link(from, to);
            (from, soon, FaultAction::DelayedFins { to, least: *least, most: *most, lasting: *lasting })
        }
        Action::HalfOpen { from, to } => {
            let (from, to) = link(from, to);
            (from, soon, FaultAction::HalfOpen { peer: to })
        }
        Action::Reset { from, to } => {
            let (from, to) = link(from, to);
            (from, soon, FaultAction::ConnectionResets { other: to })
        }
        Action::Lose { message: Message::Request { request, nth, process } } => {
            message(cast, *request, *nth, process, MessageFault::Lose)
        }
        Action::Lose { message: Message::Answer { request, nth, process } } => {
            message(cast, *request, *nth, process, MessageFault::LoseAnswer)
        }
        Action::Duplicate { message: Sent::Next { request, nth, process } } => {
            message(cast, *request, *nth, process, MessageFault::Duplicate)
        }
        Action::Late { message: Sent::Next { request, nth, process }, by } => {
            message(cast, *request, *nth, process, MessageFault::Withhold(*by))
        }
        Action::Replay { message: Sent::Next { request, nth, process }, after } => {
            message(cast, *request, *nth, process, MessageFault::Replay(*after))
        }
        Action::SyncError { on, keep } => {
            let survivors = keep.as_ref().map_or(Survivors::Subset, |Keep::Keep { survivors }| *survivors);
            (store, on_file(on, OperationKind::Sync, now), FaultAction::SyncError(survivors))
        }
        Action::WriteError { on } => (store, on_file(on, OperationKind::Write, now), FaultAction::WriteError),
        Action::FullDisk { lasting: For::For { lasting } } => (store, soon, FaultAction::FullDisk(*lasting)),
        Action::SlowDisk { least, most, lasting: For::For { lasting } } => {
            (store, soon, FaultAction::SlowDisk { least: *least, most: *most, lasting: *lasting })
        }
        Action::JumpClock { process, by } => {
            let ms = i64::try_from(by.by.as_millis()).unwrap_or(i64::MAX);
            (cast.machine(process), soon, FaultAction::WallJump(if by.back { -ms } else { ms }))
        }
        Action::Pause { lasting: None, .. }
        | Action::Partition { lasting: None, .. }
        | Action::Resume { .. }
        | Action::Start { .. }
        | Action::Stop { .. }
        | Action::OpenRival {}
        | Action::Enqueue { .. }
        | Action::Cancel { .. }
        | Action::Clog { .. }
        | Action::HealLink { .. }
        | Action::Heal {} => return None,
    };
    Some(Fault { machine, trigger, action })
}

/// The line that stands for a fault, and the time of its block. None for what no file can say.
pub fn line_of(fault: &Fault, cast: &Cast) -> Option<(Duration, Action)> {
    let (time, at, request) = match &fault.trigger {
        Trigger::At(time) => (*time, None, None),
        Trigger::AtMatching { suffix, kind, nth } => {
            let at = When::At { file: file(suffix)?, operation: *kind, nth: which(*nth)? };
            (Duration::ZERO, Some(at), None)
        }
        Trigger::AtEvent { name, nth } => match name.strip_prefix("request ") {
            Some(request) => (Duration::ZERO, None, Some((request_kind(request)?, which(*nth)?))),
            None => {
                let at = When::Moment { moment: MomentName::new(name)?, nth: which(*nth)? };
                (Duration::ZERO, Some(at), None)
            }
        },
        Trigger::AtOperation { .. } | Trigger::AtChance { .. } => return None,
    };
    let process = cast.process(fault.machine)?;
    let lasting = |lasting: Duration| For::For { lasting };
    let to = |machine: MachineId| cast.process(machine);
    // Only these wait for something; all else comes at its time.
    let waits = matches!(
        fault.action,
        FaultAction::Pause(_)
            | FaultAction::PauseLater { .. }
            | FaultAction::PowerLoss(_)
            | FaultAction::Crash
            | FaultAction::SyncError(_)
            | FaultAction::WriteError
    );
    if at.is_some() && !waits {
        return None;
    }
    let on = |kind: OperationKind| match &at {
        None => Some(None),
        Some(When::At { file, operation, nth }) if *operation == kind => {
            Some(Some(OnFile::On { file: *file, nth: *nth }))
        }
        Some(_) => None,
    };
    let action = match fault.action {
        FaultAction::Crash => Action::Crash { process, at },
        FaultAction::PowerLoss(survivors) => Action::PowerLoss { process, at, keep: Keep::Keep { survivors } },
        FaultAction::Pause(long) => Action::Pause { process, at, polls: None, lasting: Some(lasting(long)) },
        FaultAction::PauseLater { polls, lasting: long } => {
            let polls = Polls::After { polls: Number::new(i64::from(polls))? };
            Action::Pause { process, at, polls: Some(polls), lasting: Some(lasting(long)) }
        }
        FaultAction::SyncError(survivors) => {
            let keep = (survivors != Survivors::Subset).then_some(Keep::Keep { survivors });
            Action::SyncError { on: on(OperationKind::Sync)?, keep }
        }
        FaultAction::WriteError => Action::WriteError { on: on(OperationKind::Write)? },
        // No story is told of what no disk may do.
        FaultAction::LyingSync | FaultAction::BitRot | FaultAction::MisdirectedWrite => return None,
        FaultAction::FullDisk(long) => Action::FullDisk { lasting: lasting(long) },
        FaultAction::SlowDisk { least, most, lasting: long } => {
            Action::SlowDisk { least, most, lasting: lasting(long) }
        }
        FaultAction::WallJump(ms) => {
            let by = Jump { back: ms < 0, by: Duration::from_millis(ms.unsigned_abs()) };
            Action::JumpClock { process, by }
        }
        FaultAction::Partition { other, lasting: long } => {
            Action::Partition { from: process, to: to(other)?, one_way: None, lasting: Some(lasting(long)) }
        }
        FaultAction::OneWayPartition { to: other, lasting: long } => {
            let one_way = Some(OneWay::OneWay {});
            Action::Partition { from: process, to: to(other)?, one_way, lasting: Some(lasting(long)) }
        }
        FaultAction::Clog { to: other, least, most, lasting: long } => {
            Action::SlowLink { from: process, to: to(other)?, least, most, lasting: lasting(long) }
        }
        FaultAction::HangingConnects { to: other, lasting: long } => {
            Action::HangConnects { from: process, to: to(other)?, lasting: lasting(long) }
        }
        FaultAction::DelayedFins { to: other, least, most, lasting: long } => {
            Action::LateEnds { from: process, to: to(other)?, least, most, lasting: lasting(long) }
        }
        FaultAction::ConnectionResets { other } => Action::Reset { from: process, to: to(other)? },
        FaultAction::HalfOpen { peer } => Action::HalfOpen { from: process, to: to(peer)? },
        FaultAction::Message(message) => {
            let (request, nth) = request?;
            let sent = Sent::Next { request, nth, process: process.clone() };
            match message {
                MessageFault::Lose => Action::Lose { message: Message::Request { request, nth, process } },
                MessageFault::LoseAnswer => Action::Lose { message: Message::Answer { request, nth, process } },
                MessageFault::Withhold(by) => Action::Late { message: sent, by },
                MessageFault::Duplicate => Action::Duplicate { message: sent },
                MessageFault::Replay(after) => Action::Replay { message: sent, after },
            }
        }
    };
    Some((time, action))
}

/// The kind of fault that a line is. None if it is none.
pub fn kind_of(action: &Action) -> Option<FaultKind> {
    Some(match action {
        Action::Pause { .. } => FaultKind::Pause,
        Action::PowerLoss { .. } => FaultKind::PowerLoss,
        Action::Crash { .. } => FaultKind::Crash,
        Action::Partition { one_way: None, .. } => FaultKind::Partition,
        Action::Partition { .. } => FaultKind::OneWayPartition,
        Action::Clog { .. } | Action::SlowLink { .. } => FaultKind::Clog,
        Action::HangConnects { .. } => FaultKind::HangingConnects,
        Action::LateEnds { .. } => FaultKind::DelayedFins,
        Action::HalfOpen { .. } => FaultKind::HalfOpen,
        Action::Reset { .. } => FaultKind::ConnectionResets,
        Action::Lose { message: Message::Request { .. } } => FaultKind::LostMessage,
        Action::Lose { message: Message::Answer { .. } } => FaultKind::LostAnswer,
        Action::Duplicate { .. } => FaultKind::DuplicatedMessage,
        Action::Late { .. } => FaultKind::WithheldMessage,
        Action::Replay { .. } => FaultKind::ReplayedMessage,
        Action::SyncError { .. } => FaultKind::SyncError,
        Action::WriteError { .. } => FaultKind::WriteError,
        Action::FullDisk { .. } => FaultKind::FullDisk,
        Action::SlowDisk { .. } => FaultKind::SlowDisk,
        Action::JumpClock { .. } => FaultKind::WallJump,
        Action::Resume { .. }
        | Action::Start { .. }
        | Action::Stop { .. }
        | Action::OpenRival {}
        | Action::Enqueue { .. }
        | Action::Cancel { .. }
        | Action::HealLink { .. }
        | Action::Heal {} => return None,
    })
}

fn message(
    cast: &Cast,
    request: RequestKind,
    Nth(nth): Nth,
    who: &Who,
    fault: MessageFault,
) -> (MachineId, Trigger, FaultAction) {
    let trigger = Trigger::AtEvent { name: format!("request {request}"), nth: nth.get().cast_unsigned() };
    (cast.machine(who), trigger, FaultAction::Message(fault))
}

fn request_kind(name: &str) -> Option<RequestKind> {
    RequestKind::named(name)
}

fn suffix(file: DiskFile) -> String {
    match file {
        DiskFile::Log => "-wal".into(),
        DiskFile::Database => ".db".into(),
        DiskFile::Copy => ".partial".into(),
    }
}

fn file(of: &str) -> Option<DiskFile> {
    [DiskFile::Log, DiskFile::Database, DiskFile::Copy].into_iter().find(|file| suffix(*file) == of)
}

fn which(nth: u64) -> Option<Nth> {
    Number::new(i64::try_from(nth).ok()?).map(Nth)
}

/// When something comes that waits for its moment.
pub fn operation(at: &When) -> Trigger {
    let nth = |Nth(nth): &Nth| nth.get().cast_unsigned();
    match at {
        When::At { file, operation, nth: which } => {
            Trigger::AtMatching { suffix: suffix(*file), kind: *operation, nth: nth(which) }
        }
        When::Moment { moment, nth: which } => Trigger::AtEvent { name: moment.as_str().to_owned(), nth: nth(which) },
    }
}

fn on_file(on: &Option<OnFile>, kind: OperationKind, now: Duration) -> Trigger {
    match on {
        Some(OnFile::On { file, nth: Nth(nth) }) => {
            Trigger::AtMatching { suffix: suffix(*file), kind, nth: nth.get().cast_unsigned() }
        }
        None => Trigger::At(now),
    }
}
