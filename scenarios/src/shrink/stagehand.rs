//! Who plays candidates, and remembers in which order of tasks each failed.

use super::{Failure, size};
use crate::checkers::Violation;
use crate::replay::{Replay, replay};
use crate::scn::{Name, Rest, Scenario, Turn, parse};
use outlive_sim::Recording;
use std::cell::RefCell;
use std::collections::BTreeMap;

/// Orders of tasks in which a candidate is tried before it is given up: few for a large one, which takes its time,
/// more for a small one, which has fewer occasions to fail.
fn turns(scenario: &Scenario) -> u64 {
    let (faults, jobs) = size(scenario);
    (40 / (faults + jobs).max(1) as u64).clamp(1, 10)
}

/// Plays candidates, and remembers in which order of tasks each failed.
pub struct Stagehand {
    failure: Failure,
    /// By the text of a scenario without its turn.
    turns: RefCell<BTreeMap<String, u64>>,
    latest: RefCell<u64>,
}

impl Stagehand {
    /// One who looks for this failure, first in this order of tasks.
    pub fn of(failure: Failure, turn: u64) -> Self {
        Self { failure, turns: RefCell::default(), latest: RefCell::new(turn) }
    }

    /// Plays a candidate in several orders of tasks, the one that last failed first: whether it fails so.
    pub fn still_fails(&self, scenario: &Scenario) -> bool {
        self.failing(scenario).is_some()
    }

    /// What happened in the first order of tasks in which it fails so.
    pub fn failing(&self, scenario: &Scenario) -> Option<Replay> {
        if scenario.jobs.is_empty() || !is_a_story(scenario) {
            return None;
        }
        let latest = *self.latest.borrow();
        for turn in [latest].into_iter().chain((0..turns(scenario)).filter(|turn| *turn != latest)) {
            let (played, fails) = self.play(scenario, turn);
            if fails {
                return Some(played);
            }
        }
        None
    }

    /// Plays a candidate in one order of tasks: what happened, and whether it fails so.
    pub fn play(&self, scenario: &Scenario, turn: u64) -> (Replay, bool) {
        let played = replay(&with_turn(scenario, turn), Recording::Off);
        let fails = Failure::of_replay(&played).contains(&self.failure);
        if fails {
            *self.latest.borrow_mut() = turn;
            self.turns.borrow_mut().insert(key(scenario), turn);
        }
        (played, fails)
    }

    /// The job that the failure is about.
    pub fn subject(&self, played: &Replay) -> Option<Name> {
        let Failure::Violation { clause, transition } = &self.failure else { return None };
        let same = |it: &&Violation| (&it.clause, &it.transition) == (clause, transition);
        let job = played.violations.iter().find(same)?.subject.job?;
        played.jobs.get(&job).cloned()
    }

    /// As it failed.
    pub fn in_its_turn(&self, scenario: &Scenario) -> Scenario {
        with_turn(scenario, self.turns.borrow().get(&key(scenario)).copied().unwrap_or(0))
    }
}

/// Whether it can be read back: a line may be about somebody who was left out.
fn is_a_story(scenario: &Scenario) -> bool {
    parse(&scenario.to_string()).is_ok()
}

fn with_turn(scenario: &Scenario, turn: u64) -> Scenario {
    let Rest::Seed { seed, .. } = scenario.rest else { return scenario.clone() };
    let turn = (turn > 0).then_some(Turn::Turn { turn });
    Scenario { rest: Rest::Seed { seed, turn }, ..scenario.clone() }
}

/// A scenario whatever its turn is.
pub fn key(scenario: &Scenario) -> String {
    with_turn(scenario, 0).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scn::WorldItem;

    #[test]
    fn a_story_without_somebody_that_a_line_is_about_is_none() {
        let text = "scenario half\nguards   I5\n\nworld    1 store, workers w1, clients c1, middlebox, improvised until \
            30s\njob      j1\nrest     seed 1\n\nafter    w1 claims j1\n  half-open middlebox store\n\nexpect   \
            invariants hold\n";
        let mut scenario = parse(text).expect("it is a story");
        assert!(is_a_story(&scenario));
        scenario.world.items.retain(|item| *item != WorldItem::Middlebox {});
        assert!(!is_a_story(&scenario));
        let stagehand = Stagehand::of(Failure::Broken { how: "any".into() }, 0);
        assert!(stagehand.failing(&scenario).is_none(), "it is not even played");
    }
}
