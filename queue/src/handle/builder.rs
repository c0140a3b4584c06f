//! What may be chosen about a file, one after another.

use super::Outlive;
use crate::error::Error;
use crate::job::{Backoff, State};
use crate::options::Options;
use std::path::Path;
use std::time::Duration;

/// A file about to be opened: say what differs from the [defaults](Options::default), then open it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use = "a file is opened by `open`"]
pub struct OutliveBuilder {
    options: Options,
}

impl OutliveBuilder {
    /// Largest payload and result, in bytes of JSON. See [`Options::payload_bytes_max`].
    pub fn payload_bytes_max(mut self, bytes: usize) -> Self {
        self.options.payload_bytes_max = bytes;
        self
    }

    /// How long jobs rest after a failure, unless the failure or the [policy](Outlive::policy) of their kind says otherwise.
    pub fn backoff(mut self, backoff: Backoff) -> Self {
        self.options.limits.backoff = backoff;
        self
    }

    /// How long jobs rest after a crash of their worker.
    pub fn crash_backoff(mut self, backoff: Backoff) -> Self {
        self.options.limits.crash_backoff = backoff;
        self
    }

    /// Crashes after which a job is quarantined, unless the policy of its kind says otherwise.
    pub fn crashes_max(mut self, crashes: u32) -> Self {
        self.options.limits.crashes_max = crashes;
        self
    }

    /// For each so long that a job has waited since it was due, it counts as of one priority more. See
    /// [`Options::ageing`].
    pub fn ageing(mut self, time: Duration) -> Self {
        self.options.ageing = Some(time);
        self
    }

    /// For how long a repeated request gets its first answer.
    pub fn request_retention(mut self, time: Duration) -> Self {
        self.options.request_retention = time;
        self
    }

    /// For how long jobs that have ended in this state are kept. See [`Retention`](crate::Retention).
    ///
    /// # Panics
    /// If no job ends in this state: a mistake of the program.
    pub fn keep(self, state: State, time: Duration) -> Self {
        self.kept(state, Some(time))
    }

    /// Jobs that have ended in this state are kept for ever.
    ///
    /// # Panics
    /// If no job ends in this state: a mistake of the program.
    pub fn keep_forever(self, state: State) -> Self {
        self.kept(state, None)
    }

    fn kept(mut self, state: State, time: Option<Duration>) -> Self {
        let kept = self.options.retention.kept_mut(state);
        *kept.unwrap_or_else(|| panic!("no job ends {state}, so none is kept so")) = time;
        self
    }

    /// Frames in the write-ahead log at which it is checkpointed. See [`Options::checkpoint_frames`].
    pub fn checkpoint_frames(mut self, frames: u64) -> Self {
        self.options.checkpoint_frames = frames;
        self
    }

    /// Bytes of a page, if the file is made. See [`Options::page_bytes`].
    pub fn page_bytes(mut self, bytes: u32) -> Self {
        self.options.page_bytes = bytes;
        self
    }

    /// Each page has a checksum, if the file is made. See [`Options::page_checksums`].
    pub fn page_checksums(mut self) -> Self {
        self.options.page_checksums = true;
        self
    }

    /// Free space below which enqueue is refused, in bytes.
    pub fn reserve_bytes(mut self, bytes: u64) -> Self {
        self.options.reserve_bytes = bytes;
        self
    }

    /// What was chosen.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// Opens the queue in the file at `path`, or makes it.
    ///
    /// # Errors
    /// As [`Outlive::open`], and if an option is beyond its limit.
    pub async fn open(self, path: impl AsRef<Path>) -> Result<Outlive, Error> {
        Outlive::open_with(path, self.options).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::Limits;
    use crate::options::Retention;

    #[test]
    fn everything_can_be_chosen_and_nothing_else_changes() {
        let seconds = Duration::from_secs;
        let (backoff, crash_backoff) = (Backoff::Fixed { rest: seconds(1) }, Backoff::Fixed { rest: seconds(2) });
        let built = OutliveBuilder::default()
            .payload_bytes_max(2_000)
            .backoff(backoff)
            .crash_backoff(crash_backoff)
            .crashes_max(3)
            .ageing(seconds(10))
            .request_retention(seconds(4))
            .keep(State::Completed, seconds(5))
            .keep(State::Cancelled, seconds(6))
            .keep(State::Discarded, seconds(7))
            .keep_forever(State::Quarantined)
            .checkpoint_frames(8)
            .page_bytes(512)
            .page_checksums()
            .reserve_bytes(9);
        let kept = |time| Some(seconds(time));
        // All of them by name: a new one is missed here.
        let options = Options {
            payload_bytes_max: 2_000,
            limits: Limits { backoff, crash_backoff, crashes_max: 3 },
            ageing: kept(10),
            request_retention: seconds(4),
            retention: Retention { completed: kept(5), cancelled: kept(6), discarded: kept(7), quarantined: None },
            checkpoint_frames: 8,
            page_bytes: 512,
            page_checksums: true,
            reserve_bytes: 9,
        };
        assert_eq!(built.options(), &options);
        assert_eq!(OutliveBuilder::default().options(), &Options::default());
    }

    #[test]
    #[should_panic(expected = "no job ends waiting")]
    fn a_state_in_which_none_ends_is_a_mistake() {
        drop(OutliveBuilder::default().keep_forever(State::Waiting));
    }
}
