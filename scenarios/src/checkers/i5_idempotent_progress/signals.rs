//! Signals: by what was sent and acknowledged, and by the rows at the end.

use crate::checkers::facts::same_json as same;
use crate::checkers::{Facts, Finding, Report};
use crate::image::{Rows, SignalRow};
use outlive::JobId;
use outlive::protocol::{Reply, Request, Signal};
use std::collections::BTreeMap;

pub fn check(facts: &Facts, rows: &Rows, report: &mut Report) {
    sent(facts, rows, report);
    taken(rows, report);
    in_order(rows, report);
}

/// What was acknowledged is there, once, as it was sent.
fn sent(facts: &Facts, rows: &Rows, report: &mut Report) {
    let mut there: BTreeMap<(&str, &str), Vec<&SignalRow>> = BTreeMap::new();
    for row in rows.signals.values() {
        there.entry((&row.name, row.key.as_deref().unwrap_or_default())).or_default().push(row);
    }
    for (call, at, answer) in facts.answered() {
        let (Request::Signal(Signal { name, key: Some(key), payload }), Ok(Reply::Signalled { .. })) =
            (&call.what.request, answer)
        else {
            continue;
        };
        let found = there.get(&(name.as_str(), key.as_str())).map_or(&[][..], Vec::as_slice);
        report.expect("I5.q", found.len() == 1 && same(&found[0].payload, payload), || {
            let says = format!("signal {name:?} of key {key:?} was acknowledged at {at:.3?}, and there is {found:?}");
            let transition = match found.len() {
                0 => "signal lost",
                1 => "signal altered",
                _ => "signal sent twice",
            };
            Finding::new(transition, says).call(call.number).at(at)
        });
    }
}

/// Each signal that was taken is the result of one step, and each step that has a signal has one of its own.
fn taken(rows: &Rows, report: &mut Report) {
    let mut steps: BTreeMap<(i64, &str), &str> = BTreeMap::new();
    for ((job, name), row) in &rows.steps {
        if let Some(sent) = row.result.strip_prefix("{\"sent\":").and_then(|rest| rest.strip_suffix('}')) {
            steps.insert((*job, name), sent);
        }
    }
    for row in rows.signals.values() {
        let Some((job, step)) = &row.taken else { continue };
        let result = steps.remove(&(*job, step.as_str()));
        report.expect("I5.r", result.is_some_and(|result| same(result, &row.payload)), || {
            let (name, payload) = (&row.name, &row.payload);
            let says =
                format!("signal {name:?} with {payload} was taken by step {step} of job {job}, which has {result:?}");
            Finding::new("signal taken and lost", says).job(JobId(*job))
        });
    }
    for ((job, step), result) in steps {
        report.expect("I5.r", false, || {
            let says = format!("step {step} of job {job} has a signal with {result}, and no signal says so");
            Finding::new("signal given away again", says).job(JobId(job))
        });
    }
}

/// The signals of a name that were taken were sent before those that were not.
fn in_order(rows: &Rows, report: &mut Report) {
    let mut untaken: BTreeMap<&str, i64> = BTreeMap::new();
    for (id, row) in &rows.signals {
        match untaken.get(row.name.as_str()) {
            Some(earlier) if row.taken.is_some() => report.expect("I5.r", false, || {
                let says = format!("of the signals {:?}, {id} was taken before {earlier}", row.name);
                Finding::new("signal overtaken", says)
            }),
            None if row.taken.is_none() => drop(untaken.insert(&row.name, *id)),
            _ => {}
        }
    }
}
