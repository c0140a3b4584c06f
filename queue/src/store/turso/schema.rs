//! The tables, as a person with `sqlite3` finds them.

use crate::job::State;

/// "Outl", in the file's header: this file is ours.
pub const APPLICATION_ID: i64 = 0x4f75_746c;

/// What the names of the queue's tables and indexes begin with. All others are the caller's.
pub const RESERVED: &str = "outlive_";

/// The format of the tables; it stands in the header's user version. What led here is in [`MIGRATIONS`].
pub const FORMAT: i64 = 5;

/// The same tables in pages that have a checksum each. Its own number, so that a version that knows nothing of
/// checksums does not write pages without: even ones have them, odd ones have not.
pub const FORMAT_WITH_SUMS: i64 = FORMAT + 1;

/// Whether the pages of files of this format have checksums.
pub const fn has_sums(format: i64) -> bool {
    format % 2 == 0
}

/// For each earlier format, in their order, what makes the next one of it; with checksums and without it is the same. What is
/// written here once is never changed: files of that format are out there.
pub const MIGRATIONS: &[(i64, &[&str])] = &[
    (
        1,
        &[
            "ALTER TABLE outlive_state ADD COLUMN next_end INTEGER NOT NULL DEFAULT 1",
            ENDS_TABLE,
            KEYS_BY_JOB,
            SIGNALS_BY_JOB,
            WAITS_BY_OTHER,
            // Their time begins now: when they ended in steady time was not written down.
            "INSERT INTO outlive_ends SELECT id, id, state, (SELECT steady_ms FROM outlive_state), finished_at_ms \
            FROM outlive_jobs WHERE finished_at_ms IS NOT NULL",
            "UPDATE outlive_state SET next_end = next_job",
        ],
    ),
    (3, &["ALTER TABLE outlive_jobs ADD COLUMN trace_parent TEXT"]),
];

