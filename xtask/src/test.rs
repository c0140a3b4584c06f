//! `cargo xtask test`: every test that needs nothing but the Rust toolchain and a C compiler.
//! `cargo xtask test --external`: those that need other programs, which are marked `#[ignore]`.
//!
//! One call of cargo covers unit, integration and documentation tests and builds the examples;
//! `--all-targets` would leave the documentation out.

use std::ffi::OsString;

use crate::code::Code;
use crate::{build, cargo};

/// Runs the tests; `arguments` go to `cargo test`, such as a part of a test's name.
pub fn run(arguments: &[OsString]) -> anyhow::Result<Code> {
    build::announce()?;
    let mut tests = cargo::cargo();
    tests.args(["test", "--release", "--workspace"]);
    match arguments {
        [first, rest @ ..] if first == "--external" => tests.args(["--tests"]).args(rest).args(["--", "--ignored"]),
        all => tests.args(all),
    };
    cargo::become_program(tests)
}
