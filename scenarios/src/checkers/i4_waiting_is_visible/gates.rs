//! Pauses: what is paused does not begin; and what a waiting job must say of limits and pauses.

use super::Moment;
use crate::checkers::{CallFact, Facts, Finding, Grant, Report};
use crate::drive::Evidence;
use crate::image::{JobRow, LimitRow, PauseRow, Rows};
use crate::wall::Wall;
use outlive::JobId;
use outlive::job::{Gate, Lease};
use outlive::protocol::{On, Reply, Request};
use std::time::Duration;

/// Rows have whole milliseconds, and the end of one is meant.
const TICK: Duration = Duration::from_millis(1);

pub fn check(evidence: &Evidence, facts: &Facts, report: &mut Report) {
    let Ok(rows) = &evidence.rows else { return };
    paused(evidence, facts, rows, report);
    down(evidence, facts, rows, report);
    unheard(rows, report);
}

/// No pause waits for an attempt that has ended.
pub fn unheard(rows: &Rows, report: &mut Report) {
    for PauseRow { gate, name, probe_token, .. } in &rows.pauses {
        let attempt = probe_token.and_then(|token| rows.attempts.get(&token));
        let ended = attempt.filter(|attempt| attempt.ended.is_some());
        report.expect("I4.k", ended.is_none(), || {
            let says = format!("the pause of {gate} {name} waits for an attempt that has ended: {ended:?}");
            let found = Finding::new("end of a probe unheard", says);
            ended.into_iter().fold(found, |found, attempt| found.job(JobId(attempt.job)))
        });
    }
}

/// When a job was granted, as far as its row tells: the latest moment at which that may have been.
fn granted(evidence: &Evidence, rows: &Rows, grant: &Grant) -> Option<Duration> {
    let claimed_ms = rows.attempts.get(&grant.lease.token.0)?.claimed_ms;
    Wall(&evidence.wall_history).true_time(claimed_ms, (grant.claimed, grant.answered))
}

/// When somebody may have resumed this, from a moment on: at the earliest. If nobody knows what became of an earlier
/// request, at once.
fn resumed(facts: &Facts, gate: &Gate, from: Duration) -> Duration {
    let resumes =
        facts.calls.iter().filter(|call| matches!(&call.what.request, Request::Resume { gate: of } if of == gate));
    earliest_effect(facts, resumes, from)
}

/// From when on one of these calls may have taken effect that had not by `from`.
fn earliest_effect<'a>(facts: &Facts, calls: impl Iterator<Item = &'a CallFact>, from: Duration) -> Duration {
    // A copy of it may have been heard by anybody at any later time, if nobody was told.
    let effect = |call: &CallFact| match call.reply() {
        Some((answered, _)) if answered <= from => None,
        _ => Some(facts.first_sent[&call.what.id].max(from)),
    };
    calls.filter_map(effect).min().unwrap_or(Duration::MAX)
}

fn is_of(rows: &Rows, grant: &Grant, gate: &Gate) -> bool {
    rows.jobs.get(&grant.lease.job.0).is_some_and(|job| match gate {
        Gate::Queue(name) => job.queue == *name,
        Gate::Kind(name) => job.kind == *name,
    })
}

/// Nobody is granted what was paused before, unless it may have been resumed by then.
fn paused(evidence: &Evidence, facts: &Facts, rows: &Rows, report: &mut Report) {
    for (call, since, answer) in facts.answered() {
        let (Request::Pause { gate, .. }, Ok(Reply::Done)) = (&call.what.request, answer) else { continue };
        // It was done when it was answered first.
        let until = resumed(facts, gate, facts.first_sent[&call.what.id]);
        let within = |grant: &&Grant| {
            grant.answered < until && granted(evidence, rows, grant).is_some_and(|at| at > since + TICK)
        };
        for grant in facts.grants.values().filter(within) {
            report.expect("I4.i", !is_of(rows, grant, gate), || {
                let says = format!(
                    "job {} was granted at {:.3?}, and {gate} had been paused at {since:.3?} and not been resumed",
                    grant.lease.job, grant.answered
                );
                let found = Finding::new("granted while paused", says).job(grant.lease.job);
                found.attempt(grant.lease.token).calls([call.number, grant.call]).at(grant.answered)
            });
        }
    }
}