/// What a new file is made of, a statement each.
///
/// - A job is one row. What changes often about it, its lease, is in the row of its open attempt,
///   so that a heartbeat does not write the payload again.
/// - An attempt's primary key is its fencing token: tokens rise, so rows are only ever appended.
/// - `…_steady_ms` is steady time, other `…_ms` is wall time, both in milliseconds.
pub const TABLES: &[&str] = &[
    "CREATE TABLE outlive_state (
        one INTEGER PRIMARY KEY CHECK (one = 1),
        steady_ms INTEGER NOT NULL,
        next_job INTEGER NOT NULL,
        next_token INTEGER NOT NULL,
        next_signal INTEGER NOT NULL,
        nonce TEXT NOT NULL,
        openings INTEGER NOT NULL,
        first_opening TEXT NOT NULL,
        next_end INTEGER NOT NULL DEFAULT 1
    ) STRICT",
    "CREATE TABLE outlive_jobs (
        id INTEGER PRIMARY KEY,
        kind TEXT NOT NULL,
        queue TEXT NOT NULL,
        state TEXT NOT NULL,
        wait TEXT NOT NULL,
        wait_on TEXT,
        due_steady_ms INTEGER,
        due_wall_ms INTEGER NOT NULL,
        priority INTEGER NOT NULL,
        concurrency_key TEXT,
        token INTEGER,
        attempts INTEGER NOT NULL,
        max_attempts INTEGER NOT NULL,
        failures INTEGER NOT NULL,
        crashes INTEGER NOT NULL,
        snoozes INTEGER NOT NULL,
        releases INTEGER NOT NULL,
        cancel_requested INTEGER NOT NULL,
        deadline_steady_ms INTEGER,
        deadline_wall_ms INTEGER,
        retried_at_ms INTEGER,
        enqueued_at_ms INTEGER NOT NULL,
        finished_at_ms INTEGER,
        result TEXT,
        schedule TEXT,
        slot_ms INTEGER,
        payload TEXT NOT NULL,
        trace_parent TEXT
    ) STRICT",
    "CREATE INDEX outlive_jobs_live ON outlive_jobs (id) WHERE finished_at_ms IS NULL",
    "CREATE INDEX outlive_jobs_discarded ON outlive_jobs (id) WHERE state = 'discarded'",
    "CREATE INDEX outlive_jobs_quarantined ON outlive_jobs (id) WHERE state = 'quarantined'",
    "CREATE INDEX outlive_jobs_cancelled ON outlive_jobs (id) WHERE state = 'cancelled'",
    "CREATE TABLE outlive_attempts (
        token INTEGER PRIMARY KEY,
        job INTEGER NOT NULL,
        number INTEGER NOT NULL,
        worker TEXT NOT NULL,
        holder TEXT NOT NULL,
        nonce TEXT NOT NULL,
        claimed_at_ms INTEGER NOT NULL,
        started_at_ms INTEGER,
        lease_ms INTEGER NOT NULL,
        expires_steady_ms INTEGER NOT NULL,
        timeout_ms INTEGER,
        overdue_steady_ms INTEGER,
        ended_at_ms INTEGER,
        ended TEXT
    ) STRICT",
    "CREATE INDEX outlive_attempts_by_job ON outlive_attempts (job)",
    "CREATE TABLE outlive_failures (
        token INTEGER PRIMARY KEY,
        job INTEGER NOT NULL,
        attempt INTEGER NOT NULL,
        at_ms INTEGER NOT NULL,
        how TEXT NOT NULL,
        message TEXT NOT NULL,
        causes TEXT NOT NULL,
        retryable INTEGER NOT NULL,
        decision TEXT NOT NULL,
        due_steady_ms INTEGER,
        due_wall_ms INTEGER
    ) STRICT",
    "CREATE TABLE outlive_keys (
        kind TEXT NOT NULL,
        key TEXT NOT NULL,
        job INTEGER NOT NULL,
        payload_hash TEXT NOT NULL,
        scope TEXT NOT NULL,
        until_steady_ms INTEGER,
        until_wall_ms INTEGER,
        PRIMARY KEY (kind, key)
    ) STRICT",
    KEYS_BY_JOB,
    "CREATE TABLE outlive_steps (
        job INTEGER NOT NULL,
        name TEXT NOT NULL,
        result TEXT NOT NULL,
        attempt INTEGER NOT NULL,
        at_ms INTEGER NOT NULL,
        PRIMARY KEY (job, name)
    ) STRICT",
    "CREATE TABLE outlive_progress (
        job INTEGER PRIMARY KEY,
        attempt INTEGER NOT NULL,
        number INTEGER NOT NULL,
        at_ms INTEGER NOT NULL,
        parts_per_million INTEGER,
        message TEXT,
        checkpoint TEXT
    ) STRICT",
    "CREATE TABLE outlive_logs (
        token INTEGER PRIMARY KEY,
        job INTEGER NOT NULL,
        last INTEGER NOT NULL,
        lines TEXT NOT NULL
    ) STRICT",
    "CREATE TABLE outlive_signals (
        id INTEGER PRIMARY KEY,
        name TEXT NOT NULL,
        key TEXT,
        payload TEXT NOT NULL,
        sent_at_ms INTEGER NOT NULL,
        job INTEGER,
        step TEXT
    ) STRICT",
    "CREATE INDEX outlive_signals_untaken ON outlive_signals (name, id) WHERE job IS NULL",
    "CREATE INDEX outlive_signals_by_key ON outlive_signals (name, key) WHERE key IS NOT NULL",
    SIGNALS_BY_JOB,
    "CREATE TABLE outlive_waits (
        job INTEGER NOT NULL,
        step TEXT NOT NULL,
        on_job INTEGER NOT NULL,
        PRIMARY KEY (job, step, on_job)
    ) STRICT",
    WAITS_BY_OTHER,
    ENDS_TABLE,
    "CREATE TABLE outlive_limits (
        queue TEXT PRIMARY KEY,
        at_once INTEGER,
        at_once_per_key INTEGER,
        rate_jobs INTEGER,
        rate_per_ms INTEGER,
        rate_burst INTEGER,
        full_at_steady_ns INTEGER NOT NULL
    ) STRICT",
    "CREATE TABLE outlive_policies (
        kind TEXT PRIMARY KEY,
        backoff TEXT,
        max_attempts INTEGER,
        max_age_ms INTEGER,
        timeout_ms INTEGER,
        crashes_max INTEGER
    ) STRICT",
    "CREATE TABLE outlive_schedules (
        name TEXT PRIMARY KEY,
        rhythm TEXT NOT NULL,
        catch_up TEXT NOT NULL,
        late_ms INTEGER NOT NULL,
        job TEXT NOT NULL,
        set_at_ms INTEGER NOT NULL,
        done_ms INTEGER NOT NULL,
        high_ms INTEGER NOT NULL
    ) STRICT",
    "CREATE TABLE outlive_slots (
        schedule TEXT NOT NULL,
        slot_ms INTEGER NOT NULL,
        job INTEGER NOT NULL,
        PRIMARY KEY (schedule, slot_ms)
    ) STRICT",
    "CREATE TABLE outlive_skips (
        schedule TEXT NOT NULL,
        first_ms INTEGER NOT NULL,
        last_ms INTEGER NOT NULL,
        PRIMARY KEY (schedule, first_ms)
    ) STRICT",
    "CREATE TABLE outlive_pauses (
        gate TEXT NOT NULL,
        name TEXT NOT NULL,
        is_down INTEGER NOT NULL,
        paused_by TEXT NOT NULL,
        why TEXT NOT NULL,
        at_ms INTEGER NOT NULL,
        probe_every_ms INTEGER,
        probe_due_steady_ms INTEGER,
        probe_due_wall_ms INTEGER,
        probe_job INTEGER,
        probe_token INTEGER,
        PRIMARY KEY (gate, name, is_down)
    ) STRICT",
    "CREATE TABLE outlive_requests (
        id BLOB PRIMARY KEY,
        at_steady_ms INTEGER NOT NULL,
        digest INTEGER NOT NULL,
        answer TEXT NOT NULL
    ) STRICT",
    "INSERT INTO outlive_state VALUES (1, 0, 1, 1, 1, '0000000000000000', 0, '0000000000000000', 1)",
];

