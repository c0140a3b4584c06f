//! Whether a request is within its limits. Pure; every refusal names the value, the limit and what
//! to do.

use crate::canonical;
use crate::job::{Backoff, Event, Gate, How, JobId, LogLine, Policy, Rate, Refusal, Slots, State, Template};
use crate::limits;
use crate::options::Options;
use crate::protocol::{
    Bulk, Claim, Enqueue, Filter, Key, KindPolicy, ListJobs, Progress, QueueLimits, Schedule, Scope, Signal,
};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// Highest number of a line that a handler said: what an integer of the file has room for, with lines to come.
const LOG_NUMBER_MAX: u64 = 1 << 62;

/// Checks a job to insert; its payload as canonical JSON.
pub fn enqueue(enqueue: &Enqueue, options: &Options) -> Result<String, Refusal> {
    name("kind", &enqueue.kind)?;
    name("queue", &enqueue.queue)?;
    if !(limits::PRIORITY_MIN..=limits::PRIORITY_MAX).contains(&enqueue.priority) {
        let limit = format!("{} to {}", limits::PRIORITY_MIN, limits::PRIORITY_MAX);
        return Err(Refusal::limit("priority", enqueue.priority, limit, "choose one in between; higher goes first"));
    }
    tries(enqueue.max_attempts, enqueue.max_age_ms)?;
    if let Some(Key { name, scope }) = &enqueue.key {
        key(name)?;
        if let Scope::PeriodMs(ms) = scope {
            delay("key's period", *ms)?;
        }
    }
    enqueue.concurrency_key.as_deref().map_or(Ok(()), |key| name("concurrency key", key))?;
    json("payload", &enqueue.payload, options)
}

/// Checks how many jobs are inserted together, and how large they are.
pub fn enqueue_all(jobs: &[Enqueue], options: &Options) -> Result<(), Refusal> {
    if jobs.is_empty() || jobs.len() > limits::ENQUEUE_JOBS_MAX {
        let (limit, remedy) = (format!("1 to {}", limits::ENQUEUE_JOBS_MAX), "enqueue so many at a time");
        return Err(Refusal::limit("jobs enqueued together", jobs.len(), limit, remedy));
    }
    let waits: usize = jobs.iter().flat_map(|job| &job.after).map(|after| after.jobs.len()).sum();
    if waits > limits::ENQUEUE_WAITS_MAX {
        let what = "jobs for which those enqueued together wait";
        return Err(Refusal::limit(what, waits, limits::ENQUEUE_WAITS_MAX, "enqueue fewer at a time"));
    }
    let bytes: usize = jobs.iter().map(|job| job.payload.len()).sum();
    let most = options.payload_bytes_max.max(limits::ENQUEUE_BYTES_MAX);
    if bytes > most {
        let what = "the size in bytes of the payloads of jobs enqueued together";
        return Err(Refusal::limit(what, bytes, most, "enqueue fewer at a time"));
    }
    Ok(())
}

/// Checks how often and for how long a job is tried.
fn tries(max_attempts: Option<u32>, max_age_ms: Option<u64>) -> Result<(), Refusal> {
    if let Some(attempts) = max_attempts.filter(|attempts| !(1..=limits::ATTEMPTS_MAX).contains(attempts)) {
        let limit = format!("1 to {}", limits::ATTEMPTS_MAX);
        return Err(Refusal::limit("max_attempts", attempts, limit, "choose one in between"));
    }
    max_age_ms.map_or(Ok(()), |ms| span("max_age_ms", ms, "leave it out if no attempt comes too late"))
}

/// Checks a time that is not none, and not too long.
fn span(what: &str, ms: u64, remedy: &str) -> Result<(), Refusal> {
    let longest = limits::DELAY_MAX.as_millis();
    if ms == 0 || u128::from(ms) > longest {
        return Err(Refusal::limit(what, ms, format!("1 to {longest}"), remedy));
    }
    Ok(())
}

/// Checks a schedule; its slots, and what their jobs are like with their payload as canonical JSON.
pub fn schedule(asked: &Schedule, options: &Options) -> Result<(Slots, Template), Refusal> {
    name("schedule", &asked.name)?;
    let longest = limits::DELAY_MAX.as_millis();
    if u128::from(asked.late_ms) > longest {
        let remedy = "let each slot have its job, however late, by the catch-up \"all\"";
        return Err(Refusal::limit("late_ms", asked.late_ms, longest, remedy));
    }
    let slots = Slots::of(&asked.rhythm)?;
    let payload = enqueue(&super::schedules::of_template(&asked.job), options)?;
    if payload.len() > limits::SCHEDULE_PAYLOAD_BYTES_MAX {
        let remedy = "keep large data in a file or table of your own and pass its name";
        let (what, most) = ("the size in bytes of a schedule's payload", limits::SCHEDULE_PAYLOAD_BYTES_MAX);
        return Err(Refusal::limit(what, payload.len(), most, remedy));
    }
    Ok((slots, Template { payload, ..asked.job.clone() }))
}

