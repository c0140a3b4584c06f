//! The timeline of a run of the queue: lanes for the server, workers and clients, their calls and leases, the
//! store's commits on its disk, violations, and what caused what.
//!
//! It reads what checkers read, and what was watched beside it. It judges nothing.

mod calls;
mod leases;
mod story;
mod tables;
mod violations;

use crate::checkers::{Facts, Violation};
use crate::drive::Evidence;
use crate::event::Event;
use crate::tagging::{Deed, Work};
use crate::workload::Setting;
use outlive::JobId;
use outlive::job::{RequestId, Token};
use outlive_sim::timeline::{Draft, HappeningId, Kind, LaneId, Timeline, Undurable, Verdict};
use outlive_sim::{MachineId, ProcessId};
use std::collections::BTreeMap;
use std::time::Duration;

/// What to say of a run.
pub struct About<'a> {
    /// What ran.
    pub title: String,
    /// The command that runs it again.
    pub command: String,
    /// What broke.
    pub violations: &'a [Violation],
}

/// The timeline of a run.
pub fn timeline(evidence: &Evidence, facts: &Facts, about: About<'_>) -> Timeline {
    let mut drawing = Drawing::new(evidence, facts);
    drawing.draw_store();
    drawing.draw_handlers();
    drawing.draw_calls();
    drawing.draw_leases();
    drawing.link();
    let violated = drawing.draw_violations(about.violations);
    drawing.draw_tables(&violated);
    let verdict = verdict(evidence, about.violations);
    let columns = tables::COLUMNS.map(str::to_owned).to_vec();
    let frame = Timeline { title: about.title, command: about.command, verdict, columns, ..Timeline::default() };
    drawing.draft.finish(frame, &violated, story::tell)
}

fn verdict(evidence: &Evidence, violations: &[Violation]) -> Verdict {
    let words = match violations {
        [] => {
            let ended = evidence.rows.as_ref().map_or(0, |rows| rows.jobs.values().filter(|job| job.finished).count());
            format!("no violation; {ended} jobs came to their end")
        }
        [one] => format!("{} violated: {}", one.clause, one.transition),
        [first, others @ ..] => format!("{} violated: {} (and {} more)", first.clause, first.transition, others.len()),
    };
    Verdict { good: violations.is_empty(), words }
}

/// A timeline in the making, and what is where in it.
struct Drawing<'a> {
    evidence: &'a Evidence,
    facts: &'a Facts,
    draft: Draft,
    /// Where calls were asked, by number.
    asked: BTreeMap<u64, HappeningId>,
    /// Where they were answered, or where it became clear that they never would be.
    answered: BTreeMap<u64, HappeningId>,
    /// Where leases were granted.
    granted: BTreeMap<Token, HappeningId>,
    /// Where they expired, or were taken back.
    expired: BTreeMap<Token, HappeningId>,
    /// Where handlers began and ended.
    began: BTreeMap<(JobId, u32), HappeningId>,
    finished: BTreeMap<(JobId, u32), HappeningId>,
    /// Where the file was opened, in order.
    opened: Vec<(Duration, HappeningId)>,
    /// What became of the writes of each deed.
    fate: Undurable,
    /// The commit that wrote the answer to each request.
    commits: BTreeMap<RequestId, u64>,
}

impl<'a> Drawing<'a> {
    fn new(evidence: &'a Evidence, facts: &'a Facts) -> Self {
        let machines = machines(evidence);
        let draft = Draft::of(&evidence.seen, &machines);
        let commits = evidence.deeds.iter().flat_map(|deed| deed.requests().map(|request| (request, deed.tag)));
        Self {
            evidence,
            facts,
            draft,
            asked: BTreeMap::new(),
            answered: BTreeMap::new(),
            granted: BTreeMap::new(),
            expired: BTreeMap::new(),
            began: BTreeMap::new(),
            finished: BTreeMap::new(),
            opened: Vec::new(),
            fate: Undurable::default(),
            commits: commits.collect(),
        }
    }

