//! Reports, for a person who is tired.

use super::batch::Summary;
use super::result::{Ending, SeedResult};
use crate::checkers;
use crate::coverage;
use crate::damage::Damage;
use crate::stopwatch::Work;
use crate::workload::Profile;
use comfy_table::{CellAlignment, Table, presets};
use std::fmt::Write;
use std::time::Duration;

/// Violations printed of one seed; the first one is mostly the cause of the others.
const VIOLATIONS_SHOWN: usize = 5;
/// Seeds printed of each end that a run of the illegal profile can come to.
const SEEDS_SHOWN: usize = 8;

/// Seeds printed of those that reached something new.
const NEWEST_SHOWN: usize = 5;

/// The report of one seed. `why` is what led to its first violation, `replay` the command that runs it again.
pub fn print_seed(result: &SeedResult, why: &[String], replay: &str) -> String {
    let mut text = String::new();
    let mut line = |line: String| writeln!(text, "{line}").expect("a string takes it");
    line(format!("seed {}\n", result.seed));
    line(table(&["chosen", ""], result.chosen.iter().map(|(name, value)| vec![name.clone(), value.clone()])));
    let counts = result.counts.iter().map(|(name, count)| vec![name.clone(), count.to_string()]);
    line(table(&["happened", "times"], counts));
    let faults = result.faults.iter().map(|(kind, count)| {
        vec![format!("{kind:?}"), count.scheduled.to_string(), count.fired.to_string(), count.effective.to_string()]
    });
    line(table(&["fault", "scheduled", "fired", "took effect"], faults));
    line(table(&["clause", "", "tested", "verdict"], clauses(result)));
    line(format!(
        "{} jobs became terminal; {} crashes came while a lease was live or a change unanswered; {} zombies",
        result.terminal, result.crashes_that_hurt, result.zombies
    ));
    line(format!("{} of simulated time in {}", seconds(result.simulated), seconds(result.wall)));
    line(work(result.work, result.events, result.wall));
    match &result.damage {
        None => {}
        Some(Damage::Detected(told)) => line(format!("a disk did what no disk may do, and somebody was told: {told}")),
        Some(Damage::Harmless) => line("a disk did what no disk may do, and it did no harm".into()),
        Some(Damage::Dormant(why)) => {
            line(format!("a disk did what no disk may do, and nobody has read it yet: {why}"))
        }
        Some(Damage::Unseen(clause)) => {
            line(format!("a disk did what no disk may do, {clause} does not hold, and nothing could tell"));
        }
    }
    match &result.ending {
        Ending::Good => line("no violation".into()),
        Ending::Broken(why) => line(format!("\nBROKEN: {why}\nrun it again: {replay}")),
        Ending::Violated(violations) => {
            line(String::new());
            for violation in violations.iter().take(VIOLATIONS_SHOWN) {
                line(format!("VIOLATION of {}: {}", violation.clause, violation.sentence));
            }
            if violations.len() > VIOLATIONS_SHOWN {
                line(format!("… and {} more", violations.len() - VIOLATIONS_SHOWN));
            }
            if !why.is_empty() {
                line("\nwhy the first one:".into());
                why.iter().for_each(|told| line(told.clone()));
                line(String::new());
            }
            line(format!("run it again: {replay}"));
        }
    }
    write!(text, "hash {:016x}", result.hash).expect("a string takes it");
    text
}

fn clauses(result: &SeedResult) -> Vec<Vec<String>> {
    let violated = |clause: &str| match &result.ending {
        Ending::Violated(violations) => violations.iter().filter(|it| it.clause == clause).count(),
        _ => 0,
    };
    let all = checkers::clauses_of(&result.clauses);
    all.map(|(clause, sentence)| {
        let tested = result.clauses.get(*clause).copied().unwrap_or(0);
        let verdict = match (tested, violated(clause)) {
            (0, _) => "not reached".to_owned(),
            (_, 0) => "holds".to_owned(),
            (_, times) => format!("BROKEN {times} times"),
        };
        vec![(*clause).to_owned(), (*sentence).to_owned(), tested.to_string(), verdict]
    })
    .collect()
}

