//! The model: lanes, spans, happenings with causes, a story, tables.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A run for people. All times are true times, from the run's beginning.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timeline {
    /// What ran.
    pub title: String,
    /// The command that runs it again.
    pub command: String,
    /// What came of it.
    pub verdict: Verdict,
    /// How long it took.
    pub ended: Duration,
    /// From top to bottom.
    pub lanes: Vec<Lane>,
    /// What lasted.
    pub spans: Vec<Span>,
    /// What happened at one moment, in order.
    pub happenings: Vec<Happening>,
    /// What a person should read first, in order.
    pub story: Vec<Sentence>,
    /// The columns of all tables.
    pub columns: Vec<String>,
    /// What there was at some moments, in order.
    pub tables: Vec<Table>,
    /// What is not in here although it happened, a sentence each.
    pub left_out: Vec<String>,
}

/// What came of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// Whether all is as it should be.
    pub good: bool,
    /// In a few words.
    pub words: String,
}

/// A place in [`Timeline::lanes`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct LaneId(pub usize);

/// A place in [`Timeline::happenings`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct HappeningId(pub usize);

/// A machine, or something of one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lane {
    /// What it is called.
    pub name: String,
    /// What it is.
    pub kind: LaneKind,
}

/// What a lane is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum LaneKind {
    /// A machine and its processes.
    Machine,
    /// What its processes hold: leases.
    Held,
    /// Its disk.
    Disk,
}

/// Something that lasted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// Where.
    pub lane: LaneId,
    /// What it is.
    pub kind: SpanKind,
    /// From when.
    pub from: Duration,
    /// Until when; none if it had not ended.
    pub to: Option<Duration>,
    /// Two or three words that fit into a bar.
    pub label: String,
    /// A sentence.
    pub text: String,
    /// What began it.
    pub begun_by: Option<HappeningId>,
}

/// What lasted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum SpanKind {
    /// A process lived.
    Life,
    /// It was paused.
    Pause,
    /// A fault lasted.
    Fault,
    /// A lease, as the one who granted it sees it: until it expires.
    Lease,
    /// The part of a lease that its holder trusts. Lies over a [`SpanKind::Lease`] of the same label.
    Trust,
}

/// Something that happened at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Happening {
    /// When.
    pub at: Duration,
    /// Where.
    pub lane: LaneId,
    /// What it is.
    pub kind: Kind,
    /// Whether it is of little interest by itself: it is the first to be left out.
    pub minor: bool,
    /// A sentence, without time and lane.
    pub text: String,
    /// What it followed from: none of them later than itself.
    pub causes: Vec<HappeningId>,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Kind {
    /// A process began.
    Boot,
    /// A process ended by itself.
    End,
    /// A process was ended.
    Crash,
    /// A process stopped for a while.
    Pause,
    /// A process went on.
    Resume,
    /// A fault came.
    Fault,
    /// Something was asked for.
    Asked,
    /// The answer was a good one.
    Answered,
    /// The answer was no.
    Refused,
    /// Nobody knows what came of it.
    Unknown,
    /// Work began.
    Began,
    /// Work ended.
    Finished,
    /// A time was over.
    Expired,
    /// Something was written, and is not durable yet.
    Write,
    /// Something was made durable.
    Sync,
    /// Something that was written is gone.
    Lost,
    /// A clause was violated.
    Violation,
    /// Something else.
    Note,
}

/// A sentence of a story.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sentence {
    /// For people.
    pub text: String,
    /// What it tells.
    pub happening: Option<HappeningId>,
}

/// What there was at a moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Table {
    /// When.
    pub at: Duration,
    /// At which occasion.
    pub title: String,
    /// A cell for each column.
    pub rows: Vec<Vec<String>>,
}

impl SpanKind {
    /// In a word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Life => "life",
            Self::Pause => "pause",
            Self::Fault => "fault",
            Self::Lease => "lease",
            Self::Trust => "trust",
        }
    }
}

impl Kind {
    /// All of them, in order.
    pub const ALL: [Kind; 18] = [
        Self::Boot,
        Self::End,
        Self::Crash,
        Self::Pause,
        Self::Resume,
        Self::Fault,
        Self::Asked,
        Self::Answered,
        Self::Refused,
        Self::Unknown,
        Self::Began,
        Self::Finished,
        Self::Expired,
        Self::Write,
        Self::Sync,
        Self::Lost,
        Self::Violation,
        Self::Note,
    ];

    /// In a word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Boot => "boot",
            Self::End => "end",
            Self::Crash => "crash",
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Fault => "fault",
            Self::Asked => "asked",
            Self::Answered => "answered",
            Self::Refused => "refused",
            Self::Unknown => "unknown",
            Self::Began => "began",
            Self::Finished => "finished",
            Self::Expired => "expired",
            Self::Write => "write",
            Self::Sync => "sync",
            Self::Lost => "lost",
            Self::Violation => "violation",
            Self::Note => "note",
        }
    }
}

impl Timeline {
    /// A happening.
    pub fn happening(&self, id: HappeningId) -> &Happening {
        &self.happenings[id.0]
    }

    /// A happening in one line: time, lane, sentence.
    pub fn line(&self, happening: &Happening) -> String {
        let lane = &self.lanes[happening.lane.0].name;
        format!("{:9.3} s  {lane:<width$}  {}", happening.at.as_secs_f64(), happening.text, width = self.lane_width())
    }

    fn lane_width(&self) -> usize {
        self.lanes.iter().map(|lane| lane.name.chars().count()).max().unwrap_or(0)
    }
}
