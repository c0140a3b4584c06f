//! What the history says, put in order: calls with their answers, and leases with their lives.

use crate::drive::Evidence;
use crate::event::Event;
use outlive::JobId;
use outlive::job::{Lease, RequestId, Token};
use outlive::protocol::{Bulk, Call, CallError, Enqueue, Renewal, Reply, Request, Scope};
use outlive_sim::{Fault, FaultKind, MachineId, ProcessId};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// How long a process may go on after a pause with what it had begun before.
const JUST_RESUMED: Duration = Duration::from_millis(2);
/// How long it may take until what was decided is in the file, if nobody sleeps.
const WRITTEN_WITHIN: Duration = Duration::from_millis(100);

/// One call and what became of it.
#[derive(Clone, Debug)]
pub struct CallFact {
    /// Its number in the run.
    pub number: u64,
    /// What was asked, under which name.
    pub what: Arc<Call>,
    /// By whom.
    pub process: ProcessId,
    /// When it was sent.
    pub invoked: Duration,
    /// When and how it was answered. Without an answer it is unknown.
    pub answer: Option<(Duration, Arc<Result<Reply, CallError>>)>,
}

/// One lease that a client was told of.
#[derive(Clone, Debug)]
pub struct Grant {
    /// What it must show.
    pub lease: Lease,
    /// Which execution of the job.
    pub attempt: u32,
    /// Its length, in true time as the server's clock measures it.
    pub length: Duration,
    /// How long its holder trusts it, in true time as the holder's clock measures it.
    pub trust: Duration,
    /// Whether it outlives the process that has the file.
    pub elsewhere: bool,
    /// Who has it: whoever asked for it first.
    pub process: ProcessId,
    /// The number of the call that was told of it first.
    pub call: u64,
    /// When the claim was sent first: a repeat is told what was granted then.
    pub claimed: Duration,
    /// When the claim was answered.
    pub answered: Duration,
    /// When each renewal that succeeded was sent first and answered; the grant itself is the first.
    pub renewals: Vec<(Duration, Duration)>,
    /// When its holder first said that it is done with it, answered or not.
    pub given_up: Option<Duration>,
    /// When renewals were sent of which nobody knows what became: each may be heard at any later time at which
    /// the lease still holds, once.
    pub renewed_unknown: Vec<Duration>,
    /// From when to when steady time may not have gone on.
    outages: Arc<Vec<(Duration, Duration)>>,
}

/// What the history says.
pub struct Facts {
    /// In the order in which they were sent.
    pub calls: Vec<CallFact>,
    /// As `calls`, but each of the jobs that were enqueued together has a call of its own, of the same number and name.
    pub apart: Vec<CallFact>,
    /// By token: a token is granted once.
    pub grants: BTreeMap<Token, Grant>,
    /// The tokens of each job, in the order of their grants.
    pub tokens: BTreeMap<JobId, Vec<Token>>,
    /// When each process ended; those that live have no entry.
    pub deaths: BTreeMap<ProcessId, Duration>,
    /// When each request was sent first.
    pub first_sent: BTreeMap<RequestId, Duration>,
    /// Who sent each request first.
    senders: BTreeMap<RequestId, ProcessId>,
    /// Whether the wall clock of the machine with the file jumped.
    pub wall_jumped: bool,
    /// Where each process ran.
    machines: BTreeMap<ProcessId, MachineId>,
    /// What the clock of each process gains, in parts in a million.
    drift_ppm: BTreeMap<ProcessId, i32>,
    /// What the clock of the machine with the file gains, in parts in a million.
    pub store_drift_ppm: i32,
    /// Processes on the machine with the file.
    at_store: BTreeSet<ProcessId>,
    /// When each process was paused.
    pauses: BTreeMap<ProcessId, Vec<(Duration, Duration)>>,
    /// When those with the file were paused, in order.
    slept_at_store: Vec<(Duration, Duration)>,
    /// From when to when steady time may not have gone on.
    outages: Arc<Vec<(Duration, Duration)>>,
    /// Jobs that somebody has retried: they have ended more than once.
    pub retried: BTreeSet<JobId>,
}

