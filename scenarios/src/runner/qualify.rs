//! Whether a crash could have hurt: a crash of an idle queue tests nothing.

use crate::checkers::{CallFact, Facts};
use crate::drive::Evidence;
use outlive::protocol::Request;
use outlive_sim::Times;
use std::time::Duration;

/// Crashes of processes while a lease of theirs was live, or a change that they had asked for was
/// unanswered. Of the server of a cluster they are everybody's.
pub fn crashes_that_hurt(evidence: &Evidence, facts: &Facts) -> u64 {
    let before_the_end = |times: &&Times| times.ended.is_some_and(|ended| ended < evidence.ended);
    evidence.times.iter().filter(before_the_end).filter(|times| hurts(evidence, facts, times)).count() as u64
}

fn hurts(evidence: &Evidence, facts: &Facts, times: &Times) -> bool {
    let died = times.ended.expect("it has died");
    let serves = evidence.plan.setting.cluster().is_some_and(|machines| machines.store == times.machine);
    let concerns = |process| serves || process == times.process;
    let unanswered = |call: &CallFact| {
        let changes = !call.what.request.is_read() && !matches!(call.what.request, Request::Claim(_));
        let open = call.answer.as_ref().is_none_or(|(answered, _)| serves && *answered >= died);
        changes && concerns(call.process) && call.invoked <= died && open
    };
    let live = facts.grants.values().any(|grant| {
        let given_up = grant.given_up.unwrap_or(Duration::MAX);
        let expired = grant.surely_expired_as_of(died).unwrap_or(Duration::MAX);
        concerns(grant.process) && grant.answered <= died && died < expired && died < given_up
    });
    live || facts.calls.iter().any(unanswered)
}
