//! Time-outs of attempts: by what was said of their kinds, and by what their workers did.

use crate::checkers::policies::Policies;
use crate::checkers::{Facts, Finding, Grant, Report};
use crate::drive::Evidence;
use crate::event::Event;
use crate::image::Rows;
use crate::workload::BLOCKING;
use outlive::job::{Lease, Token};
use outlive::protocol::{Renewal, Reply, Request};
use std::collections::BTreeMap;
use std::time::Duration;

/// A timer may be this late.
const LATE: Duration = Duration::from_millis(5);

pub fn check(evidence: &Evidence, facts: &Facts, report: &mut Report) {
    let Ok(rows) = &evidence.rows else { return };
    let timeouts = timeouts(facts, rows);
    renewals(facts, &timeouts, report);
    handlers(evidence, facts, rows, &timeouts, report);
}

/// How long each attempt may take of which that is sure.
fn timeouts(facts: &Facts, rows: &Rows) -> BTreeMap<Token, Duration> {
    let policies = Policies::of(facts);
    let of = |grant: &Grant| {
        let kind = &rows.jobs.get(&grant.lease.job.0)?.kind;
        let possible = policies.possible(kind, grant.claimed, grant.answered);
        let [policy] = possible[..] else { return None };
        policy.timeout_ms.map(Duration::from_millis)
    };
    facts.grants.iter().filter_map(|(token, grant)| Some((*token, of(grant)?))).collect()
}

/// A worker that only renews its lease does not keep its job: a lease's length after its time it has been taken away.
fn renewals(facts: &Facts, timeouts: &BTreeMap<Token, Duration>, report: &mut Report) {
    let mut started: BTreeMap<Lease, Duration> = BTreeMap::new();
    for (call, at, answer) in facts.answered() {
        if let (Request::Start { lease }, Ok(_)) = (&call.what.request, answer) {
            started.entry(*lease).and_modify(|known| *known = at.min(*known)).or_insert(at);
        }
    }
    for (call, _, answer) in facts.answered() {
        let (Request::Heartbeat { leases }, Ok(Reply::Renewed { leases: renewals })) = (&call.what.request, answer)
        else {
            continue;
        };
        for (lease, renewal) in leases.iter().zip(renewals) {
            let (Some(timeout), Some(since)) = (timeouts.get(&lease.token), started.get(lease)) else { continue };
            let grant = &facts.grants[&lease.token];
            // Steady time stands still while the file is closed.
            if grant.lease != *lease || *since > call.invoked || facts.was_closed(*since, call.invoked) {
                continue;
            }
            let (took, most) = (facts.shown_at_store(call.invoked - *since), *timeout + grant.length + LATE);
            report.expect("I2.i", took <= most || matches!(renewal, Renewal::Lost { .. }), || {
                let job = lease.job;
                let says = format!(
                    "the lease of job {job} was renewed {took:.3?} after its attempt had started, which may take {timeout:.3?}"
                );
                let found = Finding::new("renewed beyond its time-out", says).job(job).attempt(lease.token);
                found.calls([grant.call, call.number]).at(call.invoked)
            });
        }
    }
}

/// No handler that can be dropped goes on for longer than its attempt may, unless its process slept.
fn handlers(
    evidence: &Evidence,
    facts: &Facts,
    rows: &Rows,
    timeouts: &BTreeMap<Token, Duration>,
    report: &mut Report,
) {
    let attempts: BTreeMap<(i64, u32), &Grant> =
        facts.grants.values().map(|grant| ((grant.lease.job.0, grant.attempt), grant)).collect();
    let mut began = BTreeMap::new();
    for entry in &evidence.entries {
        let (job, attempt) = match entry.event {
            Event::HandlerStarted { job, attempt, .. } => {
                began.insert((job.0, attempt), entry.at);
                continue;
            }
            Event::HandlerEnded { job, attempt } => (job, attempt),
            _ => continue,
        };
        let blocks = rows.jobs.get(&job.0).is_none_or(|row| row.kind == BLOCKING);
        let (Some(since), Some(grant), Some(process)) =
            (began.get(&(job.0, attempt)), attempts.get(&(job.0, attempt)), entry.process)
        else {
            continue;
        };
        let Some(timeout) = timeouts.get(&grant.lease.token).filter(|_| !blocks) else { continue };
        // The clocks of machines drift.
        let until = *since + timeout.mul_f64(1.02) + LATE;
        report.expect("I2.j", entry.at <= until || facts.slept_from(process, *since, entry.at), || {
            let says = format!(
                "the handler of attempt {attempt} of job {job} was still running at {:.3?}, but its time was over at {:.3?}",
                entry.at,
                *since + *timeout
            );
            let found = Finding::new("handler running beyond its time-out", says).job(job);
            found.attempt(grant.lease.token).call(grant.call).at(entry.at)
        });
    }
}