/// From when to when steady time may not have gone on: from the last change that a process surely wrote
/// down before it died, until the next one had the file. A disk that is full takes no mark.
fn outages(
    evidence: &Evidence,
    calls: &[CallFact],
    deaths: &BTreeMap<ProcessId, Duration>,
) -> Vec<(Duration, Duration)> {
    let opened = evidence.entries.iter().filter(|entry| matches!(entry.event, Event::Opened));
    let opened: Vec<(ProcessId, Duration)> = opened.filter_map(|entry| Some((entry.process?, entry.at))).collect();
    let next = opened.iter().skip(1).map(|(_, at)| *at).chain([Duration::MAX]);
    // To ask what became of a transaction writes nothing if that is known.
    let asks = |request: &Request| request.is_read() || matches!(request, Request::Settle);
    let written = calls.iter().filter(|call| !asks(&call.what.request));
    let written: BTreeSet<(Duration, Duration)> =
        written.filter_map(|call| call.reply().map(|(answered, _)| (answered, call.invoked))).collect();
    let outage = |((process, opened), next): (&(ProcessId, Duration), Duration)| {
        let died = deaths.get(process).copied()?;
        let answered = written.range(..(died.min(next), Duration::ZERO));
        let closed = answered.map(|(_, invoked)| *invoked).max().unwrap_or_default();
        Some((closed.max(*opened), next))
    };
    opened.iter().zip(next).filter_map(outage).collect()
}

/// The true time that passes while a clock with this drift shows `shown`.
fn true_length(shown: Duration, drift_ppm: i32) -> Duration {
    shown.mul_f64(1e6 / (1e6 + f64::from(drift_ppm)))
}

impl CallFact {
    /// The answer, if it was a good one.
    pub fn reply(&self) -> Option<(Duration, &Reply)> {
        let (at, answer) = self.answer.as_ref()?;
        answer.as_ref().as_ref().ok().map(|reply| (*at, reply))
    }

    /// A call for each job, if it enqueues several.
    fn apart(&self) -> Vec<Self> {
        let Request::EnqueueAll { jobs } = &self.what.request else { return vec![self.clone()] };
        let one = |(place, job): (usize, &Enqueue)| {
            let what = Arc::new(Call { id: self.what.id, request: Request::Enqueue(job.clone()) });
            let answer = self.answer.as_ref().map(|(at, answer)| {
                let own = match &**answer {
                    Ok(Reply::EnqueuedAll { jobs }) => jobs.get(place).map(|it| Ok(Reply::from(*it))),
                    other => Some(other.clone()),
                };
                own.map(|own| (*at, Arc::new(own)))
            });
            Self { what, answer: answer.flatten(), ..self.clone() }
        };
        jobs.iter().enumerate().map(one).collect()
    }

    /// The lease that it shows, if it must hold for that.
    pub fn lease(&self) -> Option<Lease> {
        match self.what.request {
            Request::Start { lease }
            | Request::Step { lease, .. }
            | Request::Progress { lease, .. }
            | Request::Complete { lease, .. }
            | Request::Fail { lease, .. }
            | Request::Release { lease, .. }
            | Request::Snooze { lease, .. }
            | Request::Wait { lease, .. }
            | Request::Obey { lease } => Some(lease),
            _ => None,
        }
    }

    /// Whether it ends an attempt.
    pub fn is_end(&self) -> bool {
        match self.what.request {
            Request::Start { .. } | Request::Step { .. } | Request::Progress { .. } | Request::Log { .. } => false,
            // It ends only if what it asks for is not there.
            Request::Wait { .. } => !matches!(self.reply(), Some((_, Reply::Stepped { .. }))),
            _ => self.lease().is_some(),
        }
    }

