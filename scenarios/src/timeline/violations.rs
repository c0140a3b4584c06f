//! Violations, and what each followed from: its calls, its attempts, the commits of its rows and what became
//! of them on the disk.

use super::Drawing;
use crate::checkers::{CallFact, Violation};
use outlive::JobId;
use outlive::job::Token;
use outlive_sim::timeline::{HappeningId, Kind};
use std::collections::BTreeSet;
use std::time::Duration;

/// Violations on a timeline, at the most.
const SHOWN: usize = 20;
/// Commits of a job whose loss is named, the last ones.
const COMMITS: usize = 3;

impl Drawing<'_> {
    /// Adds violations; where they are.
    pub(super) fn draw_violations(&mut self, violations: &[Violation]) -> Vec<HappeningId> {
        violations.iter().take(SHOWN).map(|violation| self.draw_violation(violation)).collect()
    }

    fn draw_violation(&mut self, violation: &Violation) -> HappeningId {
        let causes = self.causes(violation);
        let seen = causes.iter().map(|cause| self.draft.at(*cause)).max().unwrap_or_default();
        let at = violation.subject.at.unwrap_or(self.evidence.ended).max(seen);
        let caller = violation.subject.calls.last().and_then(|number| self.call(*number)).map(|call| call.process);
        let store = self.draft.lane_of(self.evidence.plan.setting.store());
        let lane = caller.map_or(store, |process| self.lane(process));
        let text = format!("VIOLATION of {}: {}", violation.clause, violation.sentence);
        let id = self.draft.happen(at, lane, Kind::Violation, text);
        causes.into_iter().for_each(|cause| self.draft.caused(id, cause));
        id
    }

    fn call(&self, number: u64) -> Option<&CallFact> {
        self.facts.calls.iter().find(|call| call.number == number)
    }

    fn causes(&self, violation: &Violation) -> BTreeSet<HappeningId> {
        let subject = &violation.subject;
        let calls = subject.calls.iter().filter_map(|number| self.answered.get(number)).copied();
        let mut causes: BTreeSet<HappeningId> = calls.collect();
        let answered = causes.iter().map(|cause| self.draft.at(*cause));
        let broken = answered.chain(subject.at).max().unwrap_or(self.evidence.ended);
        // What came later is no cause of it.
        let by_then = |id: &&HappeningId| self.draft.at(**id) <= broken;
        for token in subject.attempts.iter().map(|token| Token(*token)) {
            causes.extend(self.granted.get(&token).filter(by_then));
            causes.extend(self.expired.get(&token).filter(by_then));
            if let Some(grant) = self.facts.grants.get(&token) {
                causes.extend(self.began.get(&(grant.lease.job, grant.attempt)).filter(by_then));
            }
        }
        if let (Some(job), true, true) = (subject.job, subject.calls.is_empty(), subject.attempts.is_empty()) {
            let latest = self.facts.tokens.get(&JobId(job)).and_then(|tokens| tokens.last());
            causes.extend(latest.and_then(|token| self.granted.get(token)));
            causes.extend(latest.and_then(|token| self.expired.get(token)));
        }
        causes.extend(self.losses(violation, broken));
        causes
    }

    /// What a power loss or a failed sync took of the commits that this is about.
    fn losses(&self, violation: &Violation, broken: Duration) -> BTreeSet<HappeningId> {
        let subject = &violation.subject;
        let calls = subject.calls.iter().filter_map(|number| self.call(*number));
        let mut tags: BTreeSet<u64> = calls.filter_map(|call| self.commits.get(&call.what.id)).copied().collect();
        if let Some(job) = subject.job.map(JobId) {
            let commits: Vec<u64> = self.commits_of(job).map(|deed| deed.tag).collect();
            tags.extend(commits.iter().rev().take(COMMITS));
        }
        let mut lost: BTreeSet<HappeningId> = BTreeSet::new();
        for tag in &tags {
            lost.extend(self.fate.lost.get(tag).into_iter().flatten());
            // A commit that failed, or whose process died, is of unknown outcome.
            if let Some(deed) = self.deed(*tag).filter(|deed| deed.done.is_none()) {
                lost.extend(self.draft.end_of(deed.process));
            }
        }
        // What is not as it was acknowledged went with its file's name, if nothing else took it.
        if lost.is_empty() && violation.clause.starts_with("I1.") {
            lost.extend(self.fate.names_lost.iter().find(|it| self.draft.at(**it) >= broken));
        }
        lost
    }
}
