//! Rows in one SQLite-compatible file, by way of `turso_core`.
//!
//! The only place that knows SQL and the database. Every byte goes through the host's disk.

mod caller;
mod check;
mod columns;
mod compact;
mod create;
mod database;
mod dialect;
mod io;
mod judge;
mod layout;
mod lock;
mod migrate;
mod open;
mod programs;
mod rows;
mod schema;
mod snapshot;
mod store;
mod sums;
mod tail;
mod wal;

pub(crate) use lock::{beside, io_error};
pub use open::TursoStorage;
pub use schema::{APPLICATION_ID, FORMAT};
pub use store::TursoStore;
pub(crate) use wal::directory;
