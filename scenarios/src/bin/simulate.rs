//! The simulator's command line. `cargo xtask sim` builds it and passes its arguments on.

use anyhow::Context;
use clap::{Args, Parser, Subcommand};
use outlive_scenarios::drive::Watch;
use outlive_scenarios::runner::{
    Case, Variation, Verdict, compare, print_coverage, print_seed, print_summary, run_case, run_many, watch_case,
};
use outlive_scenarios::workload::{Profile, Workload};
use outlive_sim::{Recording, serve_questions};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::process::ExitCode;

/// Page faults of a fresh arena for every opening of the database cost a fifth of all time with the
/// system's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Runs Outlive inside the simulator.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", disable_help_subcommand = true)]
struct Line {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run one seed and print what came of it, or many and print what came of all.
    #[command(name = "run", override_usage = "cargo xtask sim (--seed N | --seeds A..B) [OPTIONS]")]
    Run(Run),
    /// Play scenario files, and print what came of each.
    #[command(name = "replay", override_usage = "cargo xtask replay [FILE]... [OPTIONS]")]
    Replay(outlive_scenarios::replay::Files),
    /// Run new seeds for some minutes, and tell the story of each way in which they fail.
    #[command(name = "hunt", override_usage = "cargo xtask hunt [OPTIONS]")]
    Hunt(outlive_scenarios::hunt::Hunt),
    /// Shrink a failing seed to the smallest story that fails in the same way, and write it.
    #[command(name = "shrink", override_usage = "cargo xtask shrink --seed N [OPTIONS]")]
    Shrink(outlive_scenarios::shrink::Shrink),
    /// Crash a workload at every change of its disk, and print what came of every recovery.
    #[command(name = "sweep", override_usage = "cargo xtask sweep [SCENARIO] [OPTIONS]")]
    Sweep(outlive_scenarios::sweep::Sweep),
    /// Run the planted bugs, and print who caught them.
    #[cfg(feature = "planted")]
    Mutants(outlive_scenarios::planted::Mutants),
    /// Print the hash of each seed: the other side of a check for determinism.
    #[command(hide = true)]
    Hashes {
        #[arg(long, value_parser = seeds)]
        seeds: RangeInclusive<u64>,
        #[arg(long)]
        children: usize,
        #[command(flatten)]
        chosen: Chosen,
    },
    /// Answer what is asked of one crash: a child of a sweep.
    #[command(hide = true)]
    SweepServe(outlive_scenarios::sweep::ServeSweep),
    /// Answer seeds from the standard input: a child of a batch.
    #[command(hide = true)]
    Serve {
        #[command(flatten)]
        chosen: Chosen,
    },
}

#[derive(Args)]
#[command(group(clap::ArgGroup::new("which").required(true)))]
struct Run {
    /// One seed.
    #[arg(long, group = "which")]
    seed: Option<u64>,
    /// Many seeds, from A to B, both included.
    #[arg(long, value_name = "A..B", value_parser = seeds, group = "which")]
    seeds: Option<RangeInclusive<u64>>,
    /// Run everything again in another process, with another working directory, environment, order
    /// and number of children, and compare the hashes.
    #[arg(long)]
    check_determinism: bool,
    #[command(flatten)]
    variation: Variation,
    /// Print which states of jobs were reached, and which were missed.
    #[arg(long, requires = "seeds")]
    coverage: bool,
    /// Write every event of the one seed to a file.
    #[arg(long, value_name = "FILE", requires = "seed")]
    trace: Option<PathBuf>,
    /// Write the run of the one seed to a page that shows it.
    #[arg(long, value_name = "FILE", requires = "seed", conflicts_with = "check_determinism")]
    html: Option<PathBuf>,
    /// How many processes work at a time; as many as there are cores if not given.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    children: Option<u16>,
    #[command(flatten)]
    chosen: Chosen,
}

/// What a run of a seed depends on, beside the seed.
#[derive(Args, Clone)]
struct Chosen {
    /// One program that embeds the queue, or a server with workers and clients on other machines; by
    /// default about half of the seeds each.
    #[arg(long, value_name = "WHICH", value_enum, default_value_t)]
    workload: Workload,
    /// Faults that the queue survives in full, or also what no disk may do: lying syncs, bit rot and misdirected
    /// writes, judged by clauses of their own.
    #[arg(long, value_name = "WHICH", value_enum, default_value_t)]
    profile: Profile,
    /// Run with this planted bug.
    #[cfg(feature = "planted")]
    #[arg(long, value_name = "NAME")]
    mutant: Option<String>,
}

impl Chosen {
    /// Brings the bug to life in this process, if one was chosen.
    fn bring_to_life(&self) -> Result<(), String> {
        #[cfg(feature = "planted")]
        if let Some(name) = &self.mutant {
            outlive_scenarios::planted::choose(name)?;
        }
        Ok(())
    }

    /// The arguments that choose the same in another process.
    fn arguments(&self) -> Vec<String> {
        let mut arguments = Vec::new();
        if self.workload != Workload::default() {
            arguments.extend(["--workload".to_owned(), self.workload.name().to_owned()]);
        }
        if self.profile != Profile::default() {
            arguments.extend(["--profile".to_owned(), self.profile.name().to_owned()]);
        }
        #[cfg(feature = "planted")]
        if let Some(name) = &self.mutant {
            arguments.extend(["--mutant".to_owned(), name.clone()]);
        }
        arguments
    }