/// While a service is down, one job of its kind at a time finds out whether it is back, and each after a rest.
fn down(evidence: &Evidence, facts: &Facts, rows: &Rows, report: &mut Report) {
    let kind_of = |lease: Lease| rows.jobs.get(&lease.job.0).map(|job| job.kind.clone());
    let reports = facts.calls.iter().filter_map(|call| match &call.what.request {
        Request::Wait { lease, on: On::Service { probe_ms, .. } } => {
            Some(Down { kind: kind_of(*lease)?, call, asked: facts.first_sent[&call.what.id], probe_ms: *probe_ms })
        }
        _ => None,
    });
    let reports: Vec<Down<'_>> = reports.collect();
    for (call, since, answer) in facts.answered() {
        let (Request::Wait { lease, on: On::Service { .. } }, Ok(Reply::Suspended)) = (&call.what.request, answer)
        else {
            continue;
        };
        let Some(kind) = kind_of(*lease) else { continue };
        let of_kind = || reports.iter().filter(|it| it.kind == kind);
        let first = of_kind().map(|it| it.asked).min().unwrap_or_default();
        let gate = Gate::Kind(kind.clone());
        // Only what was granted after a service was found down can be what finds it back.
        let may_end_it = |lease: Lease| {
            let row = rows.attempts.get(&lease.token.0);
            let completed = row.is_some_and(|row| row.ended.as_deref() == Some("completed"));
            let grant = facts.grants.get(&lease.token);
            let at = grant.and_then(|grant| granted(evidence, rows, grant));
            completed && kind_of(lease).as_ref() == Some(&kind) && at.is_none_or(|at| at >= first)
        };
        let completes = facts.calls.iter().filter(|call| match &call.what.request {
            Request::Complete { lease, .. } => may_end_it(*lease),
            _ => false,
        });
        let asked = facts.first_sent[&call.what.id];
        let until = resumed(facts, &gate, asked).min(earliest_effect(facts, completes, asked));
        let within = |grant: &&Grant| {
            let later = granted(evidence, rows, grant).is_some_and(|at| at > since + TICK);
            later && grant.answered < until && is_of(rows, grant, &gate)
        };
        let grants: Vec<&Grant> = facts.grants.values().filter(within).collect();
        // The last report says how long the rest is.
        let may_stand = |it: &&Down<'_>| {
            it.asked <= until && it.call.answer.as_ref().is_none_or(|(answered, _)| *answered >= asked)
        };
        let rest = of_kind().filter(may_stand).map(|it| it.probe_ms).min().unwrap_or(0);
        let rest = facts.least_rest(Duration::from_millis(rest));
        for pair in grants.windows(2) {
            let (first, second) = (pair[0], pair[1]);
            report.expect("I4.j", first.trusted_until(facts) <= second.answered, || {
                let says = format!(
                    "job {} was granted at {:.3?} while job {} was to find out whether the service of kind {kind} is back",
                    second.lease.job, second.answered, first.lease.job
                );
                two("two probes at once", says, first, second, call)
            });
            let ended = rows.attempts.get(&first.lease.token.0).and_then(|attempt| attempt.ended_ms);
            let began = rows.attempts.get(&second.lease.token.0).map(|attempt| attempt.claimed_ms);
            let (Some(ended), Some(began), false) = (ended, began, facts.wall_jumped) else { continue };
            let rested = Duration::from_millis((began - ended).max(0).cast_unsigned() + 2);
            report.expect("I4.j", rested >= rest, || {
                let says = format!(
                    "job {} of kind {kind} was let through {rested:.3?} after job {}, and not after {rest:.3?}",
                    second.lease.job, first.lease.job
                );
                two("probe without a rest", says, first, second, call)
            });
        }
    }
}

