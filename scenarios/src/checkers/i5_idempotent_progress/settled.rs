//! What callers were told of transactions whose commit was not answered: by the effects that are in the file.

use crate::checkers::{Facts, Finding, Report};
use crate::drive::Evidence;
use crate::event::{Event, name_of};
use crate::image::{OwnRows, Rows, TransferRow};
use crate::workload::{COINS, DEED};
use outlive::job::RequestId;
use outlive::protocol::{Reply, Request};
use serde::Deserialize;
use std::collections::BTreeMap;

/// Most commands of a transaction of a run.
const COMMANDS_MAX: u8 = 4;

/// What the result of a job says.
#[derive(Deserialize)]
struct Outcome {
    number: i64,
    attempt: i64,
}

pub fn check(evidence: &Evidence, facts: &Facts, report: &mut Report) {
    counts(evidence, report);
    let Ok(rows) = &evidence.rows else { return };
    let Some(own) = &rows.own else { return };
    deeds(rows, own, report);
    let said: BTreeMap<RequestId, (u64, &Request)> =
        facts.calls.iter().map(|call| (call.what.id, (call.number, &call.what.request))).collect();
    for (call, at, answer) in facts.answered() {
        let (Request::Settle, Ok(Reply::Settled { committed })) = (&call.what.request, answer) else { continue };
        let commands = (0..COMMANDS_MAX).filter_map(|place| said.get(&name_of(call.what.id, place)));
        for (number, request) in commands {
            let Some(is_there) = effect(request, own) else { continue };
            report.expect("I5.m", is_there == *committed, || {
                let transition =
                    if is_there { "committed, told as rolled back" } else { "rolled back, told as committed" };
                let (id, name) = (call.what.id, request.name());
                let there = if is_there { "is there" } else { "is not there" };
                let says = format!(
                    "transaction {id} was settled as committed: {committed}, and what its {name} is about {there}"
                );
                let found = Finding::new(transition, says).calls([*number, call.number]).at(at);
                request.lease().into_iter().fold(found, |found, lease| found.job(lease.job).attempt(lease.token))
            });
        }
    }
}

/// Whether the effect of this command's transaction is there, if it has one that no other transaction has.
fn effect(request: &Request, own: &OwnRows) -> Option<bool> {
    match request {
        Request::Complete { lease, result: Some(result) } => {
            let Outcome { number, attempt } = serde_json::from_str(result).ok()?;
            let row = TransferRow { job: lease.job.0, attempt, number };
            Some(own.transfers.contains(&row))
        }
        Request::Step { lease, name, result } => {
            let attempt: i64 = serde_json::from_str(result).ok()?;
            let deeds = own.deeds.get(&(lease.job.0, name.clone()));
            Some(deeds.is_some_and(|attempts| attempts.contains(&attempt)))
        }
        _ => None,
    }
}

/// Each step that has an effect in own tables has it once: by the rows alone.
fn deeds(rows: &Rows, own: &OwnRows, report: &mut Report) {
    for ((job, name), row) in rows.steps.iter().filter(|((_, name), _)| name == DEED) {
        let done = own.deeds.get(&(*job, name.clone()));
        report.expect("I5.l", done.is_some_and(|done| done[..] == [row.attempt]), || {
            let transition = if done.is_none() { "step without its effect" } else { "step's effect made twice" };
            let says = format!("step {name} of job {job} is stored by attempt {}, and done by {done:?}", row.attempt);
            Finding::new(transition, says).job(outlive::JobId(*job))
        });
    }
    for ((job, name), done) in &own.deeds {
        report.expect("I5.l", rows.steps.contains_key(&(*job, name.clone())), || {
            let says = format!("step {name} of job {job} was done by {done:?}, and is not stored");
            Finding::new("effect without its step", says).job(outlive::JobId(*job))
        });
    }
}

fn counts(evidence: &Evidence, report: &mut Report) {
    for entry in &evidence.entries {
        let Event::Counted { coins, spent, transfers } = entry.event else { continue };
        report.expect("I5.n", coins == COINS && spent == transfers, || {
            let says = format!("of {COINS} coins {coins} were seen, {spent} of them spent in {transfers} transfers");
            Finding::new("coins lost or made meanwhile", says).at(entry.at)
        });
    }
}
