//! One connection to one database, driven by us: statements, and nothing of what they mean.

use super::caller::{self, Does, Gathered};
use super::dialect::Bare;
use super::io::HostIo;
use super::judge::{Judge, Panics};
use super::programs::{self, Shape};
use super::schema::CHECKPOINT;
use super::sums::PageSums;
use super::wal::FRAME_HEADER_BYTES;
use crate::host::{Clock, Host};
use crate::limits;
use crate::sql;
use crate::store::{SqlError, StoreError};
use std::num::NonZero;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use turso_core::schema::Schema;
use turso_core::storage::database::DatabaseFile;
use turso_core::{
    Connection, Database as TursoDatabase, DatabaseStorage, IO, IOResult, OpenDbAsyncState, OpenFlags, OpenOptions,
    PageCodec, Row, Statement, StepResult, Value,
};

/// An open database and its only connection.
pub struct Database<H: Host> {
    judge: Judge<H>,
    sums: Option<Arc<PageSums>>,
    connection: Arc<Connection>,
    statements: Vec<(&'static str, Statement)>,
    /// The schema that was looked at last, and the shape that it has.
    shape: Option<(Arc<Schema>, Option<Arc<Shape>>)>,
}

impl<H: Host> Database<H> {
    /// Opens, or makes, the database at `path`.
    pub async fn open(host: H, path: &str, sums: Option<Arc<PageSums>>, panics: Panics) -> Result<Self, StoreError> {
        let io = HostIo::new(host);
        let as_io: Arc<dyn IO> = io.clone();
        // Not by way of the process-wide registry: it would hand a reopened file its dead past.
        let judge = Judge { io: io.clone(), path: path.into(), panics };
        let file = as_io.open_file(path, OpenFlags::Create, false).map_err(|error| judge.error(error))?;
        let storage: Arc<dyn DatabaseStorage> = Arc::new(DatabaseFile::new(file));
        let codec = || sums.clone().map(|sums| sums as Arc<dyn PageCodec>);
        let options = OpenOptions::new(Arc::new(Bare)).storage(storage).page_codec(codec());
        let mut state = OpenDbAsyncState::new();
        let database = loop {
            match judge.guard(|| TursoDatabase::do_open_async(&mut state, as_io.clone(), path, &options))? {
                Ok(IOResult::Done(database)) => break database,
                Ok(IOResult::IO(_)) => io.perform().await,
                Err(error) => return Err(judge.error(*error)),
            }
        };
        let mut state = turso_core::ConnectAsyncState::default();
        let connection = match codec() {
            // It waits inside the call, because there is no other way to a connection with a codec.
            Some(codec) => {
                judge.guard(|| database.connect_with_page_codec(codec))?.map_err(|error| judge.error(error))?
            }
            None => loop {
                match judge.guard(|| database.connect_async(&mut state))? {
                    Ok(IOResult::Done(connection)) => break connection,
                    Ok(IOResult::IO(_)) => io.perform().await,
                    Err(error) => return Err(judge.error(*error)),
                }
            },
        };
        // Checkpoints are ours. The log is still restarted by the next writer after one.
        connection.wal_auto_actions_disable();
        let mut opened = Self { judge, sums, connection, statements: Vec::new(), shape: None };
        // Or sorters make files under the system's temporary folder.
        opened.run("PRAGMA temp_store = MEMORY").await?;
        Ok(opened)
    }

    /// Runs a statement without parameters, once.
    pub async fn run(&mut self, sql: &str) -> Result<Vec<Vec<Value>>, StoreError> {
        let prepared = self.judge.guard(|| self.connection.prepare(sql))?;
        let mut statement = prepared.map_err(|error| self.judge.error(error))?;
        let mut rows = Vec::new();
        drive(&self.judge, &mut statement, &mut |row| rows.push(row.get_values().cloned().collect())).await?;
        Ok(rows)
    }

    /// Runs a statement that is kept for the next time, and gives each row to `row`.
    pub async fn query(
        &mut self,
        sql: &'static str,
        parameters: impl IntoIterator<Item = Value>,
        mut row: impl FnMut(&Row),
    ) -> Result<(), StoreError> {
        let index = self.prepared(sql)?;
        let statement = &mut self.statements[index].1;
        for (i, value) in (1..).zip(parameters) {
            let bound = statement.bind_at(NonZero::new(i).expect("counted from 1"), value);
            bound.map_err(|error| self.judge.error(error))?;
        }
        drive(&self.judge, statement, &mut row).await
    }

