//! `cargo xtask mutants`: every planted bug, who caught it, and how soon.

use super::stories::shrink_all;
use super::{ALL, Bug, choose};
use crate::drive::Watch;
use crate::replay::{REGRESSIONS, all_files, read};
use crate::runner::{Case, Ending, SeedResult, Summary, Variation, Verdict, compare, print_seed, run_many, watch_case};
use crate::workload::{Profile, Workload};
use anyhow::Context;
use clap::Args;
use comfy_table::{Table, presets};
use outlive_sim::Recording;
use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The same seeds for every bug: no more of them than it takes to catch it.
const SEEDS: RangeInclusive<u64> = 1..=300;
/// As many of these in any case, so that the table says how often a bug shows.
const COUNTED: u64 = 100;
/// So many at a time, if only the first catch matters.
const CHUNK: u64 = 20;
/// Seeds on which a nondeterminism must show.
const SEEDS_COMPARED: RangeInclusive<u64> = 1..=10;

/// The bugs that a crash sweep must catch.
const SWEPT: [&str; 2] = ["acknowledge-before-sync", "no-sync-at-open"];

/// Of so many bugs one has its story told, if not all are asked for.
const STORIES_EVERY: usize = 12;

/// What to run.
#[derive(Args)]
pub struct Mutants {
    /// Print the names, one a line.
    #[arg(long)]
    list: bool,
    /// Only this one.
    #[arg(long, value_name = "NAME")]
    mutant: Option<String>,
    /// Run no more seeds with a bug than it takes to catch it: the table then says little of how often it shows.
    #[arg(long, conflicts_with = "seed")]
    until_caught: bool,
    /// Shrink what each bug was caught in, and not only a few of them.
    #[arg(long)]
    shrink: bool,
    /// Run it on this one seed, and print what came of it.
    #[arg(long, requires = "mutant")]
    seed: Option<u64>,
    #[command(flatten)]
    variation: Variation,
    /// The setting of that seed.
    #[arg(long, value_name = "WHICH", value_enum, default_value_t, requires = "seed")]
    workload: Workload,
    /// Write that seed's run to a page that shows it.
    #[arg(long, value_name = "FILE", requires = "seed")]
    html: Option<PathBuf>,
}

/// What came of one bug.
pub(super) struct Caught {
    pub(super) bug: &'static dyn Bug,
    /// Seeds in which each clause of the intended invariant caught it.
    clauses: BTreeMap<String, usize>,
    /// Seeds in which any of them did, and seeds that were run.
    caught: usize,
    ran: usize,
    /// Seeds that broke in another way: a panic, a time-out, a dead child.
    broken: usize,
    /// The first seeds that caught it.
    pub(super) seeds: Vec<u64>,
    /// Seeds and seconds from any seed on to the next that catches it, in the median.
    median: Option<(usize, f64)>,
}