    /// Each lease that it showed, and whether it was accepted; none while it is unknown.
    pub fn judged_leases(&self) -> Vec<(Lease, bool)> {
        match (&self.what.request, &self.answer) {
            (Request::Heartbeat { leases }, Some((_, answer))) => match &**answer {
                Ok(Reply::Renewed { leases: renewals }) => {
                    let accepted = renewals.iter().map(|renewal| matches!(renewal, Renewal::Renewed { .. }));
                    leases.iter().copied().zip(accepted).collect()
                }
                _ => Vec::new(),
            },
            (_, Some((_, answer))) => match (&**answer, self.lease()) {
                (Ok(_), Some(lease)) => vec![(lease, true)],
                (Err(CallError::Refused(_)), Some(lease)) => vec![(lease, false)],
                _ => Vec::new(),
            },
            _ => Vec::new(),
        }
    }
}

impl Grant {
    /// From when on it surely holds no more, as far as can be told at `at`: the store granted or renewed it
    /// before the answer came.
    pub fn surely_expired_as_of(&self, at: Duration) -> Duration {
        let renewals = self.renewals.iter().filter(|(_, answered)| *answered <= at).map(|(_, answered)| *answered);
        let renewed = renewals.max().unwrap_or(self.answered);
        let mut expired = self.runs_out(renewed);
        for latest in self.renewals_under_way(at) {
            expired = expired.max(self.runs_out(latest.min(expired)));
        }
        expired
    }

    /// When it expires at the latest if it is not renewed any more after `renewed`.
    fn runs_out(&self, renewed: Duration) -> Duration {
        let mut expired = renewed.saturating_add(self.length);
        // Time in which the file is closed does not count for a worker elsewhere, and steady time goes on
        // from its last mark: a whole lease may lie ahead of each opening.
        for (closed, opened) in self.outages.iter().filter(|_| self.elsewhere) {
            if renewed < *opened && *closed <= expired {
                expired = opened.saturating_add(self.length);
            }
        }
        expired
    }

    /// For each renewal that was sent before `at` and that may have been heard by then although nobody had been told
    /// so, until when it may have been heard, the first one first: its sender may sleep while the answer waits.
    fn renewals_under_way(&self, at: Duration) -> Vec<Duration> {
        let answered_later = self.renewals.iter().filter(|(sent, answered)| *sent <= at && at < *answered);
        let unknown = self.renewed_unknown.iter().filter(|sent| **sent <= at).map(|_| Duration::MAX);
        let mut latest: Vec<Duration> = answered_later.map(|(_, answered)| *answered).chain(unknown).collect();
        latest.sort();
        latest
    }

    /// Until when its holder relies on it, for all that it was told.
    pub fn trust_ends(&self) -> Duration {
        self.renewals.iter().map(|(sent, _)| *sent).max().unwrap_or(self.claimed) + self.trust
    }

    /// Until when its holder relied on it at `at`, for all that it had been told by then.
    pub fn trust_ends_as_of(&self, at: Duration) -> Duration {
        let told = self.renewals.iter().filter(|(_, answered)| *answered <= at).map(|(sent, _)| *sent);
        told.max().unwrap_or(self.claimed) + self.trust
    }

    /// Until when its holder relies on it: as long as it was asked for, less the margin, unless the
    /// holder died or gave it up before.
    pub fn trusted_until(&self, facts: &Facts) -> Duration {
        let ends = [self.given_up, facts.deaths.get(&self.process).copied()];
        ends.into_iter().flatten().fold(self.trust_ends(), Duration::min)
    }
}