const ENDS_TABLE: &str = "CREATE TABLE outlive_ends (
        id INTEGER PRIMARY KEY,
        job INTEGER NOT NULL,
        state TEXT NOT NULL,
        at_steady_ms INTEGER NOT NULL,
        finished_at_ms INTEGER NOT NULL
    ) STRICT";
// What stands for ever is left out: most keys do, and none of them is looked for by its job.
const KEYS_BY_JOB: &str = "CREATE INDEX outlive_keys_by_job ON outlive_keys (job) WHERE scope <> 'forever'";
const SIGNALS_BY_JOB: &str = "CREATE INDEX outlive_signals_by_job ON outlive_signals (job) WHERE job IS NOT NULL";
const WAITS_BY_OTHER: &str = "CREATE INDEX outlive_waits_by_other ON outlive_waits (on_job)";

pub const CHECKPOINT: &str = "PRAGMA wal_checkpoint(TRUNCATE)";

pub const STATE: &str =
    "SELECT steady_ms, next_job, next_token, next_signal, next_end, nonce, openings, first_opening FROM outlive_state";
pub const PUT_STATE: &str = "UPDATE outlive_state SET steady_ms = ?1, next_job = ?2, next_token = ?3, next_signal = ?4, \
    next_end = ?5, nonce = ?6, openings = ?7, first_opening = ?8";

// All columns in their order above: to prepare named ones takes time by the square of their number.
pub const JOB: &str = "SELECT * FROM outlive_jobs WHERE id = ?1";
// A literal in the condition, or the partial index is not used.
pub const LIVE: &str = "SELECT id, kind, queue, state, wait, wait_on, due_steady_ms, due_wall_ms, priority, concurrency_key, \
    token, deadline_steady_ms, deadline_wall_ms, crashes FROM outlive_jobs \
    WHERE finished_at_ms IS NULL AND id > ?1 ORDER BY id LIMIT ?2";
/// The jobs among which are those in a state, by rising id: no more than are asked for are looked at.
pub const fn list(state: State) -> &'static str {
    // A literal in the condition, or the partial index is not used.
    macro_rules! list {
        ($condition:literal) => {
            concat!(
                "SELECT id, kind, queue, state, token, attempts, max_attempts, failures, crashes, enqueued_at_ms, ",
                "finished_at_ms FROM outlive_jobs WHERE ",
                $condition,
                " AND id > ?1 ORDER BY id LIMIT ?2"
            )
        };
    }
    match state {
        State::Waiting | State::Running => list!("finished_at_ms IS NULL"),
        State::Completed => list!("id > 0"),
        State::Discarded => list!("state = 'discarded'"),
        State::Cancelled => list!("state = 'cancelled'"),
        State::Quarantined => list!("state = 'quarantined'"),
    }
}

