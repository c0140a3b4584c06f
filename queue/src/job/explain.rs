//! Why a job is not running: always an answer, as a value, as JSON, and as a sentence.

use super::{
    Attempt, Failure, Gate, How, Job, JobId, LimitRow, Now, PauseRow, Probe, Rate, State, Unmet, Wait, WaitOn, Wall,
    milliseconds,
};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;

/// What a job is doing, and what it waits for if it waits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explanation {
    /// The job.
    pub job: JobId,
    /// The name of its handler.
    pub kind: String,
    /// Attempts begun.
    pub attempts: u32,
    /// Its latest failure, if any.
    pub last_failure: Option<LastFailure>,
    /// Until when an attempt of it may begin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub begins_by: Option<Wall>,
    /// What it is doing.
    #[serde(flatten)]
    pub doing: Doing,
}

/// What a job is doing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum Doing {
    /// A worker holds a lease on it.
    Running {
        /// Who.
        worker: String,
        /// Whether the worker has confirmed that its handler started.
        started: bool,
        /// Milliseconds of steady time until the lease expires, unless a heartbeat renews it.
        expires_in_ms: i64,
        /// Somebody asked for it to stop; its worker hears of it with its next heartbeat.
        cancel_requested: bool,
    },
    /// It is not running, and these are **all** the reasons.
    Waiting {
        /// At least one.
        blockers: Vec<Blocker>,
    },
    /// Nothing will happen to it any more.
    Finished {
        /// Its terminal state.
        outcome: State,
        /// When.
        at: Wall,
        /// The job whose end without a result was the end of this one, which had waited for it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        unmet: Option<UnmetJob>,
        /// Whether no attempt of it could begin in time.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        too_late: bool,
    },
}

/// A job that ended without a result, and another one had waited for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnmetJob {
    /// Which one.
    pub job: JobId,
    /// How it ended.
    pub state: State,
}

/// One reason why a job is not running.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Blocker {
    /// The reason.
    pub reason: Reason,
    /// What ends it.
    pub until: Until,
    /// The condition that keeps it true: once this is false, the reason is gone.
    pub holds_while: String,
    /// How long it can last.
    pub bound: Bound,
}

/// Why a job is not running.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "reason", rename_all = "kebab-case")]
pub enum Reason {
    /// It was enqueued with a delay.
    Delay,
    /// It was enqueued for a time.
    Schedule,
    /// It rests after a failure.
    Backoff {
        /// Failures so far.
        failures: u32,
        /// Failures after which it is discarded.
        max_attempts: u32,
    },
    /// It rests after a crash.
    CrashBackoff {
        /// Crashes so far.
        crashes: u32,
        /// Crashes after which it is quarantined.
        crashes_max: u32,
    },
    /// Its handler asked to be continued later.
    Snooze,
    /// Something outside is not as its handler needs it; the handler looks again.
    Condition {
        /// What.
        what: String,
    },
    /// Its handler waits for a signal.
    Signal {
        /// Its name.
        name: String,
    },
    /// It waits for other jobs to end.
    Jobs {
        /// Those that have not ended, the first of them.
        jobs: Vec<JobId>,
        /// How many there are.
        open: u64,
        /// What becomes of it if one of them ends without a result; nothing if its handler waits for them.
        unmet: Option<Unmet>,
    },
    /// Its worker's lease has expired; it is about to be given to the next one.
    LeaseExpired {
        /// Who had it.
        worker: String,
    },
    /// Somebody has paused its queue, or its kind.
    Paused {
        /// What is paused.
        gate: Gate,
        /// By whom.
        by: String,
        /// Why.
        why: String,
        /// Since when.
        since: Wall,
    },
    /// A service is down that its kind needs.
    ServiceDown {
        /// The worker that found it down last.
        by: String,
        /// What is wrong.
        why: String,
        /// Since when.
        since: Wall,
        /// The job that finds out whether it is back.
        probe: Option<JobId>,
        /// How long until one may, if none does, in milliseconds.
        probe_in_ms: u64,
    },
    /// As many jobs of its queue are leased as may be at once; or as many of its concurrency key.
    Slots {
        /// The lane.
        queue: String,
        /// Its concurrency key, if it is about that.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        concurrency_key: Option<String>,
        /// How many may be leased at once.
        at_once: u32,
        /// How many are.
        held: u64,
        /// Which ones, the first of them.
        holders: Vec<JobId>,
        /// The time until the first of these leases expires unless it is renewed, in milliseconds.
        first_expires_in_ms: u64,
        /// Jobs of the same key that go first, if it is about that.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ahead: Option<Place>,
    },
    /// It has crashed so often that it runs on no worker beside another such job, and there are some that run: their workers are
    /// not granted it. Others are.
    Suspect {
        /// How often it has crashed.
        crashes: u32,
        /// The others, the first of them.
        beside: Vec<JobId>,
    },
    /// As many jobs of its queue have begun as may in some time.
    Rate {
        /// The lane.
        queue: String,
        /// How many may.
        rate: Rate,
        /// How long until the next one may, in milliseconds.
        next_in_ms: u64,
    },
    /// It could run at once: it waits for its turn.
    Line {
        /// The lane.
        queue: String,
        /// Its priority.
        priority: i16,
        /// Jobs of its queue that go first.
        ahead: Place,
        /// Claims for its kind and queue that wait for work at this moment.
        claims_waiting: u64,
        /// How long ago somebody claimed jobs of its kind and queue, in milliseconds; none if nobody has since the
        /// file was opened.
        asked_ms_ago: Option<u64>,
    },
}