    /// Runs a statement that is kept for the next time and gives no rows.
    pub async fn execute(
        &mut self,
        sql: &'static str,
        parameters: impl IntoIterator<Item = Value>,
    ) -> Result<(), StoreError> {
        self.query(sql, parameters, |_| {}).await
    }

    /// Runs a statement of the caller's, once, for no longer than `limit`.
    pub async fn run_for_caller(
        &mut self,
        host: &H,
        statement: &sql::Statement,
        may_write: Result<(), String>,
        limit: Duration,
    ) -> Result<sql::Rows, SqlError> {
        // Not by what the database calls read-only: it counts tables of its own for the time of a query.
        let checked = self.judge.guard_caller(|| caller::check(statement)).map_err(SqlError::Store)?;
        let does = checked.map_err(SqlError::Refused)?;
        if does == Does::Write {
            may_write.map_err(SqlError::Refused)?;
        }
        let prepared = self.judge.guard_caller(|| prepare_for_caller(&self.connection, statement));
        let (prepared, gathered) = prepared.map_err(SqlError::Store)?.map_err(SqlError::Refused)?;
        let patience = Patience { clock: host.clock().clone(), until: host.clock().boot() + limit };
        let (impatient, steps) = (patience.clone(), AtomicU64::new(0));
        let interrupts = move || {
            steps.fetch_add(STEPS_BETWEEN_LOOKS, Ordering::Relaxed) >= limits::SQL_STEPS_MAX || impatient.is_over()
        };
        self.connection.set_progress_handler(STEPS_BETWEEN_LOOKS, Some(Box::new(interrupts)));
        let driven = drive_for_caller(&self.judge, prepared, gathered, &patience).await;
        self.connection.set_progress_handler(0, None);
        let (gathered, changed) = driven?;
        self.forget_other_shapes();
        gathered.finish(changed).map_err(|why| match does {
            Does::Read => SqlError::Refused(why),
            // What it has changed is not undone alone.
            Does::Write => SqlError::RolledBack(why),
        })
    }

    /// Whether a transaction is open.
    pub fn is_in_transaction(&self) -> bool {
        !self.connection.get_auto_commit()
    }

    /// Statements that were compiled for other tables than there are now are compiled anew.
    fn forget_other_shapes(&mut self) {
        let schema = self.connection.current_schema();
        if self.shape.as_ref().is_some_and(|(known, _)| !Arc::ptr_eq(known, &schema)) {
            self.statements.clear();
        }
    }

    /// Frames in the write-ahead log.
    pub fn log_frames(&self) -> Result<u64, StoreError> {
        let bytes = self.judge.io.log_bytes().map_err(|error| StoreError::Broken(error.to_string()))?;
        // The log's own header is shorter than a frame.
        Ok(bytes / (FRAME_HEADER_BYTES as u64 + u64::from(self.connection.get_page_size().get())))
    }

    /// Moves the whole write-ahead log into the file, syncs it, and empties the log.
    pub async fn checkpoint(&mut self) -> Result<(), StoreError> {
        let mut busy = None;
        self.query(CHECKPOINT, [], |row| busy = row.get_value(0).as_int()).await?;
        // The answer is also "busy" after a failed sync, whose error the database swallows.
        if busy != Some(0) || self.judge.io.has_failed() {
            return Err(StoreError::Broken(format!("a checkpoint did not finish: it answered {busy:?}")));
        }
        Ok(())
    }

    fn prepared(&mut self, sql: &'static str) -> Result<usize, StoreError> {
        // By address: each statement is one constant, and there are few of them.
        if let Some(index) = self.statements.iter().position(|(known, _)| std::ptr::eq(*known, sql)) {
            return Ok(index);
        }
        let shape = self.shape();
        let prepared = self.judge.guard(|| programs::statement(&self.connection, shape.as_ref(), sql))?;
        let statement = prepared.map_err(|error| self.judge.error(error))?;
        self.statements.push((sql, statement));
        Ok(self.statements.len() - 1)
    }

    fn shape(&mut self) -> Option<Arc<Shape>> {
        let schema = self.connection.current_schema();
        match &self.shape {
            Some((known, shape)) if Arc::ptr_eq(known, &schema) => shape.clone(),
            _ => {
                let shape = Shape::of(&schema).map(Arc::new);
                self.shape = Some((schema, shape.clone()));
                shape
            }
        }
    }

