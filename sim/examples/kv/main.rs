//! A key-value store with a bug: found by seeds, shrunk, and explained.
//!
//!     cargo run --release --example kv [torn-record | unsynced-directory | none] [SEEDS]
//!
//! - `store.rs`: the store, some 200 lines, and two bugs that it can be given
//! - `workload.rs`: clients, faults, and one run of them
//! - `checker.rs`: what must be true of what the clients saw
//! - `hunt.rs`: the first seed that fails, and its smallest case
//! - `story.rs`: that case, told
//!
//! It ends with 1 if the store it was asked to run lost something as it should not, or not as it should.

mod checker;
mod hunt;
mod store;
mod story;
mod workload;

use std::process::ExitCode;

use outlive_sim::{Recording, Seed, first_difference};

use crate::store::Bug;
use crate::workload::{Case, play};

const SEEDS: u64 = 500;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let name = arguments.next().unwrap_or_else(|| "torn-record".into());
    let seeds = arguments.next().map_or(Ok(SEEDS), |seeds| seeds.parse());
    let bug = match name.as_str() {
        "torn-record" => Bug::AppendsBehindTornRecord,
        "unsynced-directory" => Bug::EmptiesLogBeforeDirectorySync,
        "none" => Bug::None,
        other => return usage(&format!("there is no bug {other:?}")),
    };
    let Ok(seeds @ 1..) = seeds else { return usage("the number of seeds is at least 1") };
    let found = bug == Bug::None || show(bug, seeds);
    if found && passes(seeds) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn usage(mistake: &str) -> ExitCode {
    eprintln!("kv: {mistake}\nusage: kv [torn-record | unsynced-directory | none] [SEEDS]");
    ExitCode::from(2)
}

/// Finds the bug, shrinks what fails, and tells it.
fn show(bug: Bug, seeds: u64) -> bool {
    println!("The store with a bug: {bug:?}");
    let Some(failing) = hunt::first_failure(bug, 1..=seeds) else {
        println!("no violation in {seeds} seeds: the bug is not found");
        return false;
    };
    let (faults, operations) = (&failing.case.faults, failing.case.operations.len());
    println!("seed {} fails, with {operations} operations and {} faults.", failing.case.seed.0, faults.len());
    let shrunk = hunt::shrink(&failing, bug);
    let small = &shrunk.failing;
    let (faults, operations) = (small.case.faults.len(), small.case.operations.len());
    println!(
        "\nShrunk to {} and {} in {} runs:",
        plural(faults, "fault"),
        plural(operations, "operation"),
        shrunk.tries
    );
    for (fault, necessary) in small.case.faults.iter().zip(&shrunk.necessary) {
        let verdict = match necessary {
            Some(true) => "necessary: without it nothing is lost",
            Some(false) => "not necessary",
            None => "not known whether it is necessary",
        };
        println!("    fault: {} ({verdict})", story::fault_text(fault));
    }
    println!();
    story::tell(small).iter().for_each(|line| println!("{line}"));
    println!("\n{}", story::explain(small));
    true
}

/// Shows that the store as it should be passes, and that its runs are the same each time.
fn passes(seeds: u64) -> bool {
    println!("\nThe store as it should be:");
    if let Some(failing) = hunt::first_failure(Bug::None, 1..=seeds) {
        println!("seed {} fails: {:?}", failing.case.seed.0, failing.violation);
        return false;
    }
    let traces = [(); 2].map(|()| play(&Case::draw(Seed(1)), Bug::None, Recording::Memory).trace);
    if let Some(difference) = first_difference(&traces[0], &traces[1]) {
        println!("seed 1 is not the same each time: {difference}");
        return false;
    }
    println!("seeds 1 to {seeds}: no violation; seed 1 twice: {} events, all the same.", traces[0].len());
    true
}

fn plural(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}
