//! Faults that came, for people: the counts say how many, this says which.

use std::time::Duration;

use super::fault::{Action, FaultKind, MessageFault};
use crate::disk::Survivors;
use crate::process::ProcessId;
use crate::world::MachineId;

/// A fault that came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fired {
    /// Its place in the schedule; none if it was done by hand.
    pub place: Option<usize>,
    /// When, in true time.
    pub at: Duration,
    /// Where.
    pub machine: MachineId,
    /// Whom it was meant for; none if nobody was alive there, or if it was done by hand.
    pub process: Option<ProcessId>,
    /// Its kind; none if it was done by hand.
    pub kind: Option<FaultKind>,
    /// What it was, in words.
    pub what: String,
    /// Whether it changed something.
    pub took_effect: bool,
    /// When it ended, if it lasted; of an error that waited, when it struck.
    pub until: Option<Duration>,
}

/// An action at a kind of moment, in words. `name` is what machines are called.
pub(super) fn words(action: Action, anchor: &str, name: impl Fn(MachineId) -> &'static str) -> String {
    let what = match action {
        Action::Crash => "crash".to_owned(),
        Action::PowerLoss(Survivors::All) => "power loss that takes nothing".into(),
        Action::PowerLoss(Survivors::None) => "power loss that takes all that was not synced".into(),
        Action::PowerLoss(_) => "power loss that takes some of what was not synced".into(),
        Action::Pause(lasting) => format!("pause of {lasting:.1?}"),
        Action::PauseLater { polls, lasting } => format!("pause of {lasting:.1?}, {polls} polls later"),
        Action::SyncError(_) => "a sync that fails".into(),
        Action::WriteError => "a write that fails".into(),
        Action::FullDisk(lasting) => format!("disk full for {lasting:.1?}"),
        Action::SlowDisk { least, most, lasting } => {
            format!("disk slow for {lasting:.1?}: {least:.1?} to {most:.1?} an operation")
        }
        Action::LyingSync => "a sync that says yes and does nothing".into(),
        Action::BitRot => "bits of a durable byte flip".into(),
        Action::MisdirectedWrite => "a write that lands elsewhere".into(),
        Action::WallJump(ms) => format!("wall clock jumps by {ms} ms"),
        Action::Partition { other, lasting } => format!("partition from {} for {lasting:.1?}", name(other)),
        Action::OneWayPartition { to, lasting } => format!("nothing reaches {} for {lasting:.1?}", name(to)),
        Action::Clog { to, least, most, lasting } => {
            format!("link to {} clogged for {lasting:.1?}: {least:.1?} to {most:.1?} a message", name(to))
        }
        Action::HangingConnects { to, lasting } => format!("connects to {} hang for {lasting:.1?}", name(to)),
        Action::DelayedFins { to, lasting, .. } => {
            format!("{} hears late of ended streams for {lasting:.1?}", name(to))
        }
        Action::ConnectionResets { other } => format!("connections with {} reset", name(other)),
        Action::HalfOpen { peer } => format!("connections with {} half open", name(peer)),
        Action::Message(MessageFault::Lose) => "a request is lost".into(),
        Action::Message(MessageFault::LoseAnswer) => "an answer is lost".into(),
        Action::Message(MessageFault::Withhold(by)) => format!("a request comes {by:.1?} late"),
        Action::Message(MessageFault::Duplicate) => "a request comes twice".into(),
        Action::Message(MessageFault::Replay(after)) => format!("a request comes again after {after:.1?}"),
    };
    if anchor == "at a time" { what } else { format!("{what} ({anchor})") }
}
