//! Why a clause was violated: the chain from cause to violation, for a terminal.

use crate::checkers::{Facts, Violation};
use crate::drive::Evidence;
use crate::timeline::{About, timeline};
use outlive_sim::timeline::{HappeningId, Kind, Timeline};

/// What led to a violation.
pub struct Why {
    /// The run, with this one violation.
    pub timeline: Timeline,
    /// Where the violation is in it.
    pub violation: HappeningId,
}

/// What led to a violation. The more was watched of the run, the more it says.
pub fn why(evidence: &Evidence, facts: &Facts, violation: &Violation) -> Why {
    let violations = std::slice::from_ref(violation);
    let timeline = timeline(evidence, facts, About { title: String::new(), command: String::new(), violations });
    let found = timeline.happenings.iter().rposition(|it| it.kind == Kind::Violation);
    Why { violation: HappeningId(found.expect("it was drawn")), timeline }
}

impl Why {
    /// A line each: time, lane, sentence; the violation itself last.
    pub fn lines(&self) -> Vec<String> {
        let told = self.timeline.tell(&self.timeline.chain(self.violation));
        told.lines().map(str::to_owned).collect()
    }
}