/// A count of jobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Place {
    /// This many.
    Exactly(u64),
    /// At least this many; nobody counted further.
    AtLeast(u64),
}

impl Place {
    fn plus_one(self) -> Self {
        match self {
            Self::Exactly(count) => Self::Exactly(count + 1),
            Self::AtLeast(count) => Self::AtLeast(count + 1),
        }
    }
}

/// What ends a wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "until", rename_all = "kebab-case")]
pub enum Until {
    /// A time: whichever of the two comes first.
    Time {
        /// Steady time, if it counts.
        steady_ms: Option<i64>,
        /// Wall time.
        wall_ms: i64,
    },
    /// A worker claims a job of its kind from its queue, and its turn has come.
    Claim,
    /// Somebody sends a signal of that name.
    Signal,
    /// Somebody resumes what is paused.
    Resume,
    /// A job of its kind completes that is let through.
    Probe,
    /// One of those that hold a slot ends, or its lease expires.
    Slot,
    /// The rate lets one more begin.
    Rate,
    /// All of these jobs have ended.
    Ends,
    /// The engine writes down that the lease is lost: before the next answer it gives.
    Pass,
}

/// How long a wait can last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "bound", rename_all = "kebab-case")]
pub enum Bound {
    /// At most this much more time, if no clock runs slow.
    Milliseconds {
        /// Milliseconds.
        at_most: u64,
    },
    /// For as long as it takes until the named event: nothing in the queue bounds it.
    Event,
    /// Until this many jobs of its queue have been claimed.
    Claims {
        /// Claims, its own among them.
        claims: Place,
    },
}

/// A failure, as an explanation shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastFailure {
    /// Which attempt.
    pub attempt: u32,
    /// When.
    pub at: Wall,
    /// What kind.
    pub how: How,
    /// What was said.
    pub message: String,
}

impl LastFailure {
    /// What there is to show of a failure.
    pub fn of(failure: &Failure) -> Self {
        let Failure { attempt, at, how, message, .. } = failure;
        Self { attempt: *attempt, at: *at, how: *how, message: message.to_string() }
    }
}

/// What of the outside a job's explanation needs to know.
#[derive(Clone, Copy, Debug)]
pub struct Line {
    /// Jobs of its queue that go first.
    pub ahead: Place,
    /// Claims that wait for its like.
    pub claims_waiting: u64,
    /// How long ago somebody asked for its like, in milliseconds.
    pub asked_ms_ago: Option<u64>,
}

/// What a job's explanation needs to know beside its own rows.
#[derive(Clone, Debug)]
pub struct Around<'a> {
    /// The jobs for which it waits, if it waits for any.
    pub open: &'a [JobId],
    /// What keeps it from running, beside its time and its turn.
    pub obstacles: Vec<Obstacle>,
    /// Crashes after which it is quarantined.
    pub crashes_max: u32,
}

/// Something that keeps a job from running, beside its time and its turn.
#[derive(Clone, Debug)]
pub enum Obstacle {
    /// Its queue or its kind is paused.
    Paused(PauseRow),
    /// A service is down.
    Down {
        /// The pause of its kind.
        row: PauseRow,
        /// How that ends.
        probe: Probe,
    },
    /// No slot is free.
    Slots(Slots),
    /// It is a suspect, and these others run.
    Suspect(Vec<JobId>),
    /// No more of its queue may begin yet.
    Rate(LimitRow),
}

