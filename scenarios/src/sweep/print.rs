//! Reports of a sweep, for a person who is tired.

use super::past::{Life, commits};
use super::tally::{Depth, Tally};
use comfy_table::{CellAlignment, Table, presets};
use outlive_sim::DiskChange;
use outlive_sim::sweep::{Crash, Fate};
use std::fmt::Write;

/// Findings told in full; the first one is mostly the cause of the others.
pub const FINDINGS_SHOWN: usize = 3;

/// What is counted of a depth.
type Count = fn(&Depth) -> u64;

/// The numbers of a sweep.
pub fn print_tally(tally: &Tally) -> String {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN);
    let mut header = vec!["crashes", "in the run"];
    header.extend(tally.second.as_ref().map(|_| "in a recovery"));
    table.set_header(header);
    let depths: Vec<&Depth> = std::iter::once(&tally.first).chain(&tally.second).collect();
    let rows: [(&str, Count); 7] = [
        ("points", |depth| depth.points),
        ("images", |depth| depth.made),
        ("distinct images", |depth| depth.distinct),
        ("recovered and judged", |depth| depth.judged),
        ("opened by stock SQLite", |depth| depth.stock),
        ("run to the end", |depth| depth.settled),
        ("not visited", |depth| depth.distinct - depth.judged),
    ];
    for (name, count) in rows {
        table.add_row(std::iter::once(name.to_owned()).chain(depths.iter().map(|depth| count(depth).to_string())));
    }
    for column in 1..=depths.len() {
        table.column_mut(column).expect("it is there").set_cell_alignment(CellAlignment::Right);
    }
    let Tally { name, jobs, commits, changes, .. } = tally;
    let mut text = format!(
        "sweep of {name}: {jobs} jobs, {commits} acknowledged commits, {changes} changes of the disk\n{}\n",
        table.trim_fmt()
    );
    if let Some((looked_into, of)) = tally.second.as_ref().and_then(|depth| depth.recoveries) {
        let missing = of - looked_into;
        writeln!(text, "{looked_into} of {of} recoveries were looked into for crashes, and {missing} were not")
            .expect("a string takes it");
    }
    let verdict = match (tally.findings.len(), tally.broken.len()) {
        (0, 0) => "no violation".to_owned(),
        (findings, 0) => format!("{findings} VIOLATIONS"),
        (findings, broken) => format!("{findings} VIOLATIONS, {broken} BROKEN recoveries"),
    };
    write!(text, "{verdict}, in {:.1} s", tally.wall.as_secs_f64()).expect("a string takes it");
    text
}

/// A crash in words: where it comes, and what survives.
pub fn print_crash(life: &Life, crash: &Crash) -> String {
    let entries = life.sweep.entries();
    let commits = commits(life)[crash.point];
    let mut text = String::new();
    let mut line = |line: String| writeln!(text, "  {line}").expect("a string takes it");
    let changes = entries.len();
    match entries.get(crash.point) {
        Some(entry) => line(format!(
            "crash before change {} of {changes}, {}; {commits} commits were acknowledged",
            crash.point,
            change(&entry.change)
        )),
        None => line(format!("crash after the last of {changes} changes; {commits} commits were acknowledged")),
    }
    let pending = life.sweep.pending(crash.point);
    match &crash.fate {
        Fate::ProcessCrash => line(format!("the process dies; {} changes are read and not durable", pending.len())),
        Fate::FailedSync { of } => {
            line(format!("the sync fails, drops what is pending in the file of change {of}, and the process dies"));
        }
        Fate::PowerLoss { kept, torn, names } => {
            line(format!("power is lost; of {} changes that no sync had made durable:", pending.len()));
            for place in pending {
                let fate = match torn {
                    Some((torn, sectors)) if *torn == place => format!("torn, only sectors {sectors:?} survive"),
                    _ if kept.contains(&place) || names.contains(&place) => "survives".to_owned(),
                    _ => "is lost".to_owned(),
                };
                line(format!("  change {place}, {}: {fate}", change(&entries[place].change)));
            }
        }
    }
    text
}

fn change(change: &DiskChange) -> String {
    match change {
        DiskChange::Create { path } => format!("make {path}"),
        DiskChange::Write { path, offset, bytes } => format!("write {} bytes at {offset} of {path}", bytes.len()),
        DiskChange::FailedWrite { path, offset, .. } => format!("failed write at {offset} of {path}"),
        DiskChange::SetLength { path, length } => format!("set {path} to {length} bytes"),
        DiskChange::Sync { path, .. } => format!("sync {path}"),
        DiskChange::FailedSync { path, .. } => format!("failed sync of {path}"),
        DiskChange::LyingSync { path, .. } => format!("lying sync of {path}"),
        DiskChange::MisdirectedWrite { path, meant, offset, .. } => {
            format!("write at {meant} of {path} that lands at {offset}")
        }
        DiskChange::Rot { path, offset, .. } => format!("rot of byte {offset} of {path}"),
        DiskChange::Rename { from, to } => format!("rename {from} to {to}"),
        DiskChange::Remove { path } => format!("remove {path}"),
        DiskChange::SyncDirectory { path, .. } => format!("sync directory {path}"),
        DiskChange::FailedSyncDirectory { path, .. } => format!("failed sync of directory {path}"),
        DiskChange::Crash { process } => format!("end of process {}", process.0),
        DiskChange::PowerLoss { .. } => "power loss".into(),
    }
}
