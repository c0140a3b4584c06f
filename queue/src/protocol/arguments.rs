//! What requests are made of.

use crate::job::{Holder, How, JobId, Policy, Rate, State, text_enum};
use serde::{Deserialize, Serialize};

text_enum! {
    /// What can be asked for many jobs.
    pub enum Bulk {
        /// To try them once more.
        Retry = "retry",
        /// To stop.
        Cancel = "cancel",
    }
}

/// Some of the jobs in a state, by rising number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListJobs {
    /// Which ones.
    pub filter: Filter,
    /// Behind this one.
    pub after: JobId,
    /// How many at the most. There may be fewer, and more behind them.
    pub most: u32,
}

/// Which jobs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Filter {
    /// In this state.
    pub state: State,
    /// Of this kind, or of any.
    pub kind: Option<String>,
    /// In this queue, or in any.
    pub queue: Option<String>,
}

/// The limits of a queue. What is left out has no limit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QueueLimits {
    /// Which queue.
    pub queue: String,
    /// How many of its jobs may be leased at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_once: Option<u32>,
    /// How many of its jobs with the same concurrency key may be leased at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_once_per_key: Option<u32>,
    /// How many attempts may begin in some time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<Rate>,
}

/// The policy of a kind. What is left out is as it is for all.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KindPolicy {
    /// Which kind.
    pub kind: String,
    /// What is decided for its jobs.
    #[serde(flatten)]
    pub policy: Policy,
}

/// The policy of a kind, as people see it.
pub type PolicyView = KindPolicy;

/// For what an attempt waits. Its job goes on as another attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "for", rename_all = "kebab-case", deny_unknown_fields)]
pub enum On {
    /// The oldest signal of a name that nobody has taken. It becomes the result of a step.
    Signal {
        /// The signal's name.
        name: String,
        /// The step that has it: `{"sent": …}`, or `null` if the time was over.
        step: String,
        /// For how long, in milliseconds; without it, for ever.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        limit_ms: Option<u64>,
    },
    /// The ends of other jobs. What became of each is the result of a step.
    Jobs {
        /// Which ones.
        jobs: Vec<JobId>,
        /// The step that has their ends.
        step: String,
    },
    /// Something outside, of which the queue can't tell: the handler looks again after some time.
    Condition {
        /// What is not as it must be, for people.
        what: String,
        /// After how many milliseconds.
        again_ms: u64,
    },
    /// A service that all jobs of the kind need. None of them begins until it is back: every now and then one is let
    /// through, and if that completes, it is.
    Service {
        /// What is wrong with it, for people.
        why: String,
        /// The rest before one is let through, in milliseconds.
        probe_ms: u64,
    },
}

/// A signal to be sent: it is there from then on, until a job takes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signal {
    /// What those who wait for it call it.
    pub name: String,
    /// The sender's name for it, unique among signals of its name: a repeat changes nothing.
    pub key: Option<String>,
    /// What it carries, as JSON.
    pub payload: String,
}

/// How far an attempt has come. What is not said stays as it was said before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// The place of this report among those of its attempt, from 1 on: one that is overtaken changes nothing.
    pub number: u64,
    /// How much is done, in parts in a million.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parts_per_million: Option<u32>,
    /// What it is about, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Where a later attempt should go on, as JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkpoint: Option<String>,
}

/// A wish for work.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// Who asks, for people.
    pub worker: String,
    /// Where the worker is: what comes over a wire is from elsewhere, whatever it says.
    pub holder: Holder,
    /// From which queues.
    pub queues: Vec<String>,
    /// Of which kinds.
    pub kinds: Vec<String>,
    /// How many jobs at the most.
    pub most: u32,
    /// For how long each is granted.
    pub lease_ms: u64,
    /// How long to wait if there is nothing to do.
    pub wait_ms: u64,
}

/// A failure, as its worker reports it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reported {
    /// The kind of failure.
    pub how: How,
    /// What was said.
    pub message: String,
    /// The causes behind it, outermost first.
    pub causes: Vec<String>,
    /// Whether another attempt could help.
    pub retryable: bool,
    /// When to try again, if not by the policy.
    pub retry_after_ms: Option<u64>,
}