/// Slots of which none is free.
#[derive(Clone, Debug)]
pub struct Slots {
    /// The concurrency key whose slots they are, and how many jobs of it go first; none if they are the queue's.
    pub key: Option<(Arc<str>, Place)>,
    /// How many there are.
    pub at_once: u32,
    /// Who holds them.
    pub holders: Vec<JobId>,
    /// The time until the first of their leases expires unless it is renewed.
    pub first_expires_in: Duration,
}

/// Explains a job. `latest` is its latest attempt; `line` is asked for only if it waits for its turn.
pub fn explain(
    job: &Job,
    latest: Option<&Attempt>,
    last_failure: Option<&Failure>,
    around: Around<'_>,
    now: Now,
    line: impl FnOnce() -> Line,
) -> Explanation {
    let Around { open, obstacles, crashes_max } = around;
    let obstacles = || obstacles.iter().map(|it| obstacle(job, it, now));
    let doing = match (job.state, latest) {
        (State::Waiting, _) if matches!(job.wait, Wait::Signal | Wait::Jobs) => {
            let until_due = || until_due(job, crashes_max, now);
            let has_a_time = matches!(job.wait_on, Some(WaitOn::Before { .. })) && !job.due.is_due(now);
            let blockers = std::iter::once(held(job, open, now)).chain(has_a_time.then(until_due));
            Doing::Waiting { blockers: blockers.chain(obstacles()).collect() }
        }
        (State::Waiting, _) if job.due.is_due(now) => {
            Doing::Waiting { blockers: obstacles().chain([in_line(job, line())]).collect() }
        }
        (State::Waiting, _) => {
            let blockers = [until_due(job, crashes_max, now)].into_iter().chain(obstacles());
            Doing::Waiting { blockers: blockers.collect() }
        }
        (State::Running, Some(attempt)) if attempt.expires <= now.steady => {
            Doing::Waiting { blockers: vec![lease_expired(attempt)] }
        }
        (State::Running, Some(attempt)) => Doing::Running {
            worker: attempt.worker.to_string(),
            started: attempt.started_at.is_some(),
            expires_in_ms: attempt.expires.0 - now.steady.0,
            cancel_requested: job.cancel_requested,
        },
        (State::Running, None) => unreachable!("job {} runs without an attempt", job.id),
        (outcome, _) => {
            let unmet = match job.wait_on {
                Some(WaitOn::Unmet { job, state }) => Some(UnmetJob { job, state }),
                _ => None,
            };
            let too_late = matches!(job.wait_on, Some(WaitOn::TooLate {}));
            Doing::Finished { outcome, at: job.finished_at.unwrap_or(job.enqueued_at), unmet, too_late }
        }
    };
    let last_failure = last_failure.map(LastFailure::of);
    let (kind, begins_by) = (job.new.kind.to_string(), job.deadline.map(|deadline| deadline.wall));
    Explanation { job: job.id, kind, attempts: job.attempts, last_failure, begins_by, doing }
}

/// Most jobs that an explanation names.
const NAMED_MAX: usize = 10;

fn held(job: &Job, open: &[JobId], now: Now) -> Blocker {
    let bound = || u64::try_from(job.due.wait(now).as_millis()).unwrap_or(u64::MAX);
    match &job.wait_on {
        Some(WaitOn::Signal { name, .. }) => Blocker {
            reason: Reason::Signal { name: name.clone() },
            until: Until::Signal,
            holds_while: format!("no signal {name:?} is there that nobody has taken"),
            bound: if job.due.is_never() { Bound::Event } else { Bound::Milliseconds { at_most: bound() } },
        },
        on => {
            let unmet = if let Some(WaitOn::Before { unmet }) = on { Some(*unmet) } else { None };
            let jobs: Vec<JobId> = open.iter().take(NAMED_MAX).copied().collect();
            let names: Vec<String> = jobs.iter().map(ToString::to_string).collect();
            let more = if open.len() > jobs.len() { ", …" } else { "" };
            Blocker {
                reason: Reason::Jobs { jobs, open: open.len() as u64, unmet },
                until: Until::Ends,
                holds_while: format!("not all of these jobs have ended: {}{more}", names.join(", ")),
                bound: Bound::Event,
            }
        }
    }
}

