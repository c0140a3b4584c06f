//! Jobs that were enqueued together: all of them, or none.

use crate::checkers::{Facts, Finding, Report, number_of};
use crate::image::Rows;
use outlive::job::RequestId;
use outlive::protocol::Request;
use std::collections::{BTreeMap, BTreeSet};

pub fn check(facts: &Facts, rows: &Rows, report: &mut Report) {
    let there: BTreeSet<u64> = rows.jobs.values().filter_map(|row| number_of(&row.payload)).collect();
    let mut names: BTreeMap<u64, BTreeSet<RequestId>> = BTreeMap::new();
    for call in &facts.apart {
        if let Request::Enqueue(asked) = &call.what.request
            && let Some(number) = number_of(&asked.payload)
        {
            names.entry(number).or_default().insert(call.what.id);
        }
    }
    for call in &facts.calls {
        let Request::EnqueueAll { jobs } = &call.what.request else { continue };
        // What was asked for under another name too may be there for that.
        let only_here = |number: &u64| names[number].len() == 1;
        let unkeyed = jobs.iter().filter(|job| job.key.is_none());
        let numbers: Vec<u64> = unkeyed.filter_map(|job| number_of(&job.payload)).filter(only_here).collect();
        let (found, missing): (Vec<u64>, Vec<u64>) = numbers.into_iter().partition(|number| there.contains(number));
        report.expect("I1.l", found.is_empty() || missing.is_empty(), || {
            let says = format!("of those enqueued together, wishes {found:?} are in the file, and {missing:?} are not");
            Finding::new("enqueued in part", says).calls([call.number]).at(call.invoked)
        });
    }
}