    /// The command that runs a seed with it.
    fn replay(&self, case: Case) -> String {
        #[cfg(feature = "planted")]
        let chore = if self.mutant.is_some() { "mutants" } else { "sim" };
        #[cfg(not(feature = "planted"))]
        let chore = "sim";
        let words = [vec![format!("cargo xtask {chore}")], case.arguments(), self.arguments()].concat();
        words.join(" ")
    }
}

/// Keeps the kernel from backing the database's arena with huge pages: each opening would have two
/// megabytes zeroed for the few pages that it touches.
#[cfg(target_os = "linux")]
fn refuse_huge_pages() {
    // SAFETY: the call takes integers and changes nothing but how this process's memory is backed.
    // Where the kernel knows no such thing, it says so and nothing is lost but time.
    let _outcome = unsafe { libc::prctl(libc::PR_SET_THP_DISABLE, 1, 0, 0, 0) };
}

#[cfg(not(target_os = "linux"))]
fn refuse_huge_pages() {}

fn main() -> ExitCode {
    refuse_huge_pages();
    let line = Line::parse();
    let verdict = match line.command {
        Command::Run(run) => run.chosen.bring_to_life().map_err(anyhow::Error::msg).and_then(|()| simulate(&run)),
        Command::Replay(files) => files.run(),
        Command::Hunt(hunt) => hunt.run(),
        Command::Shrink(shrink) => shrink.run(),
        Command::Sweep(sweep) => sweep.run(),
        Command::SweepServe(serve) => serve.run(),
        #[cfg(feature = "planted")]
        Command::Mutants(mutants) => mutants.run(),
        Command::Hashes { seeds, children, chosen } => hashes(seeds, children, &chosen),
        Command::Serve { chosen } => chosen.bring_to_life().map_err(anyhow::Error::msg).and_then(|()| {
            serve_questions(|case: Case| run_case(case, chosen.workload, chosen.profile, Recording::Off))?;
            Ok(Verdict::Good)
        }),
    };
    let verdict = verdict.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        Verdict::Usage
    });
    ExitCode::from(verdict as u8)
}

fn simulate(run: &Run) -> anyhow::Result<Verdict> {
    match (run.seed, &run.seeds) {
        (Some(seed), _) if !run.check_determinism => {
            let recording = run.trace.clone().map_or(Recording::Off, Recording::File);
            let case = Case { seed, variation: run.variation };
            let Chosen { workload, profile, .. } = run.chosen;
            let (result, judged) = watch_case(case, workload, profile, recording, Watch::On);
            let (why, again) = (judged.as_ref().map_or_else(Vec::new, |it| it.why()), run.chosen.replay(case));
            println!("{}", print_seed(&result, &why, &again));
            if let Some(page) = &run.html {
                let judged = judged.context("there is no page of a run that did not come to its end")?;
                judged.write_page(page, format!("Run of {case}"), again, &judged.report.violations)?;
            }
            Ok(result.verdict())
        }
        (Some(seed), _) => many(seed..=seed, run),
        (None, Some(seeds)) => many(seeds.clone(), run),
        (None, None) => anyhow::bail!("neither --seed nor --seeds was given"),
    }
}

fn many(seeds: RangeInclusive<u64>, run: &Run) -> anyhow::Result<Verdict> {
    let extra = run.chosen.arguments();
    let Chosen { workload, profile, .. } = run.chosen;
    let children = run.children.map(usize::from);
    let summary = run_many(seeds, workload, profile, children, &serve_arguments(&extra), true)?;
    println!("{}", print_summary(&summary, |seed| run.chosen.replay(Case::of_seed(seed))));
    if run.coverage {
        println!("\n{}", print_coverage(&summary));
    }
    if !run.check_determinism {
        return Ok(summary.verdict());
    }
    let comparison = compare(&summary, &extra)?;
    for (seed, here, elsewhere) in comparison.different.iter().take(5) {
        println!("seed {seed} has hash {here:016x} here, and {elsewhere:016x} elsewhere");
    }
    match (&comparison.different[..], comparison.first_difference) {
        ([], _) => {
            println!("all {} hashes are the same in another process", comparison.seeds);
            Ok(summary.verdict())
        }
        (_, Some(difference)) => {
            println!("the first event that differs:\n{difference}");
            Ok(Verdict::Nondeterminism)
        }
        (_, None) => {
            println!("recorded again, both were the same: it differs only now and then");
            Ok(Verdict::Nondeterminism)
        }
    }
}

fn hashes(seeds: RangeInclusive<u64>, children: usize, chosen: &Chosen) -> anyhow::Result<Verdict> {
    let arguments = serve_arguments(&chosen.arguments());
    let summary = run_many(seeds.rev(), chosen.workload, chosen.profile, Some(children), &arguments, false)?;
    for (seed, result) in &summary.results {
        println!("{seed} {:016x}", result.hash);
    }
    Ok(Verdict::Good)
}

fn serve_arguments(extra: &[String]) -> Vec<String> {
    std::iter::once("serve".to_owned()).chain(extra.iter().cloned()).collect()
}

fn seeds(text: &str) -> Result<RangeInclusive<u64>, String> {
    let parse = || {
        let (first, last) = text.split_once("..")?;
        Some((first.parse::<u64>().ok()?, last.parse::<u64>().ok()?))
    };
    match parse() {
        Some((first, last)) if first <= last => Ok(first..=last),
        Some((first, last)) => Err(format!("{first} is after {last}; write the smaller one first")),
        None => Err("seeds are given as A..B, both included, like 1..500".into()),
    }
}
