//! Rows to values of the tables.

use crate::job::{
    Attempt, EndRow, Failure, Gate, Job, KeyRow, KeyScope, LimitRow, LogRow, Next, PauseRow, Policy, PolicyRow,
    ProgressRow, ScheduleRow, SignalRow, SkipRow, Slot, SlotRow, StepRow, WaitRow,
};
use crate::store::{FileState, RequestRow};
use turso_core::Value;

pub fn integer(value: i64) -> Value {
    Value::from_i64(value)
}

pub fn text(value: &str) -> Value {
    Value::from_text(value.to_owned())
}

pub fn blob(bytes: &[u8]) -> Value {
    Value::from_slice(bytes).expect("a few bytes fit into memory")
}

fn word(value: &'static str) -> Value {
    Value::from_text(value)
}

fn optional(value: Option<i64>) -> Value {
    value.map_or(Value::Null, integer)
}

fn count(value: u32) -> Value {
    integer(i64::from(value))
}

pub fn state(state: &FileState) -> [Value; 8] {
    let FileState { steady, next_job, next_token, next_signal, next_end, nonce, openings, first_opening } = state;
    [
        integer(steady.0),
        integer(*next_job),
        integer(*next_token),
        integer(*next_signal),
        integer(*next_end),
        text(&nonce.to_string()),
        integer(*openings),
        text(&first_opening.to_string()),
    ]
}

/// How many at the most.
pub fn most(most: usize) -> Value {
    integer(i64::try_from(most).unwrap_or(i64::MAX))
}

pub fn end(row: &EndRow) -> [Value; 5] {
    let EndRow { id, job, state, at, finished_at } = row;
    [integer(*id), integer(job.0), text(state.as_str()), integer(at.0), integer(finished_at.0)]
}

pub fn new_job(job: &Job) -> [Value; 28] {
    let [deadline_steady, deadline_wall] = deadline(job);
    [
        integer(job.id.0),
        text(&job.new.kind),
        text(&job.new.queue),
        word(job.state.as_str()),
        word(job.wait.as_str()),
        wait_on(job),
        optional(job.due.steady.map(|steady| steady.0)),
        integer(job.due.wall.0),
        integer(i64::from(job.new.priority)),
        job.new.concurrency_key.as_deref().map_or(Value::Null, text),
        optional(job.token.map(|token| token.0)),
        count(job.attempts),
        count(job.new.max_attempts),
        count(job.failures),
        count(job.crashes),
        count(job.snoozes),
        count(job.releases),
        integer(i64::from(job.cancel_requested)),
        deadline_steady,
        deadline_wall,
        optional(job.retried_at.map(|at| at.0)),
        integer(job.enqueued_at.0),
        optional(job.finished_at.map(|at| at.0)),
        job.result.as_deref().map_or(Value::Null, text),
        job.new.slot.as_ref().map_or(Value::Null, |slot| text(&slot.schedule)),
        optional(job.new.slot.as_ref().map(|slot| slot.at.0)),
        text(&job.new.payload),
        job.new.trace_parent.map_or(Value::Null, |parent| text(&parent.to_string())),
    ]
}

pub fn changed_job(job: &Job) -> [Value; 18] {
    let [deadline_steady, deadline_wall] = deadline(job);
    [
        integer(job.id.0),
        word(job.state.as_str()),
        word(job.wait.as_str()),
        optional(job.due.steady.map(|steady| steady.0)),
        integer(job.due.wall.0),
        optional(job.token.map(|token| token.0)),
        count(job.attempts),
        count(job.failures),
        count(job.crashes),
        count(job.snoozes),
        count(job.releases),
        integer(i64::from(job.cancel_requested)),
        optional(job.finished_at.map(|at| at.0)),
        job.result.as_deref().map_or(Value::Null, text),
        wait_on(job),
        deadline_steady,
        deadline_wall,
        optional(job.retried_at.map(|at| at.0)),
    ]
}

