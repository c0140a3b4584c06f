//! The twin of what counts: nothing is looked at, and nothing is kept.

use crate::host::Clock;
use crate::job::Refusal;
use crate::order::Order;
use crate::store::Change;

/// The figures of one engine.
#[derive(Default)]
pub(crate) struct Figures;

/// What a commit will have done.
pub(crate) struct Commit;

/// A gauge that stands higher for as long as this lives.
pub(crate) struct Raised;

impl Figures {
    pub fn new() -> Self {
        Self
    }

    pub fn committed(&mut self, _: Commit, _: &impl Clock) {}

    pub fn served<'a>(&self, _: usize, _: impl Iterator<Item = &'a Refusal>) {}

    pub fn checkpointed(&self) {}

    pub fn reopened(&self) {}

    pub fn look_anew(&mut self) {}

    pub fn show(&mut self, _: &Order) {}
}

impl Commit {
    pub fn begin(_: &[Change], _: &impl Clock) -> Self {
        Self
    }
}

impl Raised {
    pub fn lower(self) {}
}

pub(crate) fn attempt(_: &str) -> Raised {
    Raised
}

pub(crate) fn slots(_: usize) -> Raised {
    Raised
}
