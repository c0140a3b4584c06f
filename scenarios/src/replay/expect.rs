//! Whether an expectation holds: told from what somebody was told, and from the rows of the file.

use super::cast::Cast;
use super::moment::{Moment, Numbers, learn};
use crate::checkers::{Report, number_of};
use crate::event::Event;
use crate::image::{AttemptRow, JobRow, PauseRow, Rows};
use crate::scn::{
    Answer, Comparison, Count, Effect, Expectation, JobName, Name, On, Outcome, Process as Who, Rejection, RequestKind,
    WaitReason,
};
use outlive::JobId;
use outlive::job::{Refusal, Token};
use outlive::protocol::{Call, CallError, Renewal, Reply, Request};
use outlive_sim::{Entry, MachineId, ProcessId};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// What can be told at a moment.
pub struct Scene<'a> {
    cast: &'a Cast,
    rows: Option<&'a Rows>,
    at: Duration,
    calls: Vec<Heard>,
    rivals: u64,
    numbers: Numbers,
    /// Who was granted each token.
    holders: BTreeMap<Token, MachineId>,
}

/// A call and its answer.
struct Heard {
    machine: MachineId,
    what: Arc<Call>,
    answer: Option<Arc<Result<Reply, CallError>>>,
}

impl<'a> Scene<'a> {
    /// What can be told from these.
    pub fn new(cast: &'a Cast, entries: &[(MachineId, Entry<Event>)], rows: Option<&'a Rows>, at: Duration) -> Self {
        let mut scene =
            Self { cast, rows, at, calls: Vec::new(), rivals: 0, numbers: Numbers::new(), holders: BTreeMap::new() };
        let mut by_number = BTreeMap::new();
        for (machine, entry) in entries {
            match &entry.event {
                Event::Invoke { call, what } => {
                    by_number.insert(*call, scene.calls.len());
                    scene.calls.push(Heard { machine: *machine, what: what.clone(), answer: None });
                }
                Event::Answer { call, answer } => scene.hear(*machine, by_number[call], &entry.event, answer),
                Event::RivalTurnedAway(_) => scene.rivals += 1,
                _ => {}
            }
        }
        scene
    }

    fn hear(&mut self, machine: MachineId, call: usize, event: &Event, answer: &Arc<Result<Reply, CallError>>) {
        let what = self.calls[call].what.clone();
        learn(&mut self.numbers, &Moment { machine, event, call: Some(&what) });
        if let Ok(Reply::Claimed { grants }) = &**answer {
            self.holders.extend(grants.iter().map(|granted| (granted.lease.token, machine)));
        }
        self.calls[call].answer = Some(answer.clone());
    }

    /// What is so instead, if it does not hold. `report` is there at the end alone.
    pub fn judge(&self, expectation: &Expectation, report: Option<&Report>) -> Option<String> {
        match expectation {
            Expectation::Waiting { job, reason } => self.waiting(job, *reason),
            Expectation::Running { job, on } => self.running(job, on.as_ref()),
            Expectation::Ended { job, outcome } => {
                let (_, row) = self.row(job)?;
                let wanted = match outcome {
                    Outcome::Completed => "completed",
                    Outcome::Discarded => "discarded",
                    Outcome::Cancelled => "cancelled",
                    Outcome::Quarantined => "quarantined",
                };
                (row.is_none_or(|row| row.state != wanted)).then(|| self.state(job))
            }
            Expectation::Counted { count, job, comparison, number } => {
                compared(self.count(*count, job), *comparison, *number, &format!("{count} {}", job.0))
            }
            Expectation::Effects { effect: Effect(key), comparison, number } => {
                compared(self.effects(key), *comparison, *number, &format!("effects {key}"))
            }
            Expectation::Rejected { process, rejection } => self.rejected(process, *rejection),
            Expectation::Told { process, answer, request, job } => self.told(process, *answer, *request, job),
            Expectation::RivalTurnedAway {} => (self.rivals == 0).then(|| "nobody was turned away".into()),
            Expectation::ClauseReached { clause } => {
                let tested = report?.counts.get(clause.as_str()).copied().unwrap_or(0);
                (tested == 0).then(|| format!("{} was never put to the test", clause.as_str()))
            }
            Expectation::InvariantsHold {} => {
                let violations = &report?.violations;
                (!violations.is_empty()).then(|| format!("{} of them are broken, see below", violations.len()))
            }
        }
    }

