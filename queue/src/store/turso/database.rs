//! One connection to one database, driven by us: statements, and nothing of what they mean.

use super::dialect::Bare;
use super::io::HostIo;
use super::judge::{Judge, Panics};
use super::programs::{self, Shape};
use super::schema::CHECKPOINT;
use super::sums::PageSums;
use super::wal::FRAME_HEADER_BYTES;
use crate::host::Host;
use crate::store::StoreError;
use std::num::NonZero;
use std::sync::Arc;
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
        drive(&self.judge, &mut statement, |row| rows.push(row.get_values().cloned().collect())).await?;
        Ok(rows)
    }

    /// Runs a statement that is kept for the next time, and gives each row to `row`.
    pub async fn query(
        &mut self,
        sql: &'static str,
        parameters: impl IntoIterator<Item = Value>,
        row: impl FnMut(&Row),
    ) -> Result<(), StoreError> {
        let index = self.prepared(sql)?;
        let statement = &mut self.statements[index].1;
        for (i, value) in (1..).zip(parameters) {
            let bound = statement.bind_at(NonZero::new(i).expect("counted from 1"), value);
            bound.map_err(|error| self.judge.error(error))?;
        }
        drive(&self.judge, statement, row).await
    }

    /// Runs a statement that is kept for the next time and gives no rows.
    pub async fn execute(
        &mut self,
        sql: &'static str,
        parameters: impl IntoIterator<Item = Value>,
    ) -> Result<(), StoreError> {
        self.query(sql, parameters, |_| {}).await
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
    pub fn has_rolled_back(&self) {
        self.sums.iter().for_each(|sums| sums.forget());
    }

    /// What is in the file is not what was written.
    pub fn damaged(&self, found: String) -> StoreError {
        self.judge.damaged(found)
    }
}

async fn drive<H: Host>(
    judge: &Judge<H>,
    statement: &mut Statement,
    mut row: impl FnMut(&Row),
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
