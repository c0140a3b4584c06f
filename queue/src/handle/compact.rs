//! A smaller file, for a queue that is open.

use super::Outlive;
use crate::error::Error;
use crate::host::Host;
use crate::protocol::CallError;

/// A file that was made smaller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Compacted {
    /// How many bytes it had.
    pub before_bytes: u64,
    /// How many bytes it has.
    pub after_bytes: u64,
}

impl<H: Host> Outlive<H> {
    /// Gives back to the file system what the file has no use for any more: pages of jobs that were forgotten. Nobody needs to
    /// do this, since the queue uses such pages again; it is for a file that was once much longer than it will ever be again.
    ///
    /// It reads the whole file, and moves pages from its end to where none are. Meanwhile the queue answers nobody, for as long
    /// as the reading takes and a second more at a time; then it goes on, and this call looks at the file again. Pages that are
    /// half empty stay so. A crash in the middle leaves a part of the way done.
    ///
    /// ```
    /// # async fn example(outlive: outlive::Outlive) -> Result<(), outlive::Error> {
    /// let compacted = outlive.compact().await?;
    /// println!("{} bytes were given back", compacted.before_bytes.saturating_sub(compacted.after_bytes));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`Error::Rejected`] for a queue behind a server, whose file is elsewhere, while a [copy](Self::backup) is made, and for a
    /// file that is not understood to its last page, which is left as it is; [`Error::Unavailable`] for what the disk says:
    /// then a part of the way may be done.
    pub async fn compact(&self) -> Result<Compacted, Error> {
        self.caller().check_outside("a compaction")?;
        let mut before_bytes = None;
        loop {
            let compacting = self.caller().service().compact().await.map_err(|error| match error {
                CallError::Rejected { why } => Error::Rejected { why },
                error => Error::Unavailable { why: error.to_string() },
            })?;
            let before_bytes = *before_bytes.get_or_insert(compacting.before_bytes);
            // Whoever works may take the room as fast as it is given back.
            if compacting.is_done || compacting.after_bytes >= compacting.before_bytes {
                return Ok(Compacted { before_bytes, after_bytes: compacting.after_bytes });
            }
        }
    }
}
