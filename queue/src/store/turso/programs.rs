//! Compiled statements, kept from one opening of a file to the next.
//!
//! To compile our statements costs as much as all else that an opening does. What comes out depends on the
//! text and on the tables, and on nothing in their rows: so an engine that opens its file again after an
//! error need not do it again. Nothing of the last opening but that is kept: no page, no row, no cursor.
//!
//! Kept for the thread, because an engine has one of its own, and a lock or a handle for that would be in
//! every caller's way.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use turso_core::schema::Schema;
use turso_core::{Connection, LimboError, PrepareContext, PreparedProgram, Program, QueryMode, Statement};

/// Files of different shape whose statements are kept on a thread.
const SHAPES_MAX: usize = 4;

thread_local! {
    static KEPT: RefCell<Vec<(Arc<Shape>, Vec<Kept>)>> = const { RefCell::new(Vec::new()) };
}

/// A statement's program, without the connection that compiled it.
struct Kept {
    sql: &'static str,
    program: Arc<PreparedProgram>,
    mode: QueryMode,
    tail: usize,
}

/// All that a program holds of a file: each table and index, its root page and its columns. The database
/// itself compares the cookie with the file's at every run.
#[derive(Debug, PartialEq, Eq)]
pub struct Shape {
    cookie: u32,
    tables: Vec<TableShape>,
    indexes: Vec<(String, i64, bool)>,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct TableShape {
    name: String,
    root: i64,
    strict: bool,
    checks: usize,
    columns: Vec<(Option<String>, String)>,
}

impl Shape {
    /// The shape of a file; `None` if there is more in it than the tables and indexes of a queue.
    pub fn of(schema: &Schema) -> Option<Self> {
        if !(schema.views.is_empty() && schema.triggers.is_empty() && schema.incremental_views.is_empty()) {
            return None;
        }
        let tables: Option<Vec<TableShape>> = schema.tables.values().map(|table| TableShape::of(table)).collect();
        let mut tables = tables?;
        tables.sort();
        let indexes = schema.indexes.values().flatten();
        let mut indexes: Vec<_> =
            indexes.map(|it| (it.name.clone(), it.root_page, it.where_clause.is_some())).collect();
        indexes.sort();
        Some(Self { cookie: schema.schema_version, tables, indexes })
    }
}

impl TableShape {
    fn of(table: &turso_core::schema::Table) -> Option<Self> {
        let table = table.btree().filter(|table| table.foreign_keys.is_empty())?;
        let columns = table.columns().iter().map(|column| (column.name.clone(), column.ty_str.clone())).collect();
        Some(Self {
            name: table.name.clone(),
            root: table.root_page,
            strict: table.is_strict,
            checks: table.check_constraints.len(),
            columns,
        })
    }
}

/// The statement `sql`, compiled anew or not.
///
/// # Errors
/// What the database has against it.
pub fn statement(
    connection: &Arc<Connection>,
    shape: Option<&Arc<Shape>>,
    sql: &'static str,
) -> Result<Statement, LimboError> {
    let Some(shape) = shape else { return prepare(connection, sql) };
    let known = KEPT.with_borrow_mut(|kept| {
        let kept = kept.iter_mut().find(|(known, _)| known == shape).map(|(_, kept)| kept)?;
        // By address: each statement is one constant, and there are few of them.
        let kept = kept.iter_mut().find(|kept| std::ptr::eq(kept.sql, sql))?;
        Some(kept.bind(connection))
    });
    if let Some(statement) = known {
        return Ok(statement);
    }
    let statement = prepare(connection, sql)?;
    let kept = Kept {
        sql,
        program: statement.get_program().prepared().clone(),
        mode: statement.get_query_mode(),
        tail: statement.tail_offset(),
    };
    KEPT.with_borrow_mut(|all| {
        if let Some((_, of_shape)) = all.iter_mut().find(|(known, _)| known == shape) {
            return of_shape.push(kept);
        }
        if all.len() == SHAPES_MAX {
            all.remove(0);
        }
        all.push((shape.clone(), vec![kept]));
    });
    Ok(statement)
}

/// Compiles a statement that is never undone alone: whatever a statement is refused for, its whole transaction is
/// rolled back. So the database need not copy each page aside before the statement changes it.
fn prepare(connection: &Arc<Connection>, sql: &'static str) -> Result<Statement, LimboError> {
    let statement = connection.prepare(sql)?;
    statement.get_program().prepared().needs_stmt_subtransactions.store(false, Ordering::Relaxed);
    Ok(statement)
}

impl Kept {
    fn bind(&mut self, connection: &Arc<Connection>) -> Statement {
        let context = PrepareContext::from_connection(connection);
        // Nobody else has it if the last opening is over, as it mostly is.
        match Arc::get_mut(&mut self.program) {
            Some(program) => program.prepare_context = context,
            None => {
                let mut program = PreparedProgram::clone(&self.program);
                program.needs_stmt_subtransactions = Arc::new(AtomicBool::new(false));
                program.prepare_context = context;
                self.program = Arc::new(program);
            }
        }
        let program = Program::from_prepared(self.program.clone(), connection.clone());
        Statement::new(program, connection.get_pager(), self.mode, self.tail)
    }
}

#[cfg(test)]
mod tests {
    use super::super::dialect::Bare;
    use super::*;
    use turso_core::storage::database::DatabaseFile;
    use turso_core::{Database, IO, IOResult, MemoryIO, OpenDbAsyncState, OpenFlags, OpenOptions};

