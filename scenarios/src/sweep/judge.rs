//! Who judges a recovery: the checkers of any run, and stock SQLite.

use super::past::Life;
use super::recover::Until;
use crate::checkers::{self, Facts, Violation};
use crate::event::Event;
use crate::image::Rows;
use crate::workload::Plan;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

/// What the checkers find in the story of a recovery and all that was before it. How everything comes to
/// its end is judged only where it was let to.
pub fn judge(plan: &Arc<Plan>, life: &Life, until: Until) -> Vec<Violation> {
    let evidence = life.evidence(plan);
    let mut violations = checkers::judge(&evidence, &Facts::of(&evidence)).violations;
    if until == Until::Asked {
        violations.retain(|violation| !violation.clause.starts_with('L'));
    }
    let refused = life.entries.iter().find_map(|entry| match &entry.event {
        Event::OpenFailed(why) => Some(why),
        _ => None,
    });
    if let Some(why) = refused {
        let sentence = format!("the queue could not open its file: {why}");
        violations.push(Violation::of_the_file("file not opened", sentence));
    }
    violations
}

/// A hash over what the rows of jobs say, but for times: of two recoveries at different times the rests
/// end at different times.
pub fn digest(rows: &Rows) -> u64 {
    let mut hasher = DefaultHasher::new();
    for (id, job) in &rows.jobs {
        (id, &job.payload, &job.state, &job.wait, &job.result, job.finished).hash(&mut hasher);
        (job.attempts, job.failures, job.crashes, job.snoozes, job.releases).hash(&mut hasher);
    }
    hasher.finish()
}
