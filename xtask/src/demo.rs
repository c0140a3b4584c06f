//! `cargo xtask demo`: builds the demonstration and becomes it.

use std::ffi::OsString;

use crate::code::Code;
use crate::{build, cargo};

/// Runs `demo` with `arguments`.
pub fn run(arguments: &[OsString]) -> anyhow::Result<Code> {
    let demo = build::demo()?;
    cargo::become_program(cargo::program(&demo, &[], arguments))
}