    /// Something was written, so the database works.
    pub fn has_written(&self) {
        self.judge.panics.has_worked();
    }

    /// What was written last was rolled back.
    pub fn has_rolled_back(&mut self) {
        self.sums.iter().for_each(|sums| sums.forget());
        self.forget_other_shapes();
    }

    /// What is in the file is not what was written.
    pub fn damaged(&self, found: String) -> StoreError {
        self.judge.damaged(found)
    }
}

/// How many steps of the database's machine a statement of the caller's takes between two looks at the clock.
const STEPS_BETWEEN_LOOKS: u64 = 10_000;

/// Until when a statement of the caller's may run.
#[derive(Clone)]
struct Patience<C> {
    clock: C,
    until: Duration,
}

impl<C: Clock> Patience<C> {
    fn is_over(&self) -> bool {
        self.clock.boot() >= self.until
    }
}

/// Compiles a statement of the caller's and binds its parameters.
fn prepare_for_caller(
    connection: &Arc<Connection>,
    statement: &sql::Statement,
) -> Result<(Statement, Gathered), String> {
    let mut prepared = connection.prepare(&statement.sql).map_err(|error| error.to_string())?;
    let (wanted, given) = (prepared.parameters_count(), statement.parameters.len());
    if wanted != given {
        return Err(format!("it has {wanted} parameters, and {given} were given"));
    }
    for (i, value) in (1..).zip(&statement.parameters) {
        let index = NonZero::new(i).expect("counted from 1");
        prepared.bind_at(index, caller::parameter(value)).map_err(|error| error.to_string())?;
    }
    let gathered = Gathered::of(&prepared);
    Ok((prepared, gathered))
}

/// Drives a statement of the caller's to its end: what it answered, and how many rows it has changed. Its errors are its
/// own, unless the disk has failed.
async fn drive_for_caller<H: Host>(
    judge: &Judge<H>,
    mut statement: Statement,
    mut gathered: Gathered,
    patience: &Patience<H::Clock>,
) -> Result<(Gathered, i64), SqlError> {
    let driven = loop {
        let step = judge.guard_caller(|| {
            let step = statement.step();
            if let Ok(StepResult::Row) = &step {
                gathered.push(statement.row().expect("a step that says row has one"));
            }
            step
        });
        match step {
            Ok(Ok(StepResult::Row | StepResult::Yield)) => {}
            Ok(Ok(StepResult::Done)) => break Ok(()),
            Ok(Ok(StepResult::IO)) if patience.is_over() => break Err(too_long()),
            Ok(Ok(StepResult::IO)) => judge.io.perform().await,
            Ok(Ok(StepResult::Interrupt)) => break Err(too_long()),
            Ok(Ok(StepResult::Busy | StepResult::Sleep { .. })) => {
                let busy = "the only connection found the database busy";
                break Err(SqlError::Store(StoreError::Broken(busy.into())));
            }
            Ok(Err(error)) => break Err(judge.error_for_caller(error)),
            Err(error) => break Err(SqlError::Store(error)),
        }
    };
    let counts = statement.get_program().prepared().change_cnt_on;
    let changed = if counts { statement.n_change() } else { 0 };
    // What is left of it is undone here.
    judge.guard_caller(|| drop(statement)).map_err(SqlError::Store)?;
    driven.map(|()| (gathered, changed))
}

fn too_long() -> SqlError {
    SqlError::RolledBack(format!(
        "a statement took longer than the transaction's limit, or more than {} steps of the database's machine, and nobody \
         else is served meanwhile; look for an index that it lacks, or do less at a time",
        limits::SQL_STEPS_MAX
    ))
}

/// Drives a statement to its end. Compiled once, and not for every statement that there is.
async fn drive<H: Host>(
    judge: &Judge<H>,
    statement: &mut Statement,
    row: &mut dyn FnMut(&Row),
) -> Result<(), StoreError> {
    loop {
        match judge.guard(|| statement.step())?.map_err(|error| judge.error(error))? {
            StepResult::Row => row(statement.row().expect("a step that says row has one")),
            StepResult::Done => break,
            StepResult::IO => judge.io.perform().await,
            StepResult::Yield => {}
            // One connection: nobody else can hold a lock in the database.
            StepResult::Busy | StepResult::Interrupt | StepResult::Sleep { .. } => {
                return Err(StoreError::Broken("the only connection found the database busy".into()));
            }
        }
    }
    judge.guard(|| statement.reset())?.map_err(|error| judge.error(error))
}
