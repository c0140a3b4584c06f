//! Whether a crash could have hurt: a crash of an idle queue tests nothing.

use crate::checkers::{CallFact, Facts};
use crate::drive::Evidence;
use outlive::protocol::Request;
use outlive_sim::Times;
use std::time::Duration;

/// Crashes of processes while a lease of theirs was live, or a change that they had asked for was
/// unanswered.
pub fn crashes_that_hurt(evidence: &Evidence, facts: &Facts) -> u64 {
    let before_the_end = |times: &&Times| times.ended.is_some_and(|ended| ended < evidence.ended);
    evidence.times.iter().filter(before_the_end).filter(|times| hurts(facts, times)).count() as u64
}

fn hurts(facts: &Facts, times: &Times) -> bool {
    let died = times.ended.expect("it has died");
    let unanswered = |call: &CallFact| {
        let changes = !call.what.request.is_read() && !matches!(call.what.request, Request::Claim(_));
        changes && call.process == times.process && call.invoked <= died && call.answer.is_none()
    };
    let live = facts.grants.values().any(|grant| {
        let given_up = grant.given_up.unwrap_or(Duration::MAX);
        grant.process == times.process && grant.answered <= died && died < grant.surely_expired() && died < given_up
    });
    live || facts.calls.iter().any(unanswered)
}
