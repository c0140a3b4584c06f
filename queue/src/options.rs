//! What may be chosen about a file. Every opening may choose anew.

use crate::job::{Limits, Refusal, State};
use crate::limits;
use crate::written;
use serde::Deserialize;
use std::time::Duration;

/// What may be chosen about a file.
///
/// It can be part of a program's own configuration: it is read by serde from any format, with durations as words (`"1d"`), a
/// default for what is left out, and an error that names it for what nobody knows.
///
/// ```
/// # use std::time::Duration;
/// let options: outlive::Options = serde_json::from_str(r#"{ "request_retention": "12h", "retention": { "discarded": "forever" } }"#)?;
/// assert_eq!(options.request_retention, Duration::from_secs(12 * 3600));
/// assert_eq!(options.retention.discarded, None);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// Largest payload and result, in bytes of JSON; up to [`limits::PAYLOAD_BYTES_MAX`].
    pub payload_bytes_max: usize,
    /// How long jobs rest, and when they are quarantined.
    pub limits: Limits,
    /// For each so long that a job has waited since it was due, it counts as of one priority more; none if only its own
    /// counts, and a queue that never runs dry of urgent jobs lets the others wait for ever. From
    /// [`limits::AGEING_MIN`] on.
    #[serde(deserialize_with = "written::ageing")]
    pub ageing: Option<Duration>,
    /// For how much steady time a repeated request gets its first answer.
    #[serde(deserialize_with = "written::duration")]
    pub request_retention: Duration,
    /// For how long jobs that have ended are kept.
    pub retention: Retention,
    /// Frames in the write-ahead log at which it is checkpointed; 4 at least.
    pub checkpoint_frames: u64,
    /// Bytes of a page of a file that is made; one that is there keeps its own. A power of two from
    /// [`limits::PAGE_BYTES_MIN`] to [`limits::PAGE_BYTES_MAX`]. Small pages make a commit write
    /// less, and large payloads cost more.
    pub page_bytes: u32,
    /// Whether each page of a file that is made has a checksum; one that is there stays as it is. With them a page
    /// that rots, or is written to another place, is refused and not taken for data. `sqlite3` reads such a file as
    /// any other; after it has *written* to it, `VACUUM` it there too, or its pages are taken for rotten.
    pub page_checksums: bool,
    /// Free space below which enqueue is refused, in bytes.
    pub reserve_bytes: u64,
}

/// For how long jobs that have ended are kept, in steady time from their ends; none is for ever.
///
/// Then a job is removed with its attempts, failures, steps, progress and result, a few at a time; whoever asks for it hears
/// that it was forgotten. A job is kept for longer while another one waits for it, and while a key of it stands for a period.
/// A key that stands for ever goes on standing for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Retention {
    /// Those that have a result.
    #[serde(deserialize_with = "written::kept")]
    pub completed: Option<Duration>,
    /// Those that somebody stopped.
    #[serde(deserialize_with = "written::kept")]
    pub cancelled: Option<Duration>,
    /// Those whose attempts are spent.
    #[serde(deserialize_with = "written::kept")]
    pub discarded: Option<Duration>,
    /// Those that were set aside because they killed their workers.
    #[serde(deserialize_with = "written::kept")]
    pub quarantined: Option<Duration>,
}

impl Default for Retention {
    fn default() -> Self {
        let (done, failed) = (Some(limits::RETENTION_DONE_DEFAULT), Some(limits::RETENTION_FAILED_DEFAULT));
        Self { completed: done, cancelled: done, discarded: failed, quarantined: failed }
    }
}

impl Retention {
    /// Whatever has ended is kept for ever.
    pub const FOREVER: Self = Self { completed: None, cancelled: None, discarded: None, quarantined: None };

    /// For how long jobs in each state in which they end are kept.
    pub fn by_state(&self) -> [(State, Option<Duration>); 4] {
        [
            (State::Completed, self.completed),
            (State::Cancelled, self.cancelled),
            (State::Discarded, self.discarded),
            (State::Quarantined, self.quarantined),
        ]
    }

    /// For how long those that end in this state are kept; nothing if no job ends in it.
    pub fn kept_mut(&mut self, state: State) -> Option<&mut Option<Duration>> {
        match state {
            State::Completed => Some(&mut self.completed),
            State::Cancelled => Some(&mut self.cancelled),
            State::Discarded => Some(&mut self.discarded),
            State::Quarantined => Some(&mut self.quarantined),
            State::Waiting | State::Running => None,
        }
    }

    fn check(&self) -> Result<(), Refusal> {
        for (state, kept) in self.by_state() {
            if let Some(kept) = kept.filter(|kept| *kept < limits::RETENTION_MIN) {
                let shortest = format!("{} or more", humantime::format_duration(limits::RETENTION_MIN));
                let what = format!("the retention of {state} jobs");
                let value = humantime::format_duration(kept);
                return Err(Refusal::limit(what, value, shortest, "whoever waits for a result must find it"));
            }
        }
        Ok(())
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            payload_bytes_max: limits::PAYLOAD_BYTES_DEFAULT,
            limits: Limits::default(),
            ageing: None,
            request_retention: limits::REQUEST_RETENTION_DEFAULT,
            retention: Retention::default(),
            checkpoint_frames: limits::CHECKPOINT_FRAMES_DEFAULT,
            page_bytes: limits::PAGE_BYTES_DEFAULT,
            page_checksums: false,
            reserve_bytes: limits::RESERVE_BYTES_DEFAULT,
        }
    }
}

