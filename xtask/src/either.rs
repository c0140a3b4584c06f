//! `cargo xtask replay`, `hunt`, `shrink` and `sweep`: becomes the simulator's program, or runs the one with the planted bugs
//! if one of these is asked for.

use std::ffi::OsString;

use crate::code::Code;
use crate::{mutants, sim};

/// Runs this command of `simulate` with `arguments`.
pub fn run(command: &str, arguments: &[OsString]) -> anyhow::Result<Code> {
    if wants_bug(arguments) { mutants::run(command, arguments) } else { sim::run(command, arguments) }
}

fn wants_bug(arguments: &[OsString]) -> bool {
    arguments.iter().any(|argument| argument.to_string_lossy().split('=').next() == Some("--mutant"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_planted_bug_needs_the_planted_program() {
        for (line, wants) in [
            ("five", false),
            ("five --mutant no-sync-at-open", true),
            ("--mutant=no-sync-at-open", true),
            ("mutant.scn --depth 2", false),
        ] {
            let arguments: Vec<OsString> = line.split(' ').map(Into::into).collect();
            assert_eq!(wants_bug(&arguments), wants, "{line}");
        }
    }
}
