//! One connection to one database, driven by us: statements, and nothing of what they mean.

use super::dialect::Bare;
use super::io::HostIo;
use super::programs::{self, Shape};
use super::schema::CHECKPOINT;
use super::wal::FRAME_HEADER_BYTES;
use crate::host::Host;
use crate::store::StoreError;
use std::num::NonZero;
use std::sync::Arc;
use turso_core::schema::Schema;
use turso_core::storage::database::DatabaseFile;
use turso_core::{
    Connection, Database as TursoDatabase, DatabaseStorage, IO, IOResult, LimboError, OpenDbAsyncState, OpenFlags,
    OpenOptions, Row, Statement, StepResult, Value,
};

/// An open database and its only connection.
pub struct Database<H: Host> {
    io: Arc<HostIo<H>>,
    connection: Arc<Connection>,
    statements: Vec<(&'static str, Statement)>,
    /// The schema that was looked at last, and the shape that it has.
    shape: Option<(Arc<Schema>, Option<Arc<Shape>>)>,
}

impl<H: Host> Database<H> {
    /// Opens, or makes, the database at `path`.
    pub async fn open(host: H, path: &str) -> Result<Self, StoreError> {
        let io = HostIo::new(host);
        let as_io: Arc<dyn IO> = io.clone();
        // Not by way of the process-wide registry: it would hand a reopened file its dead past.
        let file = as_io.open_file(path, OpenFlags::Create, false).map_err(broken)?;
        let storage: Arc<dyn DatabaseStorage> = Arc::new(DatabaseFile::new(file));
        let options = OpenOptions::new(Arc::new(Bare)).storage(storage);
        let mut state = OpenDbAsyncState::new();
        let database = loop {
            match TursoDatabase::do_open_async(&mut state, as_io.clone(), path, &options) {
                Ok(IOResult::Done(database)) => break database,
                Ok(IOResult::IO(_)) => io.perform().await,
                Err(error) => return Err(broken(*error)),
            }
        };
        let mut state = turso_core::ConnectAsyncState::default();
        let connection = loop {
            match database.connect_async(&mut state) {
                Ok(IOResult::Done(connection)) => break connection,
                Ok(IOResult::IO(_)) => io.perform().await,
                Err(error) => return Err(broken(*error)),
            }
        };
        // Checkpoints are ours. The log is still restarted by the next writer after one.
        connection.wal_auto_actions_disable();
        let mut opened = Self { io, connection, statements: Vec::new(), shape: None };
        // Or sorters make files under the system's temporary folder.
        opened.run("PRAGMA temp_store = MEMORY").await?;
        Ok(opened)
    }

    /// Runs a statement without parameters, once.
    pub async fn run(&mut self, sql: &str) -> Result<Vec<Vec<Value>>, StoreError> {
        let mut statement = self.connection.prepare(sql).map_err(|error| self.error(error))?;
        let mut rows = Vec::new();
        drive(&self.io, &mut statement, |row| rows.push(row.get_values().cloned().collect())).await?;
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
            bound.map_err(|error| classify(&self.io, error))?;
        }
        drive(&self.io, statement, row).await
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
        let bytes = self.io.log_bytes().map_err(|error| StoreError::Broken(error.to_string()))?;
        // The log's own header is shorter than a frame.
        Ok(bytes / (FRAME_HEADER_BYTES as u64 + u64::from(self.connection.get_page_size().get())))
    }

    /// Moves the whole write-ahead log into the file, syncs it, and empties the log.
    pub async fn checkpoint(&mut self) -> Result<(), StoreError> {
        let mut busy = None;
        self.query(CHECKPOINT, [], |row| busy = row.get_value(0).as_int()).await?;
        // The answer is also "busy" after a failed sync, whose error the database swallows.
        if busy != Some(0) || self.io.has_failed() {
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
        let statement =
            programs::statement(&self.connection, shape.as_ref(), sql).map_err(|error| self.error(error))?;
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

    fn error(&self, error: LimboError) -> StoreError {
        classify(&self.io, error)
    }
}

async fn drive<H: Host>(
    io: &HostIo<H>,
    statement: &mut Statement,
    mut row: impl FnMut(&Row),
) -> Result<(), StoreError> {
    loop {
        match statement.step().map_err(|error| classify(io, error))? {
            StepResult::Row => row(statement.row().expect("a step that says row has one")),
            StepResult::Done => break,
            StepResult::IO => io.perform().await,
            StepResult::Yield => {}
            // One connection: nobody else can hold a lock in the database.
            StepResult::Busy | StepResult::Interrupt | StepResult::Sleep { .. } => {
                return Err(StoreError::Broken("the only connection found the database busy".into()));
            }
        }
    }
    statement.reset().map_err(|error| classify(io, error))
}

fn classify<H: Host>(io: &HostIo<H>, error: LimboError) -> StoreError {
    match error {
        LimboError::Constraint(_) if !io.has_failed() => StoreError::Refused(error.to_string()),
        error => broken(error),
    }
}

fn broken(error: LimboError) -> StoreError {
    StoreError::Broken(error.to_string())
}
