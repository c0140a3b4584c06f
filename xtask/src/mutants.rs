//! `cargo xtask mutants`, and `sweep --mutant`: runs the planted bugs, and leaves no program behind that holds
//! them.
//!
//! The planted program is moved out of the folder of programs, and the plain ones are built again,
//! *before* the run: it takes minutes, and a Ctrl-C in it, or a `cargo xtask sim` in another
//! terminal, must not meet a queue that is broken on purpose.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::code::Code;
use crate::{build, cargo, planted, tree};

/// Runs this command of `simulate` of the planted build with `arguments`.
pub fn run(command: &str, arguments: &[OsString]) -> anyhow::Result<Code> {
    with_planted(|simulate| cargo::wait(&mut cargo::program(simulate, &[command], arguments)))
}

/// Gives the planted program to `work`, while the folder of programs holds the plain ones.
pub fn with_planted(work: impl FnOnce(&Path) -> anyhow::Result<Code>) -> anyhow::Result<Code> {
    let folder = tree::note("planted")?;
    let set_aside = build::planted("simulate").and_then(|program| set_aside(&program, &folder));
    let plain = build::plain("simulate").context("the programs still hold the planted bugs");
    let outcome = set_aside.and_then(|simulate| {
        plain?;
        planted::record(&simulate)?;
        work(&simulate)
    });
    // Whatever happened; the folder is not there if nothing was set aside.
    let removed = fs::remove_dir_all(&folder);
    if folder.exists() {
        removed.with_context(|| format!("the planted program is still there: remove {}", folder.display()))?;
    }
    outcome
}

fn set_aside(program: &Path, folder: &Path) -> anyhow::Result<PathBuf> {
    let aside = folder.join(program.file_name().expect("a program has a name"));
    fs::create_dir_all(folder)
        .and_then(|()| fs::copy(program, &aside))
        .with_context(|| format!("cannot copy {} to {}", program.display(), aside.display()))?;
    Ok(aside)
}
