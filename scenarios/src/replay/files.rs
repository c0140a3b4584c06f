//! `cargo xtask replay`: plays scenario files.

use super::print::print_replay;
use super::{Replay, watch};
use crate::checkers::Violation;
use crate::drive::Watch;
use crate::runner::Verdict;
use crate::scn::{Scenario, parse};
use anyhow::Context;
use clap::Args;
use outlive_sim::Recording;
use std::fs;
use std::path::{Path, PathBuf};

/// Where files are that CI replays.
pub const REGRESSIONS: &str = "scenarios/regressions";

/// What to play.
#[derive(Args)]
pub struct Files {
    /// Scenario files; all in scenarios/regressions if none is named.
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Write every event of the one file to another file.
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,
    /// Write the run of the one file to a page that shows it.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Tell the story of files that pass, too.
    #[arg(long)]
    story: bool,
    /// With this planted bug.
    #[cfg(feature = "planted")]
    #[arg(long, value_name = "NAME")]
    mutant: Option<String>,
}

impl Files {
    /// Runs the command.
    ///
    /// # Errors
    /// A file does not read, or is none.
    pub fn run(&self) -> anyhow::Result<Verdict> {
        #[cfg(feature = "planted")]
        if let Some(name) = &self.mutant {
            crate::planted::choose(name).map_err(anyhow::Error::msg)?;
        }
        let files = if self.files.is_empty() { all_files(Path::new(REGRESSIONS))? } else { self.files.clone() };
        anyhow::ensure!(
            self.trace.is_none() || files.len() == 1,
            "--trace writes the events of one file, not of {}",
            files.len()
        );
        anyhow::ensure!(
            self.html.is_none() || files.len() == 1,
            "--html shows the run of one file, not of {}; name one",
            files.len()
        );
        let mut worst = Verdict::Good;
        for file in &files {
            let scenario = read(file)?;
            let recording = self.trace.clone().map_or(Recording::Off, Recording::File);
            // One file is for a person.
            let watched = if files.len() == 1 { Watch::On } else { Watch::Off };
            let (played, judged) = watch(&scenario, recording, watched);
            let why = judged.as_ref().map_or_else(Vec::new, |judged| judged.why());
            print!("{}", print_replay(&scenario, &self.replay(file), &played, &why));
            if let Some(page) = &self.html {
                let judged = judged.as_ref().context("there is no page of a run that did not come to its end")?;
                let command = format!("cargo xtask replay {}", self.replay(file));
                judged.write_page(page, file.display().to_string(), command, &all_wrong(&played))?;
            }
            if self.story && played.passed() {
                played.story.iter().for_each(|line| println!("  {line}"));
            }
            worst = worse(worst, verdict(&scenario, &played));
        }
        println!("{} files", files.len());
        Ok(worst)
    }
}

impl Files {
    /// What plays a file again.
    fn replay(&self, file: &Path) -> String {
        #[cfg(feature = "planted")]
        if let Some(name) = &self.mutant {
            return format!("{} --mutant {name}", file.display());
        }
        file.display().to_string()
    }
}

/// Every scenario file in a folder, by name.
///
/// # Errors
/// The folder can't be read, or has none.
pub fn all_files(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).with_context(|| format!("can't read {}", folder.display()))?;
    let paths = entries.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<PathBuf>>>()?;
    let mut files: Vec<PathBuf> =
        paths.into_iter().filter(|path| path.extension().is_some_and(|it| it == "scn")).collect();
    files.sort();
    anyhow::ensure!(!files.is_empty(), "there is no scenario file in {}", folder.display());
    Ok(files)
}

/// Reads a file.
///
/// # Errors
/// It can't be read, or there is a mistake in it.
pub fn read(file: &Path) -> anyhow::Result<Scenario> {
    let text = fs::read_to_string(file).with_context(|| format!("can't read {}", file.display()))?;
    parse(&text).map_err(|error| anyhow::anyhow!("{}:{error}", file.display()))
}

/// Everything that was wrong, as the page shows it.
fn all_wrong(replay: &Replay) -> Vec<Violation> {
    let unmet = replay.unmet.iter().map(|why| Violation::of_expectation(why.clone()));
    replay.violations.iter().cloned().chain(unmet).collect()
}

/// What it comes to. Only what a file is about counts as safety: a bug that merely makes it hang is not bitten.
fn verdict(scenario: &Scenario, replay: &Replay) -> Verdict {
    if replay.passed() {
        Verdict::Good
    } else if replay.caught(&scenario.guards) {
        Verdict::Safety
    } else if replay.broken.is_some() {
        Verdict::Broken
    } else if !replay.violations.is_empty() {
        Verdict::Liveness
    } else {
        Verdict::Stale
    }
}

/// The one of two that matters more: something bad, a run without an end, a file that is stale.
fn worse(one: Verdict, other: Verdict) -> Verdict {
    let order = [Verdict::Good, Verdict::Stale, Verdict::Liveness, Verdict::Broken, Verdict::Safety];
    let rank = |verdict| order.iter().position(|it| *it == verdict);
    if rank(other) > rank(one) { other } else { one }
}
