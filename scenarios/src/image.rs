//! The checkers' own reading of a file: their own SQL, on the database alone. Shares no code with
//! the store.

use crate::archive::Forgotten;
use outlive::job::LogLine;
use outlive_sim::SimDisk;
use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use turso_core::storage::database::DatabaseFile;
use turso_core::{
    Connection, Database, DatabaseStorage, IO, IOResult, MemoryIO, OpenDbAsyncState, OpenFlags, OpenOptions,
    SqliteDialect, StepResult, Value,
};

/// The rows of a file.
#[derive(Clone, Debug, Default)]
pub struct Rows {
    /// Steady time, as written last.
    pub steady_ms: i64,
    /// The number of the next job.
    pub next_job: i64,
    /// By id.
    pub jobs: BTreeMap<i64, JobRow>,
    /// By token.
    pub attempts: BTreeMap<i64, AttemptRow>,
    /// By token.
    pub failures: BTreeMap<i64, FailureRow>,
    /// By job and name.
    pub steps: BTreeMap<(i64, String), StepRow>,
    /// By job.
    pub progress: BTreeMap<i64, ProgressRow>,
    /// By token.
    pub logs: BTreeMap<i64, LogRow>,
    /// By number.
    pub signals: BTreeMap<i64, SignalRow>,
    /// The jobs for which a job waits or has waited, by job and step.
    pub waits: BTreeMap<(i64, String), Vec<i64>>,
    /// By queue.
    pub limits: BTreeMap<String, LimitRow>,
    /// In no order.
    pub pauses: Vec<PauseRow>,
    /// How far each schedule has come, in milliseconds of the wall clock.
    pub schedules: BTreeMap<String, i64>,
    /// The job of each slot, by schedule and time.
    pub slots: BTreeMap<(String, i64), i64>,
    /// The last of some slots that were skipped, by schedule and the time of the first.
    pub skips: BTreeMap<(String, i64), i64>,
    /// The job of each (kind, key).
    pub keys: BTreeMap<(String, String), i64>,
    /// Those of them that don't stand for ever.
    pub keys_that_end: BTreeSet<(String, String)>,
    /// Ends of jobs, by number.
    pub ends: BTreeMap<i64, EndRow>,
    /// Jobs that are not in the file any more. What is said of them here was there once.
    pub forgotten: BTreeMap<i64, Forgotten>,
    /// What is there of jobs that are not: the job, and what it is.
    pub orphans: Vec<(i64, &'static str)>,
    /// The names of requests that changed something.
    pub requests: BTreeSet<[u8; 16]>,
    /// What handlers have written in tables of their own, if there are any.
    pub own: Option<OwnRows>,
}

/// A row of `outlive_ends`.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the columns of the same names say it")]
pub struct EndRow {
    pub job: i64,
    pub state: String,
    pub at_steady_ms: i64,
    pub finished_ms: i64,
}

/// A row of `outlive_steps`.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the columns of the same names say it")]
pub struct StepRow {
    pub result: String,
    pub attempt: i64,
}

/// A row of `outlive_progress`.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the columns of the same names say it")]
pub struct ProgressRow {
    pub attempt: i64,
    pub number: i64,
    pub checkpoint: Option<String>,
}

/// A row of `outlive_logs`.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the columns of the same names say it")]
pub struct LogRow {
    pub job: i64,
    pub last: i64,
    pub lines: Vec<LogLine>,
}

/// A row of `outlive_signals`.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the columns of the same names say it")]
pub struct SignalRow {
    pub name: String,
    pub key: Option<String>,
    pub payload: String,
    pub taken: Option<(i64, String)>,
}

/// A row of `outlive_limits`.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the columns of the same names say it")]
pub struct LimitRow {
    pub at_once: Option<i64>,
    pub at_once_per_key: Option<i64>,
    /// Jobs, milliseconds, burst.
    pub rate: Option<(i64, i64, i64)>,
    pub full_at_steady_ns: i64,
}

/// A row of `outlive_pauses`.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the columns of the same names say it")]
pub struct PauseRow {
    pub gate: String,
    pub name: String,
    pub is_down: bool,
    pub by: String,
    pub why: String,
    pub probe_job: Option<i64>,
    pub probe_token: Option<i64>,
}

impl PauseRow {
    /// Whether it keeps this job from running.
    pub fn keeps(&self, job: &JobRow) -> bool {
        self.name == if self.gate == "queue" { &*job.queue } else { &*job.kind }
    }
}

/// The rows of tables that are not the queue's.
#[derive(Clone, Debug, Default)]
pub struct OwnRows {
    /// How many coins there are in each account.
    pub accounts: BTreeMap<String, i64>,
    /// One for each coin that was moved.
    pub transfers: Vec<TransferRow>,
    /// Which attempts did what a step is about, by the job and the step's name.
    pub deeds: BTreeMap<(i64, String), Vec<i64>>,
}

/// A row of `transfers`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the columns of the same names say it")]
pub struct TransferRow {
    pub job: i64,
    pub attempt: i64,
    pub number: i64,
}

/// A row of `outlive_jobs`.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the columns of the same names say it")]
pub struct JobRow {
    pub id: i64,
    pub kind: String,
    pub queue: String,
    pub state: String,
    pub wait: String,
    pub wait_on: Option<serde_json::Value>,
    pub due_steady_ms: Option<i64>,
    pub due_wall_ms: i64,
    pub priority: i64,
    pub attempts: i64,
    pub max_attempts: i64,
    pub failures: i64,
    pub crashes: i64,
    pub snoozes: i64,
    pub releases: i64,
    pub cancel_requested: bool,
    pub deadline_wall_ms: Option<i64>,
    pub retried_ms: Option<i64>,
    pub enqueued_ms: i64,
    pub finished: bool,
    pub finished_ms: Option<i64>,
    pub result: Option<String>,
    pub payload: String,
    pub concurrency_key: Option<String>,
    pub slot: Option<(String, i64)>,
    pub trace_parent: Option<String>,
}

/// A row of `outlive_attempts`.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the columns of the same names say it")]
pub struct AttemptRow {
    pub job: i64,
    pub number: i64,
    pub worker: String,
    pub claimed_ms: i64,
    pub started: bool,
    pub started_ms: Option<i64>,
    pub expires_steady_ms: i64,
    pub ended_ms: Option<i64>,
    pub ended: Option<String>,
}

/// A row of `outlive_failures`.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the columns of the same names say it")]
pub struct FailureRow {
    pub job: i64,
    pub attempt: i64,
    pub at_ms: i64,
    pub how: String,
    pub message: String,
    pub retryable: bool,
    pub decision: String,
    pub due_wall_ms: Option<i64>,
}

impl Rows {
    /// Whether every job is terminal, and no schedule makes more of them.
    pub fn is_settled(&self) -> bool {
        self.jobs.values().all(|job| job.finished) && self.schedules.is_empty()
    }

