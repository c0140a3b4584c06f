//! What a line begins with, and in which order lines stand.

use super::error::SyntaxError;
use super::grammar::{Noun, nouns};
use super::lexer::Line;

nouns! {
    /// What a line begins with, in the order of a file.
    pub enum Keyword ("a word that begins a line", "LINE") {
        /// Its name.
        Scenario = "scenario",
        /// Invariants.
        Guards = "guards",
        /// A planted bug.
        Bites = "bites",
        /// Where it comes from.
        Why = "why",
        /// Who takes part.
        World = "world",
        /// A job.
        Job = "job",
        /// Everything else.
        Rest = "rest",
        /// A block.
        After = "after",
        /// A block.
        Before = "before",
        /// A block.
        At = "at",
        /// How long it has.
        Settle = "settle",
        /// What must be so.
        Expect = "expect",
    }
}

impl Keyword {
    /// Its place in a file; blocks share one.
    pub(super) const fn rank(self) -> u8 {
        match self {
            Self::Scenario => 0,
            Self::Guards => 1,
            Self::Bites => 2,
            Self::Why => 3,
            Self::World => 4,
            Self::Job => 5,
            Self::Rest => 6,
            Self::After | Self::Before | Self::At => 7,
            Self::Settle => 8,
            Self::Expect => 9,
        }
    }

    const fn repeats(self) -> bool {
        matches!(self, Self::Why | Self::Job | Self::After | Self::Before | Self::At | Self::Expect)
    }

    /// The word. Each has one name, so its place in the table is its own.
    pub(super) const fn as_str(self) -> &'static str {
        Self::NAMES[self as usize].1
    }
}

/// A line may stand where it stands: `before` is the one before it that is not indented.
pub(super) fn check_order(
    line: &Line<'_>,
    keyword: Keyword,
    before: Option<(Keyword, &Line<'_>)>,
) -> Result<(), Box<SyntaxError>> {
    let place = (&line.tokens[0]).into();
    let word = keyword.as_str();
    let Some((last, last_line)) = before else {
        return match keyword {
            Keyword::Scenario => Ok(()),
            _ => Err(SyntaxError::wrong(line, place, "a file begins with a `scenario` line")
                .with_help("for example: scenario zombie-completes-late")),
        };
    };
    if keyword == last && !keyword.repeats() {
        return Err(SyntaxError::wrong(line, place, format!("there is a second `{word}` line"))
            .with_help(format!("line {} has the first", last_line.number)));
    }
    if keyword.rank() < last.rank() {
        let order: Vec<&str> = Keyword::NAMES.iter().map(|(_, name)| *name).collect();
        let problem = format!("`{word}` can't come after `{}` of line {}", last.as_str(), last_line.number);
        return Err(SyntaxError::wrong(line, place, problem).with_help(format!("the order is {}", order.join(", "))));
    }
    Ok(())
}
