//! What happened before a crash: the history of clients, cut at a point of the disk's record.

use crate::drive::Evidence;
use crate::event::{Event, Onlooker};
use crate::image::Rows;
use crate::workload::Plan;
use outlive::JobId;
use outlive::job::RequestId;
use outlive::protocol::{Call, Reply, Request};
use outlive_sim::sweep::Sweep;
use outlive_sim::timeline::Seen;
use outlive_sim::{Entry, Loss, MachineId, Process, SimDisk, Times};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Between a crash and the next boot.
pub const DOWNTIME: Duration = Duration::from_millis(100);

/// Notes how far the disk was at each event: two of the same instant have an order, too.
pub struct Marks {
    disk: SimDisk,
    marks: Mutex<Vec<usize>>,
}

impl Marks {
    /// Of this machine's disk, which keeps a record.
    pub fn new(disk: SimDisk) -> Arc<Self> {
        Arc::new(Self { disk, marks: Mutex::default() })
    }

    /// For each event the place of the change that comes next.
    pub fn take(&self) -> Vec<usize> {
        std::mem::take(&mut self.marks.lock().unwrap())
    }
}

impl Onlooker for Marks {
    fn sees(&self, process: &Process, _: &Event, _: Option<&Call>) {
        // A dead process leaves no mark in the history either.
        if process.is_alive() {
            self.marks.lock().unwrap().push(self.disk.recorded());
        }
    }
}

/// What clients saw, and who lived when.
#[derive(Clone, Default)]
pub struct Past {
    /// In order.
    pub entries: Vec<Entry<Event>>,
    /// In the order of boots.
    pub times: Vec<Times>,
    /// When it ends, in true time.
    pub until: Duration,
}

/// One run with the record of its disk.
pub struct Life {
    /// Before the run; empty for the first one.
    pub before: Past,
    /// Every crash in it.
    pub sweep: Sweep,
    /// What clients saw in it.
    pub entries: Vec<Entry<Event>>,
    /// For each of them the place of the change that came next.
    pub marks: Vec<usize>,
    /// When and where each process lived in it.
    pub times: Vec<Times>,
    /// When it ended, by its own time.
    pub ended: Duration,
    /// The rows that the checkers read at its end.
    pub rows: Result<Rows, String>,
}

impl Life {
    /// Answers to clients by each point. Two crashes that leave the same image are one only if
    /// clients were told the same: more answers promise more. More calls without an answer allow
    /// more, and forbid nothing, so they make no difference.
    pub fn classes(entries: &[Entry<Event>], marks: &[usize], points: usize) -> Vec<u64> {
        let mut answers = vec![0; points];
        let told = entries.iter().zip(marks).filter(|(entry, _)| matches!(entry.event, Event::Answer { .. }));
        told.for_each(|(_, mark)| answers[*mark] += 1);
        answers
            .iter()
            .scan(0, |sum, count| {
                Some({
                    *sum += count;
                    *sum
                })
            })
            .collect()
    }

    /// When this life begins, in the time of the whole story.
    fn begins(&self) -> Duration {
        if self.before.times.is_empty() { Duration::ZERO } else { self.before.until + DOWNTIME }
    }

    /// When a crash at this point comes, in the time of the whole story.
    fn crash_at(&self, point: usize) -> Duration {
        self.begins() + self.sweep.entries().get(point).map_or(self.ended, |entry| entry.at)
    }

    /// The story up to a crash at this point.
    pub fn cut(&self, point: usize) -> Past {
        let seen = self.marks.iter().take_while(|mark| **mark <= point).count();
        let until = self.crash_at(point);
        self.story(&self.entries[..seen], until)
    }

    /// The story to the end of this life, for the checkers.
    pub fn evidence(&self, plan: &Arc<Plan>) -> Evidence {
        let past = self.story(&self.entries, self.begins() + self.ended);
        Evidence {
            copies: Vec::new(),
            plan: plan.clone(),
            entries: past.entries,
            times: past.times,
            drift_ppm: BTreeMap::from([(MachineId(0), 0)]),
            // Nobody asks for it.
            wall_history: Vec::new(),
            rows: self.rows.clone(),
            faults: BTreeMap::new(),
            anchors: BTreeMap::new(),
            loss: Loss::default(),
            ended: past.until,
            calm_since: self.begins(),
            settled: None,
            work: None,
            disk_operations: 0,
            // Nobody looks at it.
            seen: Seen::default(),
            deeds: Vec::new(),
        }
    }

