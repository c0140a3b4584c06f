//! Calls: asked, answered, refused, or of unknown outcome; and what each followed from.

use super::Drawing;
use crate::checkers::CallFact;
use outlive::job::explain::Doing;
use outlive::job::{Lease, RequestId};
use outlive::protocol::{CallError, Granted, Renewal, Reply, Request};
use outlive::{Explanation, JobId};
use outlive_sim::timeline::{HappeningId, Kind};
use outlive_sim::{Fired, ProcessId};
use std::collections::BTreeMap;
use std::time::Duration;

impl Drawing<'_> {
    pub(super) fn draw_calls(&mut self) {
        let facts = self.facts;
        for call in &facts.calls {
            let lane = self.lane(call.process);
            let asked = asked(&call.what.request, self.attempt_of(call));
            let (kind, came) = self.answer(call);
            if self.is_minor(call) {
                let id = self.draft.happen_minor(call.invoked, lane, kind, format!("{asked}: {came}"));
                self.asked.insert(call.number, id);
                self.answered.insert(call.number, id);
                continue;
            }
            let id = self.draft.happen(call.invoked, lane, Kind::Asked, asked.clone());
            self.asked.insert(call.number, id);
            let at = match &call.answer {
                Some((at, _)) => *at,
                // Whoever asked is dead, or the run is over.
                None => facts.deaths.get(&call.process).copied().unwrap_or(self.evidence.ended),
            };
            let answered = self.draft.happen(at.max(call.invoked), lane, kind, format!("{asked}: {came}"));
            self.answered.insert(call.number, answered);
            self.draft.caused(answered, id);
            if let Some((_, Reply::Claimed { grants })) = call.reply() {
                for granted in grants {
                    self.granted.entry(granted.lease.token).or_insert(answered);
                }
            }
        }
    }

    /// The number of the attempt that a call is about.
    fn attempt_of(&self, call: &CallFact) -> Option<u32> {
        let lease = call.lease()?;
        self.facts.grants.get(&lease.token).filter(|grant| grant.lease == lease).map(|grant| grant.attempt)
    }

    /// Whether a call is of little interest by itself: it changed nothing, or only went on, or was passed on.
    fn is_minor(&self, call: &CallFact) -> bool {
        let machines = self.evidence.plan.setting.cluster();
        let passed_on = machines.is_some_and(|it| it.middlebox == Some(self.facts.machine(call.process)));
        let answer = call.answer.as_ref().map(|(_, answer)| &**answer);
        passed_on
            || match (&call.what.request, answer) {
                (Request::Explain { .. } | Request::Look { .. }, _) => true,
                (Request::Claim(_), Some(Ok(Reply::Claimed { grants }))) => grants.is_empty(),
                (Request::Claim(_), None) => true,
                (Request::Heartbeat { .. }, Some(Ok(Reply::Renewed { leases }))) => {
                    leases.iter().all(|it| matches!(it, Renewal::Renewed { .. }))
                }
                _ => false,
            }
    }

    /// What came of a call, in words.
    fn answer(&self, call: &CallFact) -> (Kind, String) {
        let Some((_, answer)) = &call.answer else {
            let dead = self.facts.deaths.get(&call.process).is_some_and(|death| *death <= self.evidence.ended);
            let why =
                if dead { "the caller is dead before an answer comes" } else { "no answer by the end of the run" };
            return (Kind::Unknown, why.to_owned());
        };
        match &**answer {
            Ok(reply) => (Kind::Answered, answered(reply)),
            Err(CallError::Unknown { why }) => (Kind::Unknown, format!("UNKNOWN: {why}")),
            Err(CallError::Refused(refusal)) => (Kind::Refused, format!("REFUSED: {refusal}")),
            Err(error) => (Kind::Refused, format!("nothing changed: {error}")),
        }
    }

    /// Says what followed from what.
    pub(super) fn link(&mut self) {
        let facts = self.facts;
        let mut made: BTreeMap<JobId, HappeningId> = BTreeMap::new();
        let mut earlier: BTreeMap<RequestId, HappeningId> = BTreeMap::new();
        for call in &facts.calls {
            let (asked, answered) = (self.asked[&call.number], self.answered[&call.number]);
            let enqueued = match call.reply() {
                Some((_, Reply::Enqueued { job, .. })) => vec![*job],
                Some((_, Reply::EnqueuedAll { jobs })) => jobs.iter().map(|it| it.job).collect(),
                _ => Vec::new(),
            };
            for job in enqueued {
                made.entry(job).or_insert(answered);
            }
            if let Some(before) = earlier.insert(call.what.id, answered) {
                self.draft.caused(asked, before);
            }
            self.link_commit(call, asked, answered);
            match &call.what.request {
                Request::Claim(_) => self.link_grants(call, answered, &made),
                _ => self.link_lease(call, asked, answered),
            }
            let answer = call.answer.as_ref().map(|(_, answer)| &**answer);
            if let None | Some(Err(CallError::Unknown { .. })) = answer {
                self.blame(call, answered);
            }
        }
        for ((job, attempt), began) in self.began.clone() {
            let granted = facts.grants.values().find(|grant| (grant.lease.job, grant.attempt) == (job, attempt));
            if let Some(granted) = granted.and_then(|grant| self.granted.get(&grant.lease.token)) {
                self.draft.caused(began, *granted);
            }
        }
    }

    /// From a request over its commit and the sync to the answer.
    fn link_commit(&mut self, call: &CallFact, asked: HappeningId, answered: HappeningId) {
        let Some(tag) = self.commits.get(&call.what.id).copied() else { return };
        for written in self.fate.written.get(&tag).cloned().unwrap_or_default() {
            self.draft.caused(written, asked);
        }
        if call.reply().is_some() && self.draft.at(answered) > self.draft.at(asked) {
            let synced = self.fate.synced.get(&tag).and_then(|synced| synced.first()).copied();
            synced.into_iter().for_each(|synced| self.draft.caused(answered, synced));
        }
    }

    /// A grant follows from the enqueue, and from how the attempt before it ended.
    fn link_grants(&mut self, call: &CallFact, answered: HappeningId, made: &BTreeMap<JobId, HappeningId>) {
        let facts = self.facts;
        let Some((_, Reply::Claimed { grants })) = call.reply() else { return };
        for Granted { lease, .. } in grants {
            made.get(&lease.job).into_iter().for_each(|made| self.draft.caused(answered, *made));
            let tokens = facts.tokens.get(&lease.job).into_iter().flatten();
            let Some(before) = tokens.take_while(|token| **token < lease.token).last() else { continue };
            let mut ends = facts.calls.iter().filter(|end| end.is_end() && end.reply().is_some());
            let end = ends.rfind(|end| end.lease().is_some_and(|lease| lease.token == *before));
            let end = end.map(|end| self.answered[&end.number]);
            let expired = self.expired.get(before).copied();
            for cause in end.into_iter().chain(expired) {
                self.draft.caused(answered, cause);
            }
        }
    }

    /// What shows a lease follows from its grant; what is refused follows from how the lease ended.
    fn link_lease(&mut self, call: &CallFact, asked: HappeningId, answered: HappeningId) {
        let leases: Vec<Lease> = match &call.what.request {
            Request::Heartbeat { leases } => leases.clone(),
            _ => call.lease().into_iter().collect(),
        };
        for lease in leases {
            let token = lease.token;
            let attempt = self.facts.grants.get(&token).map(|grant| (lease.job, grant.attempt));
            let handler = attempt.and_then(|it| self.finished.get(&it)).copied();
            match handler.filter(|handler| call.is_end() && self.draft.at(*handler) <= call.invoked) {
                Some(handler) => self.draft.caused(asked, handler),
                None => self.granted.get(&token).copied().into_iter().for_each(|it| self.draft.caused(asked, it)),
            }
            let refused = call.judged_leases().contains(&(lease, false));
            if refused {
                let tokens = self.facts.tokens.get(&lease.job).into_iter().flatten();
                let newer = tokens.filter(|newer| **newer > token).find_map(|newer| self.granted.get(newer)).copied();
                let expired = self.expired.get(&token).copied();
                newer.into_iter().chain(expired).for_each(|cause| self.draft.caused(answered, cause));
            }
        }
    }

    /// Why nobody knows: whoever asked died, or the store did, or a fault was in the way.
    fn blame(&mut self, call: &CallFact, answered: HappeningId) {
        let own = self.draft.end_of(call.process).filter(|_| call.answer.is_none());
        let (from, to) = (call.invoked, self.draft.at(answered));
        let (store, here) = (self.evidence.plan.setting.store(), self.facts.machine(call.process));
        let at_store = |process: ProcessId| self.facts.machine(process) == store;
        let deaths = self.facts.deaths.iter().filter(|(process, at)| at_store(**process) && (from..=to).contains(*at));
        let death = deaths.map(|(process, _)| *process).next_back().and_then(|process| self.draft.end_of(process));
        let in_the_way = |fault: &Fired| {
            let lasts = fault.until.unwrap_or(fault.at + Duration::from_millis(1));
            fault.took_effect && fault.at <= to && lasts >= from && [store, here].contains(&fault.machine)
        };
        let fault = self.evidence.seen.faults.iter().rposition(in_the_way).map(|place| self.draft.faults()[place]);
        own.or(death).or(fault).into_iter().for_each(|cause| self.draft.caused(answered, cause));
    }
}

