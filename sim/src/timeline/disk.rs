//! A disk's record as happenings: the writes of one purpose together, syncs, and what a power loss took.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::draft::Draft;
use super::model::{HappeningId, Kind};
use super::seen::Seen;
use crate::disk::{DiskChange, DiskEntry};
use crate::world::MachineId;

/// What became of the changes of a disk, by what they were tagged with.
#[derive(Clone, Debug, Default)]
pub struct Undurable {
    /// The writes of each tag.
    pub written: BTreeMap<u64, Vec<HappeningId>>,
    /// The syncs that made changes of a tag durable.
    pub synced: BTreeMap<u64, Vec<HappeningId>>,
    /// What took changes of a tag.
    pub lost: BTreeMap<u64, Vec<HappeningId>>,
    /// What took names of files: with the name, all that was ever written under it is gone.
    pub names_lost: Vec<HappeningId>,
}

/// Changes of one tag and kind to one file, without anything else in between.
struct Run {
    at: Duration,
    tag: u64,
    what: &'static str,
    path: String,
    count: usize,
    bytes: usize,
    places: Vec<usize>,
}

impl Draft {
    /// Adds what a machine's disk did. `name` says in two words what a tag stands for.
    pub fn draw_disk(&mut self, seen: &Seen, machine: MachineId, name: impl Fn(u64) -> String) -> Undurable {
        let mut drawing =
            Drawing { draft: self, machine, name: &name, run: None, of: BTreeMap::new(), fate: Undurable::default() };
        let record = seen.disks.get(&machine).map_or(&[][..], Vec::as_slice);
        for (place, entry) in record.iter().enumerate() {
            drawing.take(place, entry, record);
        }
        drawing.close();
        let fate = drawing.fate;
        self.blame_power(seen, machine, &fate);
        fate
    }

    /// What was lost was lost by the fault that came then.
    fn blame_power(&mut self, seen: &Seen, machine: MachineId, fate: &Undurable) {
        let lost: BTreeSet<HappeningId> = fate.lost.values().flatten().copied().collect();
        for (place, fault) in seen.faults.iter().enumerate().filter(|(_, fault)| fault.machine == machine) {
            let (at, id) = (fault.at, self.faults()[place]);
            for lost in lost.iter().filter(|lost| self.at(**lost) == at).copied().collect::<Vec<_>>() {
                self.caused(lost, id);
            }
        }
    }
}

struct Drawing<'a> {
    draft: &'a mut Draft,
    machine: MachineId,
    name: &'a dyn Fn(u64) -> String,
    run: Option<Run>,
    /// Which happening shows the entry of this place.
    of: BTreeMap<usize, HappeningId>,
    fate: Undurable,
}

