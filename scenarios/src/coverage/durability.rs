//! From when on a change of rows surely is on the disk, and when a change was asked for and not answered.

use crate::checkers::Facts;
use outlive::JobId;
use outlive::protocol::{CallError, Reply, Request};
use std::collections::BTreeMap;
use std::time::Duration;

/// When what was known to be on the disk.
pub struct Durability {
    /// When each call with a good answer was sent, and the earliest answer to it or a later one.
    told: Vec<(Duration, Duration)>,
    /// When changes of each job were asked for, and until when it was open whether they had been made.
    open: BTreeMap<i64, Vec<(Duration, Duration)>>,
}

impl Durability {
    /// Of a run.
    pub fn of(facts: &Facts) -> Self {
        let good = facts.calls.iter().filter_map(|call| Some((call.invoked, call.reply()?.0)));
        let mut told: Vec<(Duration, Duration)> = good.collect();
        told.sort_unstable();
        let mut earliest = Duration::MAX;
        for (_, answered) in told.iter_mut().rev() {
            earliest = earliest.min(*answered);
            *answered = earliest;
        }
        let mut open: BTreeMap<i64, Vec<(Duration, Duration)>> = BTreeMap::new();
        // When each job was spoken of, and the answer told how things are.
        let mut heard: BTreeMap<i64, Vec<(Duration, Duration)>> = BTreeMap::new();
        for call in &facts.calls {
            let Some(job) = changed(&call.what.request) else { continue };
            let answered =
                call.answer.as_ref().filter(|(_, answer)| !matches!(**answer, Err(CallError::Unknown { .. })));
            match answered {
                Some((at, answer)) => {
                    open.entry(job.0).or_default().push((call.invoked, *at));
                    let tells = matches!(**answer, Ok(_) | Err(CallError::Refused(_)));
                    heard.entry(job.0).or_default().extend(tells.then_some((call.invoked, *at)));
                }
                None => open.entry(job.0).or_default().push((call.invoked, Duration::MAX)),
            }
        }
        // A call without an answer is told by the next one about its job that has an answer.
        for call in &facts.calls {
            let Some((answered, Reply::Claimed { grants })) = call.reply() else { continue };
            for granted in grants {
                heard.entry(granted.lease.job.0).or_default().push((call.invoked, answered));
            }
        }
        for (job, calls) in &mut open {
            let heard = heard.get(job).map_or(&[][..], |heard| heard);
            for (asked, until) in calls.iter_mut().filter(|(_, until)| *until == Duration::MAX) {
                let later = heard.iter().filter(|(sent, _)| *sent > *asked).map(|(_, answered)| *answered);
                *until = later.min().unwrap_or(Duration::MAX);
            }
        }
        Self { told, open }
    }

    /// When somebody had been told of a change that was made at this time, or of what came after it.
    pub fn known(&self, changed: Duration) -> Duration {
        let place = self.told.partition_point(|(sent, _)| *sent < changed);
        self.told.get(place).map_or(Duration::MAX, |(_, answered)| *answered)
    }

    /// When changes of a job were asked for, and until when it was open whether they had been made.
    pub fn open(&self, job: JobId) -> &[(Duration, Duration)] {
        self.open.get(&job.0).map_or(&[], |open| open)
    }
}

/// The job that a request changes, if it names one.
fn changed(request: &Request) -> Option<JobId> {
    match request {
        Request::Start { lease }
        | Request::Step { lease, .. }
        | Request::Progress { lease, .. }
        | Request::Log { lease, .. }
        | Request::Complete { lease, .. }
        | Request::Fail { lease, .. }
        | Request::Release { lease, .. }
        | Request::Snooze { lease, .. }
        | Request::Wait { lease, .. }
        | Request::Obey { lease } => Some(lease.job),
        Request::Cancel { job } | Request::Retry { job } => Some(*job),
        Request::Enqueue(_)
        | Request::EnqueueAll { .. }
        | Request::Signal(_)
        | Request::Claim(_)
        | Request::Heartbeat { .. }
        | Request::Bulk { .. }
        | Request::List(_)
        | Request::Limit(_)
        | Request::Policy(_)
        | Request::Schedule(_)
        | Request::Unschedule { .. }
        | Request::Schedules
        | Request::Pause { .. }
        | Request::Resume { .. }
        | Request::Gates
        | Request::Settle
        | Request::Explain { .. }
        | Request::Look { .. }
        | Request::Await { .. } => None,
    }
}
