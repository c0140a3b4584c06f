//! A run with its verdict, and all that is left to look at.

use crate::checkers::{self, Facts, Report, Violation};
use crate::coverage::Coverage;
use crate::drive::Evidence;
use crate::timeline::{About, timeline};
use crate::why::why;
use anyhow::Context;
use outlive_sim::timeline::{Timeline, html};
use std::fs;
use std::path::Path;

/// A run with its verdict.
pub struct Judged {
    /// What checkers judged.
    pub evidence: Evidence,
    /// What the history says.
    pub facts: Facts,
    /// What the checkers found.
    pub report: Report,
    /// The states that it reached.
    pub coverage: Coverage,
}

impl Judged {
    /// Lets all checkers judge a run.
    pub fn of(evidence: Evidence) -> Self {
        let facts = Facts::of(&evidence);
        let mut report = checkers::judge(&evidence, &facts);
        let coverage = Coverage::of(&evidence, &facts);
        coverage.judge(&evidence, &mut report);
        Self { evidence, facts, report, coverage }
    }

    /// What led to the first violation, a line each; nothing if there is none.
    pub fn why(&self) -> Vec<String> {
        let first = self.report.violations.first();
        first.map_or_else(Vec::new, |violation| why(&self.evidence, &self.facts, violation).lines())
    }

    /// The run for people; `violations` are what it shows as broken.
    pub fn timeline(&self, title: String, command: String, violations: &[Violation]) -> Timeline {
        timeline(&self.evidence, &self.facts, About { title, command, violations })
    }

    /// Writes a page that shows the run, and says where it is.
    ///
    /// # Errors
    /// If the file can't be written.
    pub fn write_page(
        &self,
        page: &Path,
        title: String,
        command: String,
        violations: &[Violation],
    ) -> anyhow::Result<()> {
        let text = html(&self.timeline(title, command, violations));
        fs::write(page, text).with_context(|| format!("can't write the page to {}", page.display()))?;
        let shown = page.canonicalize().unwrap_or_else(|_| page.to_owned());
        println!("the run, to look at: {}", shown.display());
        Ok(())
    }
}
