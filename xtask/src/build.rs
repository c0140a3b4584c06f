//! Builds the workspace's programs: with or without the planted bugs, and in no third way.
//!
//! Always all packages of the workspace, one profile and the same features of every dependency:
//! anything else compiles the database a second time, which takes minutes.

use std::path::{Path, PathBuf};
use std::thread;
use std::time::SystemTime;

use anyhow::bail;

use crate::{cargo, tree};

/// What the first build costs on one core, nearly all of it for the database.
const FIRST_BUILD_CORE_MINUTES: usize = 10;

const PLAIN: &[&str] = &["build", "--release", "--workspace", "--bins"];
const DEMO: &[&str] = &["build", "--release", "--workspace", "--example", "demo"];
const PLANTED: &[&str] = &["build", "--release", "--workspace", "--bins", "--features", "outlive-scenarios/planted"];

/// Builds the programs as they are meant to be, and returns the path of the one called `name`.
///
/// # Errors
/// The build failed, or the workspace has no such program.
pub fn plain(name: &str) -> anyhow::Result<PathBuf> {
    build(PLAIN, name)
}

/// Builds the demonstration, and returns its path. It is an example of the queue's own package: a
/// program of any other would link the simulator's clock and randomness.
///
/// # Errors
/// The build failed.
pub fn demo() -> anyhow::Result<PathBuf> {
    build(DEMO, "examples/demo")
}

/// Builds the programs with the planted bugs, and returns the path of the one called `name`.
/// Whoever calls this calls [`plain`] next, so that none of them stays behind.
///
/// # Errors
/// The build failed, or the workspace has no such program.
pub fn planted(name: &str) -> anyhow::Result<PathBuf> {
    build(PLANTED, name)
}

/// Says what the wait will be, where there is one: before the first build of this target folder.
pub fn announce() -> anyhow::Result<()> {
    if !tree::program("simulate")?.exists() {
        eprintln!("first build: about {}", minutes(cores()));
    }
    Ok(())
}

fn build(words: &[&str], name: &str) -> anyhow::Result<PathBuf> {
    announce()?;
    let program = tree::program(name)?;
    let mut command = cargo::cargo();
    command.args(words);
    let alone = cargo::shown(&command);
    // Our own crates take seconds; only where dependencies may be compiled is there something to watch.
    let locked = tree::root().join("Cargo.lock");
    if program.exists() && changed_at(&locked) <= changed_at(&program) {
        command.arg("--quiet");
    }
    let code = cargo::wait(&mut command)?;
    if !code.is_good() {
        bail!("the build failed (exit code {}). To see it alone: {alone}", code.0);
    }
    if !program.exists() {
        bail!(
            "the build succeeded but left no program `{name}`: no package of the workspace has one. To see it alone: \
             {alone} && ls -l {}",
            program.display()
        );
    }
    Ok(program)
}

fn changed_at(file: &Path) -> Option<SystemTime> {
    file.metadata().and_then(|data| data.modified()).ok()
}

fn cores() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

fn minutes(cores: usize) -> String {
    match FIRST_BUILD_CORE_MINUTES.div_ceil(cores) {
        1 => "1 minute".into(),
        minutes => format!("{minutes} minutes"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_build_is_said_to_take_its_core_minutes_over_the_cores() {
        for (cores, said) in [(1, "10 minutes"), (2, "5 minutes"), (4, "3 minutes"), (64, "1 minute")] {
            assert_eq!(minutes(cores), said);
        }
    }

    #[test]
    fn the_planted_build_differs_by_its_feature_alone() {
        assert_eq!(PLANTED[..PLAIN.len()], *PLAIN);
        assert_eq!(PLANTED[PLAIN.len()..], ["--features", "outlive-scenarios/planted"]);
    }
}