fn deadline(job: &Job) -> [Value; 2] {
    let steady = job.deadline.and_then(|deadline| deadline.steady).map(|steady| steady.0);
    [optional(steady), optional(job.deadline.map(|deadline| deadline.wall.0))]
}

fn wait_on(job: &Job) -> Value {
    job.wait_on.as_ref().map_or(Value::Null, |on| text(&serde_json::to_string(on).expect("it is JSON")))
}

pub fn new_signal(row: &SignalRow) -> [Value; 7] {
    let SignalRow { id, name, key, payload, sent_at, .. } = row;
    let [_, job, step] = taken_signal(row);
    [integer(*id), text(name), key.as_deref().map_or(Value::Null, text), text(payload), integer(sent_at.0), job, step]
}

pub fn taken_signal(row: &SignalRow) -> [Value; 3] {
    let (job, step) = match &row.taken {
        Some((job, step)) => (integer(job.0), text(step)),
        None => (Value::Null, Value::Null),
    };
    [integer(row.id), job, step]
}

pub fn wait(row: &WaitRow) -> [Value; 3] {
    [integer(row.job.0), text(&row.step), integer(row.on.0)]
}

pub fn new_attempt(attempt: &Attempt) -> [Value; 14] {
    [
        integer(attempt.token.0),
        integer(attempt.job.0),
        count(attempt.number),
        text(&attempt.worker),
        word(attempt.holder.as_str()),
        text(&attempt.nonce.to_string()),
        integer(attempt.claimed_at.0),
        optional(attempt.started_at.map(|at| at.0)),
        integer(attempt.lease_ms),
        integer(attempt.expires.0),
        optional(attempt.timeout_ms),
        optional(attempt.overdue.map(|overdue| overdue.0)),
        optional(attempt.end.map(|(at, _)| at.0)),
        attempt.end.map_or(Value::Null, |(_, end)| word(end.as_str())),
    ]
}

pub fn changed_attempt(attempt: &Attempt) -> [Value; 6] {
    [
        integer(attempt.token.0),
        optional(attempt.started_at.map(|at| at.0)),
        integer(attempt.expires.0),
        optional(attempt.end.map(|(at, _)| at.0)),
        attempt.end.map_or(Value::Null, |(_, end)| word(end.as_str())),
        optional(attempt.overdue.map(|overdue| overdue.0)),
    ]
}

pub fn failure(failure: &Failure) -> [Value; 11] {
    let due = match failure.next {
        Next::Retry { due } => Some(due),
        Next::Discard | Next::Quarantine | Next::Cancel => None,
    };
    [
        integer(failure.token.0),
        integer(failure.job.0),
        count(failure.attempt),
        integer(failure.at.0),
        word(failure.how.as_str()),
        text(&failure.message),
        text(&serde_json::to_string(&failure.causes).expect("strings are JSON")),
        integer(i64::from(failure.retryable)),
        word(failure.next.as_str()),
        optional(due.and_then(|due| due.steady).map(|steady| steady.0)),
        optional(due.map(|due| due.wall.0)),
    ]
}

pub fn key(row: &KeyRow) -> [Value; 7] {
    let until = match row.scope {
        KeyScope::Until(due) => Some(due),
        KeyScope::Forever | KeyScope::WhilePending => None,
    };
    [
        text(&row.kind),
        text(&row.key),
        integer(row.job.0),
        text(&format!("{:032x}", row.payload_hash)),
        word(row.scope.as_str()),
        optional(until.and_then(|due| due.steady).map(|steady| steady.0)),
        optional(until.map(|due| due.wall.0)),
    ]
}

pub fn progress(row: &ProgressRow) -> [Value; 7] {
    [
        integer(row.job.0),
        count(row.attempt),
        integer(i64::try_from(row.number).unwrap_or(i64::MAX)),
        integer(row.at.0),
        optional(row.parts_per_million.map(i64::from)),
        row.message.as_deref().map_or(Value::Null, text),
        row.checkpoint.as_deref().map_or(Value::Null, text),
    ]
}

