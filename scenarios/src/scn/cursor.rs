//! A place in a line, and the memory of how far reading came.
//!
//! Sentences are tried one after the other. What went wrong is told of the one that came furthest, and
//! what could have stood there is what all sentences that came as far had hoped for. The idea is that of
//! parsing expression grammars: B. Ford, "Packrat Parsing", 2002, section 3.2.4.

use super::declared::Declared;
use super::error::{Expected, SyntaxError};
use super::lexer::{Line, Token, TokenKind};

/// Reading failed; the cursor knows where and why.
#[derive(Clone, Copy, Debug)]
pub(super) struct Miss;

/// What reading comes to.
pub(super) type Read<T> = Result<T, Miss>;

/// Reads the tokens of one line.
pub(super) struct Cursor<'a> {
    line: &'a Line<'a>,
    /// The names that may be used.
    pub declared: &'a Declared,
    position: usize,
    furthest: usize,
    hopes: Vec<Expected>,
    problem: Option<(String, String)>,
}

impl<'a> Cursor<'a> {
    /// At the first token of `line`.
    pub fn new(line: &'a Line<'a>, declared: &'a Declared) -> Self {
        Self { line, declared, position: 0, furthest: 0, hopes: Vec::new(), problem: None }
    }

    /// How many tokens have been read.
    pub fn position(&self) -> usize {
        self.position
    }

    /// The next token.
    pub fn peek(&self) -> Option<&'a Token<'a>> {
        self.line.tokens.get(self.position)
    }

    /// Whether a word comes next.
    pub fn at_word(&self) -> bool {
        self.peek().is_some_and(|token| token.kind == TokenKind::Word)
    }

    /// Passes the next token, which was found to fit.
    pub fn advance(&mut self) {
        self.position += 1;
    }

    /// Something else was hoped for at this place.
    pub fn miss<T>(&mut self, hope: Expected) -> Read<T> {
        if self.reaches_furthest() {
            self.hopes.push(hope);
        }
        Err(Miss)
    }

    /// What stands here was recognised, and is wrong.
    pub fn wrong<T>(&mut self, problem: impl Into<String>, help: impl Into<String>) -> Read<T> {
        if self.reaches_furthest() && self.problem.is_none() {
            self.problem = Some((problem.into(), help.into()));
        }
        Err(Miss)
    }

    fn reaches_furthest(&mut self) -> bool {
        if self.position > self.furthest {
            self.furthest = self.position;
            self.hopes.clear();
            self.problem = None;
        }
        self.position == self.furthest
    }

    /// Reads one of these words or symbols; the first is the one that is hoped for.
    pub fn literal(&mut self, words: &[&'static str]) -> Read<()> {
        match self.peek() {
            Some(token) if token.kind != TokenKind::Quoted && words.contains(&token.text) => {
                self.advance();
                Ok(())
            }
            _ => self.miss(Expected::word(words[0])),
        }
    }

    /// Reads a word or a quoted text that `find` knows.
    pub fn find<T>(&mut self, hope: impl FnOnce() -> Expected, find: impl FnOnce(&str) -> Option<T>) -> Read<T> {
        match self.peek().and_then(|token| find(token.text)) {
            Some(found) => {
                self.advance();
                Ok(found)
            }
            None => self.miss(hope()),
        }
    }

    /// Tries to read; a miss leaves the cursor where it was.
    pub fn attempt<T>(&mut self, read: impl FnOnce(&mut Self) -> Read<T>) -> Read<T> {
        let start = self.position;
        read(self).inspect_err(|_| self.position = start)
    }

    /// Demands that nothing follows.
    pub fn end(&mut self) -> Read<()> {
        match self.peek() {
            None => Ok(()),
            Some(_) => self.miss(Expected::open("the end of the line")),
        }
    }

    /// What the furthest miss was about.
    pub fn into_error(self) -> Box<SyntaxError> {
        let token = self.line.tokens.get(self.furthest);
        match (self.problem, token) {
            (Some((problem, help)), Some(token)) => {
                SyntaxError::wrong(self.line, token.into(), problem).with_help(help)
            }
            _ => SyntaxError::unexpected(self.line, token, self.hopes),
        }
    }
}
