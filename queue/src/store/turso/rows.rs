//! Rows of the tables to and from values. A row that does not read back is damage, and said so.

use crate::job::{
    Attempt, AttemptEnd, CatchUp, Due, EndRow, Failure, Gate, Holder, How, Job, JobId, KeyRow, KeyScope, LimitRow,
    LogLine, LogRow, NewJob, Next, PauseRow, Policy, PolicyRow, Probe, ProgressRow, Rate, RequestId, ScheduleRow,
    SignalRow, SkipRow, Slot, SlotRow, State, Steady, StepRow, Template, Token, Wait, WaitOn, WaitRow, Wall,
};
use crate::store::{FileState, Listed, Live, RequestRow};
use std::sync::Arc;
use turso_core::{Row, Value};

/// Reads the columns of a row from left to right.
pub struct Columns<'a> {
    row: &'a Row,
    next: usize,
}

/// What is wrong with a row.
pub type Wrong = String;

impl<'a> Columns<'a> {
    pub fn of(row: &'a Row) -> Self {
        Self { row, next: 0 }
    }

    fn value(&mut self) -> &'a Value {
        self.next += 1;
        self.row.get_value(self.next - 1)
    }

    fn wrong(&self, expected: &str) -> Wrong {
        format!("column {} is {:?}, not {expected}", self.next, self.row.get_value(self.next - 1))
    }

    pub fn integer(&mut self) -> Result<i64, Wrong> {
        self.value().as_int().ok_or_else(|| self.wrong("an integer"))
    }

    fn optional_integer(&mut self) -> Result<Option<i64>, Wrong> {
        match self.value() {
            Value::Null => Ok(None),
            value => value.as_int().map(Some).ok_or_else(|| self.wrong("an integer or null")),
        }
    }

    fn count(&mut self) -> Result<u32, Wrong> {
        u32::try_from(self.integer()?).map_err(|_| self.wrong("a count"))
    }

    fn text(&mut self) -> Result<&'a str, Wrong> {
        self.value().to_text().ok_or_else(|| self.wrong("text"))
    }

    fn optional_text(&mut self) -> Result<Option<&'a str>, Wrong> {
        match self.value() {
            Value::Null => Ok(None),
            value => value.to_text().map(Some).ok_or_else(|| self.wrong("text or null")),
        }
    }

    fn word<T>(&mut self, parse: impl FnOnce(&str) -> Option<T>) -> Result<T, Wrong> {
        parse(self.text()?).ok_or_else(|| self.wrong("a known word"))
    }

    fn optional_word<T>(&mut self, parse: impl FnOnce(&str) -> Option<T>) -> Result<Option<T>, Wrong> {
        match self.optional_text()? {
            None => Ok(None),
            Some(text) => parse(text).map(Some).ok_or_else(|| self.wrong("a known word or null")),
        }
    }

    fn optional_due(&mut self) -> Result<Option<Due>, Wrong> {
        match (self.optional_integer()?, self.optional_integer()?) {
            (None, None) => Ok(None),
            (Some(steady), Some(wall)) => Ok(Some(Due { steady: Some(Steady(steady)), wall: Wall(wall) })),
            _ => Err(self.wrong("a time on both clocks or on none")),
        }
    }

    fn wait_on(&mut self) -> Result<Option<WaitOn>, Wrong> {
        let text = self.optional_text()?;
        text.map(|text| serde_json::from_str(text).map_err(|_| self.wrong("what a job waits for"))).transpose()
    }

    fn optional_slot(&mut self) -> Result<Option<Slot>, Wrong> {
        match (self.optional_text()?, self.optional_integer()?) {
            (None, None) => Ok(None),
            (Some(schedule), Some(at)) => Ok(Some(Slot { schedule: schedule.to_owned(), at: Wall(at) })),
            _ => Err(self.wrong("a slot's time together with its schedule")),
        }
    }

    pub fn state(mut self) -> Result<FileState, Wrong> {
        Ok(FileState {
            steady: Steady(self.integer()?),
            next_job: self.integer()?,
            next_token: self.integer()?,
            next_signal: self.integer()?,
            next_end: self.integer()?,
            nonce: self.word(|text| text.parse().ok())?,
            openings: self.integer()?,
            first_opening: self.word(|text| text.parse().ok())?,
        })
    }

    pub fn job(mut self) -> Result<Job, Wrong> {
        let id = JobId(self.integer()?);
        let (kind, queue): (Arc<str>, Arc<str>) = (self.text()?.into(), self.text()?.into());
        let (state, wait) = (self.word(State::parse)?, self.word(Wait::parse)?);
        let wait_on = self.wait_on()?;
        let due = Due { steady: self.optional_integer()?.map(Steady), wall: Wall(self.integer()?) };
        let priority = i16::try_from(self.integer()?).map_err(|_| self.wrong("a priority"))?;
        let concurrency_key = self.optional_text()?.map(Arc::from);
        let token = self.optional_integer()?.map(Token);
        let attempts = self.count()?;
        let max_attempts = self.count()?;
        let job = Job {
            id,
            state,
            wait,
            wait_on,
            due,
            token,
            attempts,
            failures: self.count()?,
            crashes: self.count()?,
            snoozes: self.count()?,
            releases: self.count()?,
            cancel_requested: self.integer()? != 0,
            deadline: self.optional_due()?,
            retried_at: self.optional_integer()?.map(Wall),
            enqueued_at: Wall(self.integer()?),
            finished_at: self.optional_integer()?.map(Wall),
            result: self.optional_text()?.map(Arc::from),
            new: NewJob {
                queue,
                kind,
                priority,
                max_attempts,
                concurrency_key,
                slot: self.optional_slot()?,
                payload: self.text()?.into(),
                trace_parent: self.optional_word(|text| text.parse().ok())?,
            },
        };
        job.check().map_err(|rule| format!("job {id} breaks the rule that {rule}"))?;
        Ok(job)
    }

    pub fn live(mut self) -> Result<Live, Wrong> {
        let id = JobId(self.integer()?);
        let (kind, queue): (Arc<str>, Arc<str>) = (self.text()?.into(), self.text()?.into());
        let (state, wait) = (self.word(State::parse)?, self.word(Wait::parse)?);
        let wait_on = self.wait_on()?;
        let due = Due { steady: self.optional_integer()?.map(Steady), wall: Wall(self.integer()?) };
        let priority = i16::try_from(self.integer()?).map_err(|_| self.wrong("a priority"))?;
        let concurrency_key = self.optional_text()?.map(Arc::from);
        let leased = self.optional_integer()?.map(Token).filter(|_| state == State::Running);
        let (deadline, crashes) = (self.optional_due()?, self.count()?);
        Ok(Live { id, queue, kind, priority, concurrency_key, wait, wait_on, due, deadline, crashes, leased })
    }

    pub fn listed(mut self) -> Result<Listed, Wrong> {
        Ok(Listed {
            id: JobId(self.integer()?),
            kind: self.text()?.into(),
            queue: self.text()?.into(),
            state: self.word(State::parse)?,
            token: self.optional_integer()?.map(Token),
            attempts: self.count()?,
            max_attempts: self.count()?,
            failures: self.count()?,
            crashes: self.count()?,
            enqueued_at: Wall(self.integer()?),
            finished_at: self.optional_integer()?.map(Wall),
        })
    }

    pub fn attempt(mut self) -> Result<Attempt, Wrong> {
        let token = Token(self.integer()?);
        Ok(Attempt {
            token,
            job: JobId(self.integer()?),
            number: self.count()?,
            worker: self.text()?.into(),
            holder: self.word(Holder::parse)?,
            nonce: self.word(|text| text.parse().ok())?,
            claimed_at: Wall(self.integer()?),
            started_at: self.optional_integer()?.map(Wall),
            lease_ms: self.integer()?,
            expires: Steady(self.integer()?),
            timeout_ms: self.optional_integer()?,
            overdue: self.optional_integer()?.map(Steady),
            end: match (self.optional_integer()?, self.optional_text()?) {
                (None, None) => None,
                (Some(at), Some(word)) => {
                    Some((Wall(at), AttemptEnd::parse(word).ok_or_else(|| self.wrong("a known word"))?))
                }
                _ => return Err(self.wrong("null together with the time")),
            },
        })
    }

    pub fn failure(mut self) -> Result<Failure, Wrong> {
        let token = Token(self.integer()?);
        Ok(Failure {
            token,
            job: JobId(self.integer()?),
            attempt: self.count()?,
            at: Wall(self.integer()?),
            how: self.word(How::parse)?,
            message: self.text()?.into(),
            causes: self.word(|text| serde_json::from_str(text).ok())?,
            retryable: self.integer()? != 0,
            next: match (self.text()?, self.optional_integer()?, self.optional_integer()?) {
                ("retry", steady, Some(wall)) => {
                    Next::Retry { due: Due { steady: steady.map(Steady), wall: Wall(wall) } }
                }
                ("discard", None, None) => Next::Discard,
                ("quarantine", None, None) => Next::Quarantine,
                ("cancel", None, None) => Next::Cancel,
                _ => return Err(self.wrong("a decision")),
            },
        })
    }

    pub fn key(mut self) -> Result<KeyRow, Wrong> {
        Ok(KeyRow {
            kind: self.text()?.into(),
            key: self.text()?.into(),
            job: JobId(self.integer()?),
            payload_hash: self.word(|text| u128::from_str_radix(text, 16).ok())?,
            scope: match (self.text()?, self.optional_integer()?, self.optional_integer()?) {
                ("forever", None, None) => KeyScope::Forever,
                ("while-pending", None, None) => KeyScope::WhilePending,
                ("until", steady, Some(wall)) => KeyScope::Until(Due { steady: steady.map(Steady), wall: Wall(wall) }),
                _ => return Err(self.wrong("a key's scope")),
            },
        })
    }

    pub fn step(mut self) -> Result<StepRow, Wrong> {
        Ok(StepRow {
            job: JobId(self.integer()?),
            name: self.text()?.into(),
            result: self.text()?.into(),
            attempt: self.count()?,
            at: Wall(self.integer()?),
        })
    }

    pub fn progress(mut self) -> Result<ProgressRow, Wrong> {
        Ok(ProgressRow {
            job: JobId(self.integer()?),
            attempt: self.count()?,
            number: u64::try_from(self.integer()?).map_err(|_| self.wrong("a count"))?,
            at: Wall(self.integer()?),
            parts_per_million: match self.optional_integer()? {
                None => None,
                Some(parts) => Some(u32::try_from(parts).map_err(|_| self.wrong("a count or null"))?),
            },
            message: self.optional_text()?.map(Arc::from),
            checkpoint: self.optional_text()?.map(Arc::from),
        })
    }

    pub fn log(mut self) -> Result<LogRow, Wrong> {
        Ok(LogRow {
            token: Token(self.integer()?),
            job: JobId(self.integer()?),
            last: u64::try_from(self.integer()?).map_err(|_| self.wrong("a count"))?,
            lines: self.word(|text| serde_json::from_str::<Vec<LogLine>>(text).ok())?.into(),
        })
    }

    pub fn end(mut self) -> Result<EndRow, Wrong> {
        Ok(EndRow {
            id: self.integer()?,
            job: JobId(self.integer()?),
            state: self.word(State::parse)?,
            at: Steady(self.integer()?),
            finished_at: Wall(self.integer()?),
        })
    }

    pub fn signal(mut self) -> Result<SignalRow, Wrong> {
        Ok(SignalRow {
            id: self.integer()?,
            name: self.text()?.into(),
            key: self.optional_text()?.map(Arc::from),
            payload: self.text()?.into(),
            sent_at: Wall(self.integer()?),
            taken: match (self.optional_integer()?, self.optional_text()?) {
                (None, None) => None,
                (Some(job), Some(step)) => Some((JobId(job), step.into())),
                _ => return Err(self.wrong("null together with the job")),
            },
        })
    }

    pub fn wait(mut self) -> Result<WaitRow, Wrong> {
        Ok(WaitRow { job: JobId(self.integer()?), step: self.text()?.into(), on: JobId(self.integer()?) })
    }

    fn optional_count(&mut self) -> Result<Option<u32>, Wrong> {
        let value = self.optional_integer()?;
        value.map(|value| u32::try_from(value).map_err(|_| self.wrong("a count or null"))).transpose()
    }

    pub fn limit(mut self) -> Result<LimitRow, Wrong> {
        Ok(LimitRow {
            queue: self.text()?.into(),
            at_once: self.optional_count()?,
            at_once_per_key: self.optional_count()?,
            rate: match (self.optional_count()?, self.optional_integer()?, self.optional_count()?) {
                (None, None, None) => None,
                (Some(jobs), Some(per_ms), Some(burst)) if jobs > 0 && per_ms > 0 && burst > 0 => {
                    Some(Rate { jobs, per_ms: per_ms.cast_unsigned(), burst })
                }
                _ => return Err(self.wrong("a rate")),
            },
            full_at_ns: self.integer()?,
        })
    }

    pub fn policy(mut self) -> Result<PolicyRow, Wrong> {
        let kind = self.text()?.into();
        let backoff = self.optional_text()?;
        let backoff =
            backoff.map(|text| serde_json::from_str(text).map_err(|_| self.wrong("a backoff"))).transpose()?;
        let max_attempts = self.optional_count()?;
        let max_age_ms = self.optional_integer()?.map(|ms| ms.max(0).cast_unsigned());
        let timeout_ms = self.optional_integer()?.map(|ms| ms.max(0).cast_unsigned());
        let crashes_max = self.optional_count()?;
        Ok(PolicyRow { kind, policy: Policy { backoff, max_attempts, max_age_ms, timeout_ms, crashes_max } })
    }

    pub fn schedule(mut self) -> Result<ScheduleRow, Wrong> {
        Ok(ScheduleRow {
            name: self.text()?.into(),
            rhythm: self.word(|text| serde_json::from_str(text).ok())?,
            catch_up: self.word(CatchUp::parse)?,
            late_ms: self.integer()?.max(0).cast_unsigned(),
            job: Arc::new(self.word(|text| serde_json::from_str::<Template>(text).ok())?),
            set_at: Wall(self.integer()?),
            done: Wall(self.integer()?),
            high: Wall(self.integer()?),
        })
    }

    pub fn slot(mut self) -> Result<SlotRow, Wrong> {
        let slot = Slot { schedule: self.text()?.to_owned(), at: Wall(self.integer()?) };
        Ok(SlotRow { slot, job: JobId(self.integer()?) })
    }

    pub fn skip(mut self) -> Result<SkipRow, Wrong> {
        Ok(SkipRow { schedule: self.text()?.into(), first: Wall(self.integer()?), last: Wall(self.integer()?) })
    }

    pub fn pause(mut self) -> Result<PauseRow, Wrong> {
        let (word, name) = (self.text()?, self.text()?);
        let gate = Gate::parse(word, name).ok_or_else(|| self.wrong("a queue or a kind"))?;
        let is_down = self.integer()? != 0;
        let (by, why, at) = (self.text()?.into(), self.text()?.into(), Wall(self.integer()?));
        let every_ms = self.optional_integer()?;
        let due = (self.optional_integer()?, self.optional_integer()?);
        let under_way = (self.optional_integer()?, self.optional_integer()?);
        let probe = match (is_down, every_ms, due, under_way) {
            (false, None, (None, None), (None, None)) => None,
            (true, Some(every_ms), (Some(steady), Some(wall)), (job, token)) if job.is_some() || token.is_none() => {
                let due = Due { steady: Some(Steady(steady)), wall: Wall(wall) };
                let (last, under_way) = (job.map(JobId), token.map(Token));
                Some(Probe { every_ms: every_ms.max(0).cast_unsigned(), due, last, under_way })
            }
            _ => return Err(self.wrong("a pause that is of a kind with its other columns")),
        };
        Ok(PauseRow { gate, by, why, at, probe })
    }

    pub fn request(mut self) -> Result<RequestRow, Wrong> {
        let id = self.value().to_blob().and_then(|bytes| bytes.try_into().ok());
        Ok(RequestRow {
            id: RequestId(id.ok_or_else(|| self.wrong("16 bytes"))?),
            at: Steady(self.integer()?),
            digest: self.integer()?.cast_unsigned(),
            answer: self.text()?.into(),
        })
    }
}

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