    fn lane(&self, process: ProcessId) -> LaneId {
        self.draft.lane_of(self.facts.machine(process))
    }

    /// The disk under the file, and its openings.
    fn draw_store(&mut self) {
        let names: BTreeMap<u64, String> = self.evidence.deeds.iter().map(|deed| (deed.tag, deed.name())).collect();
        let name = |tag: u64| names.get(&tag).cloned().unwrap_or_else(|| "outside of commits".into());
        self.fate = self.draft.draw_disk(&self.evidence.seen, self.evidence.plan.setting.store(), name);
        for entry in &self.evidence.entries {
            let Some(process) = entry.process else { continue };
            let (kind, text) = match &entry.event {
                Event::Opened => (Kind::Note, "the file is open".to_owned()),
                Event::OpenFailed(why) => (Kind::Refused, format!("the file can't be opened: {why}")),
                Event::RivalTurnedAway(why) => (Kind::Refused, format!("a second process is turned away: {why}")),
                Event::CompactionAsked => (Kind::Asked, "make the file smaller".to_owned()),
                Event::Compacted(Ok(made)) => {
                    (Kind::Answered, format!("it had {} bytes, and has {}", made.before_bytes, made.after_bytes))
                }
                Event::Compacted(Err(why)) => (Kind::Refused, format!("it is not made smaller: {why}")),
                Event::CopyAsked { path } => (Kind::Asked, format!("copy the file to {path}")),
                Event::CopyMade { path, failed: None } => (Kind::Answered, format!("{path} is made")),
                Event::CopyMade { path, failed: Some(why) } => (Kind::Refused, format!("{path} is not made: {why}")),
                Event::Stopping => (Kind::Note, "a worker is asked to stop".to_owned()),
                Event::Stopped => (Kind::Note, "a worker has stopped".to_owned()),
                _ => continue,
            };
            let id = self.draft.happen(entry.at, self.lane(process), kind, text);
            if let Some(boot) = self.draft.boot_of(process) {
                self.draft.caused(id, boot);
            }
            if matches!(entry.event, Event::Opened) {
                self.opened.push((entry.at, id));
            }
        }
    }

    fn draw_handlers(&mut self) {
        for entry in &self.evidence.entries {
            let Some(process) = entry.process else { continue };
            match entry.event {
                Event::HandlerStarted { job, attempt, .. } => {
                    let text = format!("the handler of job {job} begins (attempt {attempt})");
                    let id = self.draft.happen_minor(entry.at, self.lane(process), Kind::Began, text);
                    self.began.insert((job, attempt), id);
                }
                Event::HandlerEnded { job, attempt } => {
                    let text = format!("the handler of job {job} ends (attempt {attempt})");
                    let id = self.draft.happen_minor(entry.at, self.lane(process), Kind::Finished, text);
                    self.finished.insert((job, attempt), id);
                    if let Some(began) = self.began.get(&(job, attempt)) {
                        self.draft.caused(id, *began);
                    }
                }
                _ => {}
            }
        }
    }

    /// The deed with this tag.
    fn deed(&self, tag: u64) -> Option<&'a Deed> {
        self.evidence.deeds.get(tag.checked_sub(1)? as usize)
    }

    /// Commits that wrote a row of this job, in order.
    fn commits_of(&self, job: JobId) -> impl Iterator<Item = &'a Deed> {
        let commits = self.evidence.deeds.iter().filter(|deed| matches!(deed.work, Work::Commit(_)));
        commits.filter(move |deed| deed.jobs().any(|it| it == job))
    }
}

/// The store first, then who stands before it, workers, clients.
fn machines(evidence: &Evidence) -> Vec<MachineId> {
    match &evidence.plan.setting {
        Setting::Embedded(machine) => vec![*machine],
        Setting::Cluster(machines) => {
            let store = [machines.store].into_iter().chain(machines.middlebox);
            store.chain(machines.workers.iter().copied()).chain(machines.clients.iter().copied()).collect()
        }
    }
}
