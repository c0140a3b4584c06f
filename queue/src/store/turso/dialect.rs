//! SQL as SQLite's, without the database's catalog of virtual tables.
//!
//! The database puts some forty of them (`pragma_…`, `json_each`) into every schema, and parses a
//! statement for each whenever a file is opened: a good part of what an opening costs. None of our
//! statements names one.

use super::caller::is_date_function;
use turso_core::dialect::Dialect;
use turso_core::schema::{BTreeTable, Schema};
use turso_core::{Connection, Func, LimboError, Result, SqliteDialect, Value};
use turso_parser::ast::{Cmd, CreateTableBody, QualifiedName, Stmt};

/// See the module.
pub struct Bare;

/// Whether a function answers something of the machine if it is given so few arguments.
///
/// Source: "Date And Time Functions", sqlite.org/lang_datefunc.html.
fn looks_at_the_clock(name: &str, arguments: usize) -> bool {
    match name.to_ascii_lowercase().as_str() {
        // These draw from the system's randomness or its clock.
        "uuid4" | "uuid4_str" | "gen_random_uuid" | "uuid7" => true,
        "strftime" => arguments < 2,
        "timediff" => false,
        name => is_date_function(name) && arguments == 0,
    }
}

impl Dialect for Bare {
    fn name(&self) -> &'static str {
        SqliteDialect.name()
    }

    fn register_catalog(&self, _schema: &mut Schema, _enable_custom_types: bool) -> Result<()> {
        Ok(())
    }

    fn parse(&self, sql: &str) -> Result<(Option<Cmd>, usize)> {
        SqliteDialect.parse(sql)
    }

    fn parse_table_sql(&self, sql: &str, root_page: i64) -> Result<BTreeTable> {
        SqliteDialect.parse_table_sql(sql, root_page)
    }

    fn parse_table_sql_ast(&self, sql: &str) -> Result<Stmt> {
        SqliteDialect.parse_table_sql_ast(sql)
    }

    fn table_sql_for_replay(&self, sql: &str) -> Result<String> {
        SqliteDialect.table_sql_for_replay(sql)
    }

    fn format_table_sql(&self, input: &str, tbl_name: &QualifiedName, body: &CreateTableBody) -> Result<String> {
        SqliteDialect.format_table_sql(input, tbl_name, body)
    }

    fn resolve_function(&self, name: &str, arg_count: usize) -> Result<Option<Func>> {
        if looks_at_the_clock(name, arg_count) {
            let why = format!(
                "{name} with {arg_count} arguments looks at the clock or draws from the system, and a run could not be \
                 repeated; pass the value as a parameter"
            );
            return Err(LimboError::ParseError(why));
        }
        SqliteDialect.resolve_function(name, arg_count)
    }

    fn exec_scalar_function(&self, connection: &Connection, name: &str, args: &[Value]) -> Result<Value> {
        SqliteDialect.exec_scalar_function(connection, name, args)
    }
}
