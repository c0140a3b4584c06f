//! What is left out, and in which order.

use super::parts::{choices, lines, options, with_choices, with_jobs, with_lines, with_options};
use super::stagehand::{Stagehand, key};
use super::{anchoring, simpler};
use crate::replay::replay;
use crate::scn::{Name, Scenario};
use outlive_sim::{Recording, Shrinker};
use std::collections::BTreeSet;

/// Leaves out most jobs at once: all but the one that the failure is about, and some that came before it.
pub fn leap(shrinker: &mut Shrinker<'_, Scenario, String>, scenario: Scenario, subject: &Name) -> Scenario {
    let Some(place) = scenario.jobs.iter().position(|job| job.name == *subject) else { return scenario };
    for others in [0, 1, 3, 7, 15] {
        let smaller = with_jobs(&scenario, &scenario.jobs[place.saturating_sub(others)..=place]);
        if shrinker.fails(&smaller) == Some(true) {
            return smaller;
        }
    }
    scenario
}

/// Leaves out and simplifies every part once.
pub fn round(shrinker: &mut Shrinker<'_, Scenario, String>, stagehand: &Stagehand, scenario: Scenario) -> Scenario {
    let mut now = scenario;
    let kept = shrinker.minimise(&lines(&now), |kept| with_lines(&now, kept));
    now = with_lines(&now, &kept);
    // Each line in turn gets a moment that means something, if it fails with that.
    let mut given_up: BTreeSet<String> = BTreeSet::new();
    while !shrinker.is_exhausted() && given_up.insert(key(&now)) {
        let seen = replay(&stagehand.in_its_turn(&now), Recording::Off);
        let candidates = anchoring::anchored(&now, &seen);
        let Some(better) = candidates.into_iter().find(|it| shrinker.fails(it) == Some(true)) else { break };
        now = better;
    }
    let kept = shrinker.minimise(&now.jobs, |kept| with_jobs(&now, kept));
    now = with_jobs(&now, &kept);
    let kept = shrinker.minimise(&choices(&now), |kept| with_choices(&now, kept));
    now = with_choices(&now, &kept);
    let kept = shrinker.minimise(&options(&now), |kept| with_options(&now, kept));
    now = with_options(&now, &kept);
    shrinker.lessen(now, simpler::simpler)
}
