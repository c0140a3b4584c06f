//! The stories of planted bugs: what caught each is shrunk, and the file must fail with it again.

use super::command::Caught;
use crate::runner::Verdict;
use crate::shrink::{Sizes, is_short};
use anyhow::Context;
use comfy_table::{Table, presets};
use std::path::PathBuf;
use std::process::Command;
use std::sync::Mutex;

/// Most seeds of a bug that are shrunk, until a story is short: of their stories the smallest one counts.
const SEEDS_SHRUNK: usize = 2;
/// Seconds that each may take.
const BUDGET: &str = "30";
/// Where the stories are.
const FOLDER: &str = "target/shrunk";

/// A bug's story.
struct Story {
    bug: &'static str,
    seed: u64,
    sizes: Sizes,
    fails: bool,
}

/// Shrinks what caught each bug, on all cores, and prints the table of it: the bugs whose story does not fail, or that
/// have none.
///
/// # Errors
/// If a child can't be started, or what it prints is not understood.
pub fn shrink_all(all: &[&Caught]) -> anyhow::Result<Vec<String>> {
    let bugs: Vec<&Caught> = all.iter().copied().filter(|caught| !caught.seeds.is_empty()).collect();
    let next = Mutex::new(bugs.iter());
    let stories = Mutex::new(Vec::new());
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| -> anyhow::Result<()> {
        let work = || -> anyhow::Result<()> {
            loop {
                let Some(caught) = next.lock().unwrap().next() else { return Ok(()) };
                let story = smallest(caught)?;
                stories.lock().unwrap().push((caught.bug.name(), story));
            }
        };
        let threads: Vec<_> = (0..cores).map(|_| scope.spawn(work)).collect();
        threads.into_iter().try_for_each(|thread| thread.join().expect("a thread has no reason to panic"))
    })?;
    let mut stories = stories.into_inner().unwrap();
    stories.sort_by_key(|(bug, _)| bugs.iter().position(|caught| caught.bug.name() == *bug));
    let missing = stories.iter().filter(|(_, story)| story.as_ref().is_none_or(|story| !story.fails));
    let missing = missing.map(|(bug, _)| format!("{bug} (no story that fails)")).collect();
    let told: Vec<&Story> = stories.iter().filter_map(|(_, story)| story.as_ref()).collect();
    println!("{}", table(&told));
    if told.len() > 1 {
        println!("{}", medians(&told));
    }
    Ok(missing)
}

/// The smallest of the stories of a bug; none if no seed of it could be shrunk.
fn smallest(caught: &Caught) -> anyhow::Result<Option<Story>> {
    let mut best: Option<Story> = None;
    for seed in caught.seeds.iter().copied().take(SEEDS_SHRUNK) {
        let Some(story) = shrink(caught, seed)? else { continue };
        let size = |story: &Story| (!story.fails, story.sizes.after.0 + story.sizes.after.1);
        if best.as_ref().is_none_or(|best| size(&story) < size(best)) {
            best = Some(story);
        }
        if best.as_ref().is_some_and(|best| best.fails && is_short(best.sizes.after)) {
            break;
        }
    }
    Ok(best)
}

fn shrink(caught: &Caught, seed: u64) -> anyhow::Result<Option<Story>> {
    let bug = caught.bug.name();
    let file = PathBuf::from(FOLDER).join(format!("{bug}-seed-{seed}.scn"));
    let program = std::env::current_exe()?;
    let mut command = Command::new(&program);
    command.args(["shrink", "--json", "--mutant", bug, "--about", caught.bug.breaks(), "--budget", BUDGET]);
    let shrunk = command.args(["--seed", &seed.to_string(), "--file"]).arg(&file).output()?;
    if !shrunk.status.success() {
        eprintln!("{bug}, seed {seed}: {}", String::from_utf8_lossy(&shrunk.stderr).trim());
        return Ok(None);
    }
    let sizes: Sizes = serde_json::from_slice(&shrunk.stdout).context("a child's sizes are JSON")?;
    let replayed = Command::new(&program).arg("replay").arg(&file).args(["--mutant", bug]).output()?;
    let fails = [Verdict::Safety, Verdict::Liveness].iter().any(|it| replayed.status.code() == Some(*it as i32));
    Ok(Some(Story { bug, seed, sizes, fails }))
}

fn medians(stories: &[&Story]) -> String {
    let median = |of: fn(&Sizes) -> f64| {
        let mut all: Vec<f64> = stories.iter().map(|story| of(&story.sizes)).collect();
        all.sort_by(f64::total_cmp);
        all[all.len() / 2]
    };
    let [faults, jobs] = [median(|sizes| sizes.after.0 as f64), median(|sizes| sizes.after.1 as f64)];
    let seconds = median(|sizes| sizes.seconds);
    let short = stories.iter().filter(|story| is_short(story.sizes.after)).count();
    let all = stories.len();
    format!("in the median {faults} faults, {jobs} jobs, {seconds:.1} s; {short} of {all} are short")
}

fn table(stories: &[&Story]) -> String {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN);
    table.set_header(["story of", "seed", "failure", "faults", "jobs", "seconds", "the file"]);
    for Story { bug, seed, sizes, fails } in stories {
        let Sizes { failure, before, after, seconds, exhausted, .. } = sizes;
        table.add_row([
            (*bug).to_owned(),
            seed.to_string(),
            failure.clone(),
            format!("{} → {}", before.0, after.0),
            format!("{} → {}", before.1, after.1),
            format!("{seconds:.1}{}", if *exhausted { " (all)" } else { "" }),
            if *fails { "fails" } else { "DOES NOT FAIL" }.to_owned(),
        ]);
    }
    table.trim_fmt()
}
