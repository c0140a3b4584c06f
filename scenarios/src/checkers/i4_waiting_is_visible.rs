//! I4: waiting is a valid and visible state.

mod asked;
mod ends;
mod gates;
mod holds;
mod line;
mod slots;

use super::{Checker, Facts, Finding, Report};
use crate::drive::Evidence;
use crate::event::{Census, Event};
use crate::image::{JobRow, Rows};
use crate::workload::PATH;
use outlive::job::explain::{Blocker, Bound, Doing, Place, Reason, Until};
use outlive::protocol::{Reply, Request, When};
use outlive::{Explanation, Retention};
use std::collections::BTreeMap;
use std::time::Duration;

/// See the module.
pub const CHECKER: Checker = Checker {
    invariant: "I4",
    title: "waiting is a valid and visible state",
    clauses: &[
        ("I4.a", "every job that waits says for what, until when, and under which condition"),
        ("I4.b", "what it says is all that the rows say, and nothing else"),
        ("I4.c", "what it says never contradicts what was acknowledged"),
        ("I4.d", "no wait outlasts the bound that it named"),
        ("I4.e", "an acknowledged request to cancel is never forgotten"),
        ("I4.f", "whoever waits for the end of a job hears of it once it is written, and of its own result"),
        ("I4.g", "no job waits for a signal that is there"),
        (
            "I4.h",
            "what waits for other jobs runs after they have ended, or ends as was asked for, and is told how they ended",
        ),
        ("I4.i", "what is paused does not begin before it is resumed"),
        ("I4.j", "while a service is down one job of its kind at a time finds out whether it is back"),
        ("I4.k", "no pause waits for an attempt that has ended"),
        ("I4.l", "of the slots that were missed no more have their jobs than the catch-up of their schedule says"),
        ("I4.m", "a claim gets the job that goes first"),
        ("I4.n", "a claim gets jobs of the queues and kinds that it asked for, and of no others"),
        ("I4.o", "what is said of who asks for a job's kind is so"),
    ],
    check,
};

fn check(evidence: &Evidence, facts: &Facts, report: &mut Report) {
    for entry in &evidence.entries {
        if let (Event::Census(census), Some(process)) = (&entry.event, entry.process) {
            let booted = evidence.times.iter().find(|times| times.process == process).expect("it lived").booted;
            judge_census(evidence, census, entry.at, facts.shown_at_store(entry.at - booted), report);
        }
    }
    answers(facts, report);
    bounds(facts, report);
    cancels(evidence, facts, report);
    asked::check(evidence, facts, report);
    ends::check(evidence, facts, report);
    holds::check(evidence, facts, report);
    gates::check(evidence, facts, report);
    if let Ok(rows) = &evidence.rows {
        slots::check(facts, rows, report);
        line::check(evidence, facts, rows, report);
    }
}

fn blockers(explanation: &Explanation) -> Option<&[Blocker]> {
    match &explanation.doing {
        Doing::Waiting { blockers } => Some(blockers),
        _ => None,
    }
}

fn answers(facts: &Facts, report: &mut Report) {
    let mut terminal: BTreeMap<i64, (Duration, &str)> = BTreeMap::new();
    for (call, at, answer) in facts.answered() {
        match (&call.what.request, answer) {
            (Request::Complete { lease, .. }, Ok(Reply::Done)) => {
                terminal.entry(lease.job.0).or_insert((at, "completed"));
            }
            (Request::Cancel { job }, Ok(Reply::Cancelled { at_once: true })) => {
                terminal.entry(job.0).or_insert((at, "cancelled"));
            }
            _ => {}
        }
    }
    for (call, _, answer) in facts.answered() {
        let (Request::Explain { job }, Ok(Reply::Explained(explanation))) = (&call.what.request, answer) else {
            continue;
        };
        if let Some(blockers) = blockers(explanation) {
            let named = |blocker: &Blocker| !blocker.holds_while.is_empty() && agree(blocker);
            report.expect("I4.a", !blockers.is_empty() && blockers.iter().all(named), || {
                let transition = if blockers.is_empty() { "wait without a reason" } else { "wait of a wrong kind" };
                let found = Finding::new(transition, format!("job {job} waits, and says {blockers:?}"));
                found.job(*job).call(call.number).at(call.invoked)
            });
        }
        let terminal = terminal.get(&job.0).filter(|_| !facts.retried.contains(job));
        if let Some((_, expected)) = terminal.filter(|(ended, _)| *ended < call.invoked) {
            let said = match &explanation.doing {
                Doing::Finished { outcome, .. } => outcome.as_str(),
                Doing::Running { .. } => "running",
                Doing::Waiting { .. } => "waiting",
            };
            report.expect("I4.c", said == *expected, || {
                let says = format!("job {job} is {expected}, and says that it is {said}");
                let found = Finding::new(format!("{expected} called {said}"), says).job(*job);
                found.call(call.number).at(call.invoked)
            });
        }
    }
}