fn asked(request: &Request, attempt: Option<u32>) -> String {
    let of = |lease: &Lease| match attempt {
        Some(attempt) => format!("job {} (attempt {attempt})", lease.job),
        None => format!("job {} (token {})", lease.job, lease.token.0),
    };
    match request {
        Request::Enqueue(job) => match &job.key {
            Some(key) => format!("enqueue {} with key {:?}", job.kind, key.name),
            None => format!("enqueue {}", job.kind),
        },
        Request::EnqueueAll { jobs } => format!("enqueue {} jobs together", jobs.len()),
        Request::Claim(claim) => format!("claim (worker {})", claim.worker),
        Request::Heartbeat { leases } => {
            let jobs: Vec<String> = leases.iter().map(|lease| lease.job.to_string()).collect();
            format!("heartbeat of {} {}", if jobs.len() == 1 { "job" } else { "jobs" }, jobs.join(", "))
        }
        Request::Cancel { job }
        | Request::Retry { job }
        | Request::Explain { job }
        | Request::Look { job }
        | Request::Await { job, .. } => {
            format!("{} job {job}", request.name())
        }
        Request::Signal(signal) => format!("signal {}", signal.name),
        Request::Step { lease, name, .. } => format!("step {name} {}", of(lease)),
        Request::Start { lease }
        | Request::Progress { lease, .. }
        | Request::Log { lease, .. }
        | Request::Complete { lease, .. }
        | Request::Fail { lease, .. }
        | Request::Release { lease, .. }
        | Request::Snooze { lease, .. }
        | Request::Wait { lease, .. }
        | Request::Obey { lease } => format!("{} {}", request.name(), of(lease)),
        Request::Bulk { act, list } => format!("{act} all that are {} behind job {}", list.filter.state, list.after),
        Request::List(list) => format!("which jobs are {}?", list.filter.state),
        Request::Limit(limits) => format!("limit queue {}", limits.queue),
        Request::Policy(asked) => format!("policy of kind {}", asked.kind),
        Request::Schedule(asked) => format!("schedule {} ({})", asked.name, asked.rhythm),
        Request::Unschedule { name } => format!("unschedule {name}"),
        Request::Schedules => "which schedules are there?".into(),
        Request::Pause { gate, by, .. } => format!("pause {gate} (by {by})"),
        Request::Resume { gate } => format!("resume {gate}"),
        Request::Gates => "which limits and pauses are there?".into(),
        Request::Settle => "what became of a transaction?".into(),
    }
}

