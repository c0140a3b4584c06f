//! A job that is wished for, and what its handler does.

use outlive::job::{TraceParent, Unmet};
use outlive::protocol::{Enqueue, Scope};
use serde::{Deserialize, Serialize};

/// The kinds of job that workers handle.
pub const KINDS: [&str; 3] = ["alpha", "beta", "gamma"];
/// The kind whose handler blocks its thread.
pub const BLOCKING: &str = KINDS[2];
/// The number of the first job that follows a transfer, beyond that of the job with the transfer; the second one is as far
/// beyond the first.
pub const FOLLOWS: u64 = 1_000;
/// The queues.
pub const QUEUES: [&str; 3] = ["default", "mail", "bulk"];
/// A payload that no handler decodes.
pub const GARBAGE: &str = "garbage";
/// How often what has a key that ends is asked for again: some time later, each.
pub const OFTEN: u64 = 3;

/// A job that a client wants in the file.
#[derive(Clone, Debug)]
pub struct Intent {
    /// Its number in the run; it stands in the payload, so that a row tells which wish it was.
    pub number: u64,
    /// What is asked for.
    pub enqueue: Enqueue,
    /// How often another client asks for the same under the same key.
    pub repeats: u64,
    /// The numbers of the jobs that must have ended before it may run, and what becomes of it if one of them ends without
    /// a result. Nobody asks for it before these are known.
    pub after: Option<(Vec<u64>, Unmet)>,
}

impl Intent {
    /// Whether it may be made again once its key has ended.
    pub fn recurs(&self) -> bool {
        self.enqueue.key.as_ref().is_some_and(|key| key.scope != Scope::Forever)
    }

    /// Whether some attempt of it does something in tables of its own.
    pub fn transfers(&self) -> bool {
        self.script().is_some_and(|script| script.transfers())
    }

    /// Whether its attempts take steps.
    pub fn steps(&self) -> bool {
        self.script().is_some_and(|script| script.steps > 0)
    }

    /// Whether its attempts say how far they have come.
    pub fn reports(&self) -> bool {
        self.script().is_some_and(|script| script.reports > 0)
    }

    /// Whether its attempts say what they do.
    pub fn speaks(&self) -> bool {
        self.script().is_some_and(|script| script.lines > 0)
    }

    /// What its handler does, if its payload decodes.
    pub fn script(&self) -> Option<Script> {
        serde_json::from_str(&self.enqueue.payload).ok()
    }
}

/// What a job's handler does, attempt by attempt; the last one is repeated.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Script {
    /// The intent's number.
    pub number: u64,
    /// How each attempt ends.
    pub acts: Vec<Act>,
    /// How long each takes.
    pub work_ms: u64,
    /// How many steps each takes before its end.
    #[serde(default, skip_serializing_if = "is_none")]
    pub steps: u32,
    /// How often each says how far it has come, and stores where to go on.
    #[serde(default, skip_serializing_if = "is_none")]
    pub reports: u32,
    /// How many lines each says, of what it does.
    #[serde(default, skip_serializing_if = "is_none")]
    pub lines: u32,
    /// For how many signals each waits.
    #[serde(default, skip_serializing_if = "is_none")]
    pub signals: u32,
    /// For how many other jobs each waits.
    #[serde(default, skip_serializing_if = "is_none")]
    pub others: u32,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
const fn is_none(steps: &u32) -> bool {
    *steps == 0
}

impl Script {
    /// What the job of this script carries.
    pub fn payload(&self, decodes: bool) -> String {
        if decodes {
            serde_json::to_string(self).expect("a script is JSON")
        } else {
            serde_json::json!({ GARBAGE: self.number }).to_string()
        }
    }

    /// Whether some attempt of it does something in tables of its own.
    pub fn transfers(&self) -> bool {
        self.acts.iter().any(|act| matches!(act, Act::Transfer | Act::TakeBack))
    }

    /// Whether this step, 0 first, does something in tables of its own: the first one of a job with a transfer.
    pub fn does_in_tables(&self, step: u32) -> bool {
        step == 0 && self.transfers()
    }

    /// How this attempt ends.
    pub fn act(&self, attempt: u32) -> Act {
        self.acts[(attempt as usize - 1).min(self.acts.len() - 1)]
    }
}

/// How an attempt ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Act {
    /// With a result.
    Complete,
    /// With a retryable error.
    Fail,
    /// With a retryable error that says when.
    FailAfter(u64),
    /// With an error that is not retryable.
    Discard,
    /// With a panic.
    Panic,
    /// With a snooze for this many milliseconds.
    Snooze(u64),
    /// With something outside that is not as it must be, and a look at it after this many milliseconds.
    LookAgain(u64),
    /// With a service that is down, and a job that looks whether it is back after this many milliseconds.
    ServiceDown(u64),
    /// With a result, in a transaction with what it does in tables of its own and with jobs that follow.
    Transfer,
    /// With a retryable error, after all that a transfer does.
    TakeBack,
    /// With the death of its process.
    Kill,
    /// Never.
    Hang,
}

/// The trace of this number, from 1 on.
pub fn traced(number: u64) -> Option<Box<TraceParent>> {
    TraceParent::new(number.into(), number, number.is_multiple_of(2)).map(Box::new)
}