pub const INSERT_JOB: &str = "INSERT INTO outlive_jobs (id, kind, queue, state, wait, wait_on, due_steady_ms, due_wall_ms, \
    priority, concurrency_key, token, attempts, max_attempts, failures, crashes, snoozes, releases, cancel_requested, \
    deadline_steady_ms, deadline_wall_ms, retried_at_ms, enqueued_at_ms, finished_at_ms, result, schedule, slot_ms, payload, \
    trace_parent) \
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24, \
    ?25, ?26, ?27, ?28)";
pub const UPDATE_JOB: &str = "UPDATE outlive_jobs SET state = ?2, wait = ?3, due_steady_ms = ?4, due_wall_ms = ?5, token = ?6, \
    attempts = ?7, failures = ?8, crashes = ?9, snoozes = ?10, releases = ?11, cancel_requested = ?12, \
    finished_at_ms = ?13, result = ?14, wait_on = ?15, deadline_steady_ms = ?16, deadline_wall_ms = ?17, \
    retried_at_ms = ?18 WHERE id = ?1";

pub const ATTEMPT: &str = "SELECT * FROM outlive_attempts WHERE token = ?1";
pub const ATTEMPTS: &str = "SELECT * FROM outlive_attempts WHERE job = ?1 ORDER BY token";
pub const INSERT_ATTEMPT: &str = "INSERT INTO outlive_attempts (token, job, number, worker, holder, nonce, claimed_at_ms, \
    started_at_ms, lease_ms, expires_steady_ms, timeout_ms, overdue_steady_ms, ended_at_ms, ended) \
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)";
pub const UPDATE_ATTEMPT: &str = "UPDATE outlive_attempts SET started_at_ms = ?2, expires_steady_ms = ?3, ended_at_ms = ?4, \
    ended = ?5, overdue_steady_ms = ?6 WHERE token = ?1";

pub const TOKENS: &str = "SELECT token FROM outlive_attempts WHERE job = ?1 ORDER BY token LIMIT ?2";
/// An attempt, its failure, and what it said.
pub const DELETE_ATTEMPT: [&str; 3] = [
    "DELETE FROM outlive_failures WHERE token = ?1",
    "DELETE FROM outlive_logs WHERE token = ?1",
    "DELETE FROM outlive_attempts WHERE token = ?1",
];
/// A job, and all that is of it alone, its attempts left out.
// A literal in the condition, or the partial index is not used.
pub const DELETE_JOB: [&str; 6] = [
    "DELETE FROM outlive_steps WHERE job = ?1",
    "DELETE FROM outlive_progress WHERE job = ?1",
    "DELETE FROM outlive_waits WHERE job = ?1",
    "DELETE FROM outlive_signals WHERE job IS NOT NULL AND job = ?1 AND key IS NULL",
    "DELETE FROM outlive_keys WHERE scope <> 'forever' AND job = ?1",
    "DELETE FROM outlive_jobs WHERE id = ?1",
];

pub const ENDS: &str = "SELECT id, job, state, at_steady_ms, finished_at_ms FROM outlive_ends WHERE id > ?1 \
    ORDER BY id LIMIT ?2";
pub const INSERT_END: &str =
    "INSERT INTO outlive_ends (id, job, state, at_steady_ms, finished_at_ms) VALUES (?1, ?2, ?3, ?4, ?5)";
pub const DELETE_END: &str = "DELETE FROM outlive_ends WHERE id = ?1";

pub const FAILURE: &str = "SELECT token, job, attempt, at_ms, how, message, causes, retryable, decision, \
    due_steady_ms, due_wall_ms FROM outlive_failures WHERE token = ?1";
pub const INSERT_FAILURE: &str = "INSERT INTO outlive_failures (token, job, attempt, at_ms, how, message, causes, retryable, \
    decision, due_steady_ms, due_wall_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";

pub const KEY: &str = "SELECT kind, key, job, payload_hash, scope, until_steady_ms, until_wall_ms FROM outlive_keys \
    WHERE kind = ?1 AND key = ?2";
pub const INSERT_KEY: &str = "INSERT INTO outlive_keys (kind, key, job, payload_hash, scope, until_steady_ms, \
    until_wall_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
