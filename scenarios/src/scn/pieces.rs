//! What stands between the words of a sentence: names, numbers, times, texts, lists.

use super::cursor::{Cursor, Read};
use super::error::Expected;
use super::grammar::{Piece, words};
use super::lexer::TokenKind;
use super::phrases::AttemptScript;
use crate::event::moments;
use std::fmt;
use std::time::Duration;

/// A name that somebody made up: letters, digits, `-`, `_` and `.`, and a letter at first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Name(String);

impl Name {
    /// The name, if `text` can be one.
    pub fn new(text: &str) -> Option<Self> {
        let fits = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        (text.starts_with(|c: char| c.is_ascii_alphabetic()) && text.chars().all(fits)).then(|| Self(text.to_owned()))
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Piece for Name {
    fn shape() -> String {
        "NAME".into()
    }

    fn read(cursor: &mut Cursor<'_>) -> Read<Self> {
        cursor.find(|| Expected::open("a name of letters, digits, - and _"), Name::new)
    }

    fn write(&self, words: &mut Vec<String>) {
        words.push(self.0.clone());
    }
}

/// Several names in a row.
impl Piece for Vec<Name> {
    fn shape() -> String {
        "NAME ...".into()
    }

    fn read(cursor: &mut Cursor<'_>) -> Read<Self> {
        let mut names = vec![Name::read(cursor)?];
        while cursor.at_word() {
            names.push(Name::read(cursor)?);
        }
        Ok(names)
    }

    fn write(&self, words: &mut Vec<String>) {
        self.iter().for_each(|name| name.write(words));
    }
}

/// Several numbers in a row.
impl<const MIN: i64, const MAX: i64> Piece for Vec<Number<MIN, MAX>> {
    fn shape() -> String {
        "NUMBER ...".into()
    }

    fn read(cursor: &mut Cursor<'_>) -> Read<Self> {
        let mut numbers = vec![Number::read(cursor)?];
        while cursor.peek().is_some_and(|token| token.text.parse::<i64>().is_ok()) {
            numbers.push(Number::read(cursor)?);
        }
        Ok(numbers)
    }

    fn write(&self, words: &mut Vec<String>) {
        self.iter().for_each(|number| number.write(words));
    }
}

/// A moment of whoever is on a machine, as the nemesis knows it: `before-complete`, `handler-starts`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MomentName(String);

impl MomentName {
    /// The moment of this name, if there is one.
    pub fn new(name: &str) -> Option<Self> {
        moments().contains(&name.to_owned()).then(|| Self(name.to_owned()))
    }

    /// Its name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Piece for MomentName {
    fn shape() -> String {
        "MOMENT".into()
    }

    fn read(cursor: &mut Cursor<'_>) -> Read<Self> {
        let words: Vec<String> = moments().iter().map(|name| name.replace(' ', "-")).collect();
        let hope = || Expected::one_of("a moment", words.iter().map(String::as_str));
        cursor.find(hope, |word| Self::new(&word.replace('-', " ")))
    }

    fn write(&self, words: &mut Vec<String>) {
        words.push(self.0.replace(' ', "-"));
    }
}

/// Names that a scenario declares before it uses them.
macro_rules! declared {
    ($($(#[$meta:meta])* $name:ident, $what:literal, $shape:literal, $known:ident;)+) => {$(
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub struct $name(pub Name);

        impl Piece for $name {
            fn shape() -> String {
                $shape.into()
            }

            fn read(cursor: &mut Cursor<'_>) -> Read<Self> {
                let known = &cursor.declared.$known;
                let hope = || Expected::one_of($what, known.iter().map(String::as_str));
                cursor.find(hope, |word| known.iter().any(|name| name == word).then(|| Name::new(word)).flatten().map(Self))
            }

            fn write(&self, words: &mut Vec<String>) {
                self.0.write(words);
            }
        }
    )+};
}
declared! {
    /// A worker of the world.
    WorkerName, "a worker of the `world` line", "WORKER", workers;
    /// A client of the world.
    ClientName, "a client of the `world` line", "CLIENT", clients;
    /// A job that a `job` line declares.
    JobName, "a job of a `job` line", "JOB", jobs;
    /// An effect: it has the name of its job's key.
    Effect, "a key of a `job` line", "KEY", keys;
}

/// Somebody or something by name, or whichever comes first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AnyOr<T> {
    /// Whichever comes first.
    Any,
    /// This one.
    The(T),
}

impl<T> AnyOr<T> {
    pub(super) const ANY: &str = "any";
}

impl<T: Piece> Piece for AnyOr<T> {
    fn shape() -> String {
        T::shape()
    }

    fn read(cursor: &mut Cursor<'_>) -> Read<Self> {
        match cursor.attempt(T::read) {
            Ok(piece) => Ok(Self::The(piece)),
            Err(_) => cursor.literal(&[Self::ANY]).map(|()| Self::Any),
        }
    }

    fn write(&self, words: &mut Vec<String>) {
        match self {
            Self::Any => words.push(Self::ANY.into()),
            Self::The(piece) => piece.write(words),
        }
    }
}

/// A process of the world: what can be paused, killed and cut off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Process {
    /// The one that has the file.
    Store,
    /// A worker.
    Worker(WorkerName),
    /// A client.
    Client(ClientName),
    /// What stands before the store.
    Middlebox,
}

impl Piece for Process {
    fn shape() -> String {
        "PROCESS".into()
    }