fn until_due(job: &Job, crashes_max: u32, now: Now) -> Blocker {
    let reason = match job.wait {
        Wait::Line | Wait::Delay => Reason::Delay,
        Wait::Schedule => Reason::Schedule,
        Wait::Backoff => Reason::Backoff { failures: job.failures, max_attempts: job.new.max_attempts },
        Wait::CrashBackoff => Reason::CrashBackoff { crashes: job.crashes, crashes_max },
        Wait::Snooze => Reason::Snooze,
        Wait::Condition => {
            let what = if let Some(WaitOn::Condition { what }) = &job.wait_on { what.clone() } else { String::new() };
            Reason::Condition { what }
        }
        // With the time that it was enqueued for, if it waits for other jobs too.
        Wait::Jobs if job.due.steady.is_none() => Reason::Schedule,
        Wait::Jobs => Reason::Delay,
        Wait::Signal => unreachable!("job {} waits for more than a time", job.id),
    };
    let wall = job.due.wall.0;
    let holds_while = match job.due.steady {
        Some(steady) => format!("steady_ms < {} and wall_ms < {wall}", steady.0),
        None => format!("wall_ms < {wall}"),
    };
    let at_most = u64::try_from(job.due.wait(now).as_millis()).unwrap_or(u64::MAX);
    Blocker {
        reason,
        until: Until::Time { steady_ms: job.due.steady.map(|steady| steady.0), wall_ms: wall },
        holds_while,
        bound: Bound::Milliseconds { at_most },
    }
}

fn in_line(job: &Job, line: Line) -> Blocker {
    let Line { ahead, claims_waiting, asked_ms_ago } = line;
    Blocker {
        reason: Reason::Line {
            queue: job.new.queue.to_string(),
            priority: job.new.priority,
            ahead,
            claims_waiting,
            asked_ms_ago,
        },
        until: Until::Claim,
        holds_while: format!("no claim of kind {:?} from queue {:?} has reached it", &*job.new.kind, &*job.new.queue),
        bound: Bound::Claims { claims: ahead.plus_one() },
    }
}

fn obstacle(job: &Job, obstacle: &Obstacle, now: Now) -> Blocker {
    let queue = || job.new.queue.to_string();
    let whole_ms = |duration| milliseconds(duration).cast_unsigned();
    let (reason, until, holds_while) = match obstacle {
        Obstacle::Paused(PauseRow { gate, by, why, at, .. }) => {
            let (by, why) = (by.to_string(), why.to_string());
            let reason = Reason::Paused { gate: gate.clone(), by, why, since: *at };
            (reason, Until::Resume, format!("{gate} is paused"))
        }
        Obstacle::Down { row: PauseRow { gate, by, why, at, .. }, probe } => {
            let reason = Reason::ServiceDown {
                by: by.to_string(),
                why: why.to_string(),
                since: *at,
                probe: probe.last.filter(|_| probe.under_way.is_some()),
                probe_in_ms: if probe.under_way.is_some() { 0 } else { whole_ms(probe.due.wait(now)) },
            };
            (reason, Until::Probe, format!("no job of {gate} that was let through has completed"))
        }
        Obstacle::Slots(Slots { key, at_once, holders, first_expires_in }) => {
            let (key, ahead) = key.as_ref().map(|(key, ahead)| (key.to_string(), *ahead)).unzip();
            let of_key = key.as_ref().map_or(String::new(), |key| format!(" with key {key:?}"));
            let holds_while = format!("{at_once} jobs of queue {:?}{of_key} are leased", &*job.new.queue);
            let reason = Reason::Slots {
                queue: queue(),
                concurrency_key: key,
                at_once: *at_once,
                held: holders.len() as u64,
                holders: holders.iter().take(NAMED_MAX).copied().collect(),
                first_expires_in_ms: whole_ms(*first_expires_in),
                ahead,
            };
            (reason, Until::Slot, holds_while)
        }
        Obstacle::Suspect(others) => {
            let beside = others.iter().take(NAMED_MAX).copied().collect();
            let reason = Reason::Suspect { crashes: job.crashes, beside };
            (
                reason,
                Until::Slot,
                "another job that has crashed as often is leased, and its worker is not granted this one".into(),
            )
        }
        Obstacle::Rate(row) => {
            let rate = row.rate.expect("it has a rate, or it is no obstacle");
            let reason = Reason::Rate { queue: queue(), rate, next_in_ms: whole_ms(row.wait(now)) };
            (reason, Until::Rate, format!("no token is in the bucket of queue {:?}", &*job.new.queue))
        }
    };
    Blocker { reason, until, holds_while, bound: Bound::Event }
}

fn lease_expired(attempt: &Attempt) -> Blocker {
    Blocker {
        reason: Reason::LeaseExpired { worker: attempt.worker.to_string() },
        until: Until::Pass,
        holds_while: format!("steady_ms >= {} and the loss is not written down", attempt.expires.0),
        bound: Bound::Milliseconds { at_most: 0 },
    }
}

#[cfg(test)]
#[path = "explain_tests.rs"]
mod tests;