impl Options {
    pub(crate) fn check(&self) -> Result<(), Refusal> {
        if self.payload_bytes_max > limits::PAYLOAD_BYTES_MAX {
            let (value, limit) = (self.payload_bytes_max, limits::PAYLOAD_BYTES_MAX);
            return Err(Refusal::limit(
                "payload_bytes_max",
                value,
                limit,
                "keep large data in files and pass their names",
            ));
        }
        if let Some(ageing) = self.ageing.filter(|ageing| !(limits::AGEING_MIN..=limits::DELAY_MAX).contains(ageing)) {
            let [value, shortest, longest] =
                [ageing, limits::AGEING_MIN, limits::DELAY_MAX].map(humantime::format_duration);
            let remedy = "a minute lets a job of priority 0 go before fresh ones of priority 5 after five minutes";
            return Err(Refusal::limit("ageing", value, format!("{shortest} to {longest}"), remedy));
        }
        self.retention.check()?;
        if self.checkpoint_frames < 4 {
            return Err(Refusal::limit("checkpoint_frames", self.checkpoint_frames, "4 or more", "choose 1000"));
        }
        let pages = limits::PAGE_BYTES_MIN..=limits::PAGE_BYTES_MAX;
        if !self.page_bytes.is_power_of_two() || !pages.contains(&self.page_bytes) {
            let (value, limit) = (self.page_bytes, "a power of two from 512 to 65536");
            return Err(Refusal::limit("page_bytes", value, limit, "choose 4096"));
        }
        if self.limits.crashes_max == 0 {
            return Err(Refusal::limit("crashes_max", 0, "1 or more", "choose 5"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::Backoff;

    fn read(text: &str) -> Result<Options, String> {
        toml::from_str(text).map_err(|error| error.message().to_owned())
    }

    #[test]
    fn what_is_left_out_is_as_it_is_by_default() {
        assert_eq!(read(""), Ok(Options::default()));
    }

    #[test]
    fn everything_can_be_written() {
        let text = r#"
            payload_bytes_max = 2000
            ageing = "1m"
            request_retention = "12h"
            checkpoint_frames = 500
            page_bytes = 8192
            page_checksums = true
            reserve_bytes = 1000

            [limits]
            backoff = { first = "1s", longest = "10m" }
            crash_backoff = { rest = "250ms" }
            crashes_max = 3

            [retention]
            completed = "1d"
            cancelled = "forever"
            discarded = "90days"
            quarantined = "1h 30m"
        "#;
        let seconds = Duration::from_secs;
        let options = Options {
            payload_bytes_max: 2_000,
            limits: Limits {
                backoff: Backoff::Exponential { first: seconds(1), longest: seconds(600) },
                crash_backoff: Backoff::Fixed { rest: Duration::from_millis(250) },
                crashes_max: 3,
            },
            ageing: Some(seconds(60)),
            request_retention: seconds(12 * 3_600),
            retention: Retention {
                completed: Some(seconds(24 * 3_600)),
                cancelled: None,
                discarded: Some(seconds(90 * 24 * 3_600)),
                quarantined: Some(seconds(5_400)),
            },
            checkpoint_frames: 500,
            page_bytes: 8_192,
            page_checksums: true,
            reserve_bytes: 1_000,
        };
        assert_eq!(read(text), Ok(options));
    }

    #[test]
    fn what_is_beyond_its_limit_is_refused_with_the_limit() {
        for text in ["ageing = '999ms'", "ageing = '11y'"] {
            let refused = read(text).unwrap().check().unwrap_err().to_string();
            assert!(refused.contains("ageing") && refused.contains("1s to 10years"), "{refused}");
        }
        assert_eq!(read("ageing = 'never'").unwrap(), Options::default());
    }

    #[test]
    fn what_nobody_knows_is_refused_by_name() {
        for (text, why) in [
            ("ageing = 'always'", "\"always\" is no duration"),
            ("page_size = 4096", "unknown field `page_size`, expected one of `payload_bytes_max`"),
            ("[retention]\ncompletd = '1d'", "unknown field `completd`, expected one of `completed`"),
            ("[limits]\ncrashes = 1", "unknown field `crashes`"),
            ("request_retention = '1 moon'", "\"1 moon\" is no duration"),
            ("request_retention = 60", "invalid type: integer `60`"),
            ("[retention]\ncompleted = 'always'", "\"always\" is no duration"),
            ("[limits]\nbackoff = { first = '1s' }", "a backoff has `first` and `longest`, or `rest` alone"),
            ("[limits]\nbackoff = { rest = '1s', jitter = 1 }", "unknown field `jitter`"),
        ] {
            let refused = read(text).unwrap_err();
            assert!(refused.starts_with(why), "{text}: {refused}");
        }
    }
}
