//! Statements of the caller's: which ones may run beside the queue's own, and what they answer.
//!
//! The caller's tables only. The queue's have names that begin with `outlive_`, so a statement with such a name in it
//! is refused, wherever the name stands. A statement may not end its transaction, reach another file, or change
//! what the database does; and it may not look at the clock, because a run could not be repeated then.

use super::schema::RESERVED;
use crate::limits;
use crate::sql::{self, Rows, Value};
use turso_core::{Row, Statement, Value as TursoValue};
use turso_parser::ast::{Cmd, ResolveType, Stmt, Update};
use turso_parser::lexer::Lexer;
use turso_parser::parser::Parser;
use turso_parser::token::TokenType;

/// What a statement does with the caller's tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Does {
    /// It asks them.
    Read,
    /// It changes them, or which ones there are.
    Write,
}

/// Whether a statement may run, and what it does.
///
/// # Errors
/// Why not, and what to do.
pub fn check(statement: &sql::Statement) -> Result<Does, String> {
    let sql = &statement.sql;
    if sql.len() > limits::SQL_BYTES_MAX {
        let (bytes, limit) = (sql.len(), limits::SQL_BYTES_MAX);
        return Err(format!("it has {bytes} bytes, but the limit is {limit}; pass large values as parameters"));
    }
    let does = check_kind(sql)?;
    let names_dates = check_words(sql)?;
    let asks_for_now = |value: &Value| matches!(value, Value::Text(text) if is_now(&text.to_lowercase()));
    if names_dates && statement.parameters.iter().any(asks_for_now) {
        return Err(CLOCK.into());
    }
    Ok(does)
}

const CLOCK: &str = "it looks at the clock, and a run could not be repeated; pass the time as a parameter";

/// What a date function takes for the present time.
///
/// Source: "Date And Time Functions", sqlite.org/lang_datefunc.html.
fn is_now(word: &str) -> bool {
    matches!(word.trim(), "now" | "subsec" | "subsecond")
}

fn check_kind(sql: &str) -> Result<Does, String> {
    let mut commands = Parser::new(sql.as_bytes());
    let first = commands.next_cmd().map_err(|error| error.to_string())?;
    let statement = match first {
        None => return Err("there is no statement in it".into()),
        Some(Cmd::Stmt(statement)) => statement,
        Some(Cmd::Explain(_) | Cmd::ExplainQueryPlan { .. }) => {
            return Err("EXPLAIN is not for programs; ask `sqlite3` with the file".into());
        }
    };
    if !matches!(commands.next_cmd(), Ok(None)) {
        return Err("it is more than one statement; run them one by one".into());
    }
    match statement {
        Stmt::Insert { or_conflict: Some(ResolveType::Fail), .. }
        | Stmt::Update(Update { or_conflict: Some(ResolveType::Fail), .. }) => {
            Err("OR FAIL leaves what was done before the error; use OR IGNORE, OR REPLACE, or none of them".into())
        }
        Stmt::CreateTable { temporary: true, .. } => Err("a temporary table has no place in a job queue".into()),
        Stmt::Select(_) => Ok(Does::Read),
        Stmt::Insert { .. }
        | Stmt::Update(_)
        | Stmt::Delete { .. }
        | Stmt::CreateTable { .. }
        | Stmt::CreateIndex { .. }
        | Stmt::AlterTable(_)
        | Stmt::DropTable { .. }
        | Stmt::DropIndex { .. } => Ok(Does::Write),
        Stmt::Begin { .. }
        | Stmt::Commit { .. }
        | Stmt::Rollback { .. }
        | Stmt::Savepoint { .. }
        | Stmt::Release { .. } => Err("the transaction begins and ends with the closure that it was given to; return \
             an error to undo all of it"
            .into()),
        _ => Err("only SELECT, INSERT, UPDATE, DELETE, and CREATE, ALTER and DROP of tables and indexes may run in \
             the queue's file"
            .into()),
    }
}

