//! `cargo xtask test`: every test that needs nothing but the Rust toolchain and a C compiler.
//! `cargo xtask test --external`: those that need other programs, which are marked `#[ignore]`: those of Debian, and
//! the one with the planted bugs.
//!
//! One call of cargo covers unit, integration and documentation tests and builds the examples;
//! `--all-targets` would leave the documentation out.

use std::ffi::OsString;

use crate::code::Code;
use crate::{build, cargo, mutants};

/// Where tests find the program with the planted bugs.
const PLANTED: &str = "OUTLIVE_PLANTED_SIMULATE";

/// Runs the tests; `arguments` go to `cargo test`, such as a part of a test's name.
pub fn run(arguments: &[OsString]) -> anyhow::Result<Code> {
    build::announce()?;
    let mut tests = cargo::cargo();
    tests.args(["test", "--release", "--workspace"]);
    if let [first, rest @ ..] = arguments
        && first == "--external"
    {
        tests.args(["--tests"]).args(rest).args(["--", "--ignored"]);
        return mutants::with_planted(|simulate| cargo::wait(tests.env(PLANTED, simulate)));
    }
    fetch()?;
    tests.args(arguments);
    cargo::become_program(tests)
}

/// Downloads every package of the lock file, also those that only a build without `--cfg madsim` needs: the test of
/// docs/SIMULATE_YOUR_OWN.md makes one, and downloads nothing itself. Where nothing can be downloaded, that test says
/// what it misses.
fn fetch() -> anyhow::Result<()> {
    cargo::wait(cargo::cargo().args(["fetch", "--locked", "--quiet"])).map(drop)
}
