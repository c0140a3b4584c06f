//! The canonical text of a scenario: what a shrinker prints. Comments of a text that was read are gone;
//! what is to last stands in `why`. A scenario that breaks the rules of the language, say by a name that it
//! does not declare, prints as it is, and does not read back.

use super::grammar::{Piece, words};
use super::phrases::Rest;
use super::scenario::{Block, Scenario, Step};
use std::fmt;

/// Columns of the first word of a line, and of a line in a block: what follows stands in one line below
/// each other.
const KEYWORD: usize = 8;
const KEYWORD_IN_BLOCK: usize = 6;

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        statement(f, "scenario", &self.name.to_string())?;
        statement(f, "guards", &self.guards.iter().flat_map(words).collect::<Vec<_>>().join(" "))?;
        if let Some(bug) = &self.bites {
            statement(f, "bites", &bug.to_string())?;
        }
        for line in &self.why {
            statement(f, "why", &words(line).concat())?;
        }
        writeln!(f)?;
        let items: Vec<String> = self.world.items.iter().map(ToString::to_string).collect();
        statement(f, "world", &items.join(", "))?;
        for job in &self.jobs {
            let options: Vec<String> = job.options.iter().map(ToString::to_string).collect();
            statement(f, "job", &[&[job.name.to_string()], &*options].concat().join(" "))?;
        }
        if self.rest != (Rest::Calm {}) {
            statement(f, "rest", &self.rest.to_string())?;
        }
        writeln!(f)?;
        for block in &self.blocks {
            write!(f, "{block}")?;
        }
        if !self.blocks.is_empty() {
            writeln!(f)?;
        }
        if let Some(time) = &self.settle {
            statement(f, "settle", &words(time).concat())?;
        }
        self.expect.iter().try_for_each(|expectation| statement(f, "expect", &expectation.to_string()))
    }
}

impl fmt::Display for Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = words(&self.anchor);
        statement(f, &words[0], &words[1..].join(" "))?;
        self.steps.iter().try_for_each(|step| writeln!(f, "  {step}"))
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut words = Vec::new();
        match self {
            Self::Do(action) => action.write(&mut words),
            Self::Expect(expectation) => {
                words.push("expect".into());
                expectation.write(&mut words);
            }
        }
        let line = format!("{:KEYWORD_IN_BLOCK$} {}", words[0], words[1..].join(" "));
        f.write_str(line.trim_end())
    }
}

fn statement(f: &mut fmt::Formatter<'_>, keyword: &str, rest: &str) -> fmt::Result {
    writeln!(f, "{}", format!("{keyword:KEYWORD$} {rest}").trim_end())
}