    /// The rows that are of this job alone.
    pub fn of_job(&self, id: i64) -> Self {
        fn of<K: Ord + Clone, V: Clone>(all: &BTreeMap<K, V>, is: impl Fn(&K, &V) -> bool) -> BTreeMap<K, V> {
            all.iter().filter(|(key, row)| is(key, row)).map(|(key, row)| (key.clone(), row.clone())).collect()
        }
        Self {
            jobs: of(&self.jobs, |job, _| *job == id),
            attempts: of(&self.attempts, |_, row| row.job == id),
            failures: of(&self.failures, |_, row| row.job == id),
            steps: of(&self.steps, |(job, _), _| *job == id),
            progress: of(&self.progress, |job, _| *job == id),
            logs: of(&self.logs, |_, row| row.job == id),
            signals: of(&self.signals, |_, row| row.taken.as_ref().is_some_and(|(job, _)| *job == id)),
            waits: of(&self.waits, |(job, _), _| *job == id),
            slots: of(&self.slots, |_, job| *job == id),
            keys: of(&self.keys, |_, job| *job == id),
            ..Self::default()
        }
    }

    /// Finds out what is there of jobs that are not.
    pub fn find_orphans(&mut self) {
        let attempts = self.attempts.values().map(|row| (row.job, "an attempt"));
        let failures = self.failures.values().map(|row| (row.job, "a failure"));
        let steps = self.steps.keys().map(|(job, _)| (*job, "a step"));
        let progress = self.progress.keys().map(|job| (*job, "its progress"));
        let logs = self.logs.values().map(|row| (row.job, "what an attempt said"));
        let waits = self.waits.keys().map(|(job, _)| (*job, "what it waited for"));
        let unkeyed = self.signals.values().filter(|row| row.key.is_none());
        let signals = unkeyed.filter_map(|row| Some((row.taken.as_ref()?.0, "a signal without a key")));
        let keys = self.keys.iter().filter(|(key, _)| self.keys_that_end.contains(*key));
        let keys = keys.map(|(_, job)| (*job, "a key that does not stand for ever"));
        let all =
            attempts.chain(failures).chain(steps).chain(progress).chain(logs).chain(waits).chain(signals).chain(keys);
        self.orphans = all.filter(|(job, _)| !self.jobs.contains_key(job)).collect();
    }

