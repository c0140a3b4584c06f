//! Whether faults could have hurt: a crash of an idle queue tests nothing, nor does the sleep of an idle worker.

use crate::checkers::{CallFact, Facts, Grant};
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

/// Attempts whose worker slept beyond the end of its lease, and was heard of afterwards: with a lease that was over
/// by then, or by a handler that had begun.
pub fn zombies(evidence: &Evidence, facts: &Facts) -> u64 {
    let woke = |grant: &Grant| {
        let ends = grant.trust_ends();
        let times = evidence.times.iter().find(|times| times.process == grant.process)?;
        let ended = |(from, to): &(Duration, Option<Duration>)| Some((*from, (*to)?));
        let sleeps = times.pauses.iter().filter_map(ended);
        sleeps.filter(|(from, to)| grant.claimed <= *from && *from < ends && ends < *to).map(|(_, to)| to).next()
    };
    let speaks = |grant: &Grant, woke: Duration| {
        let shows = |call: &CallFact| call.lease() == Some(grant.lease) || heartbeats(call, grant);
        let heard = |call: &CallFact| call.answer.as_ref().is_some_and(|(answered, _)| *answered >= woke);
        facts.calls.iter().any(|call| call.process == grant.process && shows(call) && heard(call))
    };
    facts.grants.values().filter(|grant| woke(grant).is_some_and(|woke| speaks(grant, woke))).count() as u64
}

fn heartbeats(call: &CallFact, grant: &Grant) -> bool {
    matches!(&call.what.request, Request::Heartbeat { leases } if leases.contains(&grant.lease))
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
        let expired = grant.surely_expired_as_of(died);
        concerns(grant.process) && grant.answered <= died && died < expired && died < given_up
    });
    live || facts.calls.iter().any(unanswered)
}
