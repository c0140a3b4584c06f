//! Outlive: a crash-safe background job queue to embed.
//!
//! *Work that outlives its worker.* The queue's state is one SQLite-compatible file. Kill the
//! process at any instant: no acknowledged job is lost, none is stuck, none has its effect on the
//! queue twice, and every waiting job can say why it waits.
//!
//! ```no_run
//! use outlive::{Context, Done, Failure, Job, Outlive};
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Serialize, Deserialize)]
//! struct Greet { name: String }
//!
//! impl Job for Greet {
//!     const KIND: &'static str = "greet";
//!     type Output = String;
//! }
//!
//! async fn greet(_: Context, job: Greet) -> Result<Done<String>, Failure> {
//!     Ok(Done::complete(format!("Hello, {}!", job.name)))
//! }
//!
//! # async fn example() -> Result<(), outlive::Error> {
//! let outlive = Outlive::open("jobs.db").await?;
//! outlive.enqueue(Greet { name: "Ada".into() }).await?;
//! outlive.worker().handle(greet).run().await
//! # }
//! ```
//!
//! Where to look:
//! - [`Outlive`]: the handle. [`Job`]: a kind of work. [`Context`], [`Done`], [`Failure`]: a handler.
//! - [`job`]: the life of a job, pure. [`order`]: who runs next, pure.
//! - [`host`]: the only doors to the outside. [`store`]: where rows are kept.
//! - [`Transaction`], [`sql`]: the caller's own tables, in the queue's file.
//! - [`protocol`]: what can be asked of a queue. [`limits`]: every limit.

#[cfg(not(any(target_os = "linux", target_os = "macos")))]
compile_error!(
    "outlive runs on Linux and macOS: elsewhere it knows no file lock that dies with its process and no sync that it \
     can trust"
);

mod canonical;
#[cfg(feature = "client")]
pub mod client;
mod engine;
mod error;
mod figures;
mod handle;
pub mod host;
pub mod job;
pub mod limits;
mod options;
pub mod order;
pub mod protocol;
#[cfg(feature = "server")]
pub mod server;
pub mod sql;
pub mod store;
#[cfg(feature = "wire")]
pub mod wire;
mod worker;
mod written;

pub use engine::Local;
pub use error::{Effect, Error};
pub use handle::{
    AwaitResult, Backup, Compacted, EnqueueAll, EnqueueJob, Job, LimitQueue, List, Outlive, SendSignal, SetPolicy,
    SetSchedule, Transaction, compact_file,
};
pub use job::{Explanation, JobId};
pub use options::{Options, Retention};
pub use protocol::{Enqueued, Filter};
#[cfg(feature = "tracing")]
pub use worker::LogLayer;
#[cfg(feature = "tower")]
pub use worker::middleware;
pub use worker::{Context, Done, Ended, Failed, Failure, WaitForSignal, Worker, WorkerBuilder};