    const INSERT: &str = "INSERT INTO pairs (name, number) VALUES ('a', 1)";
    const COUNT: &str = "SELECT count(*) FROM pairs WHERE name = 'a' AND number = 1";
    const PAIRS: &str = "CREATE TABLE pairs (name TEXT UNIQUE, number INTEGER UNIQUE) STRICT";

    /// A new file with these tables.
    fn file(tables: &[&str]) -> Arc<Connection> {
        let io: Arc<dyn IO> = Arc::new(MemoryIO::new());
        let file = io.open_file("file", OpenFlags::Create, false).unwrap();
        let options = OpenOptions::new(Arc::new(Bare)).storage(Arc::new(DatabaseFile::new(file)));
        let mut state = OpenDbAsyncState::new();
        let database = loop {
            match Database::do_open_async(&mut state, io.clone(), "file", &options).unwrap() {
                IOResult::Done(database) => break database,
                IOResult::IO(_) => io.step().unwrap(),
            }
        };
        let connection = database.connect().unwrap();
        for table in tables {
            connection.prepare(table).unwrap().run_ignore_rows().unwrap();
        }
        connection
    }

    fn compiled(connection: &Arc<Connection>, sql: &'static str) -> Statement {
        let shape = Shape::of(&connection.current_schema()).map(Arc::new);
        assert!(shape.is_some());
        statement(connection, shape.as_ref(), sql).unwrap()
    }

    fn count(connection: &Arc<Connection>) -> i64 {
        compiled(connection, COUNT).run_collect_rows().unwrap()[0][0].as_int().unwrap()
    }

    fn program(statement: &Statement) -> *const PreparedProgram {
        Arc::as_ptr(statement.get_program().prepared())
    }

    #[test]
    fn the_next_opening_uses_what_the_last_one_compiled() {
        let first = file(&[PAIRS]);
        let mut statement = compiled(&first, INSERT);
        let known = program(&statement);
        statement.run_ignore_rows().unwrap();
        assert_eq!(count(&first), 1);
        drop(statement);

        let second = file(&[PAIRS]);
        let mut again = compiled(&second, INSERT);
        assert_eq!(program(&again), known);
        assert_eq!(count(&second), 0);
        again.run_ignore_rows().unwrap();
        assert_eq!(count(&second), 1);
    }

    #[test]
    fn two_openings_at_a_time_have_a_program_each() {
        let (first, second) = (file(&[PAIRS]), file(&[PAIRS]));
        let (mut one, mut other) = (compiled(&first, INSERT), compiled(&second, INSERT));
        assert_ne!(program(&one), program(&other));
        other.run_ignore_rows().unwrap();
        assert_eq!((count(&first), count(&second)), (0, 1));
        one.run_ignore_rows().unwrap();
        assert_eq!((count(&first), count(&second)), (1, 1));
    }

    #[test]
    fn a_file_of_another_shape_has_programs_of_its_own() {
        let first = file(&["CREATE TABLE other (number INTEGER)", PAIRS]);
        let mut statement = compiled(&first, INSERT);
        statement.run_ignore_rows().unwrap();
        let known = program(&statement);
        let second = file(&[PAIRS, "CREATE TABLE other (number INTEGER)"]);
        let mut moved = compiled(&second, INSERT);
        assert_ne!(program(&moved), known);
        moved.run_ignore_rows().unwrap();
        assert_eq!((count(&first), count(&second)), (1, 1));
    }

    #[test]
    fn what_is_refused_halfway_is_gone_with_its_transaction() {
        let connection = file(&[PAIRS, "INSERT INTO pairs VALUES ('b', 1)"]);
        compiled(&connection, "BEGIN").run_ignore_rows().unwrap();
        // The name is new, and the number is not.
        let refused = compiled(&connection, INSERT).run_ignore_rows();
        assert!(matches!(refused, Err(LimboError::Constraint(_))), "{refused:?}");
        compiled(&connection, "ROLLBACK").run_ignore_rows().unwrap();
        assert_eq!(count(&connection), 0);
        let rows = compiled(&connection, "PRAGMA integrity_check").run_collect_rows().unwrap();
        assert_eq!(rows[0][0].to_text(), Some("ok"));
        let mut named = compiled(&connection, "SELECT count(*) FROM pairs WHERE name = 'a'");
        assert_eq!(named.run_collect_rows().unwrap()[0][0].as_int(), Some(0));
    }
}
