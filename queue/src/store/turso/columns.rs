//! Values of the tables to rows. A row that does not read back is damage, and said so.

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