    fn read(cursor: &mut Cursor<'_>) -> Read<Self> {
        if let Ok(worker) = cursor.attempt(WorkerName::read) {
            return Ok(Self::Worker(worker));
        }
        // Most files have no client that has a name: then there is no use in speaking of clients.
        if !cursor.declared.clients.is_empty()
            && let Ok(client) = cursor.attempt(ClientName::read)
        {
            return Ok(Self::Client(client));
        }
        if cursor.declared.middlebox && cursor.attempt(|cursor| cursor.literal(&["middlebox"])).is_ok() {
            return Ok(Self::Middlebox);
        }
        cursor.literal(&["store"]).map(|()| Self::Store)
    }

    fn write(&self, words: &mut Vec<String>) {
        match self {
            Self::Store => words.push("store".into()),
            Self::Worker(worker) => worker.write(words),
            Self::Client(client) => client.write(words),
            Self::Middlebox => words.push("middlebox".into()),
        }
    }
}

/// A number within bounds, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Number<const MIN: i64, const MAX: i64>(i64);

impl<const MIN: i64, const MAX: i64> Number<MIN, MAX> {
    /// The number, if it is within the bounds.
    pub const fn new(number: i64) -> Option<Self> {
        if number >= MIN && number <= MAX { Some(Self(number)) } else { None }
    }

    /// The number.
    pub const fn get(self) -> i64 {
        self.0
    }
}

impl<const MIN: i64, const MAX: i64> Piece for Number<MIN, MAX> {
    fn shape() -> String {
        "NUMBER".into()
    }

    fn read(cursor: &mut Cursor<'_>) -> Read<Self> {
        let number = cursor.peek().and_then(|token| token.text.parse().ok());
        match number.map(|number| (number, Self::new(number))) {
            Some((_, Some(number))) => {
                cursor.advance();
                Ok(number)
            }
            Some((number, None)) => {
                cursor.wrong(format!("{number} is out of bounds"), format!("it must be from {MIN} to {MAX}"))
            }
            None => cursor.miss(Expected::open(format!("a number from {MIN} to {MAX}"))),
        }
    }

    fn write(&self, words: &mut Vec<String>) {
        words.push(self.0.to_string());
    }
}

impl Piece for u64 {
    fn shape() -> String {
        "NUMBER".into()
    }

    fn read(cursor: &mut Cursor<'_>) -> Read<Self> {
        cursor.find(|| Expected::open("a number"), |word| word.parse().ok())
    }

    fn write(&self, words: &mut Vec<String>) {
        words.push(self.to_string());
    }
}

/// Which of several, from 1; the next one if nothing is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Nth(pub Number<1, 1_000_000>);

impl Nth {
    /// The next one.
    pub const NEXT: Self = Self(Number(1));
}

impl Piece for Nth {
    fn shape() -> String {
        "[nth NUMBER]".into()
    }

    fn read(cursor: &mut Cursor<'_>) -> Read<Self> {
        if cursor.attempt(|cursor| cursor.literal(&["nth"])).is_err() {
            return Ok(Self::NEXT);
        }
        Number::read(cursor).map(Self)
    }

    fn write(&self, words: &mut Vec<String>) {
        if *self != Self::NEXT {
            words.push("nth".into());
            self.0.write(words);
        }
    }
}

/// Units of time, the longest first, in microseconds.
const UNITS: [(&str, u64); 6] =
    [("d", 86_400_000_000), ("h", 3_600_000_000), ("m", 60_000_000), ("s", 1_000_000), ("ms", 1_000), ("us", 1)];

/// The longest time that can be written: nothing that is waited for takes longer.
const LONGEST: Duration = outlive::limits::DELAY_MAX;

/// Passes the next token, if `text`, which is its end, is a duration.
fn read_duration(cursor: &mut Cursor<'_>, text: &str) -> Read<Duration> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    if number.is_empty() {
        return cursor.miss(Expected::open("a duration, such as 10s"));
    }
    let Some((_, microseconds)) = UNITS.iter().find(|(name, _)| *name == unit) else {
        return match unit {
            "" => cursor
                .wrong(format!("{text} has no unit of time"), format!("write {text}ms, {text}s, {text}m or {text}h")),
            _ => cursor.wrong(format!("{text:?} is not a duration"), "units are us, ms, s, m, h and d, as in 10s"),
        };
    };
    let duration = number.parse().ok().and_then(|number: u64| number.checked_mul(*microseconds));
    match duration.map(Duration::from_micros).filter(|duration| *duration <= LONGEST) {
        Some(duration) => {
            cursor.advance();
            Ok(duration)
        }
        None => cursor.wrong(format!("{text} is too long"), "nothing takes longer than ten years"),
    }
}

