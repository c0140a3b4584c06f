//! What a run is made from.

use crate::workload::{Plan, Profile, Workload};
use clap::Args;
use outlive_sim::Seed;
use serde::{Deserialize, Serialize};
use std::fmt;

/// What a run is made from, beside the workload: the same case is the same run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Case {
    /// The seed.
    pub seed: u64,
    /// What is different from the run of the seed alone.
    pub variation: Variation,
}

/// What is different from the run of a seed alone: nothing, if all is as by default.
#[derive(Args, Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Variation {
    /// The seed's run in another order of tasks; 0 is its own.
    #[arg(long, value_name = "N", default_value_t = 0, requires = "seed")]
    pub turn: u64,
    /// The seed's run with the faults that another seed would have.
    #[arg(long, value_name = "SEED", requires = "seed")]
    pub faults_of: Option<u64>,
}

impl Case {
    /// The run of a seed alone.
    pub const fn of_seed(seed: u64) -> Self {
        Self { seed, variation: Variation { turn: 0, faults_of: None } }
    }

    /// Its plan.
    pub fn plan(self, workload: Workload, profile: Profile) -> Plan {
        let faults_of = self.variation.faults_of.unwrap_or(self.seed);
        Plan::of_case(Seed(self.seed), Seed(faults_of), workload, profile)
    }

    /// The arguments that name it on a command line.
    pub fn arguments(self) -> Vec<String> {
        let Variation { turn, faults_of } = self.variation;
        let mut arguments = vec!["--seed".to_owned(), self.seed.to_string()];
        if turn > 0 {
            arguments.extend(["--turn".to_owned(), turn.to_string()]);
        }
        if let Some(other) = faults_of {
            arguments.extend(["--faults-of".to_owned(), other.to_string()]);
        }
        arguments
    }

    /// A name for a file about it.
    pub fn file_name(self) -> String {
        let Variation { turn, faults_of } = self.variation;
        let turn = if turn > 0 { format!("-turn-{turn}") } else { String::new() };
        let faults = faults_of.map_or(String::new(), |other| format!("-faults-{other}"));
        format!("seed-{}{turn}{faults}", self.seed)
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "seed {}", self.seed)?;
        if self.variation.turn > 0 {
            write!(f, " turn {}", self.variation.turn)?;
        }
        self.variation.faults_of.map_or(Ok(()), |other| write!(f, " with the faults of {other}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_case_is_named_by_what_is_different() {
        let plain = Case::of_seed(7);
        assert_eq!((plain.to_string(), plain.file_name()), ("seed 7".into(), "seed-7".into()));
        assert_eq!(plain.arguments(), ["--seed", "7"]);
        let varied = Case { seed: 7, variation: Variation { turn: 3, faults_of: Some(9) } };
        assert_eq!(varied.to_string(), "seed 7 turn 3 with the faults of 9");
        assert_eq!(varied.file_name(), "seed-7-turn-3-faults-9");
        assert_eq!(varied.arguments(), ["--seed", "7", "--turn", "3", "--faults-of", "9"]);
    }

    #[test]
    fn the_faults_of_another_seed_change_nothing_else_of_a_plan() {
        let plain = Case::of_seed(7).plan(Workload::Cluster, Profile::Legal);
        let varied = Case { seed: 7, variation: Variation { turn: 0, faults_of: Some(9) } }
            .plan(Workload::Cluster, Profile::Legal);
        assert_ne!(varied.faults, plain.faults);
        let without = |plan: Plan| format!("{:?}", Plan { faults: Vec::new(), ..plan });
        assert_eq!(without(varied), without(plain));
    }
}
