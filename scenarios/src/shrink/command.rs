//! `cargo xtask shrink`: a failing seed, and the smallest story that fails in the same way.

use super::{Shrunk, shrink, size};
use crate::runner::{Case, Variation, Verdict};
use crate::scn::{Name, Quote, Scenario, parse};
use crate::workload::Workload;
use anyhow::Context as _;
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// Where a story is written unless somebody says where.
const FOUND: &str = "target/shrunk";
/// In how many ways a story is looked for.
const WAYS: u64 = 3;
/// What a child may take beyond its budget: it ends with the candidate at which that was used up.
const GRACE: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_millis(20);
/// The exit code of a process whose main thread panicked.
const PANICKED: i32 = 101;

/// What to shrink.
#[derive(Args)]
pub struct Shrink {
    /// The seed, whose run fails.
    #[arg(long)]
    seed: u64,
    #[command(flatten)]
    variation: Variation,
    /// The setting of that seed.
    #[arg(long, value_name = "WHICH", value_enum, default_value_t)]
    workload: Workload,
    /// With this planted bug.
    #[cfg(feature = "planted")]
    #[arg(long, value_name = "NAME")]
    mutant: Option<String>,
    /// Only a failure of this invariant: `I1` to `I5`, or `L`. The first one of all if not given.
    #[arg(long, value_name = "INVARIANT")]
    about: Option<String>,
    /// Seconds that it may take.
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    budget: u64,
    /// Do it in this very process, and look for short stories in this one of several ways.
    #[arg(long, hide = true)]
    way: Option<u64>,
    /// Print the sizes as JSON instead of the story: for a program that shrinks many.
    #[arg(long, hide = true)]
    json: bool,
    /// Where to write the scenario; a name made of the seed's in target/shrunk if not given.
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
}

/// What shrinking came to, in numbers.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Sizes {
    /// The failure.
    pub failure: String,
    /// Faults and jobs of the seed's run.
    pub before: (usize, usize),
    /// Faults and jobs of the story.
    pub after: (usize, usize),
    /// Real time.
    pub seconds: f64,
    /// Whether the time was used up.
    pub exhausted: bool,
    /// Where the story is.
    pub file: PathBuf,
}

impl Sizes {
    fn of(shrunk: &Shrunk, file: &Path) -> Self {
        Self {
            failure: shrunk.failure.to_string(),
            before: size(&shrunk.whole),
            after: size(&shrunk.smallest),
            seconds: shrunk.wall.as_secs_f64(),
            exhausted: shrunk.exhausted,
            file: file.to_owned(),
        }
    }
}

impl Shrink {
    /// Runs the command. The verdict is good if the story was found and written: that the seed fails is no news.
    ///
    /// # Errors
    /// If the seed does not fail, or the file can't be written.
    pub fn run(&self) -> anyhow::Result<Verdict> {
        match self.way {
            Some(way) => self.shrink(way),
            None => self.watch_over(),
        }
    }

    /// Shrinks in a child: a candidate may break the whole process, or keep it for ever. Then the next way is tried,
    /// which plays others.
    fn watch_over(&self) -> anyhow::Result<Verdict> {
        let limit = Duration::from_secs(self.budget) + GRACE;
        for way in 0..WAYS {
            let arguments = std::env::args_os().skip(1).chain(["--way".into(), way.to_string().into()]);
            let mut child = Command::new(std::env::current_exe()?).args(arguments).spawn()?;
            let deadline = Instant::now() + limit;
            let status = loop {
                match child.try_wait()? {
                    Some(status) => break Some(status),
                    None if Instant::now() >= deadline => {
                        child.kill()?;
                        child.wait()?;
                        break None;
                    }
                    None => std::thread::sleep(LOOK),
                }
            };
            match status.and_then(|status| status.code()) {
                Some(0) => return Ok(Verdict::Good),
                // It has said itself what was wrong.
                Some(code) if code != PANICKED => std::process::exit(code),
                _ => {
                    let how = status.map_or(format!("came to no end in {limit:.0?}"), |status| status.to_string());
                    eprintln!("a candidate took the shrinker along ({how}); looking in another way");
                }
            }
        }
        anyhow::bail!("{} fails, and in {WAYS} ways of shrinking it a candidate took the shrinker along", self.case())
    }

