//! The jobs at moments: from the file as each opening found it, and from what was committed since.

use super::Drawing;
use crate::image::Rows;
use crate::tagging::Work;
use crate::workload::PATH;
use outlive::job::State;
use outlive::store::Change;
use outlive_sim::timeline::{HappeningId, Table};
use std::collections::BTreeMap;
use std::time::Duration;

/// What is shown of a job.
pub(super) const COLUMNS: [&str; 8] = ["job", "kind", "state", "attempts", "failed", "crashed", "held by", "waits for"];

/// The jobs, as committed so far.
#[derive(Default)]
struct Jobs {
    lines: BTreeMap<i64, Line>,
    /// Who was granted each attempt.
    workers: BTreeMap<(i64, i64), String>,
}

struct Line {
    kind: String,
    state: String,
    wait: String,
    attempts: i64,
    failures: i64,
    crashes: i64,
}

impl Drawing<'_> {
    /// A table at each fault that took effect, each opening, each violation, and the end.
    pub(super) fn draw_tables(&mut self, violated: &[HappeningId]) {
        let evidence = self.evidence;
        let faults = evidence.seen.faults.iter().filter(|fault| fault.took_effect);
        let faults = faults.map(|fault| (fault.at, format!("Fault: {}", fault.what)));
        let openings = self.opened.iter().map(|(at, _)| (*at, "The file is open".to_owned()));
        let violated = violated.iter().map(|id| (self.draft.at(*id), "Violation".to_owned()));
        let mut moments: Vec<(Duration, String)> = faults.chain(openings).chain(violated).collect();
        moments.sort();
        moments.dedup_by_key(|(at, _)| *at);
        let mut jobs = Jobs::default();
        let mut deeds: Vec<(Duration, &Work)> =
            evidence.deeds.iter().filter_map(|deed| Some((deed.done?, &deed.work))).collect();
        deeds.sort_by_key(|(done, _)| *done);
        let mut deeds = deeds.into_iter().peekable();
        for (at, title) in moments {
            while let Some((_, work)) = deeds.next_if(|(done, _)| *done <= at) {
                jobs.take(work);
            }
            self.draft.table(Table { at, title, rows: jobs.rows() });
        }
        deeds.for_each(|(_, work)| jobs.take(work));
        if let Ok(rows) = &evidence.rows {
            jobs.read(rows);
        }
        self.draft.table(Table { at: evidence.ended, title: "The end".into(), rows: jobs.rows() });
    }
}

impl Jobs {
    fn take(&mut self, work: &Work) {
        match work {
            // What is in the file now is all there is, whatever was said to be in it before.
            Work::Opening(Some(image)) => {
                if let Ok(rows) = Rows::read(image, PATH) {
                    self.read(&rows);
                }
            }
            Work::Commit(changes) => changes.iter().for_each(|change| self.change(change)),
            Work::Opening(None) | Work::Checkpoint => {}
        }
    }

    fn read(&mut self, rows: &Rows) {
        let line = |row: &crate::image::JobRow| Line {
            kind: row.kind.clone(),
            state: row.state.clone(),
            wait: if row.state == "waiting" { row.wait.clone() } else { String::new() },
            attempts: row.attempts,
            failures: row.failures,
            crashes: row.crashes,
        };
        self.lines = rows.jobs.iter().map(|(id, row)| (*id, line(row))).collect();
    }

    fn change(&mut self, change: &Change) {
        match change {
            Change::InsertJob(job) | Change::UpdateJob(job) => {
                let line = Line {
                    kind: job.new.kind.to_string(),
                    state: job.state.to_string(),
                    wait: if job.state == State::Waiting { job.wait.to_string() } else { String::new() },
                    attempts: job.attempts.into(),
                    failures: job.failures.into(),
                    crashes: job.crashes.into(),
                };
                self.lines.insert(job.id.0, line);
            }
            Change::InsertAttempt(attempt) => {
                let held = format!("{} (token {})", attempt.worker, attempt.token.0);
                self.workers.insert((attempt.job.0, attempt.number.into()), held);
            }
            _ => {}
        }
    }

    fn rows(&self) -> Vec<Vec<String>> {
        let row = |(id, line): (&i64, &Line)| {
            let held = self.workers.get(&(*id, line.attempts)).filter(|_| line.state == "running");
            let numbers = [line.attempts, line.failures, line.crashes].map(|it| it.to_string());
            let [attempts, failures, crashes] = numbers;
            let held = held.cloned().unwrap_or_default();
            vec![
                id.to_string(),
                line.kind.clone(),
                line.state.clone(),
                attempts,
                failures,
                crashes,
                held,
                line.wait.clone(),
            ]
        };
        self.lines.iter().map(row).collect()
    }
}