/// Whether reason, end and bound of a blocker are of a kind.
fn agree(blocker: &Blocker) -> bool {
    match (&blocker.reason, blocker.until, blocker.bound) {
        (Reason::Line { .. }, Until::Claim, Bound::Claims { .. }) => true,
        (Reason::Signal { .. }, Until::Signal, Bound::Milliseconds { .. } | Bound::Event) => true,
        (Reason::Jobs { open, .. }, Until::Ends, Bound::Event) => *open > 0,
        (Reason::LeaseExpired { .. }, Until::Pass, Bound::Milliseconds { .. }) => true,
        (Reason::Schedule, Until::Time { steady_ms, .. }, Bound::Milliseconds { .. }) => steady_ms.is_none(),
        (Reason::Paused { .. }, Until::Resume, Bound::Event) => true,
        (Reason::ServiceDown { .. }, Until::Probe, Bound::Event) => true,
        (Reason::Slots { held, at_once, .. }, Until::Slot, Bound::Event) => *held >= u64::from(*at_once),
        (Reason::Suspect { beside, .. }, Until::Slot, Bound::Event) => !beside.is_empty(),
        (Reason::Rate { .. }, Until::Rate, Bound::Event) => true,
        (Reason::Line { .. } | Reason::LeaseExpired { .. }, _, _) => false,
        (Reason::Paused { .. } | Reason::ServiceDown { .. } | Reason::Slots { .. } | Reason::Rate { .. }, _, _) => {
            false
        }
        (Reason::Signal { .. } | Reason::Jobs { .. } | Reason::Suspect { .. }, _, _) => false,
        (_, Until::Time { steady_ms, .. }, Bound::Milliseconds { .. }) => steady_ms.is_some(),
        _ => false,
    }
}

fn bounds(facts: &Facts, report: &mut Report) {
    if facts.wall_jumped {
        return;
    }
    let mut promised: BTreeMap<(i64, i64), (Duration, u64, u64)> = BTreeMap::new();
    for (call, at, answer) in facts.answered() {
        let (Request::Explain { job }, Ok(Reply::Explained(explanation))) = (&call.what.request, answer) else {
            continue;
        };
        for blocker in blockers(explanation).unwrap_or_default() {
            let (Until::Time { wall_ms, .. }, Bound::Milliseconds { at_most }) = (blocker.until, blocker.bound) else {
                continue;
            };
            if let Some((before, bound, first)) = promised.get(&(job.0, wall_ms)) {
                // Answers may overtake each other, and what a fast clock had gained is lost with the file's closing.
                let lost = facts.store_drift_ppm > 0 && facts.was_closed(*before, call.invoked);
                if call.invoked < *before || lost {
                    continue;
                }
                let passed = call.invoked.saturating_sub(*before);
                let passed = passed.min(facts.shown_at_store(passed));
                let passed = u64::try_from(passed.as_millis()).expect("a run is short");
                report.expect("I4.d", at_most <= bound.saturating_sub(passed) + 2, || {
                    let says = format!(
                        "job {job} had at most {bound} ms to wait, waited {passed} ms, and has {at_most} ms more"
                    );
                    let found = Finding::new("wait outlasted its bound", says).job(*job);
                    found.calls([*first, call.number]).at(call.invoked)
                });
            } else {
                promised.insert((job.0, wall_ms), (at, at_most, call.number));
            }
        }
    }
}