impl Mutants {
    /// Runs the command.
    ///
    /// # Errors
    /// If a child can't be started, or a name is unknown.
    pub fn run(&self) -> anyhow::Result<Verdict> {
        if self.list {
            ALL.iter().for_each(|bug| println!("{}", bug.name()));
            return Ok(Verdict::Good);
        }
        if let (Some(seed), Some(name)) = (self.seed, &self.mutant) {
            choose(name).map_err(anyhow::Error::msg)?;
            let bug = ALL.iter().find(|bug| bug.name() == name);
            let profile = bug.map_or(Profile::Legal, |bug| bug.profile());
            let case = Case { seed, variation: self.variation };
            let (result, judged) = watch_case(case, self.workload, profile, Recording::Off, Watch::On);
            let why = judged.as_ref().map_or_else(Vec::new, |judged| judged.why());
            let workload = self.workload.name();
            let replay =
                format!("cargo xtask mutants --mutant {name} {} --workload {workload}", case.arguments().join(" "));
            println!("{}", print_seed(&result, &why, &replay));
            if let Some(page) = &self.html {
                let judged = judged.context("there is no page of a run that did not come to its end")?;
                let title = format!("Run of {case}, with the planted bug {name}");
                judged.write_page(page, title, replay, &judged.report.violations)?;
            }
            return Ok(result.verdict());
        }
        let bugs: Vec<&'static dyn Bug> = ALL.iter().copied().filter(|bug| self.wants(*bug)).collect();
        anyhow::ensure!(!bugs.is_empty(), "there is no planted bug {:?}; see --list", self.mutant);
        let mut all = Vec::new();
        let mut missed = Vec::new();
        for bug in bugs {
            eprintln!("{}: {}", bug.name(), bug.about());
            let caught =
                if bug.breaks() == "determinism" { hunt_difference(bug)? } else { hunt(bug, self.until_caught)? };
            if caught.caught == 0 {
                missed.push(bug.name().to_owned());
            }
            all.push(caught);
        }
        println!("{}", table(&all));
        // Of a few the stories always, so that the shrinker is tested with each run. No story is told of what no
        // disk may do.
        let legal = all.iter().filter(|caught| caught.bug.profile() == Profile::Legal);
        let told = legal.step_by(if self.shrink || self.mutant.is_some() { 1 } else { STORIES_EVERY });
        missed.extend(shrink_all(&told.collect::<Vec<_>>())?);
        missed.extend(self.scenario_files()?);
        missed.extend(self.sweeps()?);
        if missed.is_empty() {
            println!("all {} planted bugs were caught by the checker they were made for", all.len());
            return Ok(Verdict::Good);
        }
        println!("NOT CAUGHT: {}", missed.join(", "));
        Ok(Verdict::NotReached)
    }

    /// Plays each scenario file with the bug that it names: which files do not notice it.
    fn scenario_files(&self) -> anyhow::Result<Vec<String>> {
        let mut missed = Vec::new();
        for file in all_files(Path::new(REGRESSIONS))? {
            let scenario = read(&file)?;
            let Some(name) = scenario.bites.as_ref().map(|name| name.as_str().to_owned()) else {
                missed.push(format!("{} (it names no bug)", file.display()));
                continue;
            };
            if self.mutant.as_ref().is_some_and(|mutant| *mutant != name) {
                continue;
            }
            // A process of its own: one bug at a time.
            let mut child = Command::new(std::env::current_exe()?);
            let output = child.arg("replay").arg(&file).args(["--mutant", &name]).output()?;
            let bites = output.status.code() == Some(Verdict::Safety as i32);
            println!("{} {name} {}", file.display(), if bites { "bites" } else { "DOES NOT BITE" });
            if !bites {
                println!("{}", String::from_utf8_lossy(&output.stdout));
                missed.push(format!("{} with {name}", file.display()));
            }
        }
        Ok(missed)
    }

    /// Sweeps the smallest workload with each bug that a crash at the right change must show: which do not.
    fn sweeps(&self) -> anyhow::Result<Vec<String>> {
        let mut missed = Vec::new();
        for name in SWEPT.into_iter().filter(|name| self.mutant.as_ref().is_none_or(|mutant| mutant == name)) {
            let mut child = Command::new(std::env::current_exe()?);
            let output = child.args(["sweep", "five", "--mutant", name]).output()?;
            let caught = output.status.code() == Some(Verdict::Safety as i32);
            println!("sweep five {name} {}", if caught { "is caught" } else { "IS NOT CAUGHT" });
            if !caught {
                println!("{}", String::from_utf8_lossy(&output.stdout));
                missed.push(format!("the sweep with {name}"));
            }
        }
        Ok(missed)
    }

    fn wants(&self, bug: &dyn Bug) -> bool {
        self.mutant.as_ref().is_none_or(|name| name == bug.name())
    }
}

fn arguments(bug: &dyn Bug) -> Vec<String> {
    let mut arguments = vec!["--mutant".into(), bug.name().into()];
    if bug.profile() != Profile::Legal {
        arguments.extend(["--profile".into(), bug.profile().name().into()]);
    }
    arguments
}

fn run_with(bug: &dyn Bug, seeds: RangeInclusive<u64>) -> anyhow::Result<Summary> {
    let serve: Vec<String> = std::iter::once("serve".into()).chain(arguments(bug)).collect();
    Ok(run_many(seeds, Workload::Both, bug.profile(), None, &serve, true)?)
}