/// Looks at each word; whether there is a date function among them.
fn check_words(sql: &str) -> Result<bool, String> {
    let mut names_dates = false;
    let mut before = String::new();
    for token in Lexer::new(sql.as_bytes()) {
        let token = token.map_err(|error| error.to_string())?;
        let text = String::from_utf8_lossy(token.value);
        let word = text.trim_matches(['"', '`', '\'']).to_lowercase();
        let is_literal = token.token_type == TokenType::TK_STRING;
        // A name in double quotes may be taken for text.
        let may_be_text = is_literal || text.starts_with('"');
        match token.token_type {
            // For a parser it is the beginning of a name, and whatever may stand in it.
            TokenType::TK_LBRACKET => return Err("names in brackets are not understood; use double quotes".into()),
            TokenType::TK_CTIME_KW => return Err(format!("{text}: {CLOCK}")),
            TokenType::TK_DOT if matches!(&*before, "temp" | "temporary") => {
                return Err("a temporary table has no place in a job queue".into());
            }
            _ if may_be_text && is_now(&word) => return Err(format!("{text}: {CLOCK}")),
            // A name may be written as a literal, too.
            _ if word.starts_with(RESERVED) && !(is_literal && word.contains(char::is_whitespace)) => {
                return Err(format!(
                    "{text} is a name of the queue's own: those that begin with `{RESERVED}`; use tables of your own, and \
                     pass text as parameters"
                ));
            }
            _ => names_dates |= is_date_function(&word),
        }
        before = word;
    }
    Ok(names_dates)
}

/// Whether it is a function about dates, which may take its arguments for the present time.
pub fn is_date_function(name: &str) -> bool {
    matches!(name, "date" | "time" | "datetime" | "julianday" | "unixepoch" | "strftime" | "timediff")
}

/// Gathers what a statement answers.
pub struct Gathered {
    rows: Rows,
    bytes: usize,
}

impl Gathered {
    /// Nothing yet.
    pub fn of(statement: &Statement) -> Self {
        let columns = (0..statement.num_columns()).map(|column| statement.get_column_name(column).into_owned());
        Self { rows: Rows { columns: columns.collect(), ..Rows::default() }, bytes: 0 }
    }

    /// One more row.
    pub fn push(&mut self, row: &Row) {
        // Beyond the limit they are counted, and not kept.
        let values: Vec<Value> = row.get_values().map(value).collect();
        self.bytes += values.iter().map(Value::bytes).sum::<usize>();
        if self.bytes <= limits::SQL_ROWS_BYTES_MAX {
            self.rows.rows.push(values);
        }
    }

    /// All of it.
    ///
    /// # Errors
    /// If it is too much.
    pub fn finish(self, changed: i64) -> Result<Rows, String> {
        let (bytes, limit) = (self.bytes, limits::SQL_ROWS_BYTES_MAX);
        if bytes > limit {
            return Err(format!("its rows have {bytes} bytes, but the limit is {limit}; ask for fewer at a time"));
        }
        Ok(Rows { changed: u64::try_from(changed).unwrap_or(0), ..self.rows })
    }
}

fn value(value: &TursoValue) -> Value {
    match (value, value.as_int()) {
        (TursoValue::Null, _) => Value::Null,
        (TursoValue::Text(text), _) => Value::Text(text.as_str().to_owned()),
        (TursoValue::Blob(bytes), _) => Value::Blob(bytes.to_vec()),
        (TursoValue::Numeric(_), Some(integer)) => Value::Integer(integer),
        (TursoValue::Numeric(_), None) => Value::Real(value.as_float()),
    }
}