fn cancels(evidence: &Evidence, facts: &Facts, report: &mut Report) {
    for (call, at, answer) in facts.answered() {
        let (Request::Cancel { job }, Ok(Reply::Cancelled { .. })) = (&call.what.request, answer) else { continue };
        if facts.retried.contains(job) {
            continue;
        }
        let again = facts.tokens.get(job).into_iter().flatten().map(|token| &facts.grants[token]);
        let again = again.into_iter().find(|grant| grant.claimed > at);
        report.expect("I4.e", again.is_none(), || {
            let again = again.expect("granted");
            let says = format!("job {job} was cancelled at {at:.3?} and granted again at {:.3?}", again.answered);
            let found = Finding::new("claim granted after a cancel", says).job(*job).attempt(again.lease.token);
            found.calls([call.number, again.call]).at(again.answered)
        });
        let state = evidence.rows.as_ref().ok().and_then(|rows| rows.jobs.get(&job.0)).map(|row| row.state.as_str());
        if let Some(state) = state {
            let right = matches!(state, "cancelled" | "completed" | "running");
            report.expect("I4.e", right, || {
                let says = format!("job {job} was cancelled at {at:.3?}, and is {state} at the end");
                Finding::new(format!("cancelled job {state}"), says).job(*job).call(call.number).at(at)
            });
        }
    }
}

/// Compares what jobs said with what the checker's own reading of the rows comes to.
///
/// It was taken at `at`, in true time. Steady time was last written when the file was opened, at most `since` ago.
fn judge_census(evidence: &Evidence, census: &Census, at: Duration, since: Duration, report: &mut Report) {
    let rows = match Rows::read(&census.image, PATH) {
        Ok(rows) => rows,
        Err(why) => {
            let found = || Finding::new("file read", format!("the file does not read at a census: {why}")).at(at);
            return report.expect("I4.b", false, found);
        }
    };
    holds::unheard(&rows, report);
    gates::unheard(&rows, report);
    let since_ms = i64::try_from(since.as_millis()).expect("a run is short");
    let moment = Moment { wall_ms: census.wall_ms, since_ms };
    for (job, explanation) in &census.explanations {
        let Some(row) = rows.jobs.get(&job.0) else {
            // It may have been forgotten between the two.
            let keeps_all = evidence.plan.options.retention == Retention::FOREVER;
            if matches!(explanation.doing, Doing::Finished { .. }) && !keeps_all {
                continue;
            }
            let found =
                || Finding::new("explained and absent", format!("job {job} is explained, and is not in the file"));
            report.expect("I4.b", false, || found().job(*job).at(at));
            continue;
        };
        let expected = match row.state.as_str() {
            "running" => continue,
            "waiting" => match expected_blockers(evidence, &rows, moment, job.0, row) {
                Some(expected) => expected,
                None => continue,
            },
            state => format!("finished {state}"),
        };
        // Its deadline may have passed between the two, and it may have been retried.
        if row.deadline_wall_ms.is_some_and(|by| (by - census.wall_ms.1).abs() < DEADLINE_NEAR_MS) {
            continue;
        }
        // Its lease may have expired between its answer and the image.
        let latest = rows.attempts.values().rev().find(|attempt| attempt.job == job.0);
        let took_ms = census.wall_ms.1 - census.wall_ms.0 + 2;
        if latest
            .is_some_and(|attempt| (rows.steady_ms - took_ms..=rows.steady_ms).contains(&attempt.expires_steady_ms))
        {
            continue;
        }
        let said = match &explanation.doing {
            Doing::Running { .. } => "running".to_owned(),
            Doing::Finished { outcome, .. } => format!("finished {outcome}"),
            Doing::Waiting { blockers } => blockers.iter().map(in_short).collect::<Vec<_>>().join(" and "),
        };
        report.expect("I4.b", said == expected, || {
            let says = format!("job {job} says {said:?}, but its rows say {expected:?}: {row:?}");
            let transition = format!("{} called {}", without_numbers(&expected), without_numbers(&said));
            Finding::new(transition, says).job(*job).at(at)
        });
    }
}

