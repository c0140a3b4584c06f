//! What is wrong with a scenario file, told to a tired person at night: where, what was read, what was
//! expected, and what was probably meant.

use super::lexer::{Line, Token};
use super::nearest;
use std::fmt;

/// Where in a line: column from 1 and width, in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub column: usize,
    pub width: usize,
}

impl From<&Token<'_>> for Place {
    fn from(token: &Token<'_>) -> Self {
        Self { column: token.column, width: token.width }
    }
}

/// One thing that could have stood there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    /// What it is, if it is not simply a word: `a worker`, `a duration, such as 10s`.
    pub what: Option<String>,
    /// The words that would do, the nearest to what was read first. Empty if there are too many to list.
    pub known: Vec<String>,
    /// Whether the known words are all there are: nothing is known where none was declared.
    pub closed: bool,
}

impl Expected {
    /// One of many possible texts.
    pub(super) fn open(what: impl Into<String>) -> Self {
        Self { what: Some(what.into()), known: Vec::new(), closed: false }
    }

    /// One of these words.
    pub(super) fn one_of<'a>(what: impl Into<String>, known: impl IntoIterator<Item = &'a str>) -> Self {
        Self { what: Some(what.into()), known: known.into_iter().map(str::to_owned).collect(), closed: true }
    }

    /// This word.
    pub(super) fn word(word: &str) -> Self {
        Self { what: None, known: vec![word.to_owned()], closed: true }
    }
}

/// The first mistake in a scenario file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyntaxError {
    /// The line, from 1.
    pub line: usize,
    /// The column, in characters, from 1.
    pub column: usize,
    /// What is wrong, in one sentence.
    pub problem: String,
    /// What could have stood there instead.
    pub expected: Vec<Expected>,
    /// The known word that was probably meant.
    pub meant: Option<String>,
    /// What to do about it, if that is not obvious.
    pub help: Option<String>,
    width: usize,
    source: String,
}

impl SyntaxError {
    /// A mistake that is best told in a sentence of its own.
    pub(super) fn wrong(line: &Line<'_>, place: Place, problem: impl Into<String>) -> Box<Self> {
        Box::new(Self {
            line: line.number,
            column: place.column,
            problem: problem.into(),
            expected: Vec::new(),
            meant: None,
            help: None,
            width: place.width,
            source: line.text.to_owned(),
        })
    }

    /// Something else was expected than `token`, or than the end of the line.
    pub(super) fn unexpected(line: &Line<'_>, token: Option<&Token<'_>>, expected: Vec<Expected>) -> Box<Self> {
        let end = Place { column: line.text.trim_end().chars().count() + 1, width: 1 };
        let Some(token) = token else {
            let mut error = Self::wrong(line, end, "the line ends too early");
            error.expected = gathered(expected);
            return error;
        };
        let meant = nearest::guess(expected.iter().flat_map(|one| &one.known).map(String::as_str), token.text);
        // Whoever misspelt a word did not mean to name something that is not there.
        let misspelt_word =
            expected.iter().any(|one| one.what.is_none() && one.known.iter().any(|word| Some(&**word) == meant));
        let problem = match expected.first() {
            Some(Expected { what: Some(what), closed: true, .. }) if !misspelt_word => {
                format!("{:?} is not {what}", token.text)
            }
            _ => format!("{:?} does not fit here", token.text),
        };
        let mut error = Self::wrong(line, token.into(), problem);
        error.meant = meant.map(str::to_owned);
        error.expected = gathered(expected);
        for one in &mut error.expected {
            nearest::sort_by_distance(&mut one.known, token.text);
        }
        error
    }

    pub(super) fn with_help(mut self: Box<Self>, help: impl Into<String>) -> Box<Self> {
        self.help = Some(help.into());
        self
    }
}

/// Single words in one list, and nothing twice.
fn gathered(expected: Vec<Expected>) -> Vec<Expected> {
    let mut gathered: Vec<Expected> = Vec::new();
    for one in expected {
        match gathered.iter_mut().find(|other| other.what == one.what && other.closed == one.closed) {
            Some(other) => {
                for word in one.known {
                    if !other.known.contains(&word) {
                        other.known.push(word);
                    }
                }
            }
            None => gathered.push(one),
        }
    }
    gathered
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = self.known.join(", ");
        match &self.what {
            None => f.write_str(&known),
            Some(what) if !self.closed => f.write_str(what),
            Some(what) if self.known.is_empty() => write!(f, "{what}: none is declared"),
            Some(what) => write!(f, "{what}: {known}"),
        }
    }
}

impl fmt::Display for SyntaxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = self.line.to_string();
        let margin = " ".repeat(number.len());
        // A tab stays a tab under itself, so that the caret stands where the eye looks for it.
        let before: String =
            self.source.chars().take(self.column - 1).map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
        writeln!(f, "line {number}, column {}: {}", self.column, self.problem)?;
        writeln!(f, "{margin} |")?;
        writeln!(f, "{number} | {}", self.source)?;
        write!(f, "{margin} | {before}{}", "^".repeat(self.width))?;
        if let Some(meant) = &self.meant {
            write!(f, "\n{margin} = did you mean {meant:?}?")?;
        }
        for (index, one) in self.expected.iter().enumerate() {
            write!(f, "\n{margin} = {} {one}", if index == 0 { "expected" } else { "      or" })?;
        }
        if let Some(help) = &self.help {
            write!(f, "\n{margin} = {help}")?;
        }
        Ok(())
    }
}

impl std::error::Error for SyntaxError {}
