//! What a worker decides by itself of failures, in some runs: where the policy of a kind can't say it.

use outlive::job::How;
use outlive::{Failed, Failure};
use std::time::Duration;

/// The rest after a first failure. No handler asks for as much.
pub const RESTS: Duration = Duration::from_millis(4_070);

/// What is decided of a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sentence {
    /// It is as it was.
    AsItIs,
    /// It is tried again after so long, unless it was given up already.
    After(Duration),
    /// It is not tried again.
    ForGood,
    /// Nothing: whoever was to decide panics.
    Nobody,
}

/// What is decided of the failure of this kind that is the so-manieth of its job.
pub fn sentence(how: How, failures: u32) -> Sentence {
    match failures {
        1 => Sentence::After(RESTS),
        2 if how == How::Panic => Sentence::ForGood,
        2 => Sentence::Nobody,
        _ => Sentence::AsItIs,
    }
}

/// Decides of a failure.
pub fn judge(failed: &Failed, failure: Failure) -> Failure {
    match sentence(failed.how, failed.failures) {
        Sentence::AsItIs => failure,
        Sentence::After(rest) => failure.after(rest),
        Sentence::ForGood => failure.for_good(),
        Sentence::Nobody => panic!("nobody decides"),
    }
}
