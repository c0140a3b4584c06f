//! Damage: whether anybody was told of it, and what an image is worth.

use crate::checkers::{self, Facts};
use crate::drive::Evidence;
use crate::event::{Event, Onlooker};
use crate::image::Rows;
use crate::workload::{Outside, Profile};
use outlive::job::explain::Doing;
use outlive::protocol::{Call, Reply, Request};
use outlive_sim::{Count, FaultKind, Process, SimDisk};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use xxhash_rust::xxh3::Xxh3;

/// What came of a run in which a disk did what no disk may do. All are good ends of a run; bad ones are violations.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Damage {
    /// Somebody was told, in these words.
    Detected(String),
    /// Nobody was told, and all five invariants held: it struck what nobody needed.
    Harmless,
    /// Nobody was told, because nobody has read it: this is in the file at the end, and whoever reads it is told.
    Dormant(String),
    /// Nobody was told, and this clause of the five did not hold: of acknowledged changes that are gone without a
    /// trace nothing can tell.
    Unseen(String),
}

impl Damage {
    /// What came of a run; none if no illegal fault took effect.
    pub fn of(evidence: &Evidence, facts: &Facts) -> Option<Self> {
        if !is_possible(evidence) {
            return None;
        }
        if let Some(told) = all_told(evidence).into_iter().next() {
            return Some(Self::Detected(told));
        }
        if let Err(why) = &evidence.rows {
            return Some(Self::Dormant(why.clone()));
        }
        if is_behind(evidence, facts) {
            return Some(Self::Dormant("its process knows more than the next opening would find".into()));
        }
        // The checkers of the five may rely on rows that contradict each other nowhere.
        let legal = catch_unwind(AssertUnwindSafe(|| checkers::judge_as(checkers::ALL, evidence, facts)));
        Some(match legal {
            Ok(report) => match report.violations.first() {
                None => Self::Harmless,
                Some(violation) => Self::Unseen(violation.clause.clone()),
            },
            Err(_) => Self::Unseen("a row that no checker understands".into()),
        })
    }
}

/// Whether a disk did what no disk may do.
pub fn is_possible(evidence: &Evidence) -> bool {
    let took_effect = |kind: &FaultKind| evidence.faults.get(kind).is_some_and(|count: &Count| count.effective > 0);
    evidence.plan.profile == Profile::Illegal && FaultKind::ILLEGAL.iter().any(took_effect)
}

/// Whether the process that has the file knows of a job's end that the next opening would not find: the log rotted after
/// it was read.
pub fn is_behind(evidence: &Evidence, facts: &Facts) -> bool {
    let Ok(rows) = &evidence.rows else { return false };
    let opened = evidence.entries.iter().rev().find(|entry| matches!(entry.event, Event::Opened));
    let Some(opened) = opened.map(|entry| entry.at) else { return false };
    facts.calls.iter().filter(|call| call.invoked >= opened).any(|call| {
        let over = match (&call.what.request, call.reply()) {
            (Request::Complete { lease, .. }, Some((_, Reply::Done))) => Some(lease.job),
            (Request::Explain { job }, Some((_, Reply::Explained(said)))) => {
                matches!(said.doing, Doing::Finished { .. }).then_some(*job)
            }
            _ => None,
        };
        over.is_some_and(|job| rows.jobs.get(&job.0).is_none_or(|row| !row.finished))
    })
}

/// All that anybody was told of damage, in order.
pub fn all_told(evidence: &Evidence) -> Vec<String> {
    evidence.entries.iter().filter_map(|entry| told(&entry.event)).collect()
}

/// What this tells of damage: the queue says it with what a person can do, and never says that of anything else.
fn told(event: &Event) -> Option<String> {
    let text = match event {
        Event::OpenFailed(why) => why.clone(),
        Event::Answer { answer, .. } => answer.as_ref().as_ref().err()?.to_string(),
        _ => return None,
    };
    // Of the header a flipped bit makes a number that only a later version may know.
    ["restore it from a backup", "use a newer Outlive"].iter().any(|says| text.contains(says)).then_some(text)
}

/// Tells the world outside that a person was called.
pub struct DamageWatch(pub Outside);

impl Onlooker for DamageWatch {
    fn sees(&self, _: &Process, event: &Event, _: Option<&Call>) {
        if told(event).is_some() {
            self.0.hear_of_damage();
        }
    }
}

/// The rows of an image in which every page is as it was written: where one is not, whoever reads it is told so, and
/// what is in it proves nothing.
///
/// # Errors
/// Which page is not, or why it does not read.
pub fn whole_rows(image: &SimDisk, path: &str) -> Result<Rows, String> {
    let file = image.read_all(path).map_err(|error| error.to_string())?;
    let log = image.read_all(&format!("{path}-wal")).unwrap_or_default();
    if let Some(page) = rotten_page(&file, &log) {
        return Err(format!("page {page} is not as it was written"));
    }
    let read = catch_unwind(AssertUnwindSafe(|| Rows::read(image, path)));
    read.unwrap_or_else(|_| Err("the database panics over it".into()))
}

/// The first page whose checksum is not that of its bytes and its number, unless the log has a later one of it.
fn rotten_page(file: &[u8], log: &[u8]) -> Option<u32> {
    let bytes = usize::from(u16::from_be_bytes(file.get(16..18)?.try_into().ok()?));
    if bytes < 512 {
        return Some(1);
    }
    // Pages without checksums say nothing of themselves.
    if file.get(20) != Some(&16) {
        return None;
    }
    let mut logged = BTreeSet::new();
    if let Some((header, frames)) = log.split_at_checked(32) {
        for frame in frames.chunks_exact(24 + bytes).take_while(|frame| frame[8..16] == header[16..24]) {
            logged.insert(u32::from_be_bytes(frame[..4].try_into().expect("four bytes")));
        }
    }
    let mut pages = (1u32..).zip(file.chunks(bytes));
    let rotten = |number: u32, page: &[u8]| {
        let (page, sum) = page.split_at(page.len().saturating_sub(16));
        let mut hash = Xxh3::new();
        hash.update(&number.to_le_bytes());
        hash.update(page);
        sum.iter().any(|byte| *byte != 0) && sum != hash.digest128().to_le_bytes()
    };
    pages.find(|(number, page)| !logged.contains(number) && rotten(*number, page)).map(|(number, _)| number)
}