/// The report of many seeds. `replay` makes the command that runs one of them again.
pub fn print_summary(summary: &Summary, replay: impl Fn(u64) -> String) -> String {
    let mut text = String::new();
    let mut line = |line: String| writeln!(text, "{line}").expect("a string takes it");
    let faults = summary
        .faults
        .iter()
        .map(|(kind, (effective, scheduled))| vec![format!("{kind:?}"), scheduled.to_string(), effective.to_string()]);
    line(table(&["fault", "scheduled", "took effect"], faults));
    let anchors = summary.anchors.iter().map(|(anchor, count)| vec![anchor.clone(), count.to_string()]);
    line(table(&["faults came", "times"], anchors));
    let all = checkers::clauses_of(&summary.clauses);
    let clauses = all.map(|(clause, sentence)| {
        let tested = summary.clauses.get(*clause).copied().unwrap_or(0);
        vec![(*clause).to_owned(), (*sentence).to_owned(), tested.to_string()]
    });
    line(table(&["clause", "", "tested"], clauses));
    let failures: Vec<&SeedResult> = summary.results.values().filter(|it| it.ending != Ending::Good).collect();
    for result in failures.iter().take(10) {
        let why = match &result.ending {
            Ending::Violated(violations) => format!("{}: {}", violations[0].clause, violations[0].sentence),
            Ending::Broken(why) => why.clone(),
            Ending::Good => unreachable!("it failed"),
        };
        line(format!("seed {} FAILED: {why}\n  run it again: {}", result.seed, replay(result.seed)));
    }
    for (seed, how) in &summary.died {
        line(format!("seed {seed} DIED: {how}\n  run it again: {}", replay(*seed)));
    }
    let seconds = summary.wall.as_secs_f64();
    let (seeds, qualifying) = (summary.seeds(), summary.qualifying());
    line(format!(
        "{seeds} seeds in {seconds:.1} s with {} processes: {:.1} a second; {} failed",
        summary.children,
        seeds as f64 / seconds,
        failures.len() + summary.died.len()
    ));
    line(format!(
        "{qualifying} of them ({:.0}%) brought 50 jobs or more to an end through 5 crashes or more that hurt: {:.1} such a second",
        100.0 * qualifying as f64 / seeds.max(1) as f64,
        qualifying as f64 / seconds
    ));
    line(format!(
        "{} zombies: attempts whose worker slept beyond its lease, and was heard of afterwards",
        summary.zombies()
    ));
    line(work(summary.work(), summary.events(), summary.busy()));
    line(states(summary));
    damage(summary).into_iter().for_each(&mut line);
    let not_reached = summary.not_reached();
    if !not_reached.is_empty() {
        line(format!("NOT REACHED by any seed: {}", not_reached.join(", ")));
    }
    let all = summary.results.values().fold(0u64, |all, result| all.rotate_left(7) ^ result.hash);
    write!(text, "hash over all {all:016x}").expect("a string takes it");
    text
}

/// Which states were reached, and which seeds reached something new last.
fn states(summary: &Summary) -> String {
    let shown = summary.newest.len().saturating_sub(NEWEST_SHOWN);
    let newest = summary.newest[shown..].iter().map(|(seed, new)| format!("{seed} ({new})"));
    let newest = newest.collect::<Vec<_>>().join(", ");
    format!(
        "{} (--coverage shows which)\n{} seeds reached something new, these last: {newest}",
        coverage::in_short(&summary.states),
        summary.newest.len()
    )
}

/// The states that many seeds reached and missed, and how many seeds reached each that must be.
pub fn print_coverage(summary: &Summary) -> String {
    let demanded = summary.demanded().map(|(name, seeds)| vec![name.to_owned(), seeds.to_string()]);
    let demanded = table(&["a large batch must reach", "seeds"], demanded);
    let met = summary.met.iter().map(|((sort, name), seeds)| vec![sort.clone(), name.clone(), seeds.to_string()]);
    let met = table(&["met", "", "seeds"], met);
    format!("{met}\n{demanded}\n{}\n", coverage::table(&summary.states))
}

/// How many runs of the illegal profile came to each end, and the first seeds of each.
fn damage(summary: &Summary) -> Vec<String> {
    if summary.profile == Profile::Legal {
        return Vec::new();
    }
    let told = |said: &str, is: fn(Option<&Damage>) -> bool| {
        let seeds: Vec<u64> = summary.results.values().filter(|it| is(it.damage.as_ref())).map(|it| it.seed).collect();
        let first: Vec<String> = seeds.iter().take(SEEDS_SHOWN).map(u64::to_string).collect();
        let more = if seeds.len() > SEEDS_SHOWN { ", …" } else { "" };
        format!("{:>5} {said}: seeds {}{more}", seeds.len(), first.join(", "))
    };
    vec![
        "of what no disk may do:".into(),
        told("detected, and somebody was told", |it| matches!(it, Some(Damage::Detected(_)))),
        told("unnoticed and without harm", |it| matches!(it, Some(Damage::Harmless))),
        told("in the file, and not read yet", |it| matches!(it, Some(Damage::Dormant(_)))),
        told("acknowledged changes lost, and nothing could tell", |it| matches!(it, Some(Damage::Unseen(_)))),
        told("none took effect, judged by all five invariants", |it| it.is_none()),
    ]
}

/// How fast it went: the work alone, and all that happened in `busy`.
fn work(work: Option<Work>, events: u64, busy: Duration) -> String {
    let events = format!("{:.0} events a second", events as f64 / busy.as_secs_f64().max(f64::EPSILON));
    let Some(Work { simulated, wall }) = work else { return events };
    let times = simulated.as_secs_f64() / wall.as_secs_f64();
    format!(
        "from first enqueue to last terminal job: {} simulated in {:.0} ms, {times:.0} times as fast; {events}",
        seconds(simulated),
        wall.as_secs_f64() * 1e3
    )
}

fn table(header: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(header.to_vec());
    table.add_rows(rows);
    for (index, name) in header.iter().enumerate() {
        if matches!(*name, "times" | "seeds" | "tested" | "scheduled" | "fired" | "took effect") {
            table.column_mut(index).expect("the header has it").set_cell_alignment(CellAlignment::Right);
        }
    }
    format!("{}\n", table.trim_fmt())
}

fn seconds(duration: Duration) -> String {
    format!("{:.3} s", duration.as_secs_f64())
}
