//! What a handler says of its attempt.

use crate::job::How;
use std::error::Error;
use std::time::Duration;

/// How an attempt ended well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Done<T> {
    /// With a result: the job is completed.
    Complete(T),
    /// With a wish to go on later. No attempt is spent.
    Snooze(Duration),
    /// With something outside that is not as it must be, and a wish to look again. No attempt is spent.
    LookAgain {
        /// After how long.
        after: Duration,
        /// What is not as it must be, for people.
        what: String,
    },
    /// With a service that all jobs of the kind need and that is down. No attempt is spent.
    ServiceDown {
        /// What is wrong with it, for people.
        why: String,
        /// The rest before a job is let through to find out whether it is back: from [`PROBE_MIN`](crate::limits::PROBE_MIN)
        /// to [`PROBE_MAX`](crate::limits::PROBE_MAX), whatever is said.
        probe: Duration,
    },
    /// With a result that [`Transaction::complete`](crate::Transaction::complete) has stored already.
    Committed(T),
}

impl<T> Done<T> {
    /// The job is completed.
    pub fn complete(output: T) -> Self {
        Self::Complete(output)
    }

    /// The job is put back because of something outside, and looks again after some time: whoever asks why it waits
    /// is told what it said. An attempt is not spent.
    ///
    /// ```
    /// # use outlive::{Context, Done, Failure};
    /// # use std::{path::Path, time::Duration};
    /// # async fn import(_: Context, path: &Path) -> Result<Done<()>, Failure> {
    /// if !path.exists() {
    ///     return Ok(Done::look_again(Duration::from_secs(30), format!("{} is not there", path.display())));
    /// }
    /// # Ok(Done::complete(())) }
    /// ```
    pub fn look_again(after: Duration, what: impl Into<String>) -> Self {
        Self::LookAgain { after, what: what.into() }
    }

    /// The job is put back because a service is down that all jobs of its kind need. None of them begins any more, until
    /// it is back: every `probe` one is let through, and if that completes, it is. Whoever asks why one of them waits is
    /// told that, and what this says. An attempt is not spent.
    ///
    /// ```
    /// # use outlive::{Context, Done, Failure};
    /// # use std::time::Duration;
    /// # enum Sent { Yes, NobodyListens }
    /// # async fn post() -> Sent { Sent::Yes }
    /// # async fn send(_: Context) -> Result<Done<()>, Failure> {
    /// match post().await {
    ///     Sent::Yes => Ok(Done::complete(())),
    ///     Sent::NobodyListens => Ok(Done::service_down(Duration::from_secs(30), "nobody listens at the mail server")),
    /// }
    /// # }
    /// ```
    pub fn service_down(probe: Duration, why: impl Into<String>) -> Self {
        Self::ServiceDown { why: why.into(), probe }
    }

    /// The job is put back, to run again after `delay`.
    pub fn snooze(delay: Duration) -> Self {
        Self::Snooze(delay)
    }
}

/// How an attempt ended badly. Any error becomes one by `?`, and is then retryable.
///
/// It is no `Error` itself, so that every error can become one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    pub(crate) message: String,
    pub(crate) causes: Vec<String>,
    pub(crate) retryable: bool,
    pub(crate) retry_after: Option<Duration>,
}

impl Failure {
    /// To be tried again, after the pause that the policy decides.
    pub fn retry(message: impl Into<String>) -> Self {
        Self { message: message.into(), causes: Vec::new(), retryable: true, retry_after: None }
    }

    /// To be tried again after `delay`.
    pub fn retry_after(delay: Duration, message: impl Into<String>) -> Self {
        Self { retry_after: Some(delay), ..Self::retry(message) }
    }

    /// Not to be tried again: it would not help.
    pub fn discard(message: impl Into<String>) -> Self {
        Self { retryable: false, ..Self::retry(message) }
    }
}

impl Failure {
    /// What went wrong, without the causes behind it.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The causes behind it, outermost first.
    pub fn causes(&self) -> &[String] {
        &self.causes
    }

    /// Whether it may be tried again.
    pub fn is_retryable(&self) -> bool {
        self.retryable
    }

    /// The same, to be tried again after `delay`, unless it is not to be tried again at all.
    pub fn after(self, delay: Duration) -> Self {
        Self { retry_after: Some(delay), ..self }
    }

    /// The same, not to be tried again.
    pub fn for_good(self) -> Self {
        Self { retryable: false, retry_after: None, ..self }
    }
}

/// What a worker knows of an attempt that has failed: what [`WorkerBuilder::on_failure`](crate::WorkerBuilder::on_failure)
/// decides by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failed {
    /// The kind of failure: an error, a panic, a time-out, or a payload that does not decode.
    pub how: How,
    /// Which execution of the job it was: 1, 2, …
    pub attempt: u32,
    /// How often the job has failed, this time among them.
    pub failures: u32,
    /// Failures after which it is discarded, whatever is decided.
    pub max_attempts: u32,
}

impl<E: Error> From<E> for Failure {
    fn from(error: E) -> Self {
        let causes = std::iter::successors(error.source(), |&cause| cause.source());
        Self { causes: causes.map(ToString::to_string).collect(), ..Self::retry(error.to_string()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("could not send")]
    struct Outer(#[source] std::num::ParseIntError);

    #[test]
    fn an_error_becomes_a_failure_with_its_causes() {
        let attempt = || -> Result<u8, Failure> { Ok("x".parse::<u8>().map_err(Outer)?) };
        let failure = attempt().unwrap_err();
        assert_eq!(failure.message, "could not send");
        assert_eq!(failure.causes, ["invalid digit found in string"]);
        assert!(failure.retryable);
    }
}
