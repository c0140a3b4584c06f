//! Keys: by what was answered under each, and by when the jobs that they stood for were made and ended.

use crate::checkers::facts::CallFact;
use crate::checkers::{Facts, Finding, Report};
use crate::drive::Evidence;
use crate::image::{JobRow, Rows};
use outlive::JobId;
use outlive::job::Next;
use outlive::protocol::{Reply, Request, Scope};
use std::collections::BTreeMap;
use std::time::Duration;

/// An answer that a key had.
struct Told<'a> {
    call: &'a CallFact,
    at: Duration,
    job: JobId,
    fresh: bool,
}

/// Rows have whole milliseconds.
const TICK: Duration = Duration::from_millis(2);

pub fn check(evidence: &Evidence, facts: &Facts, report: &mut Report) {
    let mut keys: BTreeMap<(&str, &str), (Scope, Vec<Told<'_>>)> = BTreeMap::new();
    for (call, at, answer) in facts.answered_apart() {
        let (Request::Enqueue(asked), Ok(Reply::Enqueued { job, fresh })) = (&call.what.request, answer) else {
            continue;
        };
        let Some(key) = &asked.key else { continue };
        let told = Told { call, at, job: *job, fresh: *fresh };
        keys.entry((&asked.kind, &key.name)).or_insert((key.scope, Vec::new())).1.push(told);
    }
    for ((_, key), (scope, told)) in &keys {
        if *scope == Scope::Forever {
            one_job(key, told, report);
            continue;
        }
        if let Ok(rows) = &evidence.rows {
            none_too_early(facts, rows, (key, *scope), told, report);
        }
        none_too_late(facts, (key, *scope), told, report);
    }
}

fn one_job(key: &str, told: &[Told<'_>], report: &mut Report) {
    for later in told {
        let first = &told[0];
        report.expect("I5.e", later.job == first.job, || {
            let says = format!("key {key:?} stands for job {}, and for job {}", first.job, later.job);
            let calls = [first.call.number, later.call.number];
            Finding::new("key taken twice", says).job(later.job).calls(calls).at(later.at)
        });
    }
}

/// No job was made under a key that stood for another one still.
fn none_too_early(facts: &Facts, rows: &Rows, (key, scope): (&str, Scope), told: &[Told<'_>], report: &mut Report) {
    if facts.wall_jumped {
        return;
    }
    let mut jobs: Vec<(&JobId, &JobRow)> =
        told.iter().filter_map(|told| Some((&told.job, rows.jobs.get(&told.job.0)?))).collect();
    jobs.sort_by_key(|(job, _)| **job);
    jobs.dedup_by_key(|(job, _)| **job);
    for pair in jobs.windows(2) {
        let ((first, earlier), (job, later)) = (pair[0], pair[1]);
        // Its first end freed the key, and nobody knows when that was.
        if facts.retried.contains(first) && scope == Scope::WhilePending {
            continue;
        }
        let free = match scope {
            Scope::WhilePending => earlier.finished_ms.is_some_and(|ended| ended <= later.enqueued_ms),
            Scope::PeriodMs(ms) => {
                let passed = u64::try_from(later.enqueued_ms - earlier.enqueued_ms).unwrap_or(0);
                Duration::from_millis(passed) + TICK >= facts.least_rest(Duration::from_millis(ms))
            }
            Scope::Forever => false,
        };
        report.expect("I5.e", free, || {
            let says = format!("key {key:?} ({scope:?}) stood for job {first} still, and stands for job {job}");
            Finding::new("key taken twice", says).job(*job).job(*first)
        });
    }
}

/// No key stood for a job any more once its scope had ended.
fn none_too_late(facts: &Facts, (key, scope): (&str, Scope), told: &[Told<'_>], report: &mut Report) {
    let mut first: BTreeMap<JobId, Duration> = BTreeMap::new();
    for Told { call, at, job, fresh } in told {
        let known = *first.entry(*job).and_modify(|earlier| *earlier = (*earlier).min(*at)).or_insert(*at);
        if *fresh || facts.is_told_again(call) {
            continue;
        }
        let over = match scope {
            Scope::WhilePending if facts.retried.contains(job) => None,
            Scope::WhilePending => ended(facts, *job),
            Scope::PeriodMs(ms) if !facts.wall_jumped => Some(known + Duration::from_millis(ms) + TICK),
            Scope::PeriodMs(_) | Scope::Forever => None,
        };
        let Some(over) = over else { continue };
        report.expect("I5.o", call.invoked <= over, || {
            let says = format!(
                "key {key:?} ({scope:?}) stood for job {job} until {over:.3?}, and was said to stand for it at {at:.3?}"
            );
            Finding::new("key stands too long", says).job(*job).call(call.number).at(*at)
        });
    }
}

/// When somebody was told that a job has ended, the first time.
fn ended(facts: &Facts, wanted: JobId) -> Option<Duration> {
    let ends = facts.answered().filter_map(|(call, at, answer)| {
        let job = match (&call.what.request, answer) {
            (Request::Complete { lease, .. }, Ok(Reply::Done)) => lease.job,
            (Request::Obey { lease }, Ok(Reply::Done)) => lease.job,
            (Request::Fail { lease, .. }, Ok(Reply::Failed { next: Next::Discard | Next::Cancel })) => lease.job,
            (Request::Cancel { job }, Ok(Reply::Cancelled { at_once: true })) => *job,
            _ => return None,
        };
        (job == wanted).then_some(at)
    });
    ends.min()
}
