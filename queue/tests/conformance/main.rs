//! What every store must make true, through the engine: the same tests run on each of them.
#![cfg(unix)]
#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "the tests bring their own host")]

mod bench;
mod claims;
mod copies;
mod ends;
mod explains;
mod gates;
mod history;
mod host;
mod keys;
mod leases;
mod limits;
mod log;
mod lost;
mod policies;
mod progress;
mod random;
mod real_failures;
mod reopening;
mod requests;
mod results;
mod retention;
mod schedules;
mod second_chances;
mod settled;
mod steps;
mod times;
mod together;
mod transactions;
mod waits;
