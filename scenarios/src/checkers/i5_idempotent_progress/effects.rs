//! Effects in tables that are not the queue's: by what is in the file at the end alone.

use crate::checkers::{Finding, Report, number_of};
use crate::image::{JobRow, OwnRows, Rows, TransferRow};
use crate::workload::{Act, BY_HAND, COINS, FOLLOWS, Script, followers};
use outlive::JobId;
use serde::Deserialize;
use std::collections::BTreeMap;

/// What the result of a job says.
#[derive(Deserialize)]
struct Outcome {
    number: u64,
    attempt: i64,
}

pub fn check(rows: &Rows, report: &mut Report) {
    let Some(own) = &rows.own else { return };
    let mut effects: BTreeMap<i64, Vec<&TransferRow>> = BTreeMap::new();
    for row in &own.transfers {
        effects.entry(row.job).or_default().push(row);
    }
    for (id, job) in &rows.jobs {
        let (there, wanted) = (effects.remove(id).unwrap_or_default(), wanted(*id, job));
        report.expect("I5.g", there.iter().copied().eq(&wanted), || {
            let transition = match (there.len(), &wanted) {
                (0, _) => "effect lost",
                (1, None) => "effect without its completion",
                _ => "effect made twice",
            };
            let ended = job.result.as_ref().map_or(String::new(), |result| format!(" with {result}"));
            let says = format!("job {id} is {}{ended}, and of its effect there is {there:?}", job.state);
            Finding::new(transition, says).job(JobId(*id))
        });
    }
    for (id, there) in effects {
        report.expect("I5.g", false, || {
            let says = format!("there is no job {id}, and of its effect there is {there:?}");
            Finding::new("effect without its job", says).job(JobId(id))
        });
    }
    what_follows(rows, own, report);
    let coins: i64 = own.accounts.values().sum();
    let spent = COINS - own.accounts.get("purse").copied().unwrap_or(0);
    report.expect("I5.i", coins == COINS && spent == own.transfers.len() as i64, || {
        let (rows, accounts) = (own.transfers.len(), &own.accounts);
        let says = format!("of {COINS} coins there are {coins}, in {rows} transfers: {accounts:?}");
        Finding::new("coins lost or made", says)
    });
}

/// The effect that a job must have, for all that its row says.
fn wanted(id: i64, job: &JobRow) -> Option<TransferRow> {
    let Outcome { number, attempt } = serde_json::from_str(job.result.as_ref()?).ok()?;
    let by_handler = || {
        let script: Option<Script> = serde_json::from_str(&job.payload).ok();
        let ran = u32::try_from(attempt).unwrap_or(0).max(1);
        script.is_some_and(|script| number == script.number && script.act(ran) == Act::Transfer)
    };
    let is_effect = number == BY_HAND || by_handler();
    is_effect.then(|| TransferRow { job: id, attempt, number: number.cast_signed() })
}

fn what_follows(rows: &Rows, own: &OwnRows, report: &mut Report) {
    let numbers = rows.jobs.values().filter_map(|job| number_of(&job.payload));
    let mut there: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
    for number in numbers.filter(|number| *number > FOLLOWS) {
        there.entry(number % FOLLOWS).or_default().push(number / FOLLOWS);
    }
    let by_handlers = own.transfers.iter().filter(|row| row.number != BY_HAND.cast_signed());
    for row in by_handlers {
        let number = row.number.cast_unsigned();
        let mut jobs = there.remove(&number).unwrap_or_default();
        jobs.sort_unstable();
        report.expect("I5.h", jobs.iter().copied().eq(1..=followers(number)), || {
            let (all, wanted) = (jobs.len(), followers(number));
            let says =
                format!("job {} had its effect, and {all} jobs follow it instead of {wanted}: {jobs:?}", row.job);
            Finding::new("follower lost or made twice", says).job(JobId(row.job))
        });
    }
    for (number, jobs) in there {
        report.expect("I5.h", false, || {
            let says = format!("{} jobs follow the effect of wish {number}, which is not there", jobs.len());
            Finding::new("follower without its effect", says)
        });
    }
}
