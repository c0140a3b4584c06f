//! `cargo xtask hunt`: new seeds on all cores for as long as one likes; what fails is told apart, and each failure
//! becomes a story.

use crate::runner::{Ending, Verdict, run_many};
use crate::shrink::{Failure, Sizes};
use crate::workload::Workload;
use anyhow::Context;
use clap::Args;
use comfy_table::{Table, presets};
use indicatif::{ProgressBar, ProgressStyle};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Seeds between two looks at the clock.
const CHUNK: u64 = 200;
/// Seconds that a story may take.
const BUDGET: &str = "60";
/// Where stories are written.
const FOLDER: &str = "target/hunt";

/// How long to hunt, and what.
#[derive(Args)]
pub struct Hunt {
    /// Minutes; what was found is shrunk after them.
    #[arg(long, value_name = "M", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=10_080))]
    minutes: u64,
    /// The first seed. If it is not given, one that nobody has run before: it is made from the time of day, and told.
    #[arg(long, value_name = "N")]
    first: Option<u64>,
    /// One program that embeds the queue, or a server with workers and clients on other machines; both if not given.
    #[arg(long, value_name = "WHICH", value_enum, default_value_t)]
    workload: Workload,
    /// With this planted bug.
    #[cfg(feature = "planted")]
    #[arg(long, value_name = "NAME")]
    mutant: Option<String>,
}

/// Failures of one cause, as far as can be told.
struct Group {
    /// Seeds, in the order in which they were found.
    seeds: Vec<u64>,
    /// Where the story of one of them is.
    story: Option<Sizes>,
}

impl Hunt {
    /// Runs the command. The verdict is that of the worst failure.
    ///
    /// # Errors
    /// If a child can't be started.
    pub fn run(&self) -> anyhow::Result<Verdict> {
        let first = self.first.unwrap_or_else(unused_seed);
        println!("hunting for {} minutes, from seed {first} on", self.minutes);
        let ends = Instant::now() + Duration::from_secs(60 * self.minutes);
        let bar = ProgressBar::new_spinner().with_style(ProgressStyle::with_template("{spinner} {msg}")?);
        let mut groups: BTreeMap<Failure, Group> = BTreeMap::new();
        let (mut seeds, mut failed, mut next) = (0, 0, first);
        while Instant::now() < ends {
            let summary = run_many(next..next + CHUNK, self.workload, None, &self.serve_arguments(), false)?;
            let endings = summary.results.iter().map(|(seed, result)| (*seed, result.ending.clone()));
            let died = summary.died.iter().map(|(seed, how)| (*seed, Ending::Broken(how.clone())));
            for (seed, ending) in endings.chain(died) {
                // The others mostly follow from the first one.
                let Some(failure) = Failure::of_run(&ending).into_iter().next() else { continue };
                failed += 1;
                groups.entry(failure).or_insert_with(|| Group { seeds: Vec::new(), story: None }).seeds.push(seed);
            }
            (seeds, next) = (seeds + CHUNK, next + CHUNK);
            bar.set_message(format!(
                "{seeds} seeds, {failed} failed in {} ways, {} s left",
                groups.len(),
                ends.saturating_duration_since(Instant::now()).as_secs()
            ));
            bar.tick();
        }
        bar.finish_and_clear();
        println!("{seeds} seeds; {failed} failed, in {} ways", groups.len());
        for (failure, group) in &mut groups {
            println!("  telling the story of {failure}");
            group.story = self.story(group.seeds[0])?;
        }
        if groups.is_empty() {
            return Ok(Verdict::Good);
        }
        println!("{}", table(&groups));
        let safe = groups.keys().all(|failure| failure.invariant() == "L");
        Ok(if safe { Verdict::Liveness } else { Verdict::Safety })
    }

    /// Shrinks a seed in a process of its own: what broke it may break that too.
    fn story(&self, seed: u64) -> anyhow::Result<Option<Sizes>> {
        let file = PathBuf::from(FOLDER).join(format!("seed-{seed}.scn"));
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["shrink", "--json", "--budget", BUDGET, "--seed", &seed.to_string()]);
        let output = command.args(self.chosen()).arg("--file").arg(&file).output()?;
        if !output.status.success() {
            eprintln!("  seed {seed}: {}", String::from_utf8_lossy(&output.stderr).trim());
            return Ok(None);
        }
        serde_json::from_slice(&output.stdout).map(Some).context("a child's sizes are JSON")
    }

    fn serve_arguments(&self) -> Vec<String> {
        [vec!["serve".to_owned()], self.chosen()].concat()
    }

    /// The arguments that choose the same runs in another process.
    fn chosen(&self) -> Vec<String> {
        let workload = ["--workload".to_owned(), self.workload.name().to_owned()];
        workload.into_iter().chain(self.mutant()).collect()
    }

    #[cfg(feature = "planted")]
    fn mutant(&self) -> Vec<String> {
        self.mutant.iter().flat_map(|name| ["--mutant".to_owned(), name.clone()]).collect()
    }

    #[cfg(not(feature = "planted"))]
    #[allow(clippy::unused_self, reason = "the other build has one")]
    fn mutant(&self) -> Vec<String> {
        Vec::new()
    }
}

/// A seed in thousands of millions: nobody writes such a one by hand, and no other hunt begins there.
fn unused_seed() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    since.as_secs() * 1_000_000
}

fn table(groups: &BTreeMap<Failure, Group>) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(["failure", "seeds", "the first", "faults", "jobs", "its story"]);
    for (failure, Group { seeds, story }) in groups {
        let sizes = story.as_ref();
        let size = |of: fn(&Sizes) -> (usize, usize)| {
            sizes.map_or("–".into(), |sizes| format!("{} → {}", of(sizes).0, of(sizes).1))
        };
        table.add_row([
            failure.to_string(),
            seeds.len().to_string(),
            seeds[0].to_string(),
            size(|sizes| (sizes.before.0, sizes.after.0)),
            size(|sizes| (sizes.before.1, sizes.after.1)),
            sizes.map_or("none was found".into(), |sizes| sizes.file.display().to_string()),
        ]);
    }
    table.trim_fmt()
}