    /// Adds rows, where there are none of their names.
    pub fn add(&mut self, other: Self) {
        fn add<K: Ord, V>(all: &mut BTreeMap<K, V>, other: BTreeMap<K, V>) {
            for (key, row) in other {
                all.entry(key).or_insert(row);
            }
        }
        add(&mut self.jobs, other.jobs);
        add(&mut self.attempts, other.attempts);
        add(&mut self.failures, other.failures);
        add(&mut self.steps, other.steps);
        add(&mut self.progress, other.progress);
        add(&mut self.logs, other.logs);
        add(&mut self.signals, other.signals);
        add(&mut self.waits, other.waits);
        add(&mut self.slots, other.slots);
        add(&mut self.keys, other.keys);
    }

    /// As [`read`](Self::read), if the database finds nothing wrong with any page or index.
    ///
    /// # Errors
    /// What is wrong.
    pub fn read_whole(image: &SimDisk, path: &str) -> Result<Self, String> {
        let read = || {
            let connection = open(image, path)?;
            let mut found = Vec::new();
            query(&connection, "PRAGMA integrity_check", |row| found.push(text(row[0])))?;
            if found != ["ok"] {
                return Err(found.join("; "));
            }
            Self::read(image, path)
        };
        catch_unwind(AssertUnwindSafe(read)).unwrap_or_else(|_| Err("the database panics over it".into()))
    }

