//! Limits of queues: by what clients were told, and by the times in the rows.

use crate::checkers::{Facts, Finding, Grant, Report};
use crate::drive::Evidence;
use crate::image::{JobRow, Rows};
use outlive::protocol::{QueueLimits, Reply, Request};
use std::collections::BTreeMap;
use std::time::Duration;

pub fn check(evidence: &Evidence, facts: &Facts, report: &mut Report) {
    let Ok(rows) = &evidence.rows else { return };
    for (queue, (since, limits)) in limits(facts) {
        let of_queue = |grant: &&Grant| rows.jobs.get(&grant.lease.job.0).is_some_and(|job| job.queue == queue);
        let grants: Vec<&Grant> = facts.grants.values().filter(of_queue).collect();
        let key = |grant: &Grant| rows.jobs.get(&grant.lease.job.0).and_then(|job| job.concurrency_key.as_deref());
        for (place, grant) in grants.iter().enumerate().filter(|(_, grant)| grant.claimed >= since) {
            // A lease that its holder has reason to trust later was held when the next one was granted.
            let is_held = |earlier: &&&Grant| earlier.trusted_until(facts) > grant.answered;
            let held: Vec<&Grant> = grants[..place].iter().filter(is_held).copied().collect();
            if let Some(at_once) = limits.at_once {
                few(&queue, grant, &held, at_once, report);
            }
            if let (Some(at_once), Some(of)) = (limits.at_once_per_key, key(grant)) {
                let held: Vec<&Grant> = held.iter().filter(|it| key(it) == Some(of)).copied().collect();
                few(&format!("{queue} with key {of}"), grant, &held, at_once, report);
            }
        }
        rate(evidence, facts, rows, (&queue, since, &limits), report);
    }
}

/// The loosest limits that stand in a run, and since when: whoever opens the file sets them, and somebody lowers them now and
/// then. Rates stay.
fn limits(facts: &Facts) -> BTreeMap<String, (Duration, QueueLimits)> {
    let mut limits = BTreeMap::new();
    for (call, at, answer) in facts.answered() {
        if let (Request::Limit(asked), Ok(Reply::Done)) = (&call.what.request, answer) {
            let (since, known) = limits.entry(asked.queue.clone()).or_insert((at, asked.clone()));
            *since = (*since).min(at);
            known.at_once = known.at_once.zip(asked.at_once).map(|(one, other)| one.max(other));
            known.at_once_per_key = known.at_once_per_key.zip(asked.at_once_per_key).map(|(one, other)| one.max(other));
        }
    }
    limits
}

fn few(what: &str, grant: &Grant, held: &[&Grant], at_once: u32, report: &mut Report) {
    report.expect("I2.g", held.len() < at_once as usize, || {
        let jobs: Vec<String> = held.iter().map(|it| it.lease.job.to_string()).collect();
        let says = format!(
            "job {} of queue {what} was granted at {:.3?} while jobs {} were held, and {at_once} may be at once",
            grant.lease.job,
            grant.answered,
            jobs.join(", ")
        );
        let found = Finding::new("granted beyond a limit", says).job(grant.lease.job).attempt(grant.lease.token);
        found.calls(held.iter().map(|it| it.call).chain([grant.call])).at(grant.answered)
    });
}

/// In no time do more attempts begin than the rate says, and a burst beside it.
fn rate(
    evidence: &Evidence,
    facts: &Facts,
    rows: &Rows,
    (queue, since, limits): (&str, Duration, &QueueLimits),
    report: &mut Report,
) {
    let Some(rate) = limits.rate.filter(|_| !facts.wall_jumped) else { return };
    let Some((set, shown)) = evidence.wall_history.first().copied() else { return };
    let since_ms = i64::try_from((shown + since.saturating_sub(set)).as_millis()).expect("a date of our time");
    let of_queue = |job: Option<&JobRow>| job.is_some_and(|job| job.queue == queue);
    let attempts = rows.attempts.values().filter(|attempt| of_queue(rows.jobs.get(&attempt.job)));
    let begun: Vec<(i64, i64)> =
        attempts.filter(|it| it.claimed_ms > since_ms).map(|it| (it.claimed_ms, it.job)).collect();
    for (place, (from, _)) in begun.iter().enumerate() {
        for (count, (to, job)) in (1_u64..).zip(&begun[place..]) {
            // Both clocks are read in whole milliseconds.
            let passed = Duration::from_millis((to - from).max(0).cast_unsigned() + 1);
            let shown_us = facts.shown_at_store(passed).as_micros() + 1_000;
            let more = shown_us * u128::from(rate.jobs) / (u128::from(rate.per_ms) * 1_000);
            report.expect("I2.h", u128::from(count) <= u128::from(rate.burst) + more, || {
                let says = format!(
                    "{count} attempts of queue {queue} began within {} ms, and its rate is {} in {} ms and {} at once",
                    to - from,
                    rate.jobs,
                    rate.per_ms,
                    rate.burst
                );
                Finding::new("begun beyond a rate", says).job(outlive::JobId(*job))
            });
        }
    }
}
