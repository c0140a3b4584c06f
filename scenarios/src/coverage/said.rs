//! When clients asked for each change of rows and were told of it: between the two it was made.

use crate::checkers::Facts;
use outlive::job::Token;
use outlive::protocol::{Reply, Request, When};
use std::collections::BTreeMap;
use std::time::Duration;

/// From the first request to the first answer.
pub type Window = (Duration, Duration);

/// Of what nobody said anything.
pub const ANY_TIME: Window = (Duration::ZERO, Duration::MAX);

/// What is within both.
pub fn within(one: Window, other: Window) -> Window {
    (one.0.max(other.0), one.1.min(other.1))
}

/// What clients asked for, and when they heard.
#[derive(Default)]
pub struct Said {
    /// What each job was enqueued with.
    pub enqueues: BTreeMap<i64, (When, Window)>,
    /// When the start of each attempt was confirmed.
    pub starts: BTreeMap<Token, Window>,
    /// When its holder ended it.
    pub ends: BTreeMap<Token, Window>,
    /// For how long its holder wanted the job to be snoozed.
    pub snoozes: BTreeMap<Token, Duration>,
    /// When each job was cancelled at once.
    pub cancels: BTreeMap<i64, Window>,
    /// When somebody first knew that a job at work was asked to stop.
    pub stops: BTreeMap<i64, Duration>,
}

impl Said {
    /// What was said in a run.
    pub fn of(facts: &Facts) -> Self {
        let mut said = Self::default();
        for call in &facts.apart {
            let reply = call.reply();
            let window = (facts.first_sent[&call.what.id], reply.map_or(Duration::MAX, |(at, _)| at));
            match (&call.what.request, reply) {
                (Request::Start { lease }, _) => widen(&mut said.starts, lease.token, window),
                (Request::Snooze { lease, delay_ms }, _) => {
                    said.snoozes.insert(lease.token, Duration::from_millis(*delay_ms));
                }
                (Request::Enqueue(asked), Some((_, Reply::Enqueued { job, .. }))) => {
                    let known = said.enqueues.entry(job.0).or_insert((asked.when, window)).1;
                    said.enqueues.insert(job.0, (asked.when, earliest(known, window)));
                }
                (Request::Cancel { job }, Some((at, Reply::Cancelled { at_once: false }))) => {
                    let first = said.stops.entry(job.0).or_insert(at);
                    *first = (*first).min(at);
                }
                (Request::Cancel { job }, _) => widen(&mut said.cancels, job.0, window),
                _ => {}
            }
            if let (true, Some(lease)) = (call.is_end(), call.lease()) {
                widen(&mut said.ends, lease.token, window);
            }
        }
        said
    }
}

/// From the earlier request to the earlier answer.
fn earliest(one: Window, other: Window) -> Window {
    (one.0.min(other.0), one.1.min(other.1))
}

fn widen<K: Ord>(windows: &mut BTreeMap<K, Window>, key: K, window: Window) {
    let known = windows.entry(key).or_insert(window);
    *known = earliest(*known, window);
}
