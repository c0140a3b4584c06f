//! Faults as data: when, where and what.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::disk::{OperationKind, Survivors};
use crate::process::ProcessId;
use crate::world::MachineId;

/// When a fault fires. Each fires once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Trigger {
    /// At this true time.
    At(Duration),
    /// At the operation of this number, from 1, of one process.
    AtOperation {
        /// The process, by the order of boots.
        process: ProcessId,
        /// Its operation.
        ordinal: u64,
    },
    /// At the operation of this number, from 1, of a kind on files whose path ends so.
    AtMatching {
        /// The end of the path.
        suffix: String,
        /// The kind of operation.
        kind: OperationKind,
        /// Which of them.
        nth: u64,
    },
    /// At each operation of a kind on files whose path ends so, with a probability, until it fired.
    AtChance {
        /// The end of the path.
        suffix: String,
        /// The kind of operation.
        kind: OperationKind,
        /// The probability at each of them.
        probability: f64,
    },
    /// When a process of the machine says so with [`Nemesis::event`](super::Nemesis::event) for this time, from 1.
    AtEvent {
        /// The event's name.
        name: String,
        /// Which of them.
        nth: u64,
    },
}

impl Trigger {
    /// The kind of moment, by which moments are counted.
    pub fn anchor(&self) -> String {
        match self {
            Trigger::At(_) => "at a time".into(),
            Trigger::AtOperation { .. } => "at an operation".into(),
            Trigger::AtMatching { suffix, kind, .. } | Trigger::AtChance { suffix, kind, .. } => {
                format!("at {kind:?} of *{suffix}").to_lowercase()
            }
            Trigger::AtEvent { name, .. } => name.clone(),
        }
    }
}

/// What a fault does. At an operation or event it strikes the process that did it; at a time, every
/// process of the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Action {
    /// The process dies. At an operation it dies before that has any effect.
    Crash,
    /// The machine loses power.
    PowerLoss(Survivors),
    /// The process is paused for so long.
    Pause(Duration),
    /// As [`Pause`](Action::Pause), after some more polls of its tasks: so it stops at any await that
    /// follows the moment, and not only at the first.
    PauseLater {
        /// How many polls it has left.
        polls: u32,
        /// How long it is paused.
        lasting: Duration,
    },
    /// This sync fails; at any other moment, the next one of the machine that has something to do. Of its changes, these are
    /// durable, none of them in part.
    SyncError(Survivors),
    /// This write fails; at any other moment, the next one of the machine.
    WriteError,
    /// The disk is full for so long.
    FullDisk(Duration),
    /// The disk is slow for a while.
    SlowDisk {
        /// The shortest wait for an operation.
        least: Duration,
        /// The longest wait for an operation.
        most: Duration,
        /// How long the disk is slow.
        lasting: Duration,
    },
    /// This sync of a file says yes and makes nothing durable; at any other moment, the next one of the machine
    /// that has something to do. No disk is allowed to do that.
    LyingSync,
    /// Bits of a durable byte flip: at a read, among what it is about to read; at another operation, in its file; at any
    /// other moment, in any file of the machine.
    /// No disk is allowed to do that.
    BitRot,
    /// This write lands elsewhere in its file; at any other moment, the next one of the machine that can. No disk
    /// is allowed to do that.
    MisdirectedWrite,
    /// The wall clock jumps by milliseconds.
    WallJump(i64),
    /// Nothing passes between the machine and another one. What is due meanwhile comes later.
    Partition {
        /// The other machine.
        other: MachineId,
        /// How long it lasts.
        lasting: Duration,
    },
    /// Nothing passes from the machine to another one; the way back is open.
    OneWayPartition {
        /// Whom nothing reaches.
        to: MachineId,
        /// How long it lasts.
        lasting: Duration,
    },
    /// Each message that is sent from the machine to another one takes longer. A delay beyond the
    /// fault's end stalls the link, because what is still on its way then comes at once.
    Clog {
        /// Whom messages reach late.
        to: MachineId,
        /// The shortest delay.
        least: Duration,
        /// The longest delay.
        most: Duration,
        /// How long it lasts.
        lasting: Duration,
    },
    /// Connects from the machine to another one do not arrive; established connections go on.
    HangingConnects {
        /// Whom they do not reach.
        to: MachineId,
        /// How long it lasts.
        lasting: Duration,
    },
    /// The ends of streams that are sent from the machine to another one arrive late.
    DelayedFins {
        /// Who hears of them late.
        to: MachineId,
        /// The shortest delay.
        least: Duration,
        /// The longest delay.
        most: Duration,
        /// How long it lasts.
        lasting: Duration,
    },
    /// All connections between the machine and another one are reset, at both ends and at once.
    ConnectionResets {
        /// The other machine.
        other: MachineId,
    },
    /// The machine gives up its connections with another one, which hears nothing until it sends.
    HalfOpen {
        /// Whose ends stay open.
        peer: MachineId,
    },
    /// Something is done to the message that is being sent. Only who carries messages can do it, and
    /// says with [`Nemesis::message`](super::Nemesis::message) that one is there.
    Message(MessageFault),
}

