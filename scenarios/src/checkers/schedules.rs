//! The schedules of a run, by what clients were told of them. When slots are is counted here anew.

use super::Facts;
use outlive::job::Rhythm;
use outlive::protocol::{CallError, Reply, Request, Schedule};
use std::collections::BTreeMap;
use std::time::Duration;

/// What has been asked for of each schedule, by name.
pub struct Schedules<'a>(BTreeMap<&'a str, Said<'a>>);

/// What has been asked for of one.
#[derive(Default)]
pub struct Said<'a> {
    /// Each time that somebody set it.
    pub set: Vec<Asked<&'a Schedule>>,
    /// Each time that somebody ended it.
    pub ended: Vec<Asked<()>>,
}

/// Something that was asked for.
pub struct Asked<T> {
    /// What.
    pub what: T,
    /// When.
    pub invoked: Duration,
    /// When it was answered that it is so.
    pub done: Option<Duration>,
    /// When it was answered at all: by then it has happened, or never will.
    pub over: Option<Duration>,
}

impl<'a> Schedules<'a> {
    /// Reads a history.
    pub fn of(facts: &'a Facts) -> Self {
        let mut all: BTreeMap<&str, Said<'_>> = BTreeMap::new();
        for call in &facts.calls {
            let invoked = call.invoked;
            let done = call.reply().map(|(at, _)| at);
            let over = call.answer.as_ref().filter(|(_, answer)| !matches!(**answer, Err(CallError::Unknown { .. })));
            let over = over.map(|(at, _)| *at);
            match (&call.what.request, call.reply()) {
                (Request::Schedule(asked), _) => {
                    all.entry(&asked.name).or_default().set.push(Asked { what: asked, invoked, done, over });
                }
                (Request::Unschedule { name }, None | Some((_, Reply::Unscheduled { .. }))) => {
                    all.entry(name).or_default().ended.push(Asked { what: (), invoked, done, over });
                }
                _ => {}
            }
        }
        Self(all)
    }

    /// What was asked for of one.
    pub fn get(&self, name: &str) -> Option<&Said<'a>> {
        self.0.get(name)
    }

    /// All of them.
    pub fn all(&self) -> impl Iterator<Item = (&'a str, &Said<'a>)> {
        self.0.iter().map(|(name, said)| (*name, said))
    }
}

impl<'a> Said<'a> {
    /// All that it was asked to be.
    pub fn asked(&self) -> impl Iterator<Item = &'a Schedule> {
        self.set.iter().map(|set| set.what)
    }

    /// The milliseconds between its slots, if they were never others.
    pub fn interval(&self) -> Option<i64> {
        let mut intervals = self.asked().map(interval);
        let first = intervals.next()?;
        intervals.all(|other| other == first).then_some(first)
    }
}

/// The milliseconds between slots, which are at whole multiples of them. Of cron expressions there are those that have
/// some of the seconds of each minute, as many of them in each.
///
/// # Panics
/// If it is another expression.
pub fn interval(schedule: &Schedule) -> i64 {
    match &schedule.rhythm {
        Rhythm::Every { every_ms } => every_ms.cast_signed(),
        Rhythm::Cron { cron, .. } => {
            let seconds = cron.strip_prefix("*/").and_then(|rest| rest.strip_suffix(" * * * * *"));
            let seconds: i64 = seconds.and_then(|seconds| seconds.parse().ok()).expect("it says every so many seconds");
            assert!(60 % seconds == 0, "{cron} has not as many slots in each minute");
            1_000 * seconds
        }
    }
}
