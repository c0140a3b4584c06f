//! What an error of the database means: a refusal, a broken disk, or a file that is not as it was written.
//!
//! A disk that fails says so, and the file may be whole: it is opened anew. A database that does not understand
//! its own file, although no operation has failed, has been given other bytes than it wrote. To open that again
//! gives the same bytes again, and to go on would make it worse.

use super::io::HostIo;
use crate::engine::panic_message;
use crate::host::Host;
use crate::limits;
use crate::store::{SqlError, StoreError};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use turso_core::{CompletionError, LimboError};

/// How often the database has panicked, over all openings of a process. A few times are taken for mishaps, and the
/// file is opened anew; more are taken for what is in the file, and so is one before anything was written.
#[derive(Clone, Default)]
pub struct Panics {
    count: Arc<AtomicU32>,
    has_worked: Arc<AtomicBool>,
}

impl Panics {
    /// Something was written, so the database works.
    pub fn has_worked(&self) {
        self.has_worked.store(true, Ordering::Relaxed);
    }

    /// Counts one; whether it is taken for what is in the file.
    fn count(&self) -> bool {
        self.count.fetch_add(1, Ordering::Relaxed) >= limits::STUMBLES_MAX || !self.has_worked.load(Ordering::Relaxed)
    }
}

/// Judges the errors of one opening.
pub struct Judge<H: Host> {
    /// Whether an operation has failed.
    pub io: Arc<HostIo<H>>,
    /// The file.
    pub path: Arc<str>,
    /// Over all openings.
    pub panics: Panics,
}

impl<H: Host> Judge<H> {
    /// What an error means.
    pub fn error(&self, error: LimboError) -> StoreError {
        let says = error.to_string();
        match error {
            _ if self.io.has_failed() => StoreError::Broken(says),
            LimboError::Constraint(_) => StoreError::Refused(says),
            LimboError::Corrupt(_)
            | LimboError::NotADB
            | LimboError::InternalError(_)
            | LimboError::ParseError(_)
            | LimboError::LexerError(_)
            | LimboError::ConversionError(_)
            | LimboError::InvalidArgument(_)
            | LimboError::IntegerOverflow
            | LimboError::TooBig
            | LimboError::SchemaUpdated
            | LimboError::SchemaConflict
            | LimboError::Page1NotAlloc
            | LimboError::NullValue
            | LimboError::InvalidColumnType
            | LimboError::UnsupportedEncoding(_) => self.damaged(says),
            LimboError::CompletionError(error) => match error {
                CompletionError::PageCodecError { page_idx } => {
                    self.damaged(format!("page {page_idx} is not as it was written"))
                }
                CompletionError::ShortRead { .. }
                | CompletionError::ShortReadWalFrame { .. }
                | CompletionError::WalFramePageMismatch { .. }
                | CompletionError::ChecksumMismatch { .. } => self.damaged(says),
                _ => StoreError::Broken(says),
            },
            _ => StoreError::Broken(says),
        }
    }

    /// What an error of a statement of the caller's means: it is about the statement, unless the disk has failed or
    /// the file does not read.
    pub fn error_for_caller(&self, error: LimboError) -> SqlError {
        let of_the_file = matches!(error, LimboError::Corrupt(_) | LimboError::NotADB | LimboError::CompletionError(_));
        if of_the_file || self.io.has_failed() {
            return SqlError::Store(self.error(error));
        }
        SqlError::Refused(error.to_string())
    }

    /// Does something with the database for the caller. A panic says nothing of the file: it may be the statement
    /// that the database can't cope with. The file is opened anew.
    pub fn guard_caller<T>(&self, work: impl FnOnce() -> T) -> Result<T, StoreError> {
        catch_unwind(AssertUnwindSafe(work)).map_err(|panic| {
            StoreError::Broken(format!("the database panicked over a statement: {}", panic_message(&*panic)))
        })
    }

    /// What is in the file is not what was written.
    pub fn damaged(&self, found: String) -> StoreError {
        StoreError::Damaged { path: self.path.to_string(), found }
    }

    /// Does something with the database, which may panic over what it reads.
    pub fn guard<T>(&self, work: impl FnOnce() -> T) -> Result<T, StoreError> {
        // What a panic leaves half done is dropped with this opening.
        catch_unwind(AssertUnwindSafe(work)).map_err(|panic| {
            let says = format!("the database panicked: {}", panic_message(&*panic));
            if self.panics.count() && !self.io.has_failed() { self.damaged(says) } else { StoreError::Broken(says) }
        })
    }
}