impl Facts {
    /// Reads a history.
    pub fn of(evidence: &Evidence) -> Self {
        let mut calls: Vec<CallFact> = Vec::new();
        let mut by_number = BTreeMap::new();
        for entry in &evidence.entries {
            match (&entry.event, entry.process) {
                (Event::Invoke { call, what }, Some(process)) => {
                    by_number.insert(*call, calls.len());
                    let (number, what) = (*call, what.clone());
                    calls.push(CallFact { number, what, process, invoked: entry.at, answer: None });
                }
                (Event::Answer { call, answer }, _) => {
                    calls[by_number[call]].answer = Some((entry.at, answer.clone()));
                }
                _ => {}
            }
        }
        let deaths: BTreeMap<ProcessId, Duration> =
            evidence.times.iter().filter_map(|times| Some((times.process, times.ended?))).collect();
        let store = evidence.plan.setting.store();
        let jumps = |fault: &&Fault| fault.machine == store && fault.action.kind() == FaultKind::WallJump;
        let drift_ppm = evidence.times.iter().map(|times| (times.process, evidence.drift_ppm[&times.machine]));
        let at_store = evidence.times.iter().filter(|times| times.machine == store).map(|times| times.process);
        let pauses = evidence.times.iter().map(|times| {
            let pauses = times.pauses.iter().map(|(from, to)| (*from, to.unwrap_or(Duration::MAX)));
            (times.process, pauses.collect())
        });
        let at_the_store = evidence.times.iter().filter(|times| times.machine == store);
        let slept = at_the_store.flat_map(|times| {
            // Whoever dies while he sleeps sleeps no longer.
            let awake = |to: &Option<Duration>| to.or(times.ended).unwrap_or(Duration::MAX);
            times.pauses.iter().map(move |(from, to)| (*from, awake(to)))
        });
        let mut slept_at_store: Vec<_> = slept.collect();
        slept_at_store.sort_unstable();
        let outages = outages(evidence, &calls, &deaths);
        let (mut first_sent, mut senders) = (BTreeMap::new(), BTreeMap::new());
        for call in &calls {
            first_sent.entry(call.what.id).or_insert(call.invoked);
            senders.entry(call.what.id).or_insert(call.process);
        }
        let rows = evidence.rows.iter().flat_map(|rows| rows.jobs.values());
        let retried = rows.filter(|job| job.retried_ms.is_some()).map(|job| JobId(job.id)).collect();
        let mut facts = Self {
            apart: calls.iter().flat_map(CallFact::apart).collect(),
            calls,
            grants: BTreeMap::new(),
            tokens: BTreeMap::new(),
            deaths,
            first_sent,
            senders,
            wall_jumped: evidence.plan.faults.iter().any(|fault| jumps(&fault)),
            machines: evidence.times.iter().map(|times| (times.process, times.machine)).collect(),
            drift_ppm: drift_ppm.collect(),
            store_drift_ppm: evidence.drift_ppm[&store],
            at_store: at_store.collect(),
            pauses: pauses.collect(),
            slept_at_store,
            outages: Arc::new(outages),
            retried,
        };
        facts.read_grants();
        facts.read_renewals();
        facts
    }

    /// The least true time that a rest of this length takes: it is over when the clock of the machine with the
    /// file says so, or when the wall clock does, which does not drift.
    pub fn least_rest(&self, rest: Duration) -> Duration {
        self.at_store(rest).min(rest)
    }

    /// The true time that passes while the clock of the machine with the file shows `shown`.
    fn at_store(&self, shown: Duration) -> Duration {
        true_length(shown, self.store_drift_ppm)
    }

    /// Whether a process ran where the file is.
    pub fn is_at_store(&self, process: ProcessId) -> bool {
        self.at_store.contains(&process)
    }

    /// Where a process ran.
    pub fn machine(&self, process: ProcessId) -> MachineId {
        self.machines[&process]
    }

    /// Whether the file was closed at some time in between.
    pub fn was_closed(&self, from: Duration, to: Duration) -> bool {
        self.outages.iter().any(|(closed, opened)| *closed <= to && *opened >= from)
    }