/// A duration in whole microseconds.
impl Piece for Duration {
    fn shape() -> String {
        "DURATION".into()
    }

    fn read(cursor: &mut Cursor<'_>) -> Read<Self> {
        let text = cursor.peek().map_or("", |token| token.text);
        read_duration(cursor, text)
    }

    fn write(&self, words: &mut Vec<String>) {
        let microseconds = u64::try_from(self.as_micros()).expect("a duration in a scenario is short");
        let divides = |unit: u64| microseconds != 0 && microseconds.is_multiple_of(unit);
        let (unit, each) = UNITS.into_iter().find(|(_, each)| divides(*each)).unwrap_or(("s", 1));
        words.push(format!("{}{unit}", microseconds / each));
    }
}

/// Several durations in a row.
impl Piece for Vec<Duration> {
    fn shape() -> String {
        "DURATION ...".into()
    }

    fn read(cursor: &mut Cursor<'_>) -> Read<Self> {
        let mut durations = vec![Duration::read(cursor)?];
        while cursor.peek().is_some_and(|token| token.text.starts_with(|first: char| first.is_ascii_digit())) {
            durations.push(Duration::read(cursor)?);
        }
        Ok(durations)
    }

    fn write(&self, words: &mut Vec<String>) {
        self.iter().for_each(|duration| duration.write(words));
    }
}

/// How far a wall clock jumps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Jump {
    /// Into the past.
    pub back: bool,
    /// How far.
    pub by: Duration,
}

impl Piece for Jump {
    fn shape() -> String {
        "[-]DURATION".into()
    }

    fn read(cursor: &mut Cursor<'_>) -> Read<Self> {
        let text = cursor.peek().map_or("", |token| token.text);
        let forward = text.strip_prefix('-');
        Ok(Self { back: forward.is_some(), by: read_duration(cursor, forward.unwrap_or(text))? })
    }

    fn write(&self, out: &mut Vec<String>) {
        let sign = if self.back { "-" } else { "" };
        out.push(format!("{sign}{}", words(&self.by).concat()));
    }
}

/// A text in quotes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quote(String);

impl Quote {
    /// The text, if it can stand between quotes on one line.
    pub fn new(text: &str) -> Option<Self> {
        (!text.contains(['"', '\n', '\r'])).then(|| Self(text.to_owned()))
    }

    /// What stands between the quotes.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Piece for Quote {
    fn shape() -> String {
        "\"TEXT\"".into()
    }

    fn read(cursor: &mut Cursor<'_>) -> Read<Self> {
        let quoted = cursor.peek().is_some_and(|token| token.kind == TokenKind::Quoted);
        cursor.find(|| Expected::open("a text in quotes"), |text| quoted.then(|| Self::new(text)).flatten())
    }

    fn write(&self, words: &mut Vec<String>) {
        words.push(format!("\"{}\"", self.0));
    }
}

/// Ends of attempts, in order.
impl Piece for Vec<JobName> {
    fn shape() -> String {
        "JOB,...".into()
    }

    fn read(cursor: &mut Cursor<'_>) -> Read<Self> {
        let mut jobs = vec![JobName::read(cursor)?];
        while cursor.attempt(|cursor| cursor.literal(&[","])).is_ok() {
            jobs.push(JobName::read(cursor)?);
        }
        Ok(jobs)
    }

    fn write(&self, words: &mut Vec<String>) {
        words.push(self.iter().map(|job| job.0.to_string()).collect::<Vec<_>>().join(","));
    }
}

impl Piece for Vec<AttemptScript> {
    fn shape() -> String {
        "END,...".into()
    }

    fn read(cursor: &mut Cursor<'_>) -> Read<Self> {
        let mut ends = vec![AttemptScript::read(cursor)?];
        while cursor.attempt(|cursor| cursor.literal(&[","])).is_ok() {
            ends.push(AttemptScript::read(cursor)?);
        }
        Ok(ends)
    }

    fn write(&self, words: &mut Vec<String>) {
        words.push(self.iter().map(AttemptScript::to_string).collect::<Vec<_>>().join(","));
    }
}