/// A parameter, as the database takes it.
pub fn parameter(value: &Value) -> TursoValue {
    match value {
        Value::Null => TursoValue::Null,
        Value::Integer(integer) => TursoValue::from_i64(*integer),
        Value::Real(real) => TursoValue::from_f64(*real),
        Value::Text(text) => TursoValue::build_text(text.clone()),
        Value::Blob(bytes) => TursoValue::from_blob(bytes.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked<const N: usize>(sql: &str, parameters: [&str; N]) -> Result<Does, String> {
        check(&sql::Statement { sql: sql.into(), parameters: parameters.map(Value::from).to_vec() })
    }

    #[test]
    fn the_present_time_is_no_parameter_of_a_date_function() {
        assert_eq!(checked("SELECT datetime(?1)", ["Now"]), Err(CLOCK.to_owned()));
        assert_eq!(checked("SELECT datetime(?1)", ["2026-01-01"]), Ok(Does::Read));
        assert_eq!(checked("SELECT * FROM notes WHERE text = ?1", ["now"]), Ok(Does::Read));
    }

    #[test]
    fn the_callers_own_statements_may_run() {
        for sql in [
            "SELECT 1",
            "INSERT INTO accounts (name) VALUES (?1)",
            "UPDATE accounts SET cents = cents - ?1 WHERE name = ?2;",
            "DELETE FROM accounts RETURNING name",
            "CREATE TABLE IF NOT EXISTS accounts (name TEXT PRIMARY KEY, cents INTEGER) STRICT",
            "CREATE UNIQUE INDEX by_name ON accounts (name)",
            "ALTER TABLE accounts ADD COLUMN note TEXT",
            "DROP TABLE accounts",
            "WITH rich AS (SELECT name FROM accounts WHERE cents > 100) SELECT count(*) FROM rich",
            "INSERT INTO notes VALUES ('outlive_jobs is a table of the queue')",
        ] {
            let does = if sql.contains("SELECT") { Does::Read } else { Does::Write };
            assert_eq!(checked(sql, []), Ok(does), "{sql}");
        }
    }

    #[test]
    fn what_could_harm_the_queue_may_not() {
        for (sql, says) in [
            ("", "no statement"),
            ("SELECT 1; SELECT 2", "more than one"),
            ("COMMIT", "begins and ends with the closure"),
            ("ROLLBACK", "begins and ends with the closure"),
            ("SAVEPOINT a", "begins and ends with the closure"),
            ("PRAGMA synchronous = OFF", "only SELECT"),
            ("ATTACH 'other.db' AS other", "only SELECT"),
            ("VACUUM", "only SELECT"),
            ("CREATE TEMP TABLE a (b)", "temporary"),
            ("CREATE TRIGGER a AFTER INSERT ON b BEGIN DELETE FROM b; END", "only SELECT"),
            ("EXPLAIN SELECT 1", "EXPLAIN"),
            ("DELETE FROM outlive_jobs", "a name of the queue's own"),
            ("DELETE FROM \"Outlive_Jobs\"", "a name of the queue's own"),
            ("SELECT * FROM 'outlive_jobs'", "a name of the queue's own"),
            ("ALTER TABLE accounts RENAME TO outlive_jobs", "a name of the queue's own"),
            ("SELECT CURRENT_TIMESTAMP", "clock"),
            ("SELECT datetime('now')", "clock"),
            ("SELECT datetime(\"now\")", "clock"),
            ("SELECT datetime('subsec')", "clock"),
            ("SELECT 1 AS [--], payload FROM outlive_jobs", "brackets"),
            ("WITH [--] AS (SELECT 1) DELETE FROM outlive_jobs", "brackets"),
            ("WITH [a'] AS (SELECT 1) UPDATE outlive_attempts SET job = 1 --'", "brackets"),
            ("CREATE TABLE temp.accounts (a)", "temporary"),
            ("INSERT INTO \"temp\".accounts VALUES (1)", "temporary"),
            ("INSERT OR FAIL INTO accounts VALUES (1)", "OR FAIL"),
            ("UPDATE OR FAIL accounts SET cents = 1", "OR FAIL"),
            ("SELEKT 1", "SELEKT"),
        ] {
            let refused = checked(sql, []).expect_err(sql);
            assert!(refused.contains(says), "{sql}: {refused}");
        }
    }
}
