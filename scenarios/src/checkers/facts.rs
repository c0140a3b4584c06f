//! What the history says, put in order: calls with their answers, and leases with their lives.

use crate::drive::Evidence;
use crate::event::Event;
use outlive::JobId;
use outlive::job::{Lease, RequestId, Token};
use outlive::protocol::{Call, CallError, Renewal, Reply, Request};
use outlive_sim::ProcessId;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// One call and what became of it.
#[derive(Clone, Debug)]
pub struct CallFact {
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
    /// Its length.
    pub length: Duration,
    /// Who has it.
    pub process: ProcessId,
    /// When the claim was sent first: a repeat is told what was granted then.
    pub claimed: Duration,
    /// When the claim was answered.
    pub answered: Duration,
    /// When each renewal that succeeded was sent first and answered; the grant itself is the first.
    pub renewals: Vec<(Duration, Duration)>,
    /// When its holder first said that it is done with it, answered or not.
    pub given_up: Option<Duration>,
}

/// What the history says.
pub struct Facts {
    /// In the order in which they were sent.
    pub calls: Vec<CallFact>,
    /// By token: a token is granted once.
    pub grants: BTreeMap<Token, Grant>,
    /// The tokens of each job, in the order of their grants.
    pub tokens: BTreeMap<JobId, Vec<Token>>,
    /// When each process ended; those that live have no entry.
    pub deaths: BTreeMap<ProcessId, Duration>,
    /// When each request was sent first.
    pub first_sent: BTreeMap<RequestId, Duration>,
    /// Whether a wall clock jumped.
    pub wall_jumped: bool,
}

impl CallFact {
    /// The answer, if it was a good one.
    pub fn reply(&self) -> Option<(Duration, &Reply)> {
        let (at, answer) = self.answer.as_ref()?;
        answer.as_ref().as_ref().ok().map(|reply| (*at, reply))
    }

    /// The lease that it shows, if it is about one attempt.
    pub fn lease(&self) -> Option<Lease> {
        match self.what.request {
            Request::Start { lease }
            | Request::Complete { lease, .. }
            | Request::Fail { lease, .. }
            | Request::Release { lease, .. }
            | Request::Snooze { lease, .. }
            | Request::Obey { lease } => Some(lease),
            _ => None,
        }
    }

    /// Whether it ends an attempt.
    pub fn is_end(&self) -> bool {
        self.lease().is_some() && !matches!(self.what.request, Request::Start { .. })
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
    /// From when on nobody may be sure any more that it still holds: the store granted or renewed
    /// it before the answer came.
    pub fn surely_expired(&self) -> Duration {
        self.renewals.iter().map(|(_, answered)| *answered).max().unwrap_or(self.answered) + self.length
    }

    /// As [`surely_expired`](Grant::surely_expired), as of `at`.
    pub fn surely_expired_as_of(&self, at: Duration) -> Duration {
        let renewals = self.renewals.iter().filter(|(_, answered)| *answered <= at).map(|(_, answered)| *answered);
        renewals.max().unwrap_or(self.answered) + self.length
    }

    /// Until when its holder relies on it: as long as it was asked for, less the margin, unless the
    /// holder died or gave it up before.
    pub fn trusted_until(&self, facts: &Facts) -> Duration {
        let margin = self.length * outlive::limits::LEASE_MARGIN_PERCENT / 100;
        let renewed = self.renewals.iter().map(|(sent, _)| *sent).max().unwrap_or(self.claimed);
        let ends = [self.given_up, facts.deaths.get(&self.process).copied()];
        ends.into_iter().flatten().fold(renewed + self.length - margin, Duration::min)
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
                    calls.push(CallFact { what: what.clone(), process, invoked: entry.at, answer: None });
                }
                (Event::Answer { call, answer }, _) => {
                    calls[by_number[call]].answer = Some((entry.at, answer.clone()));
                }
                _ => {}
            }
        }
        let deaths = evidence.times.iter().filter_map(|times| Some((times.process, times.ended?))).collect();
        let jumps = evidence.faults.get(&outlive_sim::FaultKind::WallJump);
        let wall_jumped = jumps.is_some_and(|count| count.effective > 0);
        let mut first_sent = BTreeMap::new();
        for call in &calls {
            first_sent.entry(call.what.id).or_insert(call.invoked);
        }
        let (grants, tokens) = (BTreeMap::new(), BTreeMap::new());
        let mut facts = Self { calls, grants, tokens, deaths, first_sent, wall_jumped };
        facts.read_grants();
        facts.read_renewals();
        facts
    }

    fn read_grants(&mut self) {
        for call in &self.calls {
            let Some((answered, Reply::Claimed { grants })) = call.reply() else { continue };
            for granted in grants {
                let grant = Grant {
                    lease: granted.lease,
                    attempt: granted.attempt,
                    length: Duration::from_millis(granted.lease_ms),
                    process: call.process,
                    claimed: self.first_sent[&call.what.id],
                    answered,
                    renewals: Vec::new(),
                    given_up: None,
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

    /// Whether this call repeats an earlier one: then it is told what was answered first.
    pub fn is_repeat(&self, call: &CallFact) -> bool {
        self.first_sent[&call.what.id] < call.invoked
    }

    /// Calls of which an answer came, good or bad.
    pub fn answered(&self) -> impl Iterator<Item = (&CallFact, Duration, &Result<Reply, CallError>)> {
        self.calls.iter().filter_map(|call| call.answer.as_ref().map(|(at, answer)| (call, *at, &**answer)))
    }
}

/// The intent's number in a payload, whatever else it says.
pub fn number_of(payload: &str) -> Option<u64> {
    let value: serde_json::Value = serde_json::from_str(payload).ok()?;
    value.get("number").or_else(|| value.get(crate::workload::GARBAGE))?.as_u64()
}
