//! What a checker says of a violation: the sentence for people, and what it is about for everybody else.

use super::Violation;
use outlive::JobId;
use outlive::job::Token;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// What a violation is about, as far as its checker knows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subject {
    /// The job.
    pub job: Option<i64>,
    /// Fencing tokens of the attempts, in the order in which the sentence needs them.
    pub attempts: Vec<i64>,
    /// Calls, by their numbers in the run, in the order in which the sentence needs them.
    pub calls: Vec<u64>,
    /// The moment at which it broke, in true time; none if it is only seen at the end.
    pub at: Option<Duration>,
}

/// A violation without its clause.
pub struct Finding {
    sentence: String,
    transition: String,
    subject: Subject,
}

impl Finding {
    /// What broke, in words that name no id, no number and no time.
    pub fn new(transition: impl Into<String>, sentence: String) -> Self {
        Self { sentence, transition: transition.into(), subject: Subject::default() }
    }

    /// The job that it is about.
    pub fn job(mut self, job: JobId) -> Self {
        self.subject.job = Some(job.0);
        self
    }

    /// An attempt that it is about.
    pub fn attempt(mut self, token: Token) -> Self {
        self.subject.attempts.push(token.0);
        self
    }

    /// A call that it is about, by its number in the run.
    pub fn call(mut self, number: u64) -> Self {
        self.subject.calls.push(number);
        self
    }

    /// Several calls that it is about.
    pub fn calls(mut self, numbers: impl IntoIterator<Item = u64>) -> Self {
        self.subject.calls.extend(numbers);
        self
    }

    /// When it broke, in true time.
    pub fn at(mut self, at: Duration) -> Self {
        self.subject.at = Some(at);
        self
    }

    /// The violation of this clause.
    pub(super) fn of(self, clause: &str) -> Violation {
        let Self { sentence, transition, subject } = self;
        Violation { clause: clause.to_owned(), sentence, transition, subject }
    }
}

impl Violation {
    /// A file that can't be opened, or that stock SQLite does not read as we do.
    pub fn of_the_file(transition: &str, sentence: String) -> Self {
        Finding::new(transition, sentence).of("I1.f")
    }

    /// An expectation of a scenario file that was not met.
    pub fn of_expectation(sentence: String) -> Self {
        Finding::new("expectation not met", sentence).of("the file")
    }
}
