//! What an explanation says to a person.

use super::explain::{Blocker, Bound, Doing, Explanation, Place, Reason, UnmetJob, Until};
use super::{How, JobId, Rate, State, Unmet, Wall};
use std::fmt;
use std::time::Duration;

/// Most of somebody's words that a sentence has, in bytes.
const SENTENCE_BYTES_MAX: usize = 300;

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exactly(count) => write!(f, "{count}"),
            Self::AtLeast(count) => write!(f, "at least {count}"),
        }
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Job {} ({}) ", self.job, self.kind)?;
        match &self.doing {
            Doing::Running { worker, started, expires_in_ms, cancel_requested } => {
                write!(f, "is running on {worker}: attempt {}", self.attempts)?;
                if !started {
                    write!(f, ", granted but not started yet")?;
                }
                write!(f, ". Its lease holds for another {} unless a heartbeat renews it.", seconds(*expires_in_ms))?;
                if *cancel_requested {
                    write!(f, " It was asked to stop, and its worker hears of that with its next heartbeat.")?;
                }
            }
            Doing::Waiting { blockers } => {
                for (i, blocker) in blockers.iter().enumerate() {
                    write!(f, "{}{blocker}", if i == 0 { "" } else { " It also " })?;
                }
                if let Some(by) = self.begins_by {
                    write!(f, " It is discarded if no attempt of it begins by {by}.")?;
                }
            }
            Doing::Finished { outcome, at, unmet, too_late } => {
                let manner = match outcome {
                    State::Completed => "completed",
                    State::Discarded => "was discarded",
                    State::Cancelled => "was cancelled",
                    State::Quarantined => "was quarantined because it kept killing its workers",
                    State::Waiting | State::Running => unreachable!("{outcome} is not terminal"),
                };
                write!(f, "{manner} at {at} after {}", count(u64::from(self.attempts), "attempt"))?;
                match (unmet, self.begins_by) {
                    (Some(UnmetJob { job, state }), _) => {
                        write!(f, ", because job {job}, for which it waited, was {state}.")?
                    }
                    (None, Some(by)) if *too_late => write!(f, ", because no attempt of it could begin by {by}.")?,
                    (None, _) => f.write_str(".")?,
                }
            }
        }
        match &self.last_failure {
            Some(failure) if !matches!(self.doing, Doing::Finished { outcome: State::Completed, .. }) => {
                write!(f, " Attempt {} ended in {}: {}", failure.attempt, failure.how.phrase(), failure.message)
            }
            _ => Ok(()),
        }
    }
}