pub fn log(row: &LogRow) -> [Value; 4] {
    [
        integer(row.token.0),
        integer(row.job.0),
        integer(i64::try_from(row.last).unwrap_or(i64::MAX)),
        text(&serde_json::to_string(&row.lines[..]).expect("lines are JSON")),
    ]
}

pub fn step(row: &StepRow) -> [Value; 5] {
    [integer(row.job.0), text(&row.name), text(&row.result), count(row.attempt), integer(row.at.0)]
}

pub fn limit(row: &LimitRow) -> [Value; 7] {
    let LimitRow { queue, at_once, at_once_per_key, rate, full_at_ns } = row;
    let optional_count = |value: Option<u32>| optional(value.map(i64::from));
    [
        text(queue),
        optional_count(*at_once),
        optional_count(*at_once_per_key),
        optional_count(rate.map(|rate| rate.jobs)),
        optional(rate.map(|rate| rate.per_ms.cast_signed())),
        optional_count(rate.map(|rate| rate.burst)),
        integer(*full_at_ns),
    ]
}

pub fn policy(row: &PolicyRow) -> [Value; 6] {
    let Policy { backoff, max_attempts, max_age_ms, timeout_ms, crashes_max } = row.policy;
    let optional_count = |value: Option<u32>| optional(value.map(i64::from));
    [
        text(&row.kind),
        backoff.map_or(Value::Null, |backoff| text(&serde_json::to_string(&backoff).expect("it is JSON"))),
        optional_count(max_attempts),
        optional(max_age_ms.map(u64::cast_signed)),
        optional(timeout_ms.map(u64::cast_signed)),
        optional_count(crashes_max),
    ]
}

pub fn schedule(row: &ScheduleRow) -> [Value; 8] {
    let ScheduleRow { name, rhythm, catch_up, late_ms, job, set_at, done, high } = row;
    [
        text(name),
        text(&serde_json::to_string(rhythm).expect("it is JSON")),
        word(catch_up.as_str()),
        integer(late_ms.cast_signed()),
        text(&serde_json::to_string(&**job).expect("it is JSON")),
        integer(set_at.0),
        integer(done.0),
        integer(high.0),
    ]
}

pub fn slot_key(slot: &Slot) -> [Value; 2] {
    [text(&slot.schedule), integer(slot.at.0)]
}

pub fn slot(row: &SlotRow) -> [Value; 3] {
    let [schedule, at] = slot_key(&row.slot);
    [schedule, at, integer(row.job.0)]
}

pub fn skip(row: &SkipRow) -> [Value; 3] {
    [text(&row.schedule), integer(row.first.0), integer(row.last.0)]
}

pub fn pause_key(gate: &Gate, is_down: bool) -> [Value; 3] {
    [word(gate.word()), text(gate.name()), integer(i64::from(is_down))]
}

pub fn pause(row: &PauseRow) -> [Value; 11] {
    let PauseRow { gate, by, why, at, probe } = row;
    let [word, name, is_down] = pause_key(gate, probe.is_some());
    [
        word,
        name,
        is_down,
        text(by),
        text(why),
        integer(at.0),
        optional(probe.map(|probe| probe.every_ms.cast_signed())),
        optional(probe.and_then(|probe| probe.due.steady).map(|steady| steady.0)),
        optional(probe.map(|probe| probe.due.wall.0)),
        optional(probe.and_then(|probe| probe.last).map(|job| job.0)),
        optional(probe.and_then(|probe| probe.under_way).map(|token| token.0)),
    ]
}

pub fn request(row: &RequestRow) -> [Value; 4] {
    [blob(&row.id.0), integer(row.at.0), integer(row.digest.cast_signed()), text(&row.answer)]
}
