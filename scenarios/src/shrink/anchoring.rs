//! From "the 37th sync of the log" to "the next sync after w1 completes A": moments that mean something.
//!
//! A fault that waits for the nth of something strikes elsewhere as soon as a job is left out. One that waits for
//! what somebody does with its job does not, and a person understands it.

use super::parts::{Line, lines, nth_of, with_lines};
use crate::replay::Replay;
use crate::scn::{Action, Anchor, Nth, Number, Scenario, When};
use std::time::Duration;

/// Moments before a fault that are tried.
const MOMENTS_TRIED: usize = 5;
/// And operations after each.
const OPERATIONS_TRIED: i64 = 2;
/// How long before it strikes a fault begins to wait.
const SHORTLY: Duration = Duration::from_micros(1);

/// The scenario in which no line counts from the beginning: each waits from a time shortly before it struck for the
/// next of what it struck at. So what is left out before it moves it less. Lines that never struck are left out.
pub fn timed(scenario: &Scenario, seen: &Replay) -> Scenario {
    let taken = |place: usize| seen.taken.get(place).copied().unwrap_or_default();
    let timed = |(place, line): (usize, Line)| {
        let fired = taken(place).fired?;
        if !is_armed_at_the_start(&line) {
            return Some(line);
        }
        let time = Duration::from_micros(fired.saturating_sub(SHORTLY).as_micros() as u64);
        let mut action = line.action;
        if let Some(nth) = nth_of(&mut action) {
            *nth = Nth::NEXT;
        }
        Some(Line { anchor: Anchor::At { time }, action })
    };
    let mut lines: Vec<Line> = lines(scenario).into_iter().enumerate().filter_map(timed).collect();
    lines.sort_by_key(|line| if let Anchor::At { time } = line.anchor { time } else { Duration::MAX });
    with_lines(scenario, &lines)
}

/// Scenarios in which one line of this one, that waits for a time, waits for a moment that means something instead.
/// `seen` is what happened when this one was played.
pub fn anchored(scenario: &Scenario, seen: &Replay) -> Vec<Scenario> {
    let lines = lines(scenario);
    let taken = |place: usize| seen.taken.get(place).copied().unwrap_or_default();
    let turns: Vec<Duration> = (0..lines.len()).map(|place| taken(place).played.unwrap_or(Duration::MAX)).collect();
    let mut all = Vec::new();
    for (place, line) in lines.iter().enumerate() {
        let (Anchor::At { .. }, Some(struck)) = (&line.anchor, taken(place).fired) else { continue };
        // It takes its turn when it strikes; the others keep theirs.
        let mut order: Vec<usize> = (0..lines.len()).collect();
        order.sort_by_key(|it| (if *it == place { struck } else { turns[*it] }, *it));
        let since = order.iter().take_while(|it| **it != place).map(|it| turns[*it]).max().unwrap_or_default();
        for anchor in moments_before(seen, since, struck) {
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

/// The same moment, the nth of its kind. None if it is a time, or `nth` is beyond what can be written.
pub fn with_nth(anchor: &Anchor, nth: i64) -> Option<Anchor> {
    let nth = Nth(Number::new(nth)?);
    Some(match anchor {
        Anchor::After { event, .. } => Anchor::After { event: event.clone(), nth },
        Anchor::Before { event, .. } => Anchor::Before { event: event.clone(), nth },
        Anchor::At { .. } => return None,
    })
}

/// The same fault at once, or at the next operations of the kind that it waits for.
pub fn after_that(action: &Action) -> Vec<Action> {
    let mut at_once = action.clone();
    match &mut at_once {
        Action::Crash { at, .. } | Action::PowerLoss { at, .. } | Action::Pause { at, .. } => *at = None,
        Action::SyncError { on, .. } | Action::WriteError { on } => *on = None,
        _ => {}
    }
    let mut all = vec![at_once];
    let waits_for_the_disk = matches!(
        action,
        Action::Crash { at: Some(When::At { .. }), .. }
            | Action::PowerLoss { at: Some(When::At { .. }), .. }
            | Action::SyncError { on: Some(_), .. }
            | Action::WriteError { on: Some(_) }
    );
    for nth in (1..=OPERATIONS_TRIED).filter_map(Number::new).filter(|_| waits_for_the_disk) {
        let mut later = action.clone();
        if let Some(place) = nth_of(&mut later) {
            *place = Nth(nth);
        }
        all.push(later);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::replay::{replay, scenario_of};
    use crate::scn::{Invariant, Name, parse};
    use crate::workload::{Plan, Workload};
    use outlive_sim::{Recording, Seed};

    fn played(seed: u64) -> (Scenario, Replay) {
        let plan = Plan::of_seed(Seed(seed), Workload::Both);
        let name = Name::new("whole").unwrap();
        let scenario = scenario_of(&plan, Seed(seed), 0, name, Invariant::all().take(1).collect());
        let seen = replay(&scenario, Recording::Off);
        (scenario, seen)
    }

    #[test]
    fn a_timed_line_waits_from_shortly_before_it_struck() {
        for seed in [1, 2, 3] {
            let (scenario, seen) = played(seed);
            let timed = timed(&scenario, &seen);
            assert_eq!(parse(&timed.to_string()).as_ref(), Ok(&timed));
            let struck = seen.taken.iter().filter(|taken| taken.fired.is_some()).count();
            assert_eq!(lines(&timed).len(), struck);
            assert!(lines(&timed).iter().all(|line| !is_armed_at_the_start(line)));
        }
    }

    #[test]
    fn moments_are_those_of_the_run_and_blocks_stay_in_the_order_of_time() {
        let (scenario, seen) = played(4);
        let timed = timed(&scenario, &seen);
        let seen = replay(&timed, Recording::Off);
        let candidates = anchored(&timed, &seen);
        assert!(candidates.len() > 10, "only {}", candidates.len());
        for candidate in &candidates {
            assert_eq!(parse(&candidate.to_string()).as_ref(), Ok(candidate));
            let named = lines(candidate).iter().filter(|line| !matches!(line.anchor, Anchor::At { .. })).count();
            assert_eq!(named, 1);
            let times = lines(candidate).into_iter().filter_map(|line| match line.anchor {
                Anchor::At { time } => Some(time),
                _ => None,
            });
            assert!(times.is_sorted());
        }
    }
}
