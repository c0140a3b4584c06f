//! A timeline in the making: what the simulator knows, and room for what a system knows.

use std::collections::BTreeMap;
use std::time::Duration;

use super::model::{Happening, HappeningId, Kind, Lane, LaneId, LaneKind, Sentence, Span, SpanKind, Table, Timeline};
use super::seen::Seen;
use crate::process::ProcessId;
use crate::world::{Exit, MachineId};

/// A timeline in the making. Happenings may be added in any order.
#[derive(Clone, Debug, Default)]
pub struct Draft {
    timeline: Timeline,
    /// The lanes of each machine: itself, what it holds, its disk.
    machines: BTreeMap<MachineId, [LaneId; 3]>,
    boots: BTreeMap<ProcessId, HappeningId>,
    ends: BTreeMap<ProcessId, HappeningId>,
    pauses: BTreeMap<ProcessId, Vec<HappeningId>>,
    faults: Vec<HappeningId>,
}

/// A crash is the doing of a fault that came so shortly before.
const AT_ONCE: Duration = Duration::from_micros(1);

impl Draft {
    /// Lives, pauses, faults and panics of a run. Lanes are in the order of `machines`.
    pub fn of(seen: &Seen, machines: &[MachineId]) -> Self {
        let mut draft = Self::default();
        draft.timeline.ended = seen.ended;
        for machine in machines {
            let name = seen.machines[machine.0 as usize];
            let lane = |kind, name: String| Lane { name, kind };
            draft.timeline.lanes.extend([
                lane(LaneKind::Machine, name.to_owned()),
                lane(LaneKind::Held, format!("{name}: leases")),
                lane(LaneKind::Disk, format!("{name}: disk")),
            ]);
            let last = draft.timeline.lanes.len();
            draft.machines.insert(*machine, [LaneId(last - 3), LaneId(last - 2), LaneId(last - 1)]);
        }
        draft.draw_faults(seen);
        draft.draw_lives(seen);
        for panic in &seen.panics {
            let lane = draft.lane_of(seen.process(panic.process).times.machine);
            let text = format!("task {} panicked at {}: {}", panic.task, panic.location, panic.message);
            draft.happen(panic.at, lane, Kind::Note, text);
        }
        draft
    }

    fn draw_faults(&mut self, seen: &Seen) {
        for fault in &seen.faults {
            let lane = self.lane_of(fault.machine);
            let effect = if fault.took_effect { "" } else { "; it changed nothing" };
            let id = self.happen(fault.at, lane, Kind::Fault, format!("fault: {}{effect}", fault.what));
            self.timeline.happenings[id.0].minor = !fault.took_effect;
            self.faults.push(id);
            if let Some(until) = fault.until.filter(|until| *until > fault.at) {
                // What is between brackets is the moment, which a bar need not say.
                let label = fault.what.split(" (").next().unwrap_or_default().to_owned();
                let text = format!("{}, until {:.3} s{effect}", fault.what, until.as_secs_f64());
                let (from, to, begun_by) = (fault.at, Some(until), Some(id));
                self.span(Span { lane, kind: SpanKind::Fault, from, to, label, text, begun_by });
            }
        }
    }

    fn draw_lives(&mut self, seen: &Seen) {
        for lived in &seen.processes {
            let (times, lane) = (&lived.times, self.lane_of(lived.times.machine));
            let name = format!("{} {}", lived.name, lived.incarnation + 1);
            let boot = self.happen(times.booted, lane, Kind::Boot, format!("{name} boots"));
            self.boots.insert(times.process, boot);
            let before = seen.processes.iter().take_while(|other| other.times.process < times.process);
            let same = before.filter(|other| (other.name, other.times.machine) == (lived.name, times.machine));
            if let Some(end) = same.last().and_then(|other| self.ends.get(&other.times.process)) {
                self.caused(boot, *end);
            }
            if let (Some(ended), Some(exit)) = (times.ended, lived.exit) {
                let (kind, how) = match exit {
                    Exit::Finished => (Kind::End, "ends"),
                    Exit::Crashed => (Kind::Crash, "is dead"),
                    Exit::Panicked => (Kind::Crash, "dies of a panic"),
                };
                let end = self.happen(ended, lane, kind, format!("{name} {how}"));
                self.ends.insert(times.process, end);
                self.caused(end, boot);
                if kind == Kind::Crash {
                    self.blame_fault(seen, times.machine, ended, end);
                }
            }
            let text = match times.ended {
                Some(ended) => format!("{name} lived until {:.3} s", ended.as_secs_f64()),
                None => format!("{name} lived to the end"),
            };
            let (kind, from, to, label) = (SpanKind::Life, times.booted, times.ended, name.clone());
            self.span(Span { lane, kind, from, to, label, text, begun_by: Some(boot) });
            for (from, to) in times.pauses.iter().copied() {
                let to = to.or(times.ended);
                let pause = self.happen(from, lane, Kind::Pause, format!("{name} is paused"));
                self.pauses.entry(times.process).or_default().push(pause);
                self.caused(pause, boot);
                self.blame_fault(seen, times.machine, from, pause);
                let length = to.map_or(String::new(), |to| format!(" for {:.3} s", (to - from).as_secs_f64()));
                let text = format!("{name} is paused{length}");
                let (kind, begun_by) = (SpanKind::Pause, Some(pause));
                self.span(Span { lane, kind, from, to, label: "paused".into(), text, begun_by });
                if let Some(to) = to.filter(|to| Some(*to) != times.ended) {
                    let resume = self.happen(to, lane, Kind::Resume, format!("{name} goes on"));
                    self.caused(resume, pause);
                }
            }
        }
    }

