//! Your own handlers on trial. The real queue runs them in a simulated world, which kills their process anywhere, cuts the
//! power, and pauses it; all of that is drawn from a seed. What you promise of them is checked at the end. A seed that
//! breaks the promise breaks it each time, and is told as a short story.
//!
//! `docs/TEST_YOUR_HANDLERS.md` in the repository goes through it, in a crate of its own.
//!
//! ```
//! use outlive::{Context, Done, Failure, Job};
//! use outlive_trial::{Trial, simulate};
//! use serde::{Deserialize, Serialize};
//! use std::sync::{Arc, Mutex};
//!
//! #[derive(Serialize, Deserialize)]
//! struct Charge { order: u32 }
//!
//! impl Job for Charge { const KIND: &'static str = "charge"; type Output = (); }
//!
//! /// What is outside, and outlives every process: it takes each idempotency key once.
//! #[derive(Default)]
//! struct Bank(Mutex<std::collections::BTreeMap<String, u32>>);
//!
//! async fn charge(ctx: Context, job: Charge) -> Result<Done<()>, Failure> {
//!     ctx.state::<Arc<Bank>>().0.lock().unwrap().entry(ctx.idempotency_key("charge")).or_insert(job.order);
//!     Ok(Done::complete(()))
//! }
//!
//! simulate(1..=20, |_| {
//!     let bank = Arc::new(Bank::default());
//!     let charged = bank.clone();
//!     Trial::new(move |worker| worker.handle(charge).state(bank.clone()))
//!         .client(async |outlive| outlive.enqueue(Charge { order: 7 }).key("7").await.map(drop))
//!         .check(move |_| {
//!             let charges = charged.0.lock().unwrap().len();
//!             async move { if charges == 1 { Ok(()) } else { Err(format!("it was charged {charges} times")) } }
//!         })
//! });
//! ```
//!
//! # What a handler may use
//!
//! Whatever its [`Context`](outlive::Context) has: steps, transactions, signals, `ctx.sleep`, `ctx.now`. There is no reactor of
//! tokio's in a simulation: a handler that asks for one is refused, with what to use instead. What it does outside goes
//! through something of your own that it gets by `ctx.state`, and that is plain memory in a trial.

mod drive;
mod faults;
pub mod host;
#[cfg(feature = "network")]
pub mod network;
mod report;
mod story;
mod trial;
mod watch;

pub use host::SimHost;
pub use outlive_sim::Seed;
pub use report::{Broken, find, simulate};
pub use trial::Trial;