    fn shrink(&self, way: u64) -> anyhow::Result<Verdict> {
        #[cfg(feature = "planted")]
        if let Some(name) = &self.mutant {
            crate::planted::choose(name).map_err(anyhow::Error::msg)?;
        }
        let bar = ProgressBar::new_spinner().with_style(ProgressStyle::with_template("{spinner} {msg}")?);
        let progress = |scenario: &Scenario| {
            let (faults, jobs) = size(scenario);
            bar.set_message(format!("{faults} faults, {jobs} jobs"));
            bar.tick();
        };
        let limit = Duration::from_secs(self.budget);
        let shrunk = shrink(self.case(), self.workload, self.about.as_deref(), limit, way, &progress)
            .map_err(anyhow::Error::msg)?;
        bar.finish_and_clear();
        let scenario = self.described(&shrunk);
        let file = self.file.clone().unwrap_or_else(|| PathBuf::from(FOUND).join(format!("{}.scn", scenario.name)));
        if let Some(folder) = file.parent() {
            std::fs::create_dir_all(folder).with_context(|| format!("can't make the folder {}", folder.display()))?;
        }
        anyhow::ensure!(
            parse(&scenario.to_string()).as_ref() == Ok(&scenario),
            "the story can't be read back:\n{scenario}"
        );
        std::fs::write(&file, scenario.to_string()).with_context(|| format!("can't write {}", file.display()))?;
        if self.json {
            println!("{}", serde_json::to_string(&Sizes::of(&shrunk, &file))?);
            return Ok(Verdict::Good);
        }
        println!("{}\n{scenario}", report(&shrunk));
        println!("written to {}; play it: cargo xtask replay {}{}", file.display(), file.display(), self.with_mutant());
        Ok(Verdict::Good)
    }

    #[cfg(feature = "planted")]
    fn mutant(&self) -> Option<&str> {
        self.mutant.as_deref()
    }

    #[cfg(not(feature = "planted"))]
    #[allow(clippy::unused_self, reason = "the other build has one")]
    fn mutant(&self) -> Option<&str> {
        None
    }

    fn with_mutant(&self) -> String {
        self.mutant().map_or(String::new(), |name| format!(" --mutant {name}"))
    }

    fn case(&self) -> Case {
        Case { seed: self.seed, variation: self.variation }
    }

    /// The story with its name, and where it comes from.
    fn described(&self, shrunk: &Shrunk) -> Scenario {
        describe(shrunk, self.case(), self.mutant())
    }
}

/// A story with its name, and where it comes from.
pub fn describe(shrunk: &Shrunk, case: Case, mutant: Option<&str>) -> Scenario {
    let name = mutant.map_or(case.file_name(), |mutant| format!("{mutant}-{}", case.file_name()));
    let ((faults, jobs), (faults_now, jobs_now)) = (size(&shrunk.whole), size(&shrunk.smallest));
    let from = format!("Shrunk from {faults} faults and {jobs} jobs of {case} to {faults_now} and {jobs_now}.");
    let what = shrunk
        .violation
        .as_ref()
        .map_or(shrunk.failure.to_string(), |violation| format!("{}: {}", violation.clause, violation.sentence));
    let quote = |text: &str| Quote::new(&text.replace('"', "'").replace(['\n', '\r'], " "));
    Scenario {
        name: Name::new(&name).unwrap_or_else(|| shrunk.smallest.name.clone()),
        bites: mutant.and_then(Name::new),
        why: [from, what].iter().filter_map(|text| quote(text)).collect(),
        ..shrunk.smallest.clone()
    }
}

fn report(shrunk: &Shrunk) -> String {
    let ((faults, jobs), (faults_now, jobs_now)) = (size(&shrunk.whole), size(&shrunk.smallest));
    let mut text = format!(
        "{}\n{faults} faults and {jobs} jobs became {faults_now} and {jobs_now}, in {} tries and {:.1} s\n",
        shrunk.failure,
        shrunk.tries,
        shrunk.wall.as_secs_f64()
    );
    if shrunk.exhausted {
        text.push_str("the time was used up: it may not be the smallest yet (--budget SECONDS gives it more)\n");
    }
    for (kind, necessary) in &shrunk.necessary {
        let is = match necessary {
            Some(true) => "is necessary: nothing fails without it",
            Some(false) => "is not necessary",
            None => "may be necessary: there was no time to try without it",
        };
        text.push_str(&format!("  {kind:?} {is}\n"));
    }
    if shrunk.necessary.is_empty() {
        text.push_str("  it fails without any fault\n");
    }
    text
}
