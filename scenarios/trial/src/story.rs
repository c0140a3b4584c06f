//! A run as a short story.

use crate::drive::Run;
use crate::watch::Noted;
use outlive_sim::MachineId;
use outlive_sim::timeline::{Draft, Kind, Timeline};

/// A story is read at a glance, or not at all.
const LINES_MAX: usize = 60;

/// What happened, a line each, the last of them at the most.
pub fn story(run: &Run) -> Vec<String> {
    let machine = MachineId(0);
    let mut draft = Draft::of(&run.seen, &[machine]);
    for entry in &run.noted {
        let (kind, text) = match &entry.event {
            Noted::Enqueued { job, kind, payload } => {
                (Kind::Answered, format!("job {job} is enqueued: {kind} {payload}"))
            }
            Noted::Began { job, kind, attempt } => {
                (Kind::Began, format!("job {job} ({kind}), attempt {attempt}: its handler begins"))
            }
            Noted::Did { job, attempt, what } => (Kind::Note, format!("job {job}, attempt {attempt}: {what}")),
            Noted::Ended { job, attempt, what } => (Kind::Finished, format!("job {job}, attempt {attempt}: {what}")),
            Noted::Refused { job, attempt, why } => (Kind::Refused, format!("job {job}, attempt {attempt}: {why}")),
        };
        draft.happen(entry.at, draft.lane_of(machine), kind, text);
    }
    let timeline = draft.finish(Timeline::default(), &[], |_, _| Vec::new());
    let lines: Vec<String> =
        timeline.happenings.iter().filter(|it| !it.minor).map(|happening| timeline.line(happening)).collect();
    let left_out = lines.len().saturating_sub(LINES_MAX);
    let first = (left_out > 0).then(|| format!("({left_out} earlier lines are left out)"));
    first.into_iter().chain(lines.into_iter().skip(left_out)).collect()
}