pub const UPDATE_KEY: &str = "UPDATE outlive_keys SET job = ?3, payload_hash = ?4, scope = ?5, until_steady_ms = ?6, \
    until_wall_ms = ?7 WHERE kind = ?1 AND key = ?2";

pub const KEYS_OF: &str = "SELECT kind, key, job, payload_hash, scope, until_steady_ms, until_wall_ms FROM outlive_keys \
    WHERE scope <> 'forever' AND job = ?1";

pub const STEP: &str = "SELECT job, name, result, attempt, at_ms FROM outlive_steps WHERE job = ?1 AND name = ?2";
pub const STEPS: &str = "SELECT job, name, result, attempt, at_ms FROM outlive_steps WHERE job = ?1";
pub const STEP_COUNT: &str = "SELECT count(*) FROM outlive_steps WHERE job = ?1";
pub const INSERT_STEP: &str =
    "INSERT INTO outlive_steps (job, name, result, attempt, at_ms) VALUES (?1, ?2, ?3, ?4, ?5)";

pub const PROGRESS: &str = "SELECT job, attempt, number, at_ms, parts_per_million, message, checkpoint \
    FROM outlive_progress WHERE job = ?1";
pub const INSERT_PROGRESS: &str = "INSERT INTO outlive_progress (job, attempt, number, at_ms, parts_per_million, \
    message, checkpoint) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
pub const UPDATE_PROGRESS: &str = "UPDATE outlive_progress SET attempt = ?2, number = ?3, at_ms = ?4, \
    parts_per_million = ?5, message = ?6, checkpoint = ?7 WHERE job = ?1";

pub const LOG: &str = "SELECT token, job, last, lines FROM outlive_logs WHERE token = ?1";
pub const INSERT_LOG: &str = "INSERT INTO outlive_logs (token, job, last, lines) VALUES (?1, ?2, ?3, ?4)";
pub const UPDATE_LOG: &str = "UPDATE outlive_logs SET last = ?3, lines = ?4 WHERE token = ?1 AND job = ?2";

// A literal in the condition, or the partial index is not used.
pub const UNTAKEN_SIGNAL: &str = "SELECT id, name, key, payload, sent_at_ms, job, step FROM outlive_signals \
    WHERE job IS NULL AND name = ?1 AND id > ?2 ORDER BY id LIMIT 1";
pub const SIGNAL_BY_KEY: &str = "SELECT id, name, key, payload, sent_at_ms, job, step FROM outlive_signals \
    WHERE key IS NOT NULL AND name = ?1 AND key = ?2";
pub const INSERT_SIGNAL: &str = "INSERT INTO outlive_signals (id, name, key, payload, sent_at_ms, job, step) \
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
pub const UPDATE_SIGNAL: &str = "UPDATE outlive_signals SET job = ?2, step = ?3 WHERE id = ?1";

pub const WAITS: &str = "SELECT job, step, on_job FROM outlive_waits WHERE job = ?1";
pub const AWAITED: &str = "SELECT 1 FROM outlive_waits JOIN outlive_jobs ON outlive_jobs.id = outlive_waits.job \
    WHERE outlive_waits.on_job = ?1 AND outlive_jobs.finished_at_ms IS NULL LIMIT 1";
pub const INSERT_WAIT: &str = "INSERT INTO outlive_waits (job, step, on_job) VALUES (?1, ?2, ?3)";

pub const LIMITS: &str = "SELECT queue, at_once, at_once_per_key, rate_jobs, rate_per_ms, rate_burst, full_at_steady_ns \
    FROM outlive_limits ORDER BY queue";
pub const INSERT_LIMIT: &str = "INSERT INTO outlive_limits (queue, at_once, at_once_per_key, rate_jobs, rate_per_ms, \
    rate_burst, full_at_steady_ns) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
pub const UPDATE_LIMIT: &str = "UPDATE outlive_limits SET at_once = ?2, at_once_per_key = ?3, rate_jobs = ?4, \
    rate_per_ms = ?5, rate_burst = ?6, full_at_steady_ns = ?7 WHERE queue = ?1";

pub const DELETE_LIMIT: &str = "DELETE FROM outlive_limits WHERE queue = ?1";

pub const POLICIES: &str =
    "SELECT kind, backoff, max_attempts, max_age_ms, timeout_ms, crashes_max FROM outlive_policies ORDER BY kind";