/// That somebody has found a service down.
struct Down<'a> {
    kind: String,
    call: &'a CallFact,
    asked: Duration,
    probe_ms: u64,
}

fn two(transition: &str, says: String, first: &Grant, second: &Grant, down: &CallFact) -> Finding {
    let found = Finding::new(transition, says).job(second.lease.job).job(first.lease.job);
    found.attempt(second.lease.token).calls([down.number, first.call, second.call]).at(second.answered)
}

/// What a waiting job must say of pauses; and of limits, if it is due. None where the moment is too close to call.
pub fn expected(rows: &Rows, moment: Moment, row: &JobRow, is_due: bool) -> Option<Vec<String>> {
    let of = |gate: &'static str, is_down: bool| {
        rows.pauses.iter().find(move |it| it.gate == gate && it.is_down == is_down && it.keeps(row))
    };
    let pauses = [of("queue", false), of("kind", false), of("kind", true)];
    let mut said: Vec<String> = pauses.into_iter().flatten().map(says).collect();
    if !is_due {
        return Some(said);
    }
    let suspects = rows.jobs.values().filter(|it| it.state == "running" && it.crashes >= 2).count();
    let is_suspect = row.crashes >= 2 && suspects > 0;
    said.extend(is_suspect.then(|| format!("suspect {} beside {suspects} until free", row.crashes)));
    let limit = rows.limits.get(&row.queue);
    // A lease that was lost in between was held when the job was asked.
    let ended = rows.attempts.values().filter_map(|attempt| attempt.ended_ms).max();
    if (limit.is_some() || row.crashes >= 2) && ended.is_some_and(|ended| ended + 2 >= moment.wall_ms.0) {
        return None;
    }
    let Some(limit) = limit else { return Some(said) };
    let running: Vec<&JobRow> =
        rows.jobs.values().filter(|it| it.state == "running" && it.queue == row.queue).collect();
    let leased = |count: usize| i64::try_from(count).expect("a run is small");
    let held = leased(running.len());
    if let Some(at_once) = limit.at_once.filter(|at_once| held >= *at_once) {
        said.push(format!("slots of {:?} {held} of {at_once} until free", None::<String>));
    }
    if let (Some(at_once), Some(key)) = (limit.at_once_per_key, &row.concurrency_key) {
        let held = leased(running.iter().filter(|it| it.concurrency_key.as_ref() == Some(key)).count());
        let is_full = held >= at_once;
        said.extend(is_full.then(|| format!("slots of {:?} {held} of {at_once} until free", Some(key))));
    }
    if let Some((jobs, per_ms, _)) = limit.rate.filter(|_| limit.full_at_steady_ns > 0) {
        let surely = waits(limit, rows.steady_ms + moment.since_ms + 1);
        let perhaps = waits(limit, rows.steady_ms);
        if surely != perhaps {
            return None;
        }
        said.extend(surely.then(|| format!("rate of {jobs} in {per_ms} until filled")));
    }
    Some(said)
}

/// Whether a bucket has no room at this steady time.
fn waits(limit: &LimitRow, steady_ms: i64) -> bool {
    let Some((jobs, per_ms, burst)) = limit.rate else { return false };
    let interval = (i128::from(per_ms) * 1_000_000 + i128::from(jobs) - 1) / i128::from(jobs);
    i128::from(limit.full_at_steady_ns) - interval * i128::from(burst - 1) > i128::from(steady_ms) * 1_000_000
}

fn says(pause: &PauseRow) -> String {
    let PauseRow { gate, name, is_down, by, why, probe_job, probe_token } = pause;
    match is_down {
        false => format!("{gate} {name:?} paused by {by} for {why} until resumed"),
        true => {
            let probe = probe_job.filter(|_| probe_token.is_some()).map(JobId);
            format!("service down for {why}, probed by {probe:?} until probed")
        }
    }
}