    /// What happened to a machine at once with a fault is that fault's doing.
    fn blame_fault(&mut self, seen: &Seen, machine: MachineId, at: Duration, what: HappeningId) {
        let near =
            |fault: &crate::nemesis::Fired| fault.machine == machine && fault.at <= at && at - fault.at <= AT_ONCE;
        if let Some(place) = seen.faults.iter().rposition(near) {
            self.caused(what, self.faults[place]);
        }
    }

    /// A machine's own lane.
    pub fn lane_of(&self, machine: MachineId) -> LaneId {
        self.machines[&machine][0]
    }

    /// The lane of what a machine's processes hold.
    pub fn held_lane_of(&self, machine: MachineId) -> LaneId {
        self.machines[&machine][1]
    }

    /// The lane of a machine's disk.
    pub fn disk_lane_of(&self, machine: MachineId) -> LaneId {
        self.machines[&machine][2]
    }

    /// Adds a happening without causes.
    pub fn happen(&mut self, at: Duration, lane: LaneId, kind: Kind, text: String) -> HappeningId {
        self.timeline.happenings.push(Happening { at, lane, kind, minor: false, text, causes: Vec::new() });
        HappeningId(self.timeline.happenings.len() - 1)
    }

    /// As [`happen`](Self::happen), for what is of little interest by itself.
    pub fn happen_minor(&mut self, at: Duration, lane: LaneId, kind: Kind, text: String) -> HappeningId {
        let id = self.happen(at, lane, kind, text);
        self.timeline.happenings[id.0].minor = true;
        id
    }

    /// Says what a happening followed from. A cause that came later is none.
    pub fn caused(&mut self, effect: HappeningId, cause: HappeningId) {
        let later = self.timeline.happenings[cause.0].at > self.timeline.happenings[effect.0].at;
        let causes = &mut self.timeline.happenings[effect.0].causes;
        if !later && cause != effect && !causes.contains(&cause) {
            causes.push(cause);
        }
    }

    /// When it happened.
    pub fn at(&self, id: HappeningId) -> Duration {
        self.timeline.happenings[id.0].at
    }

    /// Adds a span.
    pub fn span(&mut self, span: Span) {
        self.timeline.spans.push(span);
    }

    /// Adds a table. `columns` are those of all tables.
    pub fn table(&mut self, table: Table) {
        self.timeline.tables.push(table);
    }

    /// The boot of a process.
    pub fn boot_of(&self, process: ProcessId) -> Option<HappeningId> {
        self.boots.get(&process).copied()
    }

    /// The end of a process.
    pub fn end_of(&self, process: ProcessId) -> Option<HappeningId> {
        self.ends.get(&process).copied()
    }

    /// The last pause of a process that began by then.
    pub fn pause_of(&self, process: ProcessId, by: Duration) -> Option<HappeningId> {
        self.pauses.get(&process)?.iter().rev().find(|pause| self.at(**pause) <= by).copied()
    }

    /// The faults that came, in the order of [`Seen::faults`].
    pub fn faults(&self) -> &[HappeningId] {
        &self.faults
    }

    /// Puts everything in order of time, drops lanes on which nothing is, and asks `story` for the story.
    pub fn finish(
        self,
        about: Timeline,
        named: &[HappeningId],
        story: impl FnOnce(&Timeline, &[HappeningId]) -> Vec<Sentence>,
    ) -> Timeline {
        let drawn = self.timeline;
        let mut order: Vec<usize> = (0..drawn.happenings.len()).collect();
        order.sort_by_key(|place| (drawn.happenings[*place].at, *place));
        let mut ids = vec![HappeningId(0); order.len()];
        order.iter().enumerate().for_each(|(new, old)| ids[*old] = HappeningId(new));
        let used = |lane: usize| {
            let lane = LaneId(lane);
            drawn.happenings.iter().any(|it| it.lane == lane) || drawn.spans.iter().any(|it| it.lane == lane)
        };
        let kept: Vec<usize> =
            (0..drawn.lanes.len()).filter(|it| drawn.lanes[*it].kind == LaneKind::Machine || used(*it)).collect();
        let lane = |id: LaneId| LaneId(kept.binary_search(&id.0).expect("a used lane is kept"));
        let happenings = order.iter().map(|old| {
            let happening = drawn.happenings[*old].clone();
            let mut causes: Vec<HappeningId> = happening.causes.iter().map(|cause| ids[cause.0]).collect();
            causes.sort_unstable();
            Happening { lane: lane(happening.lane), causes, ..happening }
        });
        let spans = drawn.spans.iter().cloned().map(|span| Span {
            lane: lane(span.lane),
            begun_by: span.begun_by.map(|id| ids[id.0]),
            ..span
        });
        let (happenings, mut spans): (Vec<_>, Vec<_>) = (happenings.collect(), spans.collect());
        spans.sort_by_key(|span| (span.from, span.lane, span.kind));
        let mut tables = drawn.tables;
        tables.sort_by_key(|table| table.at);
        let lanes = kept.iter().map(|lane| drawn.lanes[*lane].clone()).collect();
        let mut timeline = Timeline { lanes, spans, happenings, tables, ended: drawn.ended, ..about };
        let named: Vec<HappeningId> = named.iter().map(|id| ids[id.0]).collect();
        timeline.story = story(&timeline, &named);
        timeline
    }
}