impl fmt::Display for Blocker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let when = |f: &mut fmt::Formatter<'_>| match (self.until, self.bound) {
            (Until::Time { wall_ms, .. }, Bound::Milliseconds { at_most }) => {
                write!(f, " for another {}, until {}.", seconds(at_most.cast_signed()), Wall(wall_ms))
            }
            _ => f.write_str("."),
        };
        match &self.reason {
            Reason::Delay => f.write_str("waits out the delay it was enqueued with,")?,
            Reason::Schedule => f.write_str("waits for the time it was enqueued for,")?,
            Reason::Backoff { failures, max_attempts } => {
                write!(f, "rests after failure {failures} of {max_attempts}")?;
            }
            Reason::CrashBackoff { crashes, crashes_max } => {
                write!(f, "rests after killing its worker ({crashes} of {crashes_max} times)")?;
            }
            Reason::Snooze => f.write_str("was put back by its own handler")?,
            Reason::Condition { what } => write!(f, "waits because of this: {what}; its handler looks again")?,
            Reason::Signal { name } => {
                write!(f, "waits for a signal {name:?}, and none is there")?;
                return match self.bound {
                    Bound::Milliseconds { at_most } => {
                        write!(f, "; it goes on without one in {}.", seconds(at_most.cast_signed()))
                    }
                    _ => f.write_str("."),
                };
            }
            Reason::Jobs { jobs, open, unmet } => {
                let names: Vec<String> = jobs.iter().map(|job| format!("job {job}")).collect();
                write!(f, "waits for {} to end: {}", count(*open, "job"), names.join(", "))?;
                if *open > jobs.len() as u64 {
                    write!(f, " and {} more", open - jobs.len() as u64)?;
                }
                return f.write_str(match unmet {
                    Some(Unmet::Cancel) => ". If one of them ends without a result, it is cancelled.",
                    Some(Unmet::Discard) => ". If one of them ends without a result, it is discarded.",
                    Some(Unmet::Run) => ". It runs however they end.",
                    None => ".",
                });
            }
            Reason::LeaseExpired { worker } => {
                return write!(f, "has lost its worker {worker}: its lease expired, and it is about to be given away.");
            }
            Reason::Paused { gate, by, why, since } => {
                let (since, why) = (*since, sentence(why));
                return write!(
                    f,
                    "may not start until somebody resumes {gate}, which {by} has paused (since {since}): {why}"
                );
            }
            Reason::ServiceDown { by, why, since, probe, probe_in_ms } => {
                let (since, why) = (*since, sentence(why));
                write!(f, "may not start: a service that its kind needs is down since {since}. {by} said last: {why}")?;
                return match (probe, probe_in_ms) {
                    (Some(job), _) => write!(f, " Job {job} is let through, to find out whether it is back."),
                    (None, 0) => f.write_str(" One of the kind is let through next, to find out whether it is back."),
                    (None, ms) => {
                        let wait = seconds(ms.cast_signed());
                        write!(f, " In {wait} one of the kind is let through, to find out whether it is back.")
                    }
                };
            }
            Reason::Slots { queue, concurrency_key, at_once, held, holders, first_expires_in_ms, ahead } => {
                let key = concurrency_key.as_ref().map_or(String::new(), |key| format!(" for key {key:?}"));
                let names = named(holders, *held);
                match (at_once, held) {
                    (1, 1) => write!(f, "waits for the only slot of queue {queue:?}{key}, which {names} has")?,
                    (slots, held) if *held > u64::from(*slots) => {
                        write!(f, "waits for a free slot of queue {queue:?}{key}: {held} jobs have leases for ")?;
                        write!(f, "{} ({names})", count(u64::from(*slots), "slot"))?;
                    }
                    (slots, _) => {
                        write!(f, "waits for a free slot of queue {queue:?}{key}: all {slots} are taken ({names})")?;
                    }
                }
                if let Some(ahead) = ahead.filter(|ahead| *ahead != Place::Exactly(0)) {
                    write!(f, "; {} of the key go first", others(ahead))?;
                }
                let expires = seconds(first_expires_in_ms.cast_signed());
                return write!(f, ". The first of these leases expires in {expires} unless it is renewed.");
            }
            Reason::Suspect { crashes, beside } => {
                let names = named(beside, beside.len() as u64);
                write!(
                    f,
                    "was running when its worker died, {crashes} times, and is not granted to a worker that runs "
                )?;
                return write!(f, "another such job, so that the cause is found. These run now: {names}.");
            }
            Reason::Rate { queue, rate: Rate { jobs, per_ms, .. }, next_in_ms } => {
                let (period, next) = (seconds(per_ms.cast_signed()), seconds(next_in_ms.cast_signed()));
                let jobs = count(u64::from(*jobs), "attempt");
                return write!(
                    f,
                    "waits because queue {queue:?} lets {jobs} begin in {period}; the next one may in {next}."
                );
            }
            Reason::Line { queue, ahead, claims_waiting, asked_ms_ago, .. } => {
                match ahead {
                    Place::Exactly(0) => write!(f, "is next in line in queue {queue}")?,
                    ahead => write!(f, "waits in line in queue {queue} behind {}", others(*ahead))?,
                }
                return match (claims_waiting, asked_ms_ago) {
                    (0, Some(ms)) => {
                        let ago = seconds(ms.cast_signed());
                        write!(f, ", but no worker is asking for its kind at the moment; one did {ago} ago.")
                    }
                    (0, None) => f.write_str(", but no worker has asked for its kind since the file was opened."),
                    _ => write!(f, ", and {} for its kind.", workers_asking(*claims_waiting)),
                };
            }
        }
        when(f)
    }
}

/// These jobs, and how many more there are of `all`.
fn named(jobs: &[JobId], all: u64) -> String {
    let names: Vec<String> = jobs.iter().map(|job| format!("job {job}")).collect();
    let more = all.saturating_sub(jobs.len() as u64);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{more}", names.join(", "))
}

/// So many other jobs.
fn others(count: Place) -> String {
    if count == Place::Exactly(1) { "1 other job".into() } else { format!("{count} other jobs") }
}

/// What somebody has written, as the end of a sentence: in one line, not too long, and with a full stop.
fn sentence(text: &str) -> String {
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let cut = words.floor_char_boundary(SENTENCE_BYTES_MAX);
    let (start, more) = (&words[..cut], if cut < words.len() { " …" } else { "" });
    if more.is_empty() && start.ends_with(['.', '!', '?']) { start.to_owned() } else { format!("{start}{more}.") }
}

fn workers_asking(count: u64) -> String {
    if count == 1 { "1 worker is asking".into() } else { format!("{count} workers are asking") }
}

impl How {
    /// What it was, in a sentence.
    pub const fn phrase(self) -> &'static str {
        match self {
            Self::Error => "an error",
            Self::Panic => "a panic",
            Self::Timeout => "a time-out",
            Self::Undecodable => "a payload that does not decode",
            Self::Crash => "a crash",
            Self::LeaseExpired => "an expired lease before it had started",
            Self::Shutdown => "its worker's shutdown",
            Self::Cancelled => "cancellation",
        }
    }
}

fn count(count: u64, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

fn seconds(milliseconds: i64) -> String {
    let milliseconds = milliseconds.max(0).cast_unsigned();
    match milliseconds {
        0..10_000 => format!("{}.{} s", milliseconds / 1_000, milliseconds % 1_000 / 100),
        _ => humantime::format_duration(Duration::from_secs(milliseconds / 1_000)).to_string(),
    }
}