/// By how much the file's clock may be ahead of the wall clock in a run, in milliseconds, and what a census takes.
const DEADLINE_NEAR_MS: i64 = 2_000;

/// The words of a reason: what is the same in every run.
fn without_numbers(reason: &str) -> String {
    let words = reason.split(' ').take_while(|word| *word != "until" && *word != "in");
    let words: Vec<&str> = words.filter(|word| word.chars().all(char::is_alphabetic) && *word != "of").collect();
    if words.is_empty() { "nothing".to_owned() } else { words.join(" ") }
}

fn in_short(blocker: &Blocker) -> String {
    let until = match blocker.until {
        Until::Time { steady_ms, wall_ms } => format!("until steady {steady_ms:?} or wall {wall_ms}"),
        Until::Claim => "until claimed".into(),
        Until::Pass => "until written".into(),
        Until::Signal => "until sent".into(),
        Until::Ends => "until ended".into(),
        Until::Resume => "until resumed".into(),
        Until::Probe => "until probed".into(),
        Until::Slot => "until free".into(),
        Until::Rate => "until filled".into(),
    };
    let reason = match &blocker.reason {
        Reason::Delay => "delay".into(),
        Reason::Schedule => "schedule".into(),
        Reason::Backoff { failures, max_attempts } => format!("backoff {failures} of {max_attempts}"),
        Reason::CrashBackoff { crashes, .. } => format!("crash {crashes}"),
        Reason::Snooze => "snooze".into(),
        Reason::Condition { .. } => "condition".into(),
        Reason::Signal { name } => format!("signal {name}"),
        Reason::Jobs { open, .. } => format!("jobs {open}"),
        Reason::LeaseExpired { .. } => "lease expired".into(),
        Reason::Paused { gate, by, why, .. } => format!("{gate} paused by {by} for {why}"),
        Reason::ServiceDown { why, probe, .. } => format!("service down for {why}, probed by {probe:?}"),
        Reason::Slots { concurrency_key, at_once, held, .. } => {
            format!("slots of {concurrency_key:?} {held} of {at_once}")
        }
        Reason::Suspect { crashes, beside } => format!("suspect {crashes} beside {}", beside.len()),
        Reason::Rate { rate, .. } => format!("rate of {} in {}", rate.jobs, rate.per_ms),
        Reason::Line { queue, ahead: Place::Exactly(ahead), .. } => format!("line in {queue} behind {ahead}"),
        Reason::Line { queue, ahead, .. } => format!("line in {queue} behind {ahead}"),
    };
    format!("{reason} {until}")
}

/// All that a waiting job must say; none where the moment is too close to call.
fn expected_blockers(evidence: &Evidence, rows: &Rows, moment: Moment, id: i64, row: &JobRow) -> Option<String> {
    let is_due = !is_held(row) && is_due(rows, moment, row)?;
    let own = expected_blocker(evidence, rows, moment, id, row)?;
    let gates = gates::expected(rows, moment, row, is_due)?;
    let (first, last) = if is_due { (None, Some(own)) } else { (Some(own), None) };
    Some(first.into_iter().chain(gates).chain(last).collect::<Vec<_>>().join(" and "))
}

