//! Schedules: what is asked for, and what people see of it.

use crate::job::{CatchUp, JobId, Rhythm, Template, Wall};
use serde::{Deserialize, Serialize};
use std::fmt;

/// A schedule: a job for each of its slots.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schedule {
    /// What people call it. Another schedule of the same name takes its place.
    pub name: String,
    /// When it has its slots.
    #[serde(flatten)]
    pub rhythm: Rhythm,
    /// What becomes of slots that were missed.
    pub catch_up: CatchUp,
    /// How late a slot still has its job if missed ones are skipped, in milliseconds.
    pub late_ms: u64,
    /// What the job of each slot is like.
    pub job: Template,
}

/// A schedule, as people see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScheduleView {
    /// What was asked for.
    #[serde(flatten)]
    pub schedule: Schedule,
    /// Since when it is there as it is.
    pub since: Wall,
    /// When its next slot is; none if there is none.
    pub next: Option<Wall>,
    /// Why slots that are due do not have their jobs yet, if something keeps them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stuck: Option<String>,
    /// What became of its last slots, the latest first.
    pub last: Vec<SlotView>,
}

impl fmt::Display for ScheduleView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Schedule { name, rhythm, job, .. } = &self.schedule;
        write!(f, "Schedule {name:?} has a job of kind {:?} {rhythm}. ", job.kind)?;
        match (&self.stuck, self.next) {
            (Some(why), _) => write!(f, "Its slots wait for their jobs: {why}")?,
            (None, Some(next)) => write!(f, "Its next slot is at {next}.")?,
            (None, None) => f.write_str("It has no slot to come.")?,
        }
        if let Some(SlotView::Job { at, job }) = self.last.iter().find(|slot| matches!(slot, SlotView::Job { .. })) {
            write!(f, " The last one that has its job, at {at}, has job {job}.")?;
        }
        for slot in &self.last {
            match slot {
                SlotView::Skipped { first, last } if first == last => write!(f, " The slot at {first} was skipped.")?,
                SlotView::Skipped { first, last } => {
                    let has_job =
                        |slot: &SlotView| matches!(slot, SlotView::Job { at, .. } if first <= at && at <= last);
                    let but = if self.last.iter().any(has_job) { ", but for those that have jobs" } else { "" };
                    write!(f, " Slots from {first} to {last} were skipped{but}.")?;
                }
                SlotView::Job { .. } => {}
            }
        }
        Ok(())
    }
}

/// What became of slots of a schedule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum SlotView {
    /// One has its job.
    Job {
        /// The slot's time.
        at: Wall,
        /// Its job.
        job: JobId,
    },
    /// Those from one to another were passed over: of these, those that have no jobs were skipped.
    Skipped {
        /// The first one's time.
        first: Wall,
        /// The last one's time.
        last: Wall,
    },
}

impl SlotView {
    /// The last slot that it is about.
    pub fn at(&self) -> Wall {
        match self {
            Self::Job { at, .. } => *at,
            Self::Skipped { last, .. } => *last,
        }
    }
}
