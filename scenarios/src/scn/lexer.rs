//! Lines and their tokens. Knows no word of the language.

use super::error::{Place, SyntaxError};

/// One line that holds something.
#[derive(Debug)]
pub(super) struct Line<'a> {
    /// Its number, from 1.
    pub number: usize,
    /// All of it, as it was written.
    pub text: &'a str,
    /// Whether it is indented, and so belongs to a block.
    pub indented: bool,
    /// What it holds: at least one.
    pub tokens: Vec<Token<'a>>,
}

/// The smallest part of a line.
#[derive(Clone, Copy, Debug)]
pub(super) struct Token<'a> {
    /// What it is.
    pub kind: TokenKind,
    /// Its text; of a quoted one what stands between the quotes.
    pub text: &'a str,
    /// Its column, in characters, from 1.
    pub column: usize,
    /// How many characters it takes, quotes included.
    pub width: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TokenKind {
    /// A name, a number, a duration: whatever needs no quotes.
    Word,
    /// Free text.
    Quoted,
    /// `,`, `:` or a comparison.
    Symbol,
}

/// Cuts a text into lines; empty ones and comments are left out.
pub(super) fn lines(text: &str) -> Result<Vec<Line<'_>>, Box<SyntaxError>> {
    let mut lines = Vec::new();
    for (index, text) in text.lines().enumerate() {
        let line = Line { number: index + 1, text, indented: text.starts_with([' ', '\t']), tokens: Vec::new() };
        let line = Line { tokens: tokens(&line)?, ..line };
        if !line.tokens.is_empty() {
            lines.push(line);
        }
    }
    Ok(lines)
}

fn tokens<'a>(line: &Line<'a>) -> Result<Vec<Token<'a>>, Box<SyntaxError>> {
    let mut tokens = Vec::new();
    let mut rest = line.text;
    let mut column = 1;
    while let Some(first) = rest.chars().next() {
        if first == '#' {
            break;
        }
        let bytes = match first {
            c if c.is_whitespace() => c.len_utf8(),
            '"' => match rest[1..].find('"') {
                Some(end) => end + 2,
                None => {
                    let place = Place { column, width: rest.chars().count() };
                    return Err(SyntaxError::wrong(line, place, "this quote is not closed")
                        .with_help("a quoted text ends on its own line, and holds no quote itself"));
                }
            },
            '<' | '>' if rest[1..].starts_with('=') => 2,
            c if is_symbol(c) => c.len_utf8(),
            _ => rest.find(|c: char| c.is_whitespace() || c == '"' || c == '#' || is_symbol(c)).unwrap_or(rest.len()),
        };
        let (read, behind) = rest.split_at(bytes);
        let width = read.chars().count();
        let (kind, text) = match first {
            '"' => (TokenKind::Quoted, &read[1..bytes - 1]),
            c if is_symbol(c) => (TokenKind::Symbol, read),
            _ => (TokenKind::Word, read),
        };
        if !first.is_whitespace() {
            tokens.push(Token { kind, text, column, width });
        }
        column += width;
        rest = behind;
    }
    Ok(tokens)
}

const fn is_symbol(c: char) -> bool {
    matches!(c, ',' | ':' | '=' | '<' | '>')
}
