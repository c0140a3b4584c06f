//! The same seeds again, in another process that differs in everything that must not matter.

use super::batch::Summary;
use outlive_sim::first_difference;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What came of a comparison.
#[derive(Debug)]
pub struct Comparison {
    /// Seeds compared.
    pub seeds: usize,
    /// Seeds whose hashes differ, with both.
    pub different: Vec<(u64, u64, u64)>,
    /// Where the first of them parts, if it does so again.
    pub first_difference: Option<String>,
}

/// Runs the seeds of `summary` again, in another working directory and environment, in the
/// opposite order and with one process more or less, and compares the hashes.
///
/// # Errors
/// If the other process can't be started, or does not answer.
pub fn compare(summary: &Summary, extra_arguments: &[String]) -> io::Result<Comparison> {
    let (first, last) = match (summary.results.keys().next(), summary.results.keys().last()) {
        (Some(first), Some(last)) => (*first, *last),
        _ => return Ok(Comparison { seeds: 0, different: Vec::new(), first_difference: None }),
    };
    let children = if summary.children > 1 { summary.children - 1 } else { 2 };
    let elsewhere = Elsewhere::new()?;
    let mut command = elsewhere.command()?;
    command.args(["hashes", "--seeds", &format!("{first}..{last}"), "--children", &children.to_string()]);
    let output = command.args(extra_arguments).stdout(Stdio::piped()).spawn()?.wait_with_output()?;
    let hashes = parse(&String::from_utf8_lossy(&output.stdout));
    let mut different = Vec::new();
    for (seed, result) in &summary.results {
        match hashes.get(seed) {
            Some(hash) if *hash == result.hash => {}
            Some(hash) => different.push((*seed, result.hash, *hash)),
            None => return Err(io::Error::other(format!("the other process gave no hash for seed {seed}"))),
        }
    }
    let first_difference = match different.first() {
        Some((seed, _, _)) => part(&elsewhere, *seed, extra_arguments)?,
        None => None,
    };
    Ok(Comparison { seeds: summary.results.len(), different, first_difference })
}

/// Records one seed here and elsewhere, and finds the first event that differs.
fn part(elsewhere: &Elsewhere, seed: u64, extra_arguments: &[String]) -> io::Result<Option<String>> {
    let mut traces = Vec::new();
    for (name, mut command) in [("here", Command::new(std::env::current_exe()?)), ("elsewhere", elsewhere.command()?)] {
        let file = elsewhere.directory.join(name);
        command.args(["run", "--seed", &seed.to_string(), "--trace"]).arg(&file).args(extra_arguments);
        command.stdout(Stdio::null()).status()?;
        let text = std::fs::read_to_string(&file)?;
        traces.push(text.lines().map(str::to_owned).collect::<Vec<String>>());
    }
    Ok(first_difference(&traces[0], &traces[1]).map(|difference| difference.to_string()))
}

fn parse(text: &str) -> BTreeMap<u64, u64> {
    let line = |line: &str| {
        let (seed, hash) = line.split_once(' ')?;
        Some((seed.parse().ok()?, u64::from_str_radix(hash, 16).ok()?))
    };
    text.lines().filter_map(line).collect()
}

/// Another place to run from: a folder and an environment of its own.
struct Elsewhere {
    directory: PathBuf,
}

impl Elsewhere {
    fn new() -> io::Result<Self> {
        let directory = std::env::temp_dir().join(format!("outlive-elsewhere-{}", std::process::id()));
        std::fs::create_dir_all(&directory)?;
        Ok(Self { directory })
    }

    fn command(&self) -> io::Result<Command> {
        let mut command = Command::new(std::env::current_exe()?);
        command.current_dir(&self.directory).env_clear();
        command.env("TZ", "Pacific/Chatham").env("LANG", "tr_TR.UTF-8").env("OUTLIVE_ELSEWHERE", "x".repeat(4_096));
        Ok(command)
    }
}

impl Drop for Elsewhere {
    fn drop(&mut self) {
        remove(&self.directory);
    }
}

fn remove(directory: &Path) {
    // A folder of temporary files that stays behind hurts nobody.
    let _ = std::fs::remove_dir_all(directory);
}
