//! Where things are: the folder of the workspace, and the folder of its programs.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::Context;

/// The folder that holds the workspace's `Cargo.toml`.
pub fn root() -> PathBuf {
    // The variable of this run comes first: a target folder may be shared by several work trees.
    let own = env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), PathBuf::from);
    own.parent().expect("xtask is a folder of the workspace").to_owned()
}

/// The folder of the release programs: the one that this program was started from, so that no
/// setting of the target folder has to be read a second time.
pub fn programs() -> anyhow::Result<PathBuf> {
    let own = env::current_exe().context("cannot tell where this program is, so not where its siblings are")?;
    let profile = own.parent().and_then(Path::parent).map(|target| target.join("release"));
    profile.with_context(|| format!("{} is in no target folder: start it as `cargo xtask`", own.display()))
}

/// A file for notes from one chore to the next, beside the folder of the programs.
pub fn note(name: &str) -> anyhow::Result<PathBuf> {
    Ok(programs()?.with_file_name(name))
}

/// The path of the program `name`.
pub fn program(name: &str) -> anyhow::Result<PathBuf> {
    Ok(programs()?.join(format!("{name}{}", env::consts::EXE_SUFFIX)))
}