fn hunt(bug: &'static dyn Bug, until_caught: bool) -> anyhow::Result<Caught> {
    let mut caught =
        Caught { bug, clauses: BTreeMap::new(), caught: 0, ran: 0, broken: 0, seeds: Vec::new(), median: None };
    let (mut which, mut wall) = (Vec::new(), 0.0);
    let mut seeds = SEEDS;
    let mut count = if until_caught { CHUNK } else { COUNTED };
    while !seeds.is_empty() {
        let last = (seeds.start() + count - 1).min(*seeds.end());
        let summary = run_with(bug, *seeds.start()..=last)?;
        (seeds, count) = (last + 1..=*seeds.end(), CHUNK);
        caught.ran += summary.seeds();
        caught.broken += summary.died.len();
        wall += summary.wall.as_secs_f64();
        for result in summary.results.values() {
            let clauses = caught_by(bug, result);
            caught.broken += usize::from(matches!(result.ending, Ending::Broken(_)));
            caught.caught += usize::from(!clauses.is_empty());
            which.push(!clauses.is_empty());
            caught.seeds.extend((!clauses.is_empty()).then_some(result.seed));
            for clause in clauses {
                *caught.clauses.entry(clause).or_default() += 1;
            }
        }
        if caught.caught > 0 {
            break;
        }
    }
    let seconds = wall / caught.ran as f64;
    caught.median = median_wait(&which).map(|seeds| (seeds, seeds as f64 * seconds));
    Ok(caught)
}

/// The clauses of the intended invariant that caught it; what other checkers say does not count.
fn caught_by(bug: &dyn Bug, result: &SeedResult) -> Vec<String> {
    let Ending::Violated(violations) = &result.ending else { return Vec::new() };
    let prefix = format!("{}.", bug.breaks());
    let mut clauses: Vec<String> =
        violations.iter().filter(|it| it.clause.starts_with(&prefix)).map(|it| it.clause.clone()).collect();
    clauses.dedup();
    clauses.sort();
    clauses.dedup();
    clauses
}

/// How many seeds it takes from any of them on, in the median, until one catches it.
fn median_wait(caught: &[bool]) -> Option<usize> {
    let mut waits = Vec::new();
    let around = || caught.iter().chain(caught);
    for start in 0..caught.len() {
        waits.push(1 + around().skip(start).position(|caught| *caught)?);
    }
    waits.sort_unstable();
    Some(waits[waits.len() / 2])
}

fn hunt_difference(bug: &'static dyn Bug) -> anyhow::Result<Caught> {
    let summary = run_with(bug, SEEDS_COMPARED)?;
    let comparison = compare(&summary, &arguments(bug))?;
    let caught = comparison.different.len();
    let seconds = 2.0 * summary.wall.as_secs_f64() / summary.seeds() as f64;
    let clauses = BTreeMap::from([("hash".to_owned(), caught)]);
    let seeds = Vec::new();
    let median = (caught > 0).then_some((1, seconds));
    Ok(Caught { bug, clauses, caught, ran: summary.seeds(), broken: summary.died.len(), seeds, median })
}

fn table(all: &[Caught]) -> String {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN);
    table.set_header(["planted bug", "breaks", "caught by", "in seeds", "median seeds", "median s", "broke otherwise"]);
    for caught in all {
        let clauses: Vec<String> = caught.clauses.iter().map(|(clause, seeds)| format!("{clause} ({seeds})")).collect();
        let (median, second) = caught
            .median
            .map_or(("–".into(), "–".into()), |(seeds, seconds)| (seeds.to_string(), format!("{seconds:.2}")));
        table.add_row([
            caught.bug.name().to_owned(),
            caught.bug.breaks().to_owned(),
            if clauses.is_empty() { "nobody".into() } else { clauses.join(", ") },
            format!("{} of {}", caught.caught, caught.ran),
            median,
            second,
            caught.broken.to_string(),
        ]);
    }
    table.trim_fmt()
}
