//! Every chore of the workspace behind one command: `cargo xtask`.
//!
//! It builds, starts and times the others, and holds no logic of theirs: what a seed is, what a
//! checker demands and how a report reads is known in `scenarios/` alone. Its own are the order of
//! the continuous integration and the two checks that no single crate can make of itself, the
//! direction of the dependencies and the absence of planted bugs.

mod absent;
mod build;
mod cargo;
mod ci;
mod code;
mod demo;
mod direction;
mod either;
mod flags;
mod mutants;
mod planted;
mod sim;
mod steps;
mod test;
mod tree;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::code::Code;

fn main() -> ExitCode {
    match run(Xtask::parse().chore) {
        Ok(code) => code.into(),
        Err(error) => {
            eprintln!("cargo xtask: {error:#}");
            Code::COULD_NOT.into()
        }
    }
}

fn run(chore: Chore) -> anyhow::Result<Code> {
    match chore {
        Chore::Sim(passed) => sim::run("run", &passed.arguments),
        Chore::Replay(passed) => either::run("replay", &passed.arguments),
        Chore::Hunt(passed) => either::run("hunt", &passed.arguments),
        Chore::Shrink(passed) => either::run("shrink", &passed.arguments),
        Chore::Sweep(passed) => either::run("sweep", &passed.arguments),
        Chore::Mutants(passed) => mutants::run("mutants", &passed.arguments),
        Chore::Demo(passed) => demo::run(&passed.arguments),
        Chore::Test(passed) => test::run(&passed.arguments),
        Chore::Ci(options) => ci::run(options),
        Chore::Direction => direction::run(),
        Chore::Absent => absent::run(),
    }
}

/// The chores of Outlive.
#[derive(Parser)]
#[command(name = "xtask", bin_name = "cargo xtask", after_help = AFTER_HELP)]
struct Xtask {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Run the queue in the simulator: `--seed 42`, `--seeds 1..500`; `--help` tells the rest.
    #[command(disable_help_flag = true)]
    Sim(PassedOn),
    /// Play scenario files, all of scenarios/regressions if none is named: each passes, fails, or is stale.
    #[command(disable_help_flag = true)]
    Replay(PassedOn),
    /// Run new seeds on all cores for some minutes: `--minutes M`. What fails is grouped, and each gets its story.
    #[command(disable_help_flag = true)]
    Hunt(PassedOn),
    /// Shrink a failing seed to the smallest story that fails in the same way, and write it as a scenario file.
    #[command(disable_help_flag = true)]
    Shrink(PassedOn),
    /// Crash a workload at every change of its disk, with every choice of what survives: `five`, `fifty`,
    /// `checkpoints`, a scenario file, or the three if none is named.
    #[command(disable_help_flag = true)]
    Sweep(PassedOn),
    /// Check that the checkers bite: run every planted bug, and see the intended clause catch it.
    #[command(disable_help_flag = true)]
    Mutants(PassedOn),
    /// Watch jobs outlive the SIGKILL of a program, a worker and a server: real processes and files.
    #[command(disable_help_flag = true)]
    Demo(PassedOn),
    /// Run every test that needs nothing but the Rust toolchain and a C compiler; with `--external`
    /// those that need other programs: curl and Chromium.
    Test(PassedOn),
    /// Run what continuous integration runs, in its order, with the time of each step.
    Ci(ci::Options),
    /// Check the direction of dependencies: the queue knows no simulator, the simulator no queue.
    Direction,
    /// Check that no program of a plain build holds the name of a planted bug.
    Absent,
}

/// Arguments that belong to the program that is started.
#[derive(Args)]
struct PassedOn {
    /// Passed on as they are.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<OsString>,
}

const AFTER_HELP: &str = "Exit codes: those of the program that was started; 1 a check of xtask's own found \
                          something; 2 bad usage; 101 the work could not be done, as with cargo itself.";

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn parse(line: &str) -> Result<Chore, clap::Error> {
        Xtask::try_parse_from(line.split(' ')).map(|xtask| xtask.chore)
    }

    #[test]
    fn the_commands_are_well_formed() {
        Xtask::command().debug_assert();
    }

    #[test]
    fn every_argument_of_sim_is_passed_on_in_order() {
        for arguments in ["--seed 42", "--seeds 1..9 --trace FILE", "--help", "-h", "--check-determinism -j 2 x"] {
            let Ok(Chore::Sim(passed)) = parse(&format!("xtask sim {arguments}")) else {
                panic!("{arguments} was not taken for arguments of sim");
            };
            assert_eq!(passed.arguments.join(" ".as_ref()), arguments);
        }
    }

    #[test]
    fn bad_usage_is_exit_code_2() {
        for line in ["xtask simulate", "xtask", "xtask ci --without-test", "xtask direction now"] {
            let error = parse(line).err().unwrap_or_else(|| panic!("{line} was accepted"));
            assert_eq!(error.exit_code(), 2, "{line}");
        }
    }
}