/// What a waiting job must say of its time, its turn, and what else it waits for; none where the moment is too close to call.
fn expected_blocker(evidence: &Evidence, rows: &Rows, moment: Moment, id: i64, row: &JobRow) -> Option<String> {
    if let Some(held) = expected_hold(rows, moment, id, row) {
        return held;
    }
    if is_due(rows, moment, row)? {
        let mut ahead = 0;
        let place = |row: &JobRow| line::place(evidence.plan.options.ageing, row, row.due_wall_ms);
        let is_in_line = |it: &&JobRow| it.state == "waiting" && it.queue == row.queue && !is_held(it);
        for it in rows.jobs.values().filter(is_in_line) {
            ahead += u64::from(is_due(rows, moment, it)? && place(it) < place(row));
        }
        return Some(format!("line in {} behind {ahead} until claimed", row.queue));
    }
    // Why it waits is told by how its latest attempt ended, not by the column that says so.
    let latest = rows.attempts.iter().rev().find(|(_, attempt)| attempt.job == id);
    let reason = match latest.and_then(|(_, attempt)| attempt.ended.as_deref()) {
        None => match asked_for(evidence, row)? {
            When::At(_) => "schedule".into(),
            When::Now | When::After(_) => "delay".into(),
        },
        Some("snoozed") => "snooze".into(),
        Some("suspended") => "condition".into(),
        Some("crashed") => format!("crash {}", row.crashes),
        Some("failed") => format!("backoff {} of {}", row.failures, row.max_attempts),
        Some(other) => format!("nothing after an attempt that was {other}"),
    };
    Some(format!("{reason} until steady {:?} or wall {}", row.due_steady_ms, row.due_wall_ms))
}

/// Whether it waits for something that is no time.
fn is_held(row: &JobRow) -> bool {
    row.wait_on.as_ref().is_some_and(|on| matches!(on["on"].as_str(), Some("signal" | "jobs" | "before")))
}

/// What a job must say that waits for something that is no time; none if it does not. Inside, none where the moment is
/// too close to call.
fn expected_hold(rows: &Rows, moment: Moment, id: i64, row: &JobRow) -> Option<Option<String>> {
    let on = row.wait_on.as_ref().filter(|_| is_held(row))?;
    let step = match on["on"].as_str() {
        Some("signal") => {
            let is_over = is_due(rows, moment, row).unwrap_or(true);
            return Some((!is_over).then(|| format!("signal {} until sent", on["name"].as_str().unwrap_or("?"))));
        }
        Some("before") => "",
        _ => on["step"].as_str().unwrap_or("?"),
    };
    let others = rows.waits.get(&(id, step.to_owned())).into_iter().flatten();
    let open = others.filter(|other| rows.jobs.get(other).is_some_and(|other| !other.finished)).count();
    let jobs = format!("jobs {open} until ended");
    if !step.is_empty() {
        return Some(Some(jobs));
    }
    // With the time that it was enqueued for.
    let due = format!("until steady {:?} or wall {}", row.due_steady_ms, row.due_wall_ms);
    let time = if row.due_steady_ms.is_none() { "schedule" } else { "delay" };
    Some(is_due(rows, moment, row).map(|is_due| if is_due { jobs } else { format!("{jobs} and {time} {due}") }))
}

/// The moment of a census, as far as it can be told from outside.
#[derive(Clone, Copy)]
struct Moment {
    /// The wall clock when the first job was asked, and when the last one had answered.
    wall_ms: (i64, i64),
    /// Steady time has gone on for at most so long since it was written.
    since_ms: i64,
}

/// Whether its time has come; none if that can't be told.
fn is_due(rows: &Rows, moment: Moment, row: &JobRow) -> Option<bool> {
    let due_by = |wall: i64, steady: i64| row.due_wall_ms <= wall || row.due_steady_ms.is_some_and(|due| due <= steady);
    let surely = due_by(moment.wall_ms.0, rows.steady_ms);
    let perhaps = due_by(moment.wall_ms.1, rows.steady_ms + moment.since_ms + 1);
    (surely == perhaps).then_some(surely)
}

fn asked_for(evidence: &Evidence, row: &JobRow) -> Option<When> {
    let number = super::facts::number_of(&row.payload)?;
    evidence.plan.intents.iter().find(|intent| intent.number == number).map(|intent| intent.enqueue.when)
}