    /// Reads the file at `path` of a disk's image.
    ///
    /// # Errors
    /// Why it does not read: a damaged file is a finding.
    pub fn read(image: &SimDisk, path: &str) -> Result<Self, String> {
        let connection = open(image, path)?;
        let mut rows = Self::default();
        query(&connection, "SELECT steady_ms, next_job FROM outlive_state", |row| {
            (rows.steady_ms, rows.next_job) = (integer(row[0]), integer(row[1]));
        })?;
        let jobs = "SELECT id, kind, queue, state, wait, due_steady_ms, due_wall_ms, priority, attempts, max_attempts, \
            failures, crashes, snoozes, releases, cancel_requested, finished_at_ms, result, payload, enqueued_at_ms, wait_on, \
            concurrency_key, deadline_wall_ms, retried_at_ms, schedule, slot_ms, \
            trace_parent FROM outlive_jobs";
        query(&connection, jobs, |row| {
            let job = JobRow {
                id: integer(row[0]),
                kind: text(row[1]),
                queue: text(row[2]),
                state: text(row[3]),
                wait: text(row[4]),
                wait_on: row[19].to_text().map(|json| serde_json::from_str(json).expect("it is JSON")),
                due_steady_ms: row[5].as_int(),
                due_wall_ms: integer(row[6]),
                priority: integer(row[7]),
                attempts: integer(row[8]),
                max_attempts: integer(row[9]),
                failures: integer(row[10]),
                crashes: integer(row[11]),
                snoozes: integer(row[12]),
                releases: integer(row[13]),
                cancel_requested: integer(row[14]) != 0,
                deadline_wall_ms: row[21].as_int(),
                retried_ms: row[22].as_int(),
                enqueued_ms: integer(row[18]),
                finished: row[15].as_int().is_some(),
                finished_ms: row[15].as_int(),
                result: row[16].to_text().map(str::to_owned),
                payload: text(row[17]),
                concurrency_key: row[20].to_text().map(str::to_owned),
                slot: row[23].to_text().map(|schedule| (schedule.to_owned(), integer(row[24]))),
                trace_parent: row[25].to_text().map(str::to_owned),
            };
            rows.jobs.insert(integer(row[0]), job);
        })?;
        query(
            &connection,
            "SELECT token, job, number, started_at_ms, expires_steady_ms, ended_at_ms, ended, claimed_at_ms, \
                worker FROM outlive_attempts",
            |row| {
                let attempt = AttemptRow {
                    job: integer(row[1]),
                    number: integer(row[2]),
                    worker: text(row[8]),
                    claimed_ms: integer(row[7]),
                    started: row[3].as_int().is_some(),
                    started_ms: row[3].as_int(),
                    expires_steady_ms: integer(row[4]),
                    ended_ms: row[5].as_int(),
                    ended: row[6].to_text().map(str::to_owned),
                };
                rows.attempts.insert(integer(row[0]), attempt);
            },
        )?;
        let failures =
            "SELECT token, job, attempt, how, message, retryable, decision, due_wall_ms, at_ms FROM outlive_failures";
        query(&connection, failures, |row| {
            let failure = FailureRow {
                job: integer(row[1]),
                attempt: integer(row[2]),
                at_ms: integer(row[8]),
                how: text(row[3]),
                message: text(row[4]),
                retryable: integer(row[5]) != 0,
                decision: text(row[6]),
                due_wall_ms: row[7].as_int(),
            };
            rows.failures.insert(integer(row[0]), failure);
        })?;
        query(&connection, "SELECT job, name, result, attempt FROM outlive_steps", |row| {
            let step = StepRow { result: text(row[2]), attempt: integer(row[3]) };
            rows.steps.insert((integer(row[0]), text(row[1])), step);
        })?;
        query(&connection, "SELECT job, attempt, number, checkpoint FROM outlive_progress", |row| {
            let (attempt, number) = (integer(row[1]), integer(row[2]));
            let checkpoint = row[3].to_text().map(str::to_owned);
            rows.progress.insert(integer(row[0]), ProgressRow { attempt, number, checkpoint });
        })?;
        query(&connection, "SELECT token, job, last, lines FROM outlive_logs", |row| {
            let lines = serde_json::from_str(&text(row[3])).unwrap_or_default();
            rows.logs.insert(integer(row[0]), LogRow { job: integer(row[1]), last: integer(row[2]), lines });
        })?;
        query(&connection, "SELECT id, name, key, payload, job, step FROM outlive_signals", |row| {
            let taken = row[4].as_int().map(|job| (job, text(row[5])));
            let key = row[2].to_text().map(str::to_owned);
            rows.signals.insert(integer(row[0]), SignalRow { name: text(row[1]), key, payload: text(row[3]), taken });
        })?;
        query(&connection, "SELECT job, step, on_job FROM outlive_waits", |row| {
            rows.waits.entry((integer(row[0]), text(row[1]))).or_default().push(integer(row[2]));
        })?;
        let limits = "SELECT queue, at_once, at_once_per_key, rate_jobs, rate_per_ms, rate_burst, full_at_steady_ns \
            FROM outlive_limits";
        query(&connection, limits, |row| {
            let rate = row[3].as_int().map(|jobs| (jobs, integer(row[4]), integer(row[5])));
            let (at_once, at_once_per_key) = (row[1].as_int(), row[2].as_int());
            let limit = LimitRow { at_once, at_once_per_key, rate, full_at_steady_ns: integer(row[6]) };
            rows.limits.insert(text(row[0]), limit);
        })?;
        query(
            &connection,
            "SELECT gate, name, is_down, paused_by, why, probe_job, probe_token FROM outlive_pauses",
            |row| {
                let (gate, name) = (text(row[0]), text(row[1]));
                let (is_down, by, why) = (integer(row[2]) != 0, text(row[3]), text(row[4]));
                rows.pauses.push(PauseRow {
                    gate,
                    name,
                    is_down,
                    by,
                    why,
                    probe_job: row[5].as_int(),
                    probe_token: row[6].as_int(),
                });
            },
        )?;
        query(&connection, "SELECT name, done_ms FROM outlive_schedules", |row| {
            rows.schedules.insert(text(row[0]), integer(row[1]));
        })?;
        query(&connection, "SELECT schedule, slot_ms, job FROM outlive_slots", |row| {
            rows.slots.insert((text(row[0]), integer(row[1])), integer(row[2]));
        })?;
        query(&connection, "SELECT schedule, first_ms, last_ms FROM outlive_skips", |row| {
            rows.skips.insert((text(row[0]), integer(row[1])), integer(row[2]));
        })?;
        query(&connection, "SELECT kind, key, job, scope FROM outlive_keys", |row| {
            let key = (text(row[0]), text(row[1]));
            rows.keys.insert(key.clone(), integer(row[2]));
            if text(row[3]) != "forever" {
                rows.keys_that_end.insert(key);
            }
        })?;
        query(&connection, "SELECT id, job, state, at_steady_ms, finished_at_ms FROM outlive_ends", |row| {
            let (job, at_steady_ms, finished_ms) = (integer(row[1]), integer(row[3]), integer(row[4]));
            rows.ends.insert(integer(row[0]), EndRow { job, state: text(row[2]), at_steady_ms, finished_ms });
        })?;
        query(&connection, "SELECT id FROM outlive_requests", |row| {
            let id = row[0].to_blob().expect("a blob");
            rows.requests.insert(id.try_into().expect("16 bytes"));
        })?;
        rows.own = own_rows(&connection)?;
        Ok(rows)
    }
}

fn own_rows(connection: &Arc<Connection>) -> Result<Option<OwnRows>, String> {
    let mut tables = 0;
    let there =
        "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name IN ('accounts', 'transfers', 'deeds')";
    query(connection, there, |row| tables = integer(row[0]))?;
    match tables {
        0 => return Ok(None),
        3 => {}
        some => return Err(format!("{some} of 3 tables are there that were made in one transaction")),
    }
    let mut own = OwnRows::default();
    query(connection, "SELECT name, coins FROM accounts", |row| {
        own.accounts.insert(text(row[0]), integer(row[1]));
    })?;
    query(connection, "SELECT job, attempt, number FROM transfers", |row| {
        let (job, attempt, number) = (integer(row[0]), integer(row[1]), integer(row[2]));
        own.transfers.push(TransferRow { job, attempt, number });
    })?;
    query(connection, "SELECT job, name, attempt FROM deeds", |row| {
        let (job, name, attempt) = (integer(row[0]), text(row[1]), integer(row[2]));
        own.deeds.entry((job, name)).or_default().push(attempt);
    })?;
    Ok(Some(own))
}

/// The tables of a file.
pub const TABLES: [&str; 17] = [
    "outlive_state",
    "outlive_jobs",
    "outlive_attempts",
    "outlive_failures",
    "outlive_keys",
    "outlive_steps",
    "outlive_progress",
    "outlive_logs",
    "outlive_signals",
    "outlive_waits",
    "outlive_limits",
    "outlive_pauses",
    "outlive_policies",
    "outlive_schedules",
    "outlive_slots",
    "outlive_skips",
    "outlive_requests",
];

/// Every row of the file at `path` of a disk's image as a line, sorted: to compare with another reader.
///
/// # Errors
/// Why it does not read.
pub fn dump(image: &SimDisk, path: &str) -> Result<Vec<String>, String> {
    let connection = open(image, path)?;
    let mut lines = Vec::new();
    for table in TABLES {
        query(&connection, &format!("SELECT * FROM {table}"), |row| {
            let cells = row.iter().map(|value| match (value.as_int(), value.to_text(), value.to_blob()) {
                (Some(number), _, _) => number.to_string(),
                (_, Some(text), _) => format!("{text:?}"),
                (_, _, Some(bytes)) => format!("{bytes:?}"),
                _ => "-".into(),
            });
            lines.push(std::iter::once(table.to_owned()).chain(cells).collect::<Vec<_>>().join(" "));
        })?;
    }
    lines.sort();
    Ok(lines)
}

fn open(image: &SimDisk, path: &str) -> Result<Arc<Connection>, String> {
    let io: Arc<dyn IO> = Arc::new(MemoryIO::new());
    for name in [path.to_owned(), format!("{path}-wal")] {
        if let Ok(bytes) = image.read_all(&name) {
            let file = io.open_file(&name, OpenFlags::Create, false).map_err(|error| error.to_string())?;
            let buffer = Arc::new(turso_core::Buffer::new(bytes));
            let written = turso_core::Completion::new_write(|_| {});
            let written = file.pwrite(0, buffer, written).map_err(|error| error.to_string())?;
            io.wait_for_completion(written).map_err(|error| error.to_string())?;
        }
    }
    let file = io.open_file(path, OpenFlags::None, false).map_err(|error| error.to_string())?;
    let storage: Arc<dyn DatabaseStorage> = Arc::new(DatabaseFile::new(file));
    let options = OpenOptions::new(Arc::new(SqliteDialect)).storage(storage);
    let mut state = OpenDbAsyncState::new();
    let database = loop {
        match Database::do_open_async(&mut state, io.clone(), path, &options) {
            Ok(IOResult::Done(database)) => break database,
            Ok(IOResult::IO(_)) => io.step().map_err(|error| error.to_string())?,
            Err(error) => return Err(error.to_string()),
        }
    };
    let connection = database.connect().map_err(|error| error.to_string())?;
    query(&connection, "PRAGMA temp_store = MEMORY", |_| {})?;
    Ok(connection)
}

fn query(connection: &Arc<Connection>, sql: &str, mut each: impl FnMut(&[&Value])) -> Result<(), String> {
    let mut statement = connection.prepare(sql).map_err(|error| error.to_string())?;
    loop {
        match statement.step().map_err(|error| error.to_string())? {
            StepResult::Row => {
                let row: Vec<&Value> = statement.row().expect("a row is there").get_values().collect();
                each(&row);
            }
            StepResult::Done => return Ok(()),
            StepResult::IO => statement._io().step().map_err(|error| error.to_string())?,
            other => return Err(format!("an image answered {}", step_name(&other))),
        }
    }
}

fn step_name(step: &StepResult) -> &'static str {
    match step {
        StepResult::Done => "done",
        StepResult::IO => "io",
        StepResult::Row => "row",
        StepResult::Interrupt => "interrupt",
        StepResult::Busy => "busy",
        StepResult::Yield => "yield",
        StepResult::Sleep { .. } => "sleep",
    }
}

fn integer(value: &Value) -> i64 {
    value.as_int().unwrap_or_else(|| panic!("{value:?} is no integer"))
}

fn text(value: &Value) -> String {
    value.to_text().unwrap_or_else(|| panic!("{value:?} is no text")).to_owned()
}