    /// The id and the row of a job, or none of the latter if it is not in the file. Nothing at all if the file
    /// does not read, which a checker says.
    fn row(&self, JobName(name): &JobName) -> Option<(i64, Option<&JobRow>)> {
        let number = Some(self.cast.number(name));
        let row = self.rows?.jobs.iter().find(|(_, row)| number_of(&row.payload) == number);
        Some(row.map_or((0, None), |(id, row)| (*id, Some(row))))
    }

    fn attempts(&self, id: i64) -> impl DoubleEndedIterator<Item = (Token, &AttemptRow)> {
        let attempts = self.rows.into_iter().flat_map(|rows| &rows.attempts);
        attempts.filter(move |(_, attempt)| attempt.job == id).map(|(token, attempt)| (Token(*token), attempt))
    }

    /// What a job is doing, for a person.
    fn state(&self, job: &JobName) -> String {
        match self.row(job) {
            Some((id, Some(row))) => {
                let wait = if row.state == "waiting" { format!(" ({})", row.wait) } else { String::new() };
                let holder = self.holder(id).map(|name| format!(" on {name}")).unwrap_or_default();
                let holder = if row.state == "running" { holder } else { String::new() };
                format!("{} is {}{wait}{holder} after {} attempts", job.0, row.state, row.attempts)
            }
            Some((_, None)) => format!("{} is not in the file", job.0),
            None => "the file does not read".into(),
        }
    }

    fn holder(&self, id: i64) -> Option<String> {
        let (token, _) = self.attempts(id).next_back()?;
        self.holders.get(&token).map(|machine| self.cast.name(*machine))
    }

    fn waiting(&self, job: &JobName, reason: Option<WaitReason>) -> Option<String> {
        let (id, row) = self.row(job)?;
        let ended = self.attempts(id).next_back().and_then(|(_, attempt)| attempt.ended.clone());
        let expired = matches!(ended.as_deref(), Some("expired" | "crashed"));
        let holds = row.is_some_and(|row| {
            row.state == "waiting"
                && match reason {
                    None => true,
                    // How its latest attempt ended, whatever it rests for since.
                    Some(WaitReason::LeaseExpired) => expired,
                    Some(WaitReason::Paused) => self.pauses(row, false),
                    Some(WaitReason::ServiceDown) => self.pauses(row, true),
                    Some(reason) => row.wait == reason.to_string(),
                }
        });
        (!holds).then(|| self.state(job))
    }

    /// Whether a pause keeps the job from running.
    fn pauses(&self, row: &JobRow, is_down: bool) -> bool {
        let keeps = |pause: &PauseRow| pause.is_down == is_down && pause.keeps(row);
        self.rows.is_some_and(|rows| rows.pauses.iter().any(keeps))
    }

    fn running(&self, job: &JobName, on: Option<&On>) -> Option<String> {
        let (id, row) = self.row(job)?;
        let here = on.is_none_or(|On::On { worker }| self.holder(id).as_deref() == Some(worker.0.as_str()));
        (!here || row.is_none_or(|row| row.state != "running")).then(|| self.state(job))
    }

    fn count(&self, count: Count, job: &JobName) -> u64 {
        let row = self.row(job).and_then(|(_, row)| row);
        let of = |pick: fn(&JobRow) -> i64| row.map_or(0, |row| pick(row).max(0).cast_unsigned());
        match count {
            Count::Attempts => of(|row| row.attempts),
            Count::Failures => of(|row| row.failures),
            Count::Crashes => of(|row| row.crashes),
            Count::Snoozes => of(|row| row.snoozes),
            Count::Releases => of(|row| row.releases),
            Count::Rows => {
                let number = Some(self.cast.number(&job.0));
                let rows = self.rows.into_iter().flat_map(|rows| rows.jobs.values());
                rows.filter(|row| number_of(&row.payload) == number).count() as u64
            }
        }
    }

