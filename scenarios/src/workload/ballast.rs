//! Rows that make the file longer and are gone then, so that there is something to make it smaller by.

use outlive::host::Host;
use outlive::{Error, Outlive};

const TABLE: &str = "CREATE TABLE IF NOT EXISTS ballast (bytes)";
const LOAD: &str = "INSERT INTO ballast VALUES (?1)";
const UNLOAD: &str = "DELETE FROM ballast";
/// Bytes of a row: about a page.
const ROW_BYTES: usize = 4_000;

/// Adds so many rows.
pub async fn load<H: Host>(outlive: &Outlive<H>, rows: u64) -> Result<(), Error> {
    outlive
        .transaction(async |tx| {
            tx.execute(TABLE, ()).await?;
            for _ in 0..rows {
                tx.execute(LOAD, [vec![0_u8; ROW_BYTES]]).await?;
            }
            Ok(())
        })
        .await
}

/// Removes all rows.
pub async fn unload<H: Host>(outlive: &Outlive<H>) -> Result<(), Error> {
    outlive.transaction(async |tx| tx.execute(UNLOAD, ()).await.map(drop)).await
}
