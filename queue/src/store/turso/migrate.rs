//! Files of earlier formats: brought to this one when they are opened, all of it in one transaction.

use super::database::Database;
use super::schema::{FORMAT, FORMAT_WITH_SUMS, MIGRATIONS, has_sums};
use crate::host::Host;
use crate::store::StoreError;
use turso_core::Value;

/// Brings the file to this format, if it is of an earlier one. A crash leaves it of the one or the other. `in_header` is the
/// format that the file itself has, without its log.
///
/// # Errors
/// The disk failed, or the file is not what its format says.
pub async fn migrate<H: Host>(database: &mut Database<H>, in_header: i64) -> Result<(), StoreError> {
    let found = format(database).await?;
    let current = if has_sums(found) { FORMAT_WITH_SUMS } else { FORMAT };
    if found != current {
        database.run("BEGIN").await?;
        // A format and its like with checksums follow each other.
        for (_, statements) in MIGRATIONS.iter().filter(|(from, _)| found <= from + 1) {
            for statement in *statements {
                database.run(statement).await?;
            }
        }
        database.run(&format!("PRAGMA user_version = {current}")).await?;
        database.run("COMMIT").await?;
    }
    // A version that knows only the earlier format looks into the file, and not into the log. The opening that wrote the
    // format may have come no further.
    if in_header != current {
        database.checkpoint().await?;
    }
    Ok(())
}

async fn format<H: Host>(database: &mut Database<H>) -> Result<i64, StoreError> {
    let rows = database.run("PRAGMA user_version").await?;
    match rows.first().and_then(|row| row.first()) {
        Some(Value::Numeric(turso_core::Numeric::Integer(format))) => Ok(*format),
        other => Err(StoreError::Broken(format!("the database says that its format is {other:?}"))),
    }
}
