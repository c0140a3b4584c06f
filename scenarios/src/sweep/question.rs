//! What the children of a sweep are asked: a crash, or what may crash while it is recovered from.

use super::judge::{digest, judge};
use super::past::{Life, Past};
use super::recover::{Until, play, recover};
use super::stock::Stock;
use super::workload;
use crate::checkers::Violation;
use crate::runner::Verdict;
use crate::workload::Plan;
use clap::Args;
use outlive_sim::serve_questions;
use outlive_sim::sweep::{Crash, Cursor};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// A crash among those of a life: its point, and its place among the crashes there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Place {
    pub point: usize,
    pub ordinal: usize,
}

/// What a child is asked.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Question {
    /// Recover from a crash, and judge.
    Look { at: Place, settle: bool },
    /// Which crashes are there in the recovery from a crash?
    Within { at: Place },
    /// Recover from these crashes in the recovery from a crash, and judge. Some are let settle.
    Again { at: Place, within: Vec<(Place, bool)> },
}

/// What a child says.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Told {
    Looked(Looked),
    Within {
        enumerated: u64,
        points: usize,
        crashes: Vec<Found>,
    },
    Again(Vec<Looked>),
    /// A recovery whose crashes were asked for did not come to its end.
    Broken(String),
}

/// One distinct crash in a recovery.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    pub place: Place,
    /// Answers that clients heard in this life before it.
    pub answers: u64,
    /// The image's hash.
    pub hash: String,
}

/// What came of one crash.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Looked {
    /// What the rows of jobs say afterwards, but for times.
    pub digest: Option<u64>,
    /// What the checkers found, and stock SQLite.
    pub violations: Vec<Violation>,
    /// Why it did not come to its end.
    pub broken: Option<String>,
    /// Whether there was a file for stock SQLite to open.
    pub stock: bool,
}

/// What a sweep needs to look at a crash.
pub struct Bench {
    pub plan: Arc<Plan>,
    stock: Stock,
}

impl Bench {
    /// A bench for this plan.
    ///
    /// # Errors
    /// There is no place for files of stock SQLite.
    pub fn new(plan: Arc<Plan>) -> std::io::Result<Self> {
        Ok(Self { plan, stock: Stock::new()? })
    }

    /// Recovers from a crash, and judges what comes of it.
    pub fn look(&self, before: Past, crash: &Crash, depth: u64, until: Until) -> Looked {
        let mut looked = Looked::default();
        if let Some(checked) = self.stock.check(&crash.image.to_disk()) {
            looked.stock = true;
            let violation = |sentence| Violation::of_the_file("stock SQLite reads otherwise", sentence);
            looked.violations.extend(checked.err().map(violation));
        }
        match recover(&self.plan, before, &crash.image, depth, until) {
            Ok(life) => {
                looked.digest = life.rows.as_ref().ok().map(digest);
                looked.violations.extend(judge(&self.plan, &life, until));
            }
            Err(why) => looked.broken = Some(why),
        }
        looked
    }

    fn answer(&self, life: &Life, cursor: &mut Cursor<'_>, question: Question) -> Told {
        let (Question::Look { at, .. } | Question::Within { at } | Question::Again { at, .. }) = &question;
        cursor.go_to(at.point);
        let crash = cursor.crash(at.ordinal).expect("the asker enumerates the same crashes");
        let before = life.cut(at.point);
        if let Question::Look { settle, .. } = question {
            return Told::Looked(self.look(before, &crash, 1, until(settle)));
        }
        let second = match recover(&self.plan, before, &crash.image, 1, Until::Asked) {
            Ok(second) => second,
            Err(why) => return Told::Broken(why),
        };
        match question {
            Question::Look { .. } => unreachable!("it was answered"),
            Question::Within { .. } => {
                let mut images = second.sweep.images();
                let crashes = images.by_ref().map(|crash| found(&second, &crash)).collect();
                Told::Within { enumerated: images.enumerated(), points: second.sweep.points(), crashes }
            }
            Question::Again { within, .. } => {
                let mut cursor = second.sweep.cursor();
                let look = |(place, settle): (Place, bool)| {
                    cursor.go_to(place.point);
                    let crash = cursor.crash(place.ordinal).expect("the asker enumerates the same crashes");
                    self.look(second.cut(place.point), &crash, 2, until(settle))
                };
                Told::Again(within.into_iter().map(look).collect())
            }
        }
    }
}

/// How far a recovery goes.
pub fn until(settle: bool) -> Until {
    if settle { Until::Settled } else { Until::Asked }
}

/// What is told of a crash.
pub fn found(life: &Life, crash: &Crash) -> Found {
    Found {
        place: Place { point: crash.point, ordinal: crash.ordinal },
        answers: life.sweep.class(crash.point),
        hash: format!("{:032x}", crash.hash),
    }
}

/// The child's side of a sweep.
#[derive(Args)]
pub struct ServeSweep {
    /// What is swept.
    scenario: String,
    /// With this planted bug.
    #[cfg(feature = "planted")]
    #[arg(long, value_name = "NAME")]
    mutant: Option<String>,
}

impl ServeSweep {
    /// Answers questions from the standard input.
    ///
    /// # Errors
    /// The workload does not come to its end, or the pipes break.
    pub fn run(&self) -> anyhow::Result<Verdict> {
        #[cfg(feature = "planted")]
        if let Some(name) = &self.mutant {
            crate::planted::choose(name).map_err(anyhow::Error::msg)?;
        }
        let plan = Arc::new(workload::of(&self.scenario)?.plan);
        let life = play(&plan).map_err(anyhow::Error::msg)?;
        let bench = Bench::new(plan)?;
        let mut cursor = life.sweep.cursor();
        serve_questions(|question| bench.answer(&life, &mut cursor, question))?;
        Ok(Verdict::Good)
    }
}
