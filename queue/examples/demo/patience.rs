//! Bounds: nothing in the demo is waited for without one.

use crate::Problem;
use std::time::Duration;

/// The longest wait for anything: twice what the longest takes, a lease of the default length.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Waits for what a queue answers.
pub fn wait_for<T, E: Into<Problem>>(what: &str, answer: impl Future<Output = Result<T, E>>) -> Result<T, Problem> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    let answer = runtime.block_on(async { tokio::time::timeout(PATIENCE, answer).await });
    answer.map_err(|_| format!("{what} took more than {} s", PATIENCE.as_secs()))?.map_err(Into::into)
}
