//! What a scenario file says, as data.

use super::nouns::Invariant;
use super::phrases::{Action, Anchor, Expectation, JobOption, Rest, WorldItem};
use super::pieces::{JobName, Name, Quote};
use std::mem::discriminant;
use std::time::Duration;

/// A workload, a schedule of faults, and what must come of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scenario {
    /// Its name.
    pub name: Name,
    /// The invariants that it guards: at least one.
    pub guards: Vec<Invariant>,
    /// The planted bug that makes it fail. What a shrinker prints has none yet.
    pub bites: Option<Name>,
    /// What went wrong where, a line each.
    pub why: Vec<Quote>,
    /// Who takes part.
    pub world: World,
    /// The jobs: at least one.
    pub jobs: Vec<Job>,
    /// Everything else.
    pub rest: Rest,
    /// What happens, in this order: a block is waited for once the one before it is done.
    pub blocks: Vec<Block>,
    /// How long everything has to come to its end, without faults.
    pub settle: Option<Duration>,
    /// What must be so at the end: at least one.
    pub expect: Vec<Expectation>,
}

/// Who takes part, and what is chosen for all of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct World {
    /// As they were written; none twice, and a store and workers among them.
    pub items: Vec<WorldItem>,
}

impl World {
    /// Workers that run from the beginning.
    pub fn workers(&self) -> &[Name] {
        self.names(|item| if let WorldItem::Workers { names } = item { Some(names) } else { None })
    }

    /// Workers that run only once they are started.
    pub fn spares(&self) -> &[Name] {
        self.names(|item| if let WorldItem::Spares { names } = item { Some(names) } else { None })
    }

    /// Clients that have a name.
    pub fn clients(&self) -> &[Name] {
        self.names(|item| if let WorldItem::Clients { names } = item { Some(names) } else { None })
    }

    /// Until when faults come, if everybody does as a run of a seed does; else all do as the file tells them.
    pub fn improvised(&self) -> Option<Duration> {
        self.items.iter().find_map(|item| if let WorldItem::Improvised { end } = item { Some(*end) } else { None })
    }

    fn names(&self, pick: impl Fn(&WorldItem) -> Option<&Vec<Name>>) -> &[Name] {
        self.items.iter().find_map(pick).map_or(&[], Vec::as_slice)
    }
}

impl WorldItem {
    /// Whether it says something of those who improvise.
    pub fn is_of_the_improvised(&self) -> bool {
        matches!(
            self,
            Self::Program {}
                | Self::Improvised { .. }
                | Self::Producers { .. }
                | Self::Claimers { .. }
                | Self::StoreWorker { .. }
                | Self::Middlebox {}
                | Self::Drifts { .. }
                | Self::Patience { .. }
                | Self::Repeats {}
                | Self::Cancels {}
                | Self::Batches {}
                | Self::Copies {}
                | Self::Compactions {}
                | Self::Awaits {}
                | Self::Waits {}
                | Self::Pauses {}
                | Self::Retries {}
                | Self::Schedule { .. }
                | Self::Mischief {}
                | Self::Deploy { .. }
                | Self::Restarts {}
                | Self::Rivals {}
        )
    }

    /// The queue, the kind, the schedule or the state that it is about, if it is about one.
    fn about(&self) -> Option<String> {
        match self {
            Self::AtOnce { queue, .. } | Self::AtOncePerKey { queue, .. } | Self::Rate { queue, .. } => {
                Some(queue.to_string())
            }
            Self::Timeout { kind, .. }
            | Self::MaxAge { kind, .. }
            | Self::MaxAttempts { kind, .. }
            | Self::KindCrashes { kind, .. }
            | Self::FixedBackoff { kind, .. }
            | Self::KindBackoff { kind, .. } => Some(kind.to_string()),
            Self::Schedule { name, .. } => Some(name.to_string()),
            Self::Keep { state, .. } => Some(state.to_string()),
            _ => None,
        }
    }

    /// Whether a file that has both says something twice.
    pub fn says_the_same(&self, other: &Self) -> bool {
        discriminant(self) == discriminant(other) && self.about() == other.about()
    }
}

impl JobOption {
    /// Whether it says what only clients do that improvise: they know of each other's jobs, and send signals.
    pub fn is_of_the_improvised(&self) -> bool {
        matches!(
            self,
            Self::Asked { .. } | Self::Signals { .. } | Self::Others { .. } | Self::After { .. } | Self::Unmet { .. }
        )
    }

    /// Whether a job that has both says something twice.
    pub fn says_the_same(&self, other: &Self) -> bool {
        discriminant(self) == discriminant(other)
    }
}

impl Action {
    /// Whether somebody is told to do something, who in an improvised world does what he likes.
    pub fn is_an_errand(&self) -> bool {
        matches!(
            self,
            Self::Start { .. } | Self::Stop { .. } | Self::OpenRival {} | Self::Enqueue { .. } | Self::Cancel { .. }
        )
    }
}

/// A job that a client enqueues.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// Its name in this file.
    pub name: Name,
    /// As they were written; none twice.
    pub options: Vec<JobOption>,
}

/// What happens at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// The moment.
    pub anchor: Anchor,
    /// What happens: at least one step.
    pub steps: Vec<Step>,
}

/// One line of a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Something is done.
    Do(Action),
    /// Something must be so.
    Expect(Expectation),
}

impl Scenario {
    /// Whether something is done to single messages.
    pub fn meddles_with_messages(&self) -> bool {
        let messages = |step: &Step| {
            matches!(
                step,
                Step::Do(Action::Lose { .. } | Action::Duplicate { .. } | Action::Late { .. } | Action::Replay { .. })
            )
        };
        self.blocks.iter().flat_map(|block| &block.steps).any(messages)
    }

    /// Whether a block enqueues the job: then it is not enqueued at the beginning.
    pub fn is_enqueued_by_a_block(&self, job: &Name) -> bool {
        self.blocks
            .iter()
            .flat_map(|block| &block.steps)
            .any(|step| matches!(step, Step::Do(Action::Enqueue { job: JobName(enqueued) }) if enqueued == job))
    }
}
