//! The life of a job as its rows tell it, in true time: through which states it went, and which attempts it had.

use super::said::{ANY_TIME, Said, within};
use super::state::JobState;
use crate::checkers::{Facts, Grant};
use crate::drive::Evidence;
use crate::image::{AttemptRow, FailureRow, JobRow, Rows};
use crate::wall::Wall;
use outlive::JobId;
use outlive::job::Token;
use outlive::protocol::When;
use std::collections::BTreeMap;
use std::time::Duration;

/// The life of a job.
pub struct Life<'a> {
    /// When each state began, in order, and whether a change of rows began it: a rest ends without one.
    pub phases: Vec<(Duration, JobState, bool)>,
    /// Its attempts, in order.
    pub attempts: Vec<Attempt<'a>>,
}

/// An attempt.
pub struct Attempt<'a> {
    /// When its lease was granted.
    pub claimed: Duration,
    /// When it ended, if it did, and whether the store took its lease back.
    pub ended: Option<(Duration, bool)>,
    /// What its holder was told; nothing if nobody ever was.
    pub grant: Option<&'a Grant>,
}

/// What is read of a run once, for all of its jobs.
pub struct Lives<'a> {
    evidence: &'a Evidence,
    facts: &'a Facts,
    rows: &'a Rows,
    said: Said,
    wall: Wall<'a>,
    /// Attempts of each job, in the order of their tokens.
    attempts: BTreeMap<i64, Vec<(Token, &'a AttemptRow)>>,
}

impl<'a> Lives<'a> {
    /// Reads a run; nothing if its file does not read.
    pub fn of(evidence: &'a Evidence, facts: &'a Facts) -> Option<Self> {
        let rows = evidence.rows.as_ref().ok()?;
        let mut attempts: BTreeMap<i64, Vec<(Token, &AttemptRow)>> = BTreeMap::new();
        for (token, row) in &rows.attempts {
            attempts.entry(row.job).or_default().push((Token(*token), row));
        }
        Some(Self { evidence, facts, rows, said: Said::of(facts), wall: Wall(&evidence.wall_history), attempts })
    }

    /// The jobs that the file has at the end.
    pub fn jobs(&self) -> impl Iterator<Item = JobId> {
        self.rows.jobs.keys().map(|id| JobId(*id))
    }

