//! When the network has something to do next.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::task::Waker;
use std::time::Duration;

use super::connection::{ConnectionId, EndId};

/// What is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Alarm {
    /// The first message of what this end sent.
    Arrival(EndId),
    /// The kernel's patience with a connect.
    ConnectTimeout(ConnectionId),
}

/// The alarms, in the order of their times and then of being set. None is ever taken back: who set
/// it sees whether it still matters.
#[derive(Default)]
pub(super) struct Timers {
    alarms: BinaryHeap<Reverse<(Duration, u64, Alarm)>>,
    set: u64,
    /// Who waits for the first alarm, while it does.
    asleep: Option<Waker>,
}

impl Timers {
    /// Sets an alarm. Who must be woken because it is the first one now.
    pub(super) fn set(&mut self, due: Duration, alarm: Alarm) -> Option<Waker> {
        let first = self.next().is_none_or(|next| due < next);
        self.set += 1;
        self.alarms.push(Reverse((due, self.set, alarm)));
        if first { self.asleep.take() } else { None }
    }

    /// The time of the first alarm.
    pub(super) fn next(&self) -> Option<Duration> {
        self.alarms.peek().map(|Reverse((due, _, _))| *due)
    }

    /// Takes the first alarm, if its time has come.
    pub(super) fn take_due(&mut self, now: Duration) -> Option<(Duration, Alarm)> {
        if self.next()? > now {
            return None;
        }
        self.alarms.pop().map(|Reverse((due, _, alarm))| (due, alarm))
    }

    /// Nobody waits: who carries messages is at it. The waker that waited is given back.
    pub(super) fn awake(&mut self) -> Option<Waker> {
        self.asleep.take()
    }

    /// Waits for the first alarm.
    pub(super) fn sleep(&mut self, waker: Waker) {
        self.asleep = Some(waker);
    }
}