/// Checks the policy of a kind.
pub fn policy(asked: &KindPolicy) -> Result<(), Refusal> {
    name("kind", &asked.kind)?;
    let Policy { backoff, max_attempts, max_age_ms, timeout_ms, crashes_max } = asked.policy;
    tries(max_attempts, max_age_ms)?;
    if let Some(ms) = timeout_ms {
        span("timeout_ms", ms, "leave it out if an attempt may take any time")?;
    }
    if crashes_max == Some(0) {
        let remedy = "leave it out if what the file's options say is well";
        return Err(Refusal::limit("crashes_max", 0, "1 or more", remedy));
    }
    backoff.map_or(Ok(()), self::backoff)
}

/// Checks how long jobs rest after a failure.
pub fn backoff(backoff: Backoff) -> Result<(), Refusal> {
    let ms = |duration| crate::job::milliseconds(duration).cast_unsigned();
    match backoff {
        Backoff::Fixed { rest } => span("the backoff's rest_ms", ms(rest), "rest a second at the least"),
        Backoff::Exponential { first, longest } => {
            span("the backoff's first_ms", ms(first), "begin with a second at the least")?;
            span("the backoff's longest_ms", ms(longest), "choose an hour")?;
            if longest < first {
                let (value, limit) = (ms(longest), format!("{} or more, as first_ms", ms(first)));
                return Err(Refusal::limit("the backoff's longest_ms", value, limit, "choose a longer one"));
            }
            Ok(())
        }
    }
}

/// Checks the limits of a queue.
pub fn queue_limits(limits: &QueueLimits) -> Result<(), Refusal> {
    name("queue", &limits.queue)?;
    for (what, at_once) in [("at_once", limits.at_once), ("at_once_per_key", limits.at_once_per_key)] {
        if at_once == Some(0) {
            let remedy = "pause the queue if none may run, or leave it out if any number may";
            return Err(Refusal::limit(what, 0, "1 or more", remedy));
        }
    }
    let Some(Rate { jobs, per_ms, burst }) = limits.rate else { return Ok(()) };
    let (most, longest) = (limits::RATE_JOBS_MAX, limits::RATE_PERIOD_MAX.as_millis());
    for (what, count, if_none) in [
        ("the rate's jobs", jobs, "pause the queue if none may run"),
        ("the rate's burst", burst, "with 1 they are spaced evenly"),
    ] {
        if count == 0 || count > most {
            let remedy = if count == 0 { if_none } else { "leave the rate out if any number may begin" };
            return Err(Refusal::limit(what, count, format!("1 to {most}"), remedy));
        }
    }
    if per_ms == 0 || u128::from(per_ms) > longest {
        let remedy = if per_ms == 0 {
            "leave the rate out if any number may begin"
        } else {
            "say how many may in a shorter time"
        };
        return Err(Refusal::limit("the rate's per_ms", per_ms, format!("1 to {longest}"), remedy));
    }
    Ok(())
}

/// Checks that a reason is given.
pub fn reason(why: &str) -> Result<(), Refusal> {
    if why.trim().is_empty() {
        let remedy = "say in a few words what whoever asks why a job waits must know";
        return Err(Refusal::limit("the reason of the pause", format!("{why:?}"), "some words", remedy));
    }
    Ok(())
}

/// Checks what is paused or resumed.
pub fn gate(gate: &Gate) -> Result<(), Refusal> {
    name(gate.word(), gate.name())
}

/// Checks a rest before a job is let through to find out whether a service is back.
pub fn probe(probe_ms: u64) -> Result<(), Refusal> {
    let (shortest, longest) = (limits::PROBE_MIN.as_millis(), limits::PROBE_MAX.as_millis());
    if !(shortest..=longest).contains(&u128::from(probe_ms)) {
        let remedy = "look more seldom than a job takes, and often enough that people need not wait";
        return Err(Refusal::limit("probe_ms", probe_ms, format!("{shortest} to {longest}"), remedy));
    }
    Ok(())
}