    /// What the clock of the machine with the file shows to pass within `truly`.
    pub fn shown_at_store(&self, truly: Duration) -> Duration {
        truly.mul_f64((1e6 + f64::from(self.store_drift_ppm)) / 1e6)
    }

    /// Whether the process was paused at some moment from `from` on, and has hardly gone on by `at`: what it
    /// does then, it had begun before.
    pub fn slept_from(&self, process: ProcessId, from: Duration, at: Duration) -> bool {
        self.pauses[&process]
            .iter()
            .any(|(paused, resumed)| *paused <= at && *resumed >= from && at <= resumed.saturating_add(JUST_RESUMED))
    }

    /// The latest time before which all that was decided was surely written by `at`: whoever has the file may have slept between the
    /// two, and a slow disk takes its time.
    pub fn written_by(&self, at: Duration) -> Duration {
        let mut decided = at;
        for (from, to) in self.slept_at_store.iter().rev() {
            if *from <= decided && decided <= to.saturating_add(WRITTEN_WITHIN) {
                decided = *from;
            }
        }
        decided.saturating_sub(WRITTEN_WITHIN)
    }

    fn read_grants(&mut self) {
        for call in &self.calls {
            let Some((answered, Reply::Claimed { grants })) = call.reply() else { continue };
            let process = self.senders[&call.what.id];
            for granted in grants {
                let length = Duration::from_millis(granted.lease_ms);
                let trusted = length * (100 - outlive::limits::LEASE_MARGIN_PERCENT) / 100;
                let grant = Grant {
                    lease: granted.lease,
                    attempt: granted.attempt,
                    length: self.at_store(length),
                    trust: true_length(trusted, self.drift_ppm[&process]),
                    elsewhere: !self.at_store.contains(&process),
                    process,
                    call: call.number,
                    claimed: self.first_sent[&call.what.id],
                    answered,
                    renewals: Vec::new(),
                    given_up: None,
                    renewed_unknown: Vec::new(),
                    outages: self.outages.clone(),
                };
                // A repeat of the claim is told the same.
                self.grants.entry(granted.lease.token).or_insert(grant);
            }
        }
        for (token, grant) in &self.grants {
            self.tokens.entry(grant.lease.job).or_default().push(*token);
        }
    }

    fn read_renewals(&mut self) {
        for call in &self.calls {
            if let (true, Some(lease)) = (call.is_end(), call.lease())
                && let Some(grant) = self.grants.get_mut(&lease.token)
                && grant.lease == lease
            {
                grant.given_up = Some(grant.given_up.map_or(call.invoked, |earlier| earlier.min(call.invoked)));
            }
            let renews = matches!(call.what.request, Request::Heartbeat { .. } | Request::Start { .. });
            let leases = match &call.what.request {
                Request::Heartbeat { leases } => &leases[..],
                Request::Start { lease } => &[*lease][..],
                _ => &[],
            };
            for lease in leases {
                let unknown = matches!(
                    call.answer.as_ref().map(|(_, answer)| &**answer),
                    None | Some(Err(CallError::Unknown { .. }))
                );
                if let Some(grant) = self.grants.get_mut(&lease.token).filter(|grant| grant.lease == *lease)
                    && unknown
                    && grant.elsewhere
                {
                    grant.renewed_unknown.push(call.invoked);
                }
            }
            let (true, Some((answered, _))) = (renews, &call.answer) else { continue };
            for (lease, accepted) in call.judged_leases() {
                if let Some(grant) = self.grants.get_mut(&lease.token).filter(|_| accepted)
                    && grant.lease == lease
                {
                    grant.renewals.push((self.first_sent[&call.what.id], *answered));
                }
            }
        }
    }

    /// Whether this call repeats an earlier one, and is told what was answered first.
    pub fn is_told_again(&self, call: &CallFact) -> bool {
        !is_decided_anew(&call.what.request) && self.first_sent[&call.what.id] < call.invoked
    }