impl Drawing<'_> {
    fn take(&mut self, place: usize, entry: &DiskEntry, record: &[DiskEntry]) {
        let at = entry.at;
        match &entry.change {
            DiskChange::Create { path } => self.add(place, entry, "create", path, 0),
            DiskChange::Write { path, bytes, .. } => self.add(place, entry, "write", path, bytes.len()),
            DiskChange::SetLength { path, .. } => self.add(place, entry, "set length", path, 0),
            DiskChange::Rename { from, to } => self.add(place, entry, "rename", &format!("{from} to {to}"), 0),
            DiskChange::Remove { path } => self.add(place, entry, "remove", path, 0),
            DiskChange::FailedWrite { path, bytes, .. } => {
                let text = format!("a write to {path} fails after {} bytes", bytes.len());
                let id = self.say(at, Kind::Lost, text);
                self.of.insert(place, id);
            }
            DiskChange::Sync { path, made_durable } | DiskChange::SyncDirectory { path, made_durable } => {
                let text = match self.by_tag(made_durable, record) {
                    by_tag if by_tag.is_empty() => format!("sync of {path}, with nothing to do"),
                    by_tag => format!("sync of {path}: {} durable", self.amounts(&by_tag)),
                };
                let id = self.say(at, Kind::Sync, text);
                for (tag, _) in self.by_tag(made_durable, record) {
                    self.fate.synced.entry(tag).or_default().push(id);
                }
                self.follows(id, made_durable);
            }
            DiskChange::FailedSync { path, kept, dropped } => {
                let gone = self.by_tag(dropped, record);
                let text = format!(
                    "sync of {path} FAILS: {} of {} changes durable, the others are gone with the next power loss",
                    kept.len(),
                    kept.len() + dropped.len()
                );
                self.lose(at, text, &gone, dropped);
            }
            DiskChange::LyingSync { path, waiting, dropped } => {
                let (gone, waits) = (self.by_tag(dropped, record), waiting.len());
                let text = format!(
                    "sync of {path} LIES: it says yes, and none of {} changes is durable",
                    waits + dropped.len()
                );
                self.lose(at, text, &gone, dropped);
            }
            DiskChange::MisdirectedWrite { path, meant, offset, bytes } => {
                let bytes = bytes.len();
                let text = format!("a write of {bytes} bytes to {path}, meant for {meant}, lands at {offset}");
                let id = self.say(at, Kind::Lost, text);
                self.of.insert(place, id);
            }
            DiskChange::Rot { path, offset, visible, .. } => {
                let shows = if *visible { "" } else { ", which shows after the next power loss" };
                let text = format!("byte {offset} of {path} rots{shows}");
                self.say(at, Kind::Lost, text);
            }
            DiskChange::FailedSyncDirectory { path, kept, .. } => {
                let text = format!("sync of {path} FAILS: {} changes of names durable, the others wait", kept.len());
                self.say(at, Kind::Lost, text);
            }
            DiskChange::Crash { .. } => self.close(),
            DiskChange::PowerLoss { kept, lost, torn, undone, .. } => {
                let all: Vec<usize> = lost.iter().chain(torn).chain(undone).copied().collect();
                let gone = self.by_tag(&all, record);
                if gone.is_empty() {
                    self.close();
                    let text = format!("power loss: nothing lost, {} pending changes kept", kept.len());
                    self.say(at, Kind::Note, text);
                    return;
                }
                let text = format!(
                    "power loss: {} lost ({} whole, {} torn, {} names undone, {} kept)",
                    self.amounts(&gone),
                    lost.len(),
                    torn.len(),
                    undone.len(),
                    kept.len()
                );
                let id = self.lose(at, text, &gone, &all);
                if !undone.is_empty() {
                    self.fate.names_lost.push(id);
                }
            }
        }
    }

    /// Adds a change to the run of its like.
    fn add(&mut self, place: usize, entry: &DiskEntry, what: &'static str, path: &str, bytes: usize) {
        let fits = |run: &Run| (run.tag, run.what, run.path.as_str()) == (entry.tag, what, path);
        if !self.run.as_ref().is_some_and(fits) {
            self.close();
        }
        let new =
            || Run { at: entry.at, tag: entry.tag, what, path: path.into(), count: 0, bytes: 0, places: Vec::new() };
        let run = self.run.get_or_insert_with(new);
        run.count += 1;
        run.bytes += bytes;
        run.places.push(place);
    }

    /// Shows the run, if there is one.
    fn close(&mut self) {
        let Some(run) = self.run.take() else { return };
        let Run { at, tag, what, path, count, bytes, places } = run;
        let text = match (what, count) {
            ("write", 1) => format!("{}: 1 write to {path}, {bytes} bytes", (self.name)(tag)),
            ("write", _) => format!("{}: {count} writes to {path}, {bytes} bytes", (self.name)(tag)),
            _ => format!("{}: {what} {path}", (self.name)(tag)),
        };
        let lane = self.draft.disk_lane_of(self.machine);
        let id = self.draft.happen_minor(at, lane, Kind::Write, text);
        self.of.extend(places.into_iter().map(|place| (place, id)));
        self.fate.written.entry(tag).or_default().push(id);
    }

    fn say(&mut self, at: Duration, kind: Kind, text: String) -> HappeningId {
        self.close();
        let lane = self.draft.disk_lane_of(self.machine);
        if kind == Kind::Sync {
            return self.draft.happen_minor(at, lane, kind, text);
        }
        self.draft.happen(at, lane, kind, text)
    }

    fn lose(&mut self, at: Duration, text: String, gone: &[(u64, usize)], places: &[usize]) -> HappeningId {
        let id = self.say(at, Kind::Lost, text);
        for (tag, _) in gone {
            self.fate.lost.entry(*tag).or_default().push(id);
        }
        self.follows(id, places);
        id
    }

    fn follows(&mut self, id: HappeningId, places: &[usize]) {
        let causes: BTreeSet<HappeningId> = places.iter().filter_map(|place| self.of.get(place)).copied().collect();
        causes.into_iter().for_each(|cause| self.draft.caused(id, cause));
    }

    /// How many of these changes each tag has.
    fn by_tag(&self, places: &[usize], record: &[DiskEntry]) -> Vec<(u64, usize)> {
        let mut counts: BTreeMap<u64, usize> = BTreeMap::new();
        for place in places {
            *counts.entry(record[*place].tag).or_default() += 1;
        }
        counts.into_iter().collect()
    }

    fn amounts(&self, by_tag: &[(u64, usize)]) -> String {
        const SHOWN: usize = 4;
        let one = |(tag, count): &(u64, usize)| {
            format!("{count} {} of {}", if *count == 1 { "change" } else { "changes" }, (self.name)(*tag))
        };
        let shown: Vec<String> = by_tag.iter().rev().take(SHOWN).rev().map(one).collect();
        let more = by_tag.len().saturating_sub(SHOWN);
        let others: usize = by_tag.iter().take(more).map(|(_, count)| count).sum();
        if more == 0 { shown.join(", ") } else { format!("{others} changes of {more} others, {}", shown.join(", ")) }
    }
}