/// Checks a payload or result; the canonical text of it.
pub fn json(what: &str, text: &str, options: &Options) -> Result<String, Refusal> {
    let too_large = |bytes: usize| {
        let remedy = "keep large data in a file or table of your own and pass its name, or raise `payload_bytes_max`";
        Refusal::limit(format!("the {what}'s size in bytes"), bytes, options.payload_bytes_max, remedy)
    };
    // Before it is parsed; space and escapes may take up to six times the room.
    if text.len() > options.payload_bytes_max.saturating_mul(6) {
        return Err(too_large(text.len()));
    }
    let canonical = canonical::of(text).map_err(|error| {
        Refusal::limit(format!("the {what}"), text_start(text), "JSON", format!("mend it: {error}"))
    })?;
    if canonical.len() > options.payload_bytes_max {
        return Err(too_large(canonical.len()));
    }
    Ok(canonical)
}

/// Checks a step; the canonical text of its result.
pub fn step(step: &str, result: &str, options: &Options) -> Result<String, Refusal> {
    name("step", step)?;
    json("step's result", result, options)
}

/// Checks a report of progress; the canonical text of its checkpoint, if it has one.
pub fn progress(progress: &Progress, options: &Options) -> Result<Option<String>, Refusal> {
    if let Some(parts) = progress.parts_per_million.filter(|parts| *parts > 1_000_000) {
        let remedy = "say how much of the whole is done";
        return Err(Refusal::limit("the progress in parts in a million", parts, "0 to 1000000", remedy));
    }
    if progress.number == 0 {
        let remedy = "count the reports of an attempt from 1 on";
        return Err(Refusal::limit("the number of the report", 0, "1 or more", remedy));
    }
    progress.checkpoint.as_deref().map(|checkpoint| json("checkpoint", checkpoint, options)).transpose()
}

/// Checks a wait for the end of a job, given how many others wait.
pub fn wait(wait_ms: u64, waiting: usize) -> Result<(), Refusal> {
    if Duration::from_millis(wait_ms) > limits::AWAIT_MAX {
        let limit = limits::AWAIT_MAX.as_millis();
        return Err(Refusal::limit("the wait for the job's end in ms", wait_ms, limit, "ask again afterwards"));
    }
    if wait_ms > 0 && waiting >= limits::AWAITS_MAX {
        let remedy = "ask for fewer jobs at once, or without waiting";
        return Err(Refusal::limit("questions that wait for the end of a job", waiting, limits::AWAITS_MAX, remedy));
    }
    Ok(())
}

/// Checks for which jobs another one would wait.
pub fn waits(jobs: &[JobId]) -> Result<BTreeSet<JobId>, Refusal> {
    if jobs.len() > limits::WAITS_MAX {
        let remedy = "let some of them be waited for by one that follows";
        return Err(Refusal::limit("jobs to wait for", jobs.len(), limits::WAITS_MAX, remedy));
    }
    Ok(jobs.iter().copied().collect())
}

/// Checks a signal; its payload as canonical JSON.
pub fn signal(signal: &Signal, options: &Options) -> Result<String, Refusal> {
    name("signal", &signal.name)?;
    signal.key.as_deref().map_or(Ok(()), key)?;
    json("signal's payload", &signal.payload, options)
}

/// Checks a claim, given how many others wait.
pub fn claim(claim: &Claim, waiting: usize) -> Result<(), Refusal> {
    name("worker", &claim.worker)?;
    for (what, names) in [("kind", &claim.kinds), ("queue", &claim.queues)] {
        if names.is_empty() || names.len() > limits::CLAIM_NAMES_MAX {
            let limit = format!("1 to {}", limits::CLAIM_NAMES_MAX);
            return Err(Refusal::limit(
                format!("{what}s in a claim"),
                names.len(),
                limit,
                "name those that are handled",
            ));
        }
        names.iter().try_for_each(|it| name(what, it))?;
    }
    if !(1..=limits::CLAIM_JOBS_MAX).contains(&claim.most) {
        let limit = format!("1 to {}", limits::CLAIM_JOBS_MAX);
        return Err(Refusal::limit("jobs in a claim", claim.most, limit, "claim again for more"));
    }
    let (shortest, longest) = (limits::LEASE_MIN, limits::LEASE_MAX);
    if !(shortest..=longest).contains(&Duration::from_millis(claim.lease_ms)) {
        let limit = format!("{} to {}", shortest.as_millis(), longest.as_millis());
        let remedy = "choose a lease in between; heartbeats renew it for as long as the work takes";
        return Err(Refusal::limit("the lease in ms", claim.lease_ms, limit, remedy));
    }
    if Duration::from_millis(claim.wait_ms) > limits::CLAIM_WAIT_MAX {
        let limit = limits::CLAIM_WAIT_MAX.as_millis();
        return Err(Refusal::limit("the claim's wait in ms", claim.wait_ms, limit, "claim again afterwards"));
    }
    if claim.wait_ms > 0 && waiting >= limits::CLAIMS_WAITING_MAX {
        let remedy = "claim more jobs with fewer claims, or without waiting";
        return Err(Refusal::limit("claims waiting for work", waiting, limits::CLAIMS_WAITING_MAX, remedy));
    }
    Ok(())
}