fn doing(explanation: &Explanation) -> String {
    match &explanation.doing {
        Doing::Running { .. } => "it runs".into(),
        Doing::Waiting { .. } => "it waits".into(),
        Doing::Finished { outcome, .. } => format!("it is {outcome}"),
    }
}

fn answered(reply: &Reply) -> String {
    match reply {
        Reply::Stepped { result } => format!("it has {result}"),
        Reply::Enqueued { job, fresh: true } => format!("it is job {job}"),
        Reply::Enqueued { job, fresh: false } => format!("it is job {job}, which was there already"),
        Reply::EnqueuedAll { jobs } => {
            let there = |fresh: bool| {
                let these = jobs.iter().filter(|it| it.fresh == fresh).map(|it| it.job.to_string());
                these.collect::<Vec<_>>().join(", ")
            };
            match (there(true), there(false)) {
                (new, known) if known.is_empty() => format!("they are jobs {new}"),
                (new, known) if new.is_empty() => format!("they are jobs {known}, which were there already"),
                (new, known) => format!("they are jobs {new}, and {known}, which were there already"),
            }
        }
        Reply::Claimed { grants } if grants.is_empty() => "nothing to do".into(),
        Reply::Claimed { grants } => {
            let one =
                |it: &Granted| format!("job {} (attempt {}, token {})", it.lease.job, it.attempt, it.lease.token.0);
            format!("granted {}", grants.iter().map(one).collect::<Vec<_>>().join(", "))
        }
        Reply::Renewed { leases } => {
            let lost = leases
                .iter()
                .filter_map(|it| if let Renewal::Lost { why } = it { Some(why.to_string()) } else { None });
            let lost: Vec<String> = lost.collect();
            if lost.is_empty() { "renewed".into() } else { format!("LOST: {}", lost.join("; ")) }
        }
        Reply::Suspended => "the attempt ends, and its job waits".into(),
        Reply::Signalled { fresh: true } => "it is sent".into(),
        Reply::Signalled { fresh: false } => "it was sent before".into(),
        Reply::Done => "it is written".into(),
        Reply::Failed { next } => format!("it is written; what follows is {}", next.as_str()),
        Reply::Resumed { was_paused: true } => "it goes on".into(),
        Reply::Resumed { was_paused: false } => "it was not paused".into(),
        Reply::Scheduled { next } => format!("its next slot is at {} ms", next.0),
        Reply::Unscheduled { was_scheduled: true } => "it has no slots any more".into(),
        Reply::Unscheduled { was_scheduled: false } => "it was not there".into(),
        Reply::Schedules { schedules } => format!("{} schedules", schedules.len()),
        Reply::Changed { jobs, .. } => format!("done for {jobs} jobs"),
        Reply::Listed { jobs, .. } => format!("{} jobs", jobs.len()),
        Reply::Gated(view) => {
            format!("{} of queues are limited, {} gates are paused", view.limits.len(), view.pauses.len())
        }
        Reply::Settled { committed: true } => "it is committed".into(),
        Reply::Settled { committed: false } => "it is rolled back".into(),
        Reply::Cancelled { at_once: true } => "cancelled at once".into(),
        Reply::Cancelled { at_once: false } => "its worker will hear of it".into(),
        Reply::Explained(explanation) => doing(explanation),
        Reply::Awaited { explanation, .. } => doing(explanation),
        Reply::Looked(view) => format!("it is {}", view.state),
    }
}
