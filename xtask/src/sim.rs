//! `cargo xtask sim` and `replay`: builds the simulator's program and becomes it. What the arguments mean, and
//! what the exit codes say, is that program's own affair.

use std::ffi::OsString;

use crate::code::Code;
use crate::{build, cargo};

/// Runs this command of `simulate` with `arguments`.
pub fn run(command: &str, arguments: &[OsString]) -> anyhow::Result<Code> {
    let simulate = build::plain("simulate")?;
    cargo::become_program(cargo::program(&simulate, &[command], arguments))
}