    /// What was before, and these events of this life behind it: later, of other processes, and calls
    /// with other numbers.
    fn story(&self, entries: &[Entry<Event>], until: Duration) -> Past {
        let Past { entries: mut all, mut times, .. } = self.before.clone();
        let begins = self.begins();
        let processes = times.iter().map(|times| times.process.0).max().unwrap_or(0);
        let call = |event: &Event| match event {
            Event::Invoke { call, .. } => Some(*call),
            _ => None,
        };
        let calls = all.iter().filter_map(|entry| call(&entry.event)).max().map_or(0, |last| last + 1);
        for entry in entries {
            let event = match entry.event.clone() {
                Event::Invoke { call, what } => Event::Invoke { call: call + calls, what },
                Event::Answer { call, answer } => Event::Answer { call: call + calls, answer },
                other => other,
            };
            let process = entry.process.map(|process| outlive_sim::ProcessId(process.0 + processes));
            all.push(Entry { ordinal: all.len() as u64, at: entry.at + begins, process, event });
        }
        for lived in self.times.iter().filter(|lived| lived.booted + begins <= until) {
            times.push(Times {
                process: outlive_sim::ProcessId(lived.process.0 + processes),
                machine: MachineId(0),
                booted: lived.booted + begins,
                ended: Some(lived.ended.map_or(until, |ended| (ended + begins).min(until))),
                pauses: Vec::new(),
            });
        }
        Past { entries: all, times, until }
    }
}

impl Past {
    /// The jobs of enqueues that were acknowledged.
    pub fn enqueued(&self) -> BTreeMap<RequestId, JobId> {
        let mut asked = BTreeMap::new();
        let mut jobs = BTreeMap::new();
        for entry in &self.entries {
            match &entry.event {
                Event::Invoke { call, what } => drop(asked.insert(*call, what.id)),
                Event::Answer { call, answer } => {
                    if let Ok(Reply::Enqueued { job, .. }) = &**answer {
                        jobs.insert(asked[call], *job);
                    }
                }
                _ => {}
            }
        }
        jobs
    }

    /// Changes whose answer nobody heard, and that their caller may ask for again under the same name
    /// from another process. A claim is not one: what it gets belongs to the dead.
    pub fn unknown(&self) -> Vec<Arc<Call>> {
        let mut asked = BTreeMap::new();
        let mut known = BTreeSet::new();
        for entry in &self.entries {
            match &entry.event {
                Event::Invoke { call, what } => drop(asked.insert(*call, what.id)),
                // By name and not by call: who was answered when he asked again asks no third time. That
                // would make anew what was lost since, and hide the loss.
                Event::Answer { call, .. } => drop(known.insert(asked[call])),
                _ => {}
            }
        }
        let repeatable = |request: &Request| {
            !request.is_read()
                && !matches!(request, Request::Claim(_) | Request::Heartbeat { .. } | Request::Start { .. })
        };
        let unanswered = self.entries.iter().filter_map(|entry| match &entry.event {
            Event::Invoke { what, .. } if !known.contains(&what.id) && repeatable(&what.request) => Some(what.clone()),
            _ => None,
        });
        unanswered.collect()
    }
}

/// How many commits had been acknowledged by each point: syncs of the log after which somebody was told
/// that a change of his is done.
pub fn commits(life: &Life) -> Vec<usize> {
    let is_commit = |place: &usize| {
        matches!(&life.sweep.entries()[*place].change,
            outlive_sim::DiskChange::Sync { path, made_durable } if path.ends_with("-wal") && !made_durable.is_empty())
    };
    let syncs: Vec<usize> = (0..life.sweep.entries().len()).filter(is_commit).collect();
    let mut asked = BTreeMap::new();
    let mut acknowledged: BTreeMap<usize, usize> = BTreeMap::new();
    for (entry, mark) in life.entries.iter().zip(&life.marks) {
        match &entry.event {
            Event::Invoke { call, what } => drop(asked.insert(*call, what.clone())),
            Event::Answer { call, answer } => {
                let empty = matches!(&**answer, Ok(Reply::Claimed { grants }) if grants.is_empty());
                let before = syncs.partition_point(|sync| sync < mark);
                if answer.is_ok() && !asked[call].request.is_read() && !empty && before > 0 {
                    acknowledged.entry(syncs[before - 1]).or_insert(*mark);
                }
            }
            _ => {}
        }
    }
    let marks: Vec<usize> = acknowledged.into_values().collect();
    (0..life.sweep.points()).map(|point| marks.iter().filter(|mark| **mark <= point).count()).collect()
}