/// What is done to a message: a whole request, above the streams of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum MessageFault {
    /// It never arrives.
    Lose,
    /// It arrives, and its answer does not.
    LoseAnswer,
    /// It arrives so much later. Whoever sent it may have given up by then.
    Withhold(Duration),
    /// It arrives twice, at once.
    Duplicate,
    /// It arrives, and so much later it arrives again.
    Replay(Duration),
}

/// A kind of fault, by which faults are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the actions of the same names say it")]
pub enum FaultKind {
    Crash,
    PowerLoss,
    Pause,
    SyncError,
    WriteError,
    FullDisk,
    SlowDisk,
    WallJump,
    Partition,
    OneWayPartition,
    Clog,
    HangingConnects,
    DelayedFins,
    ConnectionResets,
    HalfOpen,
    LostMessage,
    LostAnswer,
    WithheldMessage,
    DuplicatedMessage,
    ReplayedMessage,
    LyingSync,
    BitRot,
    MisdirectedWrite,
}

impl FaultKind {
    /// The kinds that no disk is allowed to do: what is assumed never to happen, and may be detected.
    pub const ILLEGAL: [FaultKind; 3] = [FaultKind::LyingSync, FaultKind::BitRot, FaultKind::MisdirectedWrite];
}

impl Action {
    /// Its kind.
    pub fn kind(self) -> FaultKind {
        match self {
            Action::Crash => FaultKind::Crash,
            Action::PowerLoss(_) => FaultKind::PowerLoss,
            Action::Pause(_) | Action::PauseLater { .. } => FaultKind::Pause,
            Action::SyncError(_) => FaultKind::SyncError,
            Action::WriteError => FaultKind::WriteError,
            Action::FullDisk(_) => FaultKind::FullDisk,
            Action::SlowDisk { .. } => FaultKind::SlowDisk,
            Action::LyingSync => FaultKind::LyingSync,
            Action::BitRot => FaultKind::BitRot,
            Action::MisdirectedWrite => FaultKind::MisdirectedWrite,
            Action::WallJump(_) => FaultKind::WallJump,
            Action::Partition { .. } => FaultKind::Partition,
            Action::OneWayPartition { .. } => FaultKind::OneWayPartition,
            Action::Clog { .. } => FaultKind::Clog,
            Action::HangingConnects { .. } => FaultKind::HangingConnects,
            Action::DelayedFins { .. } => FaultKind::DelayedFins,
            Action::ConnectionResets { .. } => FaultKind::ConnectionResets,
            Action::HalfOpen { .. } => FaultKind::HalfOpen,
            Action::Message(fault) => fault.kind(),
        }
    }
}

impl MessageFault {
    /// Its kind.
    pub fn kind(self) -> FaultKind {
        match self {
            MessageFault::Lose => FaultKind::LostMessage,
            MessageFault::LoseAnswer => FaultKind::LostAnswer,
            MessageFault::Withhold(_) => FaultKind::WithheldMessage,
            MessageFault::Duplicate => FaultKind::DuplicatedMessage,
            MessageFault::Replay(_) => FaultKind::ReplayedMessage,
        }
    }
}

/// One fault of a schedule.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fault {
    /// Where.
    pub machine: MachineId,
    /// When.
    pub trigger: Trigger,
    /// What.
    pub action: Action,
}

/// What came of the faults of a kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Count {
    /// How many the schedule has.
    pub scheduled: u64,
    /// How many triggers came.
    pub fired: u64,
    /// How many changed something.
    pub effective: u64,
}