    /// Who sent this request first: a middlebox only passes it on.
    pub fn sender(&self, call: &CallFact) -> ProcessId {
        self.senders[&call.what.id]
    }

    /// Whether somebody has asked for another try of a job by then, or of many.
    pub fn may_be_retried_by(&self, job: JobId, at: Duration) -> bool {
        let asked = |request: &Request| match request {
            Request::Retry { job: retried } => *retried == job,
            Request::Bulk { act, .. } => *act == Bulk::Retry,
            _ => false,
        };
        self.calls.iter().any(|call| call.invoked <= at && asked(&call.what.request))
    }

    /// Calls of which an answer came, good or bad.
    pub fn answered(&self) -> impl Iterator<Item = (&CallFact, Duration, &Result<Reply, CallError>)> {
        answered(&self.calls)
    }

    /// As [`answered`](Self::answered), each of the jobs that were enqueued together in a call of its own.
    pub fn answered_apart(&self) -> impl Iterator<Item = (&CallFact, Duration, &Result<Reply, CallError>)> {
        answered(&self.apart)
    }
}

fn answered(calls: &[CallFact]) -> impl Iterator<Item = (&CallFact, Duration, &Result<Reply, CallError>)> {
    calls.iter().filter_map(|call| call.answer.as_ref().map(|(at, answer)| (call, *at, &**answer)))
}

/// Whether a copy of this request is decided anew, and its name is nowhere in the file.
pub fn is_decided_anew(request: &Request) -> bool {
    matches!(
        request,
        Request::Heartbeat { .. }
            | Request::Start { .. }
            | Request::Step { .. }
            | Request::Progress { .. }
            | Request::Log { .. }
    )
}

/// Whether the same may be made again, because its key stands for it for some time only.
pub fn may_recur(asked: &Enqueue) -> bool {
    asked.key.as_ref().is_some_and(|key| key.scope != Scope::Forever)
}

/// Whether two texts are the same JSON.
pub fn same_json(one: &str, other: &str) -> bool {
    let read = |text: &str| serde_json::from_str::<serde_json::Value>(text).ok();
    read(one) == read(other)
}

/// The intent's number in a payload, whatever else it says.
pub fn number_of(payload: &str) -> Option<u64> {
    let value: serde_json::Value = serde_json::from_str(payload).ok()?;
    value.get("number").or_else(|| value.get(crate::workload::GARBAGE))?.as_u64()
}

#[cfg(test)]
mod tests {
    use super::*;
    use outlive::job::Nonce;

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// A lease of five seconds that was granted at 10 s.
    fn grant() -> Grant {
        Grant {
            lease: Lease { job: JobId(1), token: Token(1), nonce: Nonce(1) },
            attempt: 1,
            length: s(5),
            trust: s(4),
            elsewhere: false,
            process: ProcessId(1),
            call: 1,
            claimed: s(9),
            answered: s(10),
            renewals: Vec::new(),
            given_up: None,
            renewed_unknown: Vec::new(),
            outages: Arc::default(),
        }
    }

    #[test]
    fn a_renewal_whose_answer_waits_for_a_sleeper_may_have_been_heard() {
        let mut grant = grant();
        assert_eq!(grant.surely_expired_as_of(s(16)), s(15));
        grant.renewals.push((s(13), s(18)));
        assert_eq!(grant.surely_expired_as_of(s(12)), s(15), "it was not sent yet");
        assert_eq!(grant.surely_expired_as_of(s(16)), s(20), "the store may have heard it until the lease expired");
        assert_eq!(grant.surely_expired_as_of(s(18)), s(23), "it was answered, and heard before that");
        grant.renewals.push((s(14), s(17)));
        assert_eq!(grant.surely_expired_as_of(s(16)), s(23), "the first until 15 s, the other until 18 s");
        grant.renewed_unknown.push(s(11));
        assert_eq!(grant.surely_expired_as_of(s(16)), s(28), "one of which nobody knows may have been heard last");
    }
}
