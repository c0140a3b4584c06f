//! What the demo shortens, so that nobody waits for long.

use outlive::job::{Backoff, Limits};
use outlive::{Options, limits};
use std::time::Duration;

const SHORT_CRASH_BACKOFF: Duration = Duration::from_millis(400);
/// The longest rest after a crash, as by default.
const LONGEST_CRASH_BACKOFF: Duration = Duration::from_secs(300);
/// Longer than a server is away, with time to spare for a machine that is busy.
const SHORT_LEASE: Duration = Duration::from_secs(5);

/// Which settings queues and workers have.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Settings {
    Shortened,
    Default,
}

impl Settings {
    /// What a file is opened with.
    pub fn options(self) -> Options {
        let mut options = Options::default();
        if self == Self::Shortened {
            let crash_backoff = Backoff::Exponential { first: SHORT_CRASH_BACKOFF, longest: LONGEST_CRASH_BACKOFF };
            options.limits = Limits { crash_backoff, ..options.limits };
        }
        options
    }

    /// The lease of a worker in another process than the queue.
    pub fn lease(self) -> Duration {
        match self {
            Self::Shortened => SHORT_LEASE,
            Self::Default => limits::LEASE_DEFAULT,
        }
    }

    /// The arguments that give a child the same settings.
    pub fn words(self) -> Option<&'static str> {
        (self == Self::Default).then_some("--default-settings")
    }

    /// The settings, as a person is told of them.
    pub fn in_words(self) -> String {
        let [short, default] = [Self::Shortened, Self::Default].map(|settings| {
            let backoff = settings.options().limits.crash_backoff.first();
            (backoff.as_secs_f64(), settings.lease().as_secs_f64())
        });
        match self {
            Self::Shortened => format!(
                "shortened for the demo: crash backoff {} s instead of {} s,\n          lease {} s instead of {} s",
                short.0, default.0, short.1, default.1
            ),
            Self::Default => {
                format!("the defaults of queue and worker: crash backoff {} s, lease {} s", default.0, default.1)
            }
        }
    }

    /// How long the demo takes, as a person is told of it.
    pub fn time_in_words(self) -> &'static str {
        match self {
            Self::Shortened => "about 15 s",
            Self::Default => "about 40 s; most of it is the wait for leases to expire",
        }
    }
}
