//! The steps of continuous integration, as data: each is the very command that shows it alone.

/// One step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// What a person calls it.
    pub name: &'static str,
    /// The command, word by word, without the leading `cargo`.
    pub words: &'static [&'static str],
}

impl Step {
    /// The command that runs this step alone.
    pub fn command(self) -> String {
        format!("cargo {}", self.words.join(" "))
    }
}

/// All steps, quick ones first. Planted bugs come before their absence, which reads the list that
/// they leave.
pub const STEPS: &[Step] = &[
    Step { name: "format", words: &["fmt", "--all", "--check"] },
    Step { name: "direction of dependencies", words: &["xtask", "direction"] },
    Step { name: "lints", words: &["clippy", "--release", "--workspace", "--all-targets", "--", "-D", "warnings"] },
    Step {
        name: "lints of the planted bugs",
        words: &[
            "clippy",
            "--release",
            "--workspace",
            "--all-targets",
            "--features",
            "outlive-scenarios/planted",
            "--",
            "-D",
            "warnings",
        ],
    },
    TESTS,
    Step { name: "determinism", words: &["xtask", "sim", "--seeds", "1..200", "--check-determinism"] },
    Step { name: "500 seeds", words: &["xtask", "sim", "--seeds", "1..500"] },
    Step { name: "300 seeds of illegal faults", words: &["xtask", "sim", "--seeds", "1..300", "--profile", "illegal"] },
    Step { name: "scenario files", words: &["xtask", "replay"] },
    Step { name: "crash sweep", words: &["xtask", "sweep"] },
    Step { name: "planted bugs", words: &["xtask", "mutants", "--until-caught"] },
    Step { name: "no planted bug in a plain program", words: &["xtask", "absent"] },
];

/// The one step that can be left out, for a caller that runs this very command itself.
pub const TESTS: Step = Step { name: "tests", words: &["xtask", "test"] };

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_that_absence_reads_is_written_before() {
        let place = |word| STEPS.iter().position(|step| step.words[1] == word).unwrap();
        assert!(place("mutants") < place("absent"));
    }

    #[test]
    fn every_step_that_compiles_selects_the_workspace_and_the_one_profile() {
        for step in STEPS.iter().filter(|step| !["fmt", "xtask"].contains(&step.words[0])) {
            for word in ["--release", "--workspace"] {
                assert!(step.words.contains(&word), "{}: {word}", step.name);
            }
        }
    }
}
