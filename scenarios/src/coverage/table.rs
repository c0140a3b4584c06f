//! The states that were reached and missed, for a person who is tired.

use super::rules::{forbidden, possible};
use super::set::StateSet;
use super::state::{Attempts, Durability, FAULTS, JobState, Lease, State, Worker};
use comfy_table::{CellAlignment, Table, presets};
use outlive_sim::FaultKind;
use std::fmt::Write;

/// What was missed and surprises most: so much of it is told.
const SURPRISES: usize = 12;

/// In one line: how many of those that are possible.
pub fn in_short(reached: &StateSet) -> String {
    let (all, seen) = (possible().count(), reached.possible().count());
    let without_fault = |states: &mut dyn Iterator<Item = State>| states.filter(|it| it.fault.is_none()).count();
    let (calm, calm_seen) = (without_fault(&mut possible()), without_fault(&mut reached.possible()));
    format!("{seen} of {all} possible states reached; without a fault at the time {calm_seen} of {calm}")
}

/// The whole table.
pub fn table(reached: &StateSet) -> String {
    let mut text = String::new();
    let mut line = |line: &str| writeln!(text, "{line}").expect("a string takes it");
    line("STATES by job and lease, whatever the faults. Under each worker the attempts begun: 0, 1, 2, 3, 4 or more.");
    line(
        "  #  reached, both durable and open      d  only durable      o  only open      .  missed      (blank: can't be)",
    );
    line("");
    line(&by_worker(reached));
    line("STATES by fault: reached of possible, in percent.");
    line("");
    line(&by_fault(reached));
    line("MISSED, most surprising first:");
    missed(reached).iter().for_each(|it| line(&format!("  {it}")));
    line("");
    write!(text, "{}", in_short(reached)).expect("a string takes it");
    text
}

fn by_worker(reached: &StateSet) -> String {
    let mut table = Table::new();
    let digits = "01234";
    let workers = Worker::ALL.iter().map(|worker| format!("{}\n{digits}", worker.word()));
    table.load_style(presets::NOTHING).set_header(["job".to_owned(), "lease".to_owned()].into_iter().chain(workers));
    let seen = |state: State| {
        let faults = [None].into_iter().chain(FAULTS.map(Some));
        faults.map(|fault| State { fault, ..state }).any(|state| reached.contains(state))
    };
    // A fault forbids nothing; that there is none may.
    let can_not_be = |state: State| forbidden(&State { fault: Some(FAULTS[0]), ..state }).is_some();
    for &job in JobState::ALL {
        let mut name = job.word();
        for &lease in Lease::ALL {
            let cell = |worker: Worker| -> String {
                let mark = |attempts: &Attempts| {
                    let state = |durability| State { job, lease, worker, durability, attempts: *attempts, fault: None };
                    let both = Durability::ALL.iter().map(|durability| state(*durability));
                    if both.clone().all(can_not_be) {
                        return ' ';
                    }
                    match both.map(seen).collect::<Vec<_>>()[..] {
                        [true, true] => '#',
                        [true, false] => 'd',
                        [false, true] => 'o',
                        _ => '.',
                    }
                };
                Attempts::ALL.iter().map(mark).collect()
            };
            let cells: Vec<String> = Worker::ALL.iter().map(|worker| cell(*worker)).collect();
            if cells.iter().any(|cell| !cell.trim().is_empty()) {
                table.add_row([name.to_owned(), lease.word().to_owned()].into_iter().chain(cells));
                name = "";
            }
        }
    }
    format!("{}\n", table.trim_fmt())
}

fn by_fault(reached: &StateSet) -> String {
    let mut table = Table::new();
    let jobs = JobState::ALL.iter().map(|job| job.word().replace(' ', "\n"));
    table.load_style(presets::NOTHING).set_header(["fault".to_owned()].into_iter().chain(jobs));
    for fault in [None].into_iter().chain(FAULTS.map(Some)) {
        let (mut all, mut seen) = ([0usize; JobState::ALL.len()], [0usize; JobState::ALL.len()]);
        possible().filter(|state| state.fault == fault).for_each(|state| all[state.job as usize] += 1);
        reached.possible().filter(|state| state.fault == fault).for_each(|state| seen[state.job as usize] += 1);
        let percent = seen.iter().zip(all).map(|(seen, all)| match 100 * seen / all.max(1) {
            0 if *seen > 0 => "<1".to_owned(),
            0 => "-".to_owned(),
            percent => percent.to_string(),
        });
        table.add_row([fault_name(fault)].into_iter().chain(percent));
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    format!("{}\n", table.trim_fmt())
}

fn fault_name(fault: Option<FaultKind>) -> String {
    fault.map_or("none".into(), |kind| format!("{kind:?}"))
}

/// What a job, its lease and its worker were, and under which faults that was reached.
struct Row {
    job: JobState,
    lease: Lease,
    worker: Worker,
    under: [Reached; FAULTS.len() + 1],
}

/// Whether any of several states was reached.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Reached {
    Impossible,
    No,
    Yes,
}

impl Row {
    fn words(&self) -> String {
        let (job, lease) = (self.job.word(), self.lease.word());
        match (self.lease, self.worker) {
            (Lease::None, _) => job.to_owned(),
            (_, Worker::None) => format!("{job}, lease {lease}, nobody told of it"),
            (_, worker) => format!("{job}, lease {lease}, worker {}", worker.word()),
        }
    }

    fn reached(&self) -> usize {
        self.under.iter().filter(|reached| **reached == Reached::Yes).count()
    }
}

fn rows(reached: &StateSet) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    for state in possible() {
        let State { job, lease, worker, fault, .. } = state;
        let place = fault.map_or(0, |kind| 1 + FAULTS.iter().position(|known| *known == kind).expect("known"));
        let known = rows.iter().position(|row| (row.job, row.lease, row.worker) == (job, lease, worker));
        let row = known.unwrap_or_else(|| {
            rows.push(Row { job, lease, worker, under: [Reached::Impossible; FAULTS.len() + 1] });
            rows.len() - 1
        });
        rows[row].under[place] =
            rows[row].under[place].max(if reached.contains(state) { Reached::Yes } else { Reached::No });
    }
    rows
}

/// What was missed, in words. First what was missed under every fault and without one; then what was missed under one
/// kind of fault, although it was reached under most others, and that fault with most other things.
fn missed(reached: &StateSet) -> Vec<String> {
    let rows = rows(reached);
    let never = rows.iter().filter(|row| row.reached() == 0).map(|row| format!("never: {}", row.words()));
    let mut surprises = Vec::new();
    for place in 0..=FAULTS.len() {
        let all = rows.iter().filter(|row| row.under[place] != Reached::Impossible).count();
        let met = rows.iter().filter(|row| row.under[place] == Reached::Yes).count();
        let fault = if place == 0 { "without a fault".to_owned() } else { format!("under {:?}", FAULTS[place - 1]) };
        for row in rows.iter().filter(|row| row.under[place] == Reached::No && row.reached() > 0) {
            let others = row.reached();
            let text = format!(
                "{fault}: {} (under {others} of {} others it was; {met} of {all} such were reached {fault})",
                row.words(),
                FAULTS.len(),
            );
            surprises.push((others * met, text));
        }
    }
    surprises.sort_by(|one, other| other.0.cmp(&one.0).then_with(|| one.1.cmp(&other.1)));
    let more = surprises.len().saturating_sub(SURPRISES);
    let told = surprises.into_iter().take(SURPRISES).map(|(_, text)| text);
    let rest = (more > 0).then(|| format!("… and {more} more of a kind of fault"));
    never.chain(told).chain(rest).collect()
}