    /// How often a completion was accepted: by different requests, whatever the rows say.
    fn effects(&self, key: &Name) -> u64 {
        let number = self.cast.number_of_effect(key);
        let mut accepted: Vec<_> = self
            .calls
            .iter()
            .filter(|call| match (&call.what.request, call.answer.as_deref()) {
                (Request::Complete { lease, .. }, Some(Ok(Reply::Done))) => self.is(lease.job, number),
                _ => false,
            })
            .map(|call| call.what.id)
            .collect();
        accepted.sort_unstable_by_key(|id| id.0);
        accepted.dedup();
        let id = self.rows.and_then(|rows| rows.jobs.iter().find(|(_, row)| number_of(&row.payload) == Some(number)));
        let written = id.map_or(0, |(id, _)| {
            self.attempts(*id).filter(|(_, attempt)| attempt.ended.as_deref() == Some("completed")).count()
        });
        // Nobody may have heard of one that is written, and one that was acknowledged may not be.
        accepted.len().max(written) as u64
    }

    fn is(&self, job: JobId, number: u64) -> bool {
        self.numbers.get(&job) == Some(&number)
    }

    fn rejected(&self, process: &Who, rejection: Rejection) -> Option<String> {
        let machine = self.cast.machine(process);
        let mut refusals: Vec<String> = Vec::new();
        for call in self.calls.iter().filter(|call| call.machine == machine) {
            match call.answer.as_deref() {
                Some(Err(CallError::Refused(refusal))) => refusals.push(kind(refusal)),
                Some(Ok(Reply::Renewed { leases })) => {
                    let lost = leases.iter().filter_map(|renewal| match renewal {
                        Renewal::Lost { why } => Some(kind(why)),
                        Renewal::Renewed { .. } => None,
                    });
                    refusals.extend(lost);
                }
                _ => {}
            }
        }
        refusals.sort();
        refusals.dedup();
        let wanted = rejection.to_string();
        let heard = if refusals.is_empty() { "nothing".into() } else { refusals.join(", ") };
        (!refusals.contains(&wanted)).then(|| format!("{} was refused for {heard}", self.cast.name(machine)))
    }

    fn told(&self, process: &Who, answer: Answer, request: RequestKind, JobName(job): &JobName) -> Option<String> {
        let (machine, number) = (self.cast.machine(process), self.cast.number(job));
        let about = |call: &&Heard| {
            let what = &call.what.request;
            let job = match what {
                Request::Enqueue(asked) => number_of(&asked.payload),
                Request::Start { lease }
                | Request::Step { lease, .. }
                | Request::Complete { lease, .. }
                | Request::Fail { lease, .. }
                | Request::Release { lease, .. }
                | Request::Snooze { lease, .. } => self.numbers.get(&lease.job).copied(),
                Request::Cancel { job } | Request::Explain { job } => self.numbers.get(job).copied(),
                _ => None,
            };
            call.machine == machine && what.name() == request.to_string() && job == Some(number)
        };
        let last = self.calls.iter().rev().find(about);
        let heard = match last.map(|call| call.answer.as_deref()) {
            None => return Some(format!("{} never asked it", self.cast.name(machine))),
            Some(None) => "nothing yet".into(),
            Some(Some(Ok(_))) => Answer::Accepted.to_string(),
            Some(Some(Err(CallError::Unknown { .. }))) => Answer::Unknown.to_string(),
            Some(Some(Err(CallError::Unavailable { .. } | CallError::Rejected { .. }))) => {
                Answer::Unavailable.to_string()
            }
            Some(Some(Err(CallError::Refused(refusal)))) => kind(refusal),
        };
        (heard != answer.to_string())
            .then(|| format!("{} was told {heard} at {:.3?}", self.cast.name(machine), self.at))
    }
}

/// The name of a refusal, as it is on the wire.
fn kind(refusal: &Refusal) -> String {
    let json = serde_json::to_value(refusal).expect("a refusal is JSON");
    json.get("refused").and_then(|kind| kind.as_str()).unwrap_or("internal").to_owned()
}

fn compared(is: u64, comparison: Comparison, number: u64, what: &str) -> Option<String> {
    let holds = match comparison {
        Comparison::Equal => is == number,
        Comparison::AtMost => is <= number,
        Comparison::AtLeast => is >= number,
    };
    (!holds).then(|| format!("{what} is {is}"))
}

/// The machine of each entry's process.
pub fn placed(entries: Vec<Entry<Event>>, machines: &BTreeMap<ProcessId, MachineId>) -> Vec<(MachineId, Entry<Event>)> {
    entries.into_iter().filter_map(|entry| Some((*machines.get(&entry.process?)?, entry))).collect()
}
