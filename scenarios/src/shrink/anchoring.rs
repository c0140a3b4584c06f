//! From "the 37th sync of the log" to "the next sync after w1 completes A": moments that mean something.
//!
//! A fault that waits for the nth of something strikes elsewhere as soon as a job is left out. One that waits for
//! what somebody does with its job does not, and a person understands it.

use super::parts::{Line, lines, with_lines};
use crate::replay::{Replay, Taken};
use crate::scn::{Action, Anchor, AtOperation, DiskFile, Nth, Number, OnFile, Scenario};
use outlive_sim::OperationKind;
use std::time::Duration;

/// Moments before a fault that are tried.
const MOMENTS_TRIED: usize = 6;
/// And operations after each.
const OPERATIONS_TRIED: i64 = 4;

/// Scenarios in which one line of this one, that waits for the nth of something, or for a time, waits for a moment
/// instead. `seen` is what happened when this one was played.
pub fn anchored(scenario: &Scenario, seen: &Replay) -> Vec<Scenario> {
    let lines = lines(scenario);
    // When each line takes its turn, as far as is known.
    let turn = |(place, line): (usize, &Line)| {
        let Taken { played, fired } = seen.taken.get(place).copied().unwrap_or_default();
        if is_armed_at_the_start(line) { fired } else { played }.unwrap_or(Duration::MAX)
    };
    let turns: Vec<Duration> = lines.iter().enumerate().map(turn).collect();
    let mut all = Vec::new();
    for (place, line) in lines.iter().enumerate() {
        if !matches!(line.anchor, Anchor::At { .. }) || turns[place] == Duration::MAX {
            continue;
        }
        // What stands before it in the file: what waits from the beginning, and everything that comes earlier.
        let waits = |it: usize| it != place && is_armed_at_the_start(&lines[it]);
        let mut order: Vec<usize> = (0..lines.len()).collect();
        order.sort_by_key(|it| (!waits(*it), if waits(*it) { Duration::ZERO } else { turns[*it] }, *it));
        let earlier = order.iter().take_while(|it| **it != place);
        let since = earlier.filter(|it| !waits(**it)).map(|it| turns[*it]).max().unwrap_or_default();
        for anchor in moments_before(seen, since, turns[place]) {
            for action in after_that(&line.action) {
                let mut lines = lines.clone();
                lines[place] = Line { anchor: anchor.clone(), action };
                let lines: Vec<Line> = order.iter().map(|it| lines[*it].clone()).collect();
                all.push(with_lines(scenario, &lines));
            }
        }
    }
    all
}

/// What waits from the beginning for something that has no block.
fn is_armed_at_the_start(line: &Line) -> bool {
    matches!(line.anchor, Anchor::At { time } if time.is_zero())
}

/// The last moments up to a time, the last one first; which one of its kind each is since the block before.
fn moments_before(seen: &Replay, since: Duration, until: Duration) -> Vec<Anchor> {
    let before: Vec<&Anchor> =
        seen.moments.iter().filter(|(at, _)| since <= *at && *at <= until).map(|(_, anchor)| anchor).collect();
    let mut all: Vec<Anchor> = Vec::new();
    for (place, anchor) in before.iter().enumerate().rev() {
        let nth = before[..=place].iter().filter(|other| *other == anchor).count() as i64;
        let anchor = with_nth(anchor, nth);
        if let Some(anchor) = anchor.filter(|anchor| !all.contains(anchor)) {
            all.push(anchor);
        }
        if all.len() == MOMENTS_TRIED {
            break;
        }
    }
    all
}

fn with_nth(anchor: &Anchor, nth: i64) -> Option<Anchor> {
    let nth = Nth(Number::new(nth)?);
    Some(match anchor {
        Anchor::After { event, .. } => Anchor::After { event: event.clone(), nth },
        Anchor::Before { event, .. } => Anchor::Before { event: event.clone(), nth },
        Anchor::At { .. } => return None,
    })
}

/// The same fault at once, or at one of the next operations.
fn after_that(action: &Action) -> Vec<Action> {
    let nths = || (1..=OPERATIONS_TRIED).filter_map(|nth| Number::new(nth).map(Nth));
    let operations = || {
        let of = |operation| move |nth| AtOperation::At { file: DiskFile::Log, operation, nth };
        nths().map(of(OperationKind::Sync)).chain(nths().map(of(OperationKind::Write)))
    };
    let errors = |operation: OperationKind| {
        let at = move |nth| OnFile::On { file: DiskFile::Log, nth };
        nths().map(at).map(Some).chain([None]).map(move |on| match operation {
            OperationKind::Sync => Action::SyncError { on },
            _ => Action::WriteError { on },
        })
    };
    match action {
        Action::Crash { process, .. } => {
            let with = |at| Action::Crash { process: process.clone(), at };
            [None].into_iter().chain(operations().map(Some)).map(with).collect()
        }
        Action::PowerLoss { process, keep, .. } => {
            let with = |at| Action::PowerLoss { process: process.clone(), at, keep: keep.clone() };
            [None].into_iter().chain(operations().map(Some)).map(with).collect()
        }
        Action::Pause { process, polls, lasting, .. } if lasting.is_some() => {
            let with = |polls| Action::Pause { process: process.clone(), at: None, polls, lasting: lasting.clone() };
            let mut all = vec![with(None)];
            all.extend(polls.clone().map(|polls| with(Some(polls))));
            all
        }
        Action::SyncError { .. } => errors(OperationKind::Sync).collect(),
        Action::WriteError { .. } => errors(OperationKind::Write).collect(),
        other => vec![other.clone()],
    }
}
