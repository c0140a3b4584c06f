//! `cargo xtask hunt`: new seeds on all cores for as long as one likes, and kept ones with something changed; what fails
//! is told apart, and each failure becomes a story.

mod corpus;
mod tally;

use crate::coverage::in_short;
use crate::runner::{Case, Ending, Verdict, run_cases};
use crate::shrink::{Failure, Sizes};
use crate::workload::Workload;
use anyhow::Context;
use clap::Args;
use corpus::Corpus;
use indicatif::{ProgressBar, ProgressStyle};
use outlive_sim::Answer;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tally::Tally;

/// Runs between two looks at the clock.
const CHUNK: usize = 200;
/// Of these, so many are made of kept seeds, if there are as many.
const KEPT_OF_CHUNK: usize = 100;
/// Seconds that a story may take.
const BUDGET: &str = "60";
/// Where stories are written, and what is kept.
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
    /// New seeds only: nothing that earlier ones reached is preferred, read or kept.
    #[arg(long)]
    fresh: bool,
    /// One program that embeds the queue, or a server with workers and clients on other machines; both if not given.
    #[arg(long, value_name = "WHICH", value_enum, default_value_t)]
    workload: Workload,
    /// With this planted bug. Nothing is kept for other hunts.
    #[cfg(feature = "planted")]
    #[arg(long, value_name = "NAME")]
    mutant: Option<String>,
}

impl Hunt {
    /// Runs the command. The verdict is that of the worst failure.
    ///
    /// # Errors
    /// If a child can't be started, or what is kept does not read.
    pub fn run(&self) -> anyhow::Result<Verdict> {
        let first = self.first.unwrap_or_else(unused_seed);
        let kept = self.kept();
        let mut corpus = kept.as_deref().map_or_else(|| Ok(Corpus::default()), Corpus::read)?;
        println!("hunting for {} minutes, from seed {first} on", self.minutes);
        if corpus.len() > 0 {
            println!("{} seeds were kept by earlier hunts; {}", corpus.len(), in_short(&corpus.reached));
        }
        let mut tally = self.hunt(first, &mut corpus)?;
        if let Some(file) = &kept {
            corpus.write(file)?;
        }
        println!("{} runs; {} failed, in {} ways", tally.runs(), tally.failed, tally.groups.len());
        println!("{}", in_short(&corpus.reached));
        println!("\n{}\n", tally.origins());
        if let Some(file) = &kept {
            println!("{} seeds are kept in {} for the next hunt", corpus.len(), file.display());
        }
        for (failure, group) in &mut tally.groups {
            println!("shrinking {}: {failure}", group.cases[0]);
            group.story = self.story(group.cases[0])?;
        }
        if tally.groups.is_empty() {
            return Ok(Verdict::Good);
        }
        println!("{}", tally.failures(|case| self.replay(case)));
        let safe = tally.groups.keys().all(|failure| failure.invariant() == "L");
        Ok(if safe { Verdict::Liveness } else { Verdict::Safety })
    }

    /// Runs cases until the time is over.
    fn hunt(&self, first: u64, corpus: &mut Corpus) -> anyhow::Result<Tally> {
        let children = std::thread::available_parallelism().map_or(1, usize::from);
        let ends = Instant::now() + Duration::from_secs(60 * self.minutes);
        let bar = ProgressBar::new_spinner().with_style(ProgressStyle::with_template("{spinner} {msg}")?);
        let (mut tally, mut next) = (Tally::default(), first..);
        let mut fresh = || next.next().expect("there is no end of seeds");
        while Instant::now() < ends {
            let kept = if self.fresh { Vec::new() } else { corpus.vary(KEPT_OF_CHUNK, &mut fresh) };
            // In turn: what both would be the first to reach is counted for whoever comes first.
            let mut kept = kept.into_iter();
            let mut cases = Vec::with_capacity(CHUNK);
            while cases.len() < CHUNK {
                cases.push(Case::of_seed(fresh()));
                cases.extend(kept.next());
            }
            for (case, answer) in run_cases(cases, children, &self.serve_arguments(), |_| bar.tick())? {
                let ending = match answer {
                    Answer::Result(result) => {
                        tally.count(case, corpus.learn(case, &result.states));
                        result.ending
                    }
                    Answer::Died(how) => {
                        tally.count(case, 0);
                        Ending::Broken(how)
                    }
                };
                // The others mostly follow from the first one.
                if let Some(failure) = Failure::of_run(&ending).into_iter().next() {
                    tally.failed(case, failure);
                }
            }
            let (of_fresh, of_kept) = tally.new_states();
            bar.set_message(format!(
                "{} runs, {} failed in {} ways; {} states, new by fresh seeds {of_fresh}, by kept ones {of_kept}; {} s left",
                tally.runs(),
                tally.failed,
                tally.groups.len(),
                corpus.reached.len(),
                ends.saturating_duration_since(Instant::now()).as_secs()
            ));
        }
        bar.finish_and_clear();
        Ok(tally)
    }

    /// Where what is kept for the next hunt is; nowhere if nothing is.
    fn kept(&self) -> Option<PathBuf> {
        let keeps = !self.fresh && self.mutant().is_empty();
        keeps.then(|| Path::new(FOLDER).join(format!("corpus-{}.json", self.workload.name())))
    }

    /// Shrinks a case in a process of its own: what broke it may break that too.
    fn story(&self, case: Case) -> anyhow::Result<Option<Sizes>> {
        let file = PathBuf::from(FOLDER).join(format!("{}.scn", case.file_name()));
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["shrink", "--json", "--budget", BUDGET]).args(case.arguments());
        let output = command.args(self.chosen()).arg("--file").arg(&file).output()?;
        if !output.status.success() {
            eprintln!("  {case}: {}", String::from_utf8_lossy(&output.stderr).trim());
            return Ok(None);
        }
        serde_json::from_slice(&output.stdout).map(Some).context("a child's sizes are JSON")
    }

    /// The command that runs a case again.
    fn replay(&self, case: Case) -> String {
        let chore = if self.mutant().is_empty() { "sim" } else { "mutants" };
        [vec![format!("cargo xtask {chore}")], case.arguments(), self.chosen()].concat().join(" ")
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
