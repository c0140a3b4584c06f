//! When two failures are the same one.

use crate::checkers::Violation;
use crate::replay::Replay;
use crate::runner::Ending;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A failure, by what it has in common with others of the same cause. Never by a message: those name ids and times.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Failure {
    /// A clause was violated, in this transition.
    Violation {
        /// The clause.
        clause: String,
        /// What broke.
        transition: String,
    },
    /// The run did not come to its end, or somebody panicked there.
    Broken {
        /// How, up to its first number.
        how: String,
    },
}

impl Failure {
    fn violation(violation: &Violation) -> Self {
        Self::Violation { clause: violation.clause.clone(), transition: violation.transition.clone() }
    }

    fn broken(why: &str) -> Self {
        let how = why.split(|c: char| c.is_ascii_digit()).next().unwrap_or_default().trim_end();
        Self::Broken { how: how.to_owned() }
    }

    /// The failures of a run that ended so, the first one first.
    pub fn of_run(ending: &Ending) -> Vec<Self> {
        match ending {
            Ending::Good => Vec::new(),
            Ending::Violated(violations) => violations.iter().map(Self::violation).collect(),
            Ending::Broken(why) => vec![Self::broken(why)],
        }
    }

    /// The failures of a file that was played.
    pub fn of_replay(replay: &Replay) -> Vec<Self> {
        let broken = replay.broken.iter().map(|why| Self::broken(why));
        replay.violations.iter().map(Self::violation).chain(broken).collect()
    }

    /// The invariant that it is about: `I1` to `I5`, or `L`. A run without an end is about liveness.
    pub fn invariant(&self) -> &str {
        match self {
            Self::Violation { clause, .. } => clause.split('.').next().unwrap_or(clause),
            Self::Broken { .. } => "L",
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Violation { clause, transition } => write!(f, "{clause}: {transition}"),
            Self::Broken { how } => write!(f, "broken: {how}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_a_message_do_not_tell_failures_apart() {
        let one = Ending::Broken("task engine panicked at engine.rs:7:9: index 3".into());
        let other = Ending::Broken("task engine panicked at engine.rs:9:9: index 4".into());
        let third = Ending::Broken("no end within 2000s of simulated time".into());
        assert_eq!(Failure::of_run(&one), Failure::of_run(&other));
        assert_ne!(Failure::of_run(&one), Failure::of_run(&third));
        assert_eq!(Failure::of_run(&Ending::Good), []);
    }
}
