//! What a hunt came to, for a person.

use super::corpus::Origin;
use crate::runner::Case;
use crate::shrink::{Failure, Sizes};
use comfy_table::{CellAlignment, Table, presets};
use std::collections::BTreeMap;

/// Failures of one cause, as far as can be told.
#[derive(Default)]
pub struct Group {
    /// Runs, in the order in which they were found.
    pub cases: Vec<Case>,
    /// Where the story of one of them is.
    pub story: Option<Sizes>,
}

/// What was run, and what it brought.
#[derive(Default)]
pub struct Tally {
    /// Runs, and states that they were the first to reach, by where the case came from.
    by_origin: BTreeMap<Origin, (u64, u64)>,
    /// Runs that failed.
    pub failed: u64,
    /// How they failed.
    pub groups: BTreeMap<Failure, Group>,
}

impl Tally {
    /// Counts a run that reached so many new states.
    pub fn count(&mut self, case: Case, new: usize) {
        let (runs, states) = self.by_origin.entry(Origin::of(case)).or_default();
        *runs += 1;
        *states += new as u64;
    }

    /// Counts a failure.
    pub fn failed(&mut self, case: Case, failure: Failure) {
        self.failed += 1;
        self.groups.entry(failure).or_default().cases.push(case);
    }

    /// Runs.
    pub fn runs(&self) -> u64 {
        self.by_origin.values().map(|(runs, _)| runs).sum()
    }

    /// New states of fresh seeds, and of kept ones.
    pub fn new_states(&self) -> (u64, u64) {
        let of = |fresh: bool| {
            let wanted = self.by_origin.iter().filter(move |(origin, _)| (**origin == Origin::Fresh) == fresh);
            wanted.map(|(_, (_, new))| new).sum()
        };
        (of(true), of(false))
    }

    /// Where the new states came from.
    pub fn origins(&self) -> String {
        let mut table = Table::new();
        table.load_style(presets::NOTHING).set_header(["", "runs", "new states", "in 100 runs"]);
        for origin in Origin::ALL {
            let (runs, new) = self.by_origin.get(&origin).copied().unwrap_or_default();
            let rate = if runs == 0 { "–".into() } else { format!("{:.1}", 100.0 * new as f64 / runs as f64) };
            table.add_row([origin.words().to_owned(), runs.to_string(), new.to_string(), rate]);
        }
        table.column_iter_mut().skip(1).for_each(|column| {
            column.set_cell_alignment(CellAlignment::Right);
        });
        table.trim_fmt()
    }

    /// A row for each way to fail. `replay` makes the command that runs a case again.
    pub fn failures(&self, replay: impl Fn(Case) -> String) -> String {
        let mut text = String::new();
        for (failure, Group { cases, story }) in &self.groups {
            text.push_str(&format!("\n{failure}\n"));
            let runs = if cases.len() == 1 { "1 run".to_owned() } else { format!("{} runs", cases.len()) };
            text.push_str(&format!("  {runs}, first {}\n    {}\n", cases[0], replay(cases[0])));
            match story {
                None => text.push_str("  no story: it was not shrunk\n"),
                Some(Sizes { before, after, seconds, exhausted, file, .. }) => {
                    let unfinished = if *exhausted { ", and the time was used up" } else { "" };
                    text.push_str(&format!(
                        "  shrunk from {} faults and {} jobs to {} and {}, in {seconds:.1} s{unfinished}\n    {}\n",
                        before.0,
                        before.1,
                        after.0,
                        after.1,
                        file.display()
                    ));
                }
            }
        }
        text
    }
}