    /// The life of a job. None if a time in it can't be told, because the wall clock showed it twice.
    pub fn life(&self, id: JobId) -> Option<Life<'a>> {
        let row = &self.rows.jobs[&id.0];
        let end = self.evidence.ended;
        let (when, told) = self.said.enqueues.get(&id.0).copied().unwrap_or((When::Now, ANY_TIME));
        let enqueued = self.wall.true_time(row.enqueued_ms, within(told, (Duration::ZERO, end)))?;
        let attempts = self.attempts.get(&id.0).map_or(&[][..], |attempts| attempts);
        let claims = self.claims(attempts, enqueued)?;
        let mut life = Life { phases: Vec::new(), attempts: Vec::new() };
        let due = match when {
            When::Now => None,
            When::After(ms) => Some(enqueued + self.facts.least_rest(Duration::from_millis(ms))),
            When::At(wall) => self.wall.true_time(wall.0, (enqueued, end)),
        };
        // A job that is cancelled at once has no attempt any more, however few of a millisecond lie between.
        let cancelled = self.said.cancels.get(&id.0).filter(|_| row.state == "cancelled").map_or(end, |told| told.1);
        let mut since = enqueued;
        if self.rows.waits.contains_key(&(id.0, String::new())) {
            life.wait(since, JobState::Held, claims.first().copied().or(Some(end)), claims.first().copied());
        } else {
            life.wait(since, JobState::Delay, due, claims.first().copied());
        }
        for (place, (token, attempt)) in attempts.iter().enumerate() {
            let (claimed, next) = (claims[place], claims.get(place + 1).copied());
            let grant = self.facts.grants.get(token);
            let by_store = matches!(attempt.ended.as_deref(), Some("crashed" | "expired"));
            let ended = match attempt.ended_ms {
                Some(ms) => {
                    Some(self.end((*token, grant), ms, by_store, (claimed, next.unwrap_or(end.min(cancelled))))?)
                }
                None => None,
            };
            let until = ended.unwrap_or(end);
            life.phases.push((claimed, JobState::Claimed, true));
            if let Some(ms) = attempt.started_ms {
                let told = self.said.starts.get(token).copied().unwrap_or(ANY_TIME);
                let started = self.wall.true_time(ms, within(told, (claimed, until)))?;
                life.phases.push((started, JobState::Started, true));
            }
            if let Some(asked) = self.said.stops.get(&id.0).filter(|asked| (claimed..until).contains(*asked)) {
                let place = life.phases.partition_point(|(at, ..)| at <= asked);
                life.phases.truncate(place);
                life.phases.push((*asked, JobState::Stopping, true));
            }
            life.attempts.push(Attempt { claimed, ended: ended.map(|at| (at, by_store)), grant });
            if let Some(ended) = ended {
                since = ended;
                self.follow(&mut life, row, (*token, attempt), since, next);
            }
        }
        // By a request, or because a job that it waited for ended without a result.
        let without_an_attempt = match row.state.as_str() {
            "cancelled" => Some(JobState::Cancelled),
            "discarded" => Some(JobState::Discarded),
            _ => None,
        };
        if let Some(terminal) = without_an_attempt.filter(|_| life.phases.last().is_some_and(|(_, job, _)| job.waits()))
        {
            let told = self.said.cancels.get(&id.0).copied().unwrap_or(ANY_TIME);
            let ended = self.wall.true_time(row.finished_ms?, within(told, (since, end)))?;
            life.phases.retain(|(at, ..)| *at < ended);
            life.phases.push((ended, terminal, true));
        }
        Some(life)
    }

    /// When each attempt's lease was granted: before whoever asked for it was told.
    fn claims(&self, attempts: &[(Token, &AttemptRow)], enqueued: Duration) -> Option<Vec<Duration>> {
        let mut earliest = enqueued;
        let claim = |(token, row): &(Token, &AttemptRow)| {
            let told = self.facts.grants.get(token).map(|grant| (grant.claimed, grant.answered));
            let (from, to) = told.unwrap_or((Duration::ZERO, self.evidence.ended));
            earliest = self.wall.true_time(row.claimed_ms, (earliest.max(from), to))?;
            Some(earliest)
        };
        attempts.iter().map(claim).collect()
    }

    /// When an attempt ended: not before its holder asked for it, if he did, nor after he was answered.
    fn end(
        &self,
        (token, grant): (Token, Option<&Grant>),
        wall_ms: i64,
        by_store: bool,
        between: (Duration, Duration),
    ) -> Option<Duration> {
        let told = self.said.ends.get(&token).filter(|_| !by_store).copied().unwrap_or(ANY_TIME);
        self.wall.true_time(wall_ms, within(told, between)).or_else(|| {
            // Where the wall clock leaves a choice, a lease was taken back when it should have been.
            let died = self.facts.deaths.get(&grant?.process).copied().unwrap_or(Duration::MAX);
            let earliest = grant?.trust_ends().min(died);
            self.wall.true_time(wall_ms, within((earliest, Duration::MAX), between))
        })
    }

    /// What the job went on with after an attempt.
    fn follow(
        &self,
        life: &mut Life<'a>,
        row: &JobRow,
        (token, attempt): (Token, &AttemptRow),
        since: Duration,
        next: Option<Duration>,
    ) {
        let failure: Option<&FailureRow> = self.rows.failures.get(&token.0);
        let terminal = match (attempt.ended.as_deref(), failure.map(|failure| failure.decision.as_str())) {
            (Some("completed"), _) => Some(JobState::Completed),
            (_, Some("discard")) => Some(JobState::Discarded),
            (_, Some("quarantine")) => Some(JobState::Quarantined),
            (_, Some("cancel")) => Some(JobState::Cancelled),
            // A snooze is no failure, and is overruled by a request to stop.
            (Some("snoozed" | "suspended"), _)
                if row.state == "cancelled" && row.cancel_requested && next.is_none() =>
            {
                Some(JobState::Cancelled)
            }
            _ => None,
        };
        if let Some(terminal) = terminal {
            life.phases.push((since, terminal, true));
            return;
        }
        let wall_due = failure.and_then(|failure| failure.due_wall_ms);
        let by_wall = || self.wall.true_time(wall_due?, (since, self.evidence.ended));
        let (rest, due) = match attempt.ended.as_deref() {
            Some("failed") => (JobState::Backoff, by_wall()),
            Some("crashed") => (JobState::CrashBackoff, by_wall()),
            Some("snoozed") => {
                (JobState::Snooze, self.said.snoozes.get(&token).map(|delay| since + self.facts.least_rest(*delay)))
            }
            Some("suspended") => (JobState::Held, next.or(Some(self.evidence.ended))),
            _ => (JobState::Line, None),
        };
        life.wait(since, rest, due.or(next.filter(|_| rest != JobState::Line)), next);
    }
}

impl Life<'_> {
    /// The job waits from a time on: in a rest until it is due, and then in line until it is claimed.
    fn wait(&mut self, since: Duration, rest: JobState, due: Option<Duration>, claimed: Option<Duration>) {
        let Some(due) = due.filter(|due| *due > since) else {
            self.phases.push((since, JobState::Line, true));
            return;
        };
        self.phases.push((since, rest, true));
        if claimed.is_none_or(|claimed| due < claimed) {
            self.phases.push((due, JobState::Line, false));
        }
    }

    /// When it began.
    pub fn begins(&self) -> Duration {
        self.phases[0].0
    }

    /// When it became terminal, if it did.
    pub fn finished(&self) -> Option<Duration> {
        self.phases.last().filter(|(_, job, _)| job.is_terminal()).map(|(at, ..)| *at)
    }
}