/// Checks which jobs are asked for.
pub fn list(asked: &ListJobs) -> Result<(), Refusal> {
    if !(1..=limits::LIST_JOBS_MAX).contains(&asked.most) {
        let limit = format!("1 to {}", limits::LIST_JOBS_MAX);
        return Err(Refusal::limit("jobs at a time", asked.most, limit, "ask again, behind the last one, for more"));
    }
    let Filter { kind, queue, .. } = &asked.filter;
    kind.as_deref().map_or(Ok(()), |it| name("kind", it))?;
    queue.as_deref().map_or(Ok(()), |it| name("queue", it))
}

/// Checks that what is asked for all jobs in a state can be done for them.
pub fn bulk(act: Bulk, state: State) -> Result<(), Refusal> {
    let (can, limit) = match act {
        Bulk::Retry => (state.after(Event::Revive).is_some(), "discarded, quarantined or cancelled"),
        Bulk::Cancel => (!state.is_terminal(), "waiting or running"),
    };
    if can {
        return Ok(());
    }
    Err(Refusal::limit(format!("the state of jobs to {act}"), state, limit, "choose one of these"))
}

/// Checks a delay.
pub fn delay(what: &str, delay_ms: u64) -> Result<Duration, Refusal> {
    let delay = Duration::from_millis(delay_ms);
    if delay > limits::DELAY_MAX {
        let limit = limits::DELAY_MAX.as_millis();
        return Err(Refusal::limit(format!("the {what} in ms"), delay_ms, limit, "choose a shorter one"));
    }
    Ok(delay)
}

/// Checks that a worker reports what a worker can know.
pub fn how(how: How) -> Result<How, Refusal> {
    match how {
        How::Error | How::Panic | How::Timeout | How::Undecodable => Ok(how),
        How::Crash | How::LeaseExpired | How::Shutdown | How::Cancelled => Err(Refusal::limit(
            "the failure's kind",
            how,
            "error, panic, timeout or undecodable",
            "the queue records the others",
        )),
    }
}

/// A message, cut to its limit.
pub fn message(text: &str) -> Arc<str> {
    if text.len() <= limits::MESSAGE_BYTES_MAX {
        return text.into();
    }
    let cut = text.floor_char_boundary(limits::MESSAGE_BYTES_MAX);
    format!("{} … (cut: it had {} bytes)", &text[..cut], text.len()).into()
}

/// Checks what a handler said; the lines, cut to their limit.
pub fn log(first: u64, lines: &[LogLine]) -> Result<Vec<LogLine>, Refusal> {
    if first == 0 || first > LOG_NUMBER_MAX {
        let remedy = "count the lines of an attempt from 1 on";
        return Err(Refusal::limit("the number of the first line", first, format!("1 to {LOG_NUMBER_MAX}"), remedy));
    }
    if lines.is_empty() || lines.len() > limits::LOG_LINES_MAX {
        let limit = format!("1 to {}", limits::LOG_LINES_MAX);
        return Err(Refusal::limit("lines at once", lines.len(), limit, "say the last ones: no more are kept"));
    }
    Ok(lines.iter().map(|LogLine { after_ms, level, text }| LogLine::new(*after_ms, *level, text)).collect())
}

/// Causes, cut to their limits.
pub fn causes(causes: &[String]) -> Vec<String> {
    causes.iter().take(limits::CAUSES_MAX).map(|cause| message(cause).to_string()).collect()
}

fn key(key: &str) -> Result<(), Refusal> {
    if key.is_empty() || key.len() > limits::KEY_BYTES_MAX {
        let limit = format!("1 to {} bytes", limits::KEY_BYTES_MAX);
        let remedy = "hash what makes the work unique, and use the hash";
        return Err(Refusal::limit("the key's length", key.len(), limit, remedy));
    }
    Ok(())
}

/// Checks a name.
pub fn name(what: &str, name: &str) -> Result<(), Refusal> {
    if name.is_empty() || name.len() > limits::NAME_BYTES_MAX {
        let limit = format!("1 to {} bytes", limits::NAME_BYTES_MAX);
        return Err(Refusal::limit(
            format!("the length of the {what}'s name"),
            name.len(),
            limit,
            "choose another name",
        ));
    }
    if name.chars().any(char::is_control) {
        let remedy = "choose a name that people can read";
        return Err(Refusal::limit(
            format!("the {what}'s name"),
            format!("{name:?}"),
            "without control characters",
            remedy,
        ));
    }
    Ok(())
}

fn text_start(text: &str) -> String {
    format!("{:?}", &text[..text.floor_char_boundary(40)])
}