pub const INSERT_POLICY: &str = "INSERT INTO outlive_policies (kind, backoff, max_attempts, max_age_ms, timeout_ms, \
    crashes_max) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
pub const UPDATE_POLICY: &str = "UPDATE outlive_policies SET backoff = ?2, max_attempts = ?3, max_age_ms = ?4, \
    timeout_ms = ?5, crashes_max = ?6 WHERE kind = ?1";
pub const DELETE_POLICY: &str = "DELETE FROM outlive_policies WHERE kind = ?1";

pub const SCHEDULES: &str = "SELECT * FROM outlive_schedules ORDER BY name";
pub const INSERT_SCHEDULE: &str = "INSERT INTO outlive_schedules (name, rhythm, catch_up, late_ms, job, set_at_ms, done_ms, \
    high_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
pub const UPDATE_SCHEDULE: &str = "UPDATE outlive_schedules SET rhythm = ?2, catch_up = ?3, late_ms = ?4, job = ?5, \
    set_at_ms = ?6, done_ms = ?7, high_ms = ?8 WHERE name = ?1";
pub const DELETE_SCHEDULE: &str = "DELETE FROM outlive_schedules WHERE name = ?1";
pub const SLOT: &str = "SELECT schedule, slot_ms, job FROM outlive_slots WHERE schedule = ?1 AND slot_ms = ?2";
pub const SLOTS: &str =
    "SELECT schedule, slot_ms, job FROM outlive_slots WHERE schedule = ?1 ORDER BY slot_ms DESC LIMIT ?2";
pub const INSERT_SLOT: &str = "INSERT INTO outlive_slots (schedule, slot_ms, job) VALUES (?1, ?2, ?3)";
pub const OLD_SLOTS: &str =
    "SELECT slot_ms FROM outlive_slots WHERE schedule = ?1 AND slot_ms < ?2 ORDER BY slot_ms LIMIT ?3";
pub const FORGET_SLOT: &str = "DELETE FROM outlive_slots WHERE schedule = ?1 AND slot_ms = ?2";
pub const SKIP: &str = "SELECT schedule, first_ms, last_ms FROM outlive_skips WHERE schedule = ?1 AND first_ms = ?2";
pub const SKIPS: &str =
    "SELECT schedule, first_ms, last_ms FROM outlive_skips WHERE schedule = ?1 ORDER BY first_ms DESC LIMIT ?2";
pub const INSERT_SKIP: &str = "INSERT INTO outlive_skips (schedule, first_ms, last_ms) VALUES (?1, ?2, ?3)";
pub const UPDATE_SKIP: &str = "UPDATE outlive_skips SET last_ms = ?3 WHERE schedule = ?1 AND first_ms = ?2";

pub const PAUSES: &str = "SELECT * FROM outlive_pauses ORDER BY gate, name, is_down";
pub const INSERT_PAUSE: &str = "INSERT INTO outlive_pauses (gate, name, is_down, paused_by, why, at_ms, probe_every_ms, \
    probe_due_steady_ms, probe_due_wall_ms, probe_job, probe_token) \
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";
pub const UPDATE_PAUSE: &str = "UPDATE outlive_pauses SET paused_by = ?4, why = ?5, at_ms = ?6, probe_every_ms = ?7, \
    probe_due_steady_ms = ?8, probe_due_wall_ms = ?9, probe_job = ?10, probe_token = ?11 \
    WHERE gate = ?1 AND name = ?2 AND is_down = ?3";
pub const DELETE_PAUSE: &str = "DELETE FROM outlive_pauses WHERE gate = ?1 AND name = ?2 AND is_down = ?3";

pub const REQUEST: &str = "SELECT id, at_steady_ms, digest, answer FROM outlive_requests WHERE id = ?1";
pub const INSERT_REQUEST: &str =
    "INSERT INTO outlive_requests (id, at_steady_ms, digest, answer) VALUES (?1, ?2, ?3, ?4)";
// Rows stand in the order in which they were answered, so the oldest come first.
pub const OLDEST_REQUESTS: &str = "SELECT rowid, at_steady_ms FROM outlive_requests ORDER BY rowid LIMIT ?1";
pub const FORGET_REQUEST: &str = "DELETE FROM outlive_requests WHERE rowid = ?1";
