//! `cargo xtask ci`: runs the steps in their order, tells the time of each, and stops at the first
//! that fails.

use std::env;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::cargo;
use crate::code::Code;
use crate::steps::{STEPS, Step, TESTS};

/// What the whole may take on two cores, from a clean clone. It is told, not enforced: the time of
/// a machine is no property of a commit.
const TOTAL_MINUTES_MAX: u64 = 45;

/// The choices of this chore.
#[derive(clap::Args)]
pub struct Options {
    /// Leave out the tests, for a caller that runs `cargo xtask test` itself.
    #[arg(long)]
    without_tests: bool,
}

/// Runs the steps.
pub fn run(options: Options) -> anyhow::Result<Code> {
    let steps: Vec<Step> = STEPS.iter().copied().filter(|step| !(options.without_tests && *step == TESTS)).collect();
    let mut times = Vec::new();
    for (step, place) in steps.iter().zip(1..) {
        println!("\n==> {place}/{}: {}   ({})", steps.len(), step.name, step.command());
        let started = Instant::now();
        let code = cargo::wait(&mut child(*step))?;
        let time = started.elapsed();
        times.push((*step, time));
        println!("<== {place}/{}: {} {}, {}", steps.len(), step.name, verdict(code), shown(time));
        if !code.is_good() {
            print!("\n{}", table(&times));
            eprintln!("\nfailed: {} (exit code {}). To see it alone:\n\n    {}\n", step.name, code.0, step.command());
            return Ok(code);
        }
    }
    print!("\n{}", table(&times));
    Ok(Code::GOOD)
}

/// Another xtask restores the flags for its own children. Given them here already, it would be
/// built anew itself.
fn child(step: Step) -> Command {
    let mut command = match step.words[0] {
        "xtask" => Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into())),
        _ => cargo::cargo(),
    };
    command.args(step.words);
    command
}

fn verdict(code: Code) -> &'static str {
    if code.is_good() { "passed" } else { "FAILED" }
}

fn table(times: &[(Step, Duration)]) -> String {
    let width = times.iter().map(|(step, _)| step.name.len()).max().unwrap_or(0);
    let rows = times.iter().map(|(step, time)| format!("{:width$}  {:>8}\n", step.name, shown(*time)));
    let total = times.iter().map(|(_, time)| *time).sum();
    let last = format!("{:width$}  {:>8}  (at most {TOTAL_MINUTES_MAX} min on 2 cores)\n", "total", shown(total));
    rows.chain([last]).collect()
}

fn shown(time: Duration) -> String {
    match (time.as_secs() / 60, time.as_secs_f64()) {
        (0, seconds) => format!("{seconds:.1} s"),
        (minutes, _) => format!("{minutes}:{:02} min", time.as_secs() % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_a_row_for_each_step_and_the_total() {
        let times = [(STEPS[0], Duration::from_millis(1_240)), (TESTS, Duration::from_secs(421))];
        assert_eq!(
            table(&times),
            "format     1.2 s\ntests   7:01 min\ntotal   7:02 min  (at most 45 min on 2 cores)\n"
        );
    }
}
