//! The lines of a scenario file: which there are, in which order, and what a line can't know alone.

use super::cursor::{Cursor, Read};
use super::declared::Declared;
use super::error::{Expected, Place, SyntaxError};
use super::grammar::Piece;
use super::keyword::{Keyword, check_order};
use super::lexer::{Line, Token, lines};
use super::nouns::Invariant;
use super::phrases::{Action, Anchor, Expectation, JobOption, Lapse, Rest, WorldItem, reserved};
use super::pieces::{Name, Nth, Process, Quote};
use super::scenario::{Block, Job, Scenario, Step, World};
use outlive::limits::{LEASE_MAX, LEASE_MIN, RATE_PERIOD_MAX, RETENTION_MIN};
use std::time::Duration;

/// Workers and spares that a file may have.
pub const WORKERS_MAX: usize = 8;
/// Clients that a file may have, beside the one that has no name.
pub const CLIENTS_MAX: usize = 7;

/// Reads a scenario file.
///
/// # Errors
/// The first mistake, with its place, and with what was probably meant.
pub fn parse(text: &str) -> Result<Scenario, Box<SyntaxError>> {
    parse_knowing(text, &planted_bugs())
}

/// The planted bugs that this program has.
#[cfg(feature = "planted")]
fn planted_bugs() -> Vec<&'static str> {
    crate::planted::ALL.iter().map(|bug| bug.name()).collect()
}

/// None: a plain program must not even hold their names.
#[cfg(not(feature = "planted"))]
fn planted_bugs() -> Vec<&'static str> {
    Vec::new()
}

/// Reads a file that bites one of `bugs`; where none is known, any name will do.
pub(super) fn parse_knowing(text: &str, bugs: &[&str]) -> Result<Scenario, Box<SyntaxError>> {
    let lines = lines(text)?;
    let mut parser = Parser { bugs, declared: Declared::default(), found: Found::default() };
    let mut before: Option<(Keyword, &Line<'_>)> = None;
    for line in &lines {
        if line.indented {
            parser.step(line, before)?;
            continue;
        }
        let keyword = whole(line, &parser.declared, Keyword::read, Trailing::Left)?;
        check_order(line, keyword, before)?;
        check_block(before, &parser.found)?;
        parser.statement(line, keyword)?;
        before = Some((keyword, line));
    }
    check_block(before, &parser.found)?;
    parser.found.finish(text, lines.last())
}

/// What has been read so far.
#[derive(Default)]
struct Found {
    name: Option<Name>,
    guards: Option<Vec<Invariant>>,
    bites: Option<Name>,
    why: Vec<Quote>,
    world: Option<World>,
    jobs: Vec<Job>,
    rest: Option<Rest>,
    blocks: Vec<Block>,
    settle: Option<Duration>,
    expect: Vec<Expectation>,
}

struct Parser<'a> {
    bugs: &'a [&'a str],
    declared: Declared,
    found: Found,
}

impl Parser<'_> {
    fn statement(&mut self, line: &Line<'_>, keyword: Keyword) -> Result<(), Box<SyntaxError>> {
        match keyword {
            Keyword::Scenario => self.found.name = Some(self.read(line)?),
            Keyword::Guards => {
                let guards = self.rest_of(line, |cursor| several(cursor, Invariant::read))?;
                check_twice(line, 1, guards.iter().map(|guard| guard.as_str()), "guarded")?;
                self.found.guards = Some(guards);
            }
            Keyword::Bites => {
                let bugs = self.bugs;
                let read = |cursor: &mut Cursor<'_>| {
                    if bugs.is_empty() {
                        return Name::read(cursor);
                    }
                    let hope = || Expected::one_of("a planted bug", bugs.iter().copied());
                    cursor.find(hope, |word| bugs.contains(&word).then(|| Name::new(word)).flatten())
                };
                self.found.bites = Some(self.rest_of(line, read)?);
            }
            Keyword::Why => self.found.why.push(self.read(line)?),
            Keyword::World => self.world(line)?,
            Keyword::Job => self.job(line)?,
            Keyword::Rest => self.found.rest = Some(self.read(line)?),
            Keyword::After | Keyword::Before | Keyword::At => {
                let anchor = whole(line, &self.declared, Anchor::read, Trailing::Refused);
                let anchor = anchor.map_err(|error| self.about_a_lapse(line, keyword).unwrap_or(error))?;
                self.found.blocks.push(Block { anchor, steps: Vec::new() });
            }
            Keyword::Settle => self.found.settle = Some(self.read(line)?),
            Keyword::Expect => self.found.expect.push(self.read(line)?),
        }
        Ok(())
    }

    fn read<T: Piece>(&self, line: &Line<'_>) -> Result<T, Box<SyntaxError>> {
        self.rest_of(line, T::read)
    }

    /// What is to be said about a `before` with something that nobody does.
    fn about_a_lapse(&self, line: &Line<'_>, keyword: Keyword) -> Option<Box<SyntaxError>> {
        let lapse = self.rest_of(line, |cursor| {
            Lapse::read(cursor)?;
            Nth::read(cursor)
        });
        (keyword == Keyword::Before && lapse.is_ok()).then(|| {
            SyntaxError::wrong(
                line,
                (&line.tokens[1]).into(),
                "this comes to pass by itself: nothing can be put before it",
            )
            .with_help("write `after`, or name what somebody does, for example: before w1 completes A")
        })
    }

    /// Reads what stands behind the first word of a line.
    fn rest_of<T>(
        &self,
        line: &Line<'_>,
        read: impl FnOnce(&mut Cursor<'_>) -> Read<T>,
    ) -> Result<T, Box<SyntaxError>> {
        let behind = |cursor: &mut Cursor<'_>| {
            cursor.advance();
            read(cursor)
        };
        whole(line, &self.declared, behind, Trailing::Refused)
    }

    fn world(&mut self, line: &Line<'_>) -> Result<(), Box<SyntaxError>> {
        let read = |cursor: &mut Cursor<'_>| {
            let mut items = vec![(cursor.position(), WorldItem::read(cursor)?)];
            while cursor.attempt(|cursor| cursor.literal(&[","])).is_ok() {
                items.push((cursor.position(), WorldItem::read(cursor)?));
            }
            Ok(items)
        };
        let items = self.rest_of(line, read)?;
        check_kinds(line, &items, WorldItem::says_the_same)?;
        check_world(line, &items)?;
        for (position, item) in &items {
            let (WorldItem::Workers { names } | WorldItem::Spares { names } | WorldItem::Clients { names }) = item
            else {
                continue;
            };
            for (name, token) in names.iter().zip(&line.tokens[position + 1..]) {
                self.check_free(line, token)?;
                match item {
                    WorldItem::Clients { .. } => self.declared.clients.push(name.to_string()),
                    _ => self.declared.workers.push(name.to_string()),
                }
            }
        }
        let items: Vec<WorldItem> = items.into_iter().map(|(_, item)| item).collect();
        self.declared.middlebox = items.contains(&WorldItem::Middlebox {});
        let keyword = Place::from(&line.tokens[0]);
        if !items.contains(&WorldItem::Store {}) && !items.contains(&WorldItem::Program {}) {
            return Err(SyntaxError::wrong(line, keyword, "this world has no store").with_help("begin with: 1 store"));
        }
        if self.declared.workers.is_empty() {
            return Err(SyntaxError::wrong(line, keyword, "this world has no worker").with_help("add: workers w1"));
        }
        self.found.world = Some(World { items });
        Ok(())
    }

    fn job(&mut self, line: &Line<'_>) -> Result<(), Box<SyntaxError>> {
        let read = |cursor: &mut Cursor<'_>| {
            let name = Name::read(cursor)?;
            let mut options = Vec::new();
            while cursor.peek().is_some() {
                options.push((cursor.position(), JobOption::read(cursor)?));
            }
            Ok((name, options))
        };
        let (name, options) = self.rest_of(line, read)?;
        self.check_free(line, &line.tokens[1])?;
        check_kinds(line, &options, JobOption::says_the_same)?;
        check_payload(line, &options)?;
        let improvised = self.found.world.as_ref().is_some_and(|world| world.improvised().is_some());
        let idle = options.iter().find(|(_, option)| option.is_of_the_improvised() && !improvised);
        if let Some((position, _)) = idle {
            let token = &line.tokens[*position];
            return Err(SyntaxError::wrong(line, token.into(), format!("{:?} does nothing in this world", token.text))
                .with_help("it is for those who improvise: add `improvised until 30s` to the world, or take it out"));
        }
        for (position, option) in &options {
            let JobOption::Key { key } = option else { continue };
            if self.declared.keys.iter().any(|other| other == key.as_str()) {
                let place = (&line.tokens[position + 2]).into();
                let problem = format!("another job has the key {:?} already", key.as_str());
                return Err(SyntaxError::wrong(line, place, problem)
                    .with_help("an effect has the name of its job's key, so each key stands for one job here"));
            }
            self.declared.keys.push(key.to_string());
        }
        self.declared.jobs.push(name.to_string());
        let options = options.into_iter().map(|(_, option)| option).collect();
        self.found.jobs.push(Job { name, options });
        Ok(())
    }

    /// The name of `token` is not taken, and no word of the language.
    fn check_free(&self, line: &Line<'_>, token: &Token<'_>) -> Result<(), Box<SyntaxError>> {
        let name = token.text;
        if self.declared.has(name) {
            return Err(SyntaxError::wrong(line, token.into(), format!("there is a {name:?} already"))
                .with_help("workers, clients and jobs have different names, so that each says who is meant"));
        }
        if reserved(name) {
            return Err(SyntaxError::wrong(line, token.into(), format!("nothing can be named {name:?}"))
                .with_help("it is a word that begins sentences"));
        }
        Ok(())
    }

    fn step(&mut self, line: &Line<'_>, before: Option<(Keyword, &Line<'_>)>) -> Result<(), Box<SyntaxError>> {
        let in_block = before.is_some_and(|(keyword, _)| keyword.rank() == Keyword::At.rank());
        if !in_block || self.found.blocks.is_empty() {
            return Err(SyntaxError::wrong(line, (&line.tokens[0]).into(), "an indented line belongs to a block")
                .with_help("put it below an `after`, `before` or `at` line, or do not indent it"));
        }
        let read = |cursor: &mut Cursor<'_>| {
            let expectation = cursor.attempt(|cursor| {
                cursor.literal(&[Keyword::Expect.as_str()])?;
                Expectation::read(cursor).map(Step::Expect)
            });
            match expectation {
                Ok(step) => Ok(step),
                Err(_) => Action::read(cursor).map(Step::Do),
            }
        };
        let step = whole(line, &self.declared, read, Trailing::Refused)?;
        check_step(line, &step)?;
        let improvised = self.found.world.as_ref().is_some_and(|world| world.improvised().is_some());
        if let Step::Do(action) = &step
            && improvised
            && action.is_an_errand()
        {
            return Err(SyntaxError::wrong(line, (&line.tokens[0]).into(), "nobody is told what to do in this world")
                .with_help("take `improvised` out of the `world` line, or this line out of the block"));
        }
        if let Step::Do(
            Action::Partition { from, to, .. }
            | Action::Clog { from, to, .. }
            | Action::SlowLink { from, to, .. }
            | Action::HangConnects { from, to, .. }
            | Action::LateEnds { from, to, .. }
            | Action::HalfOpen { from, to }
            | Action::Reset { from, to }
            | Action::HealLink { from, to },
        ) = &step
            && from == to
        {
            return Err(SyntaxError::wrong(line, (&line.tokens[2]).into(), "a link has two ends")
                .with_help("name two processes, for example: partition w1 store"));
        }
        self.found.blocks.last_mut().expect("the line is in a block").steps.push(step);
        Ok(())
    }
}

impl Found {
    fn finish(self, text: &str, last: Option<&Line<'_>>) -> Result<Scenario, Box<SyntaxError>> {
        // What is missing is missing behind everything else.
        let end = Line { number: text.lines().count().max(1), text: "", indented: false, tokens: Vec::new() };
        let line = last.unwrap_or(&end);
        let place = Place { column: line.text.trim_end().chars().count() + 1, width: 1 };
        let missing = |what: &str, example: &str| {
            SyntaxError::wrong(line, place, format!("the file ends without {what}"))
                .with_help(format!("for example: {example}"))
        };
        let scenario = Scenario {
            name: self.name.ok_or_else(|| missing("a `scenario` line", "scenario zombie-completes-late"))?,
            guards: self.guards.ok_or_else(|| missing("a `guards` line", "guards I2 I5"))?,
            bites: self.bites,
            why: self.why,
            world: self.world.ok_or_else(|| missing("a `world` line", "world 1 store, workers w1 w2, lease 30s"))?,
            jobs: self.jobs,
            rest: self.rest.unwrap_or(Rest::Calm {}),
            blocks: self.blocks,
            settle: self.settle,
            expect: self.expect,
        };
        if scenario.jobs.is_empty() {
            return Err(missing("a `job` line", "job A kind=charge"));
        }
        if scenario.expect.is_empty() {
            return Err(missing("an `expect` line", "expect invariants hold")
                .with_help("say what must be so at the end, for example: expect invariants hold"));
        }
        Ok(scenario)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Trailing {
    Left,
    Refused,
}

/// Reads a line from its first token.
fn whole<T>(
    line: &Line<'_>,
    declared: &Declared,
    read: impl FnOnce(&mut Cursor<'_>) -> Read<T>,
    trailing: Trailing,
) -> Result<T, Box<SyntaxError>> {
    let mut cursor = Cursor::new(line, declared);
    let result = read(&mut cursor).and_then(|piece| match trailing {
        Trailing::Left => Ok(piece),
        Trailing::Refused => cursor.end().map(|()| piece),
    });
    result.map_err(|_| cursor.into_error())
}

fn several<T>(cursor: &mut Cursor<'_>, read: impl Fn(&mut Cursor<'_>) -> Read<T>) -> Read<Vec<T>> {
    let mut pieces = vec![read(cursor)?];
    while cursor.peek().is_some() {
        pieces.push(read(cursor)?);
    }
    Ok(pieces)
}

fn check_block(before: Option<(Keyword, &Line<'_>)>, found: &Found) -> Result<(), Box<SyntaxError>> {
    match (before, found.blocks.last()) {
        (Some((keyword, line)), Some(block)) if keyword.rank() == Keyword::At.rank() && block.steps.is_empty() => {
            Err(SyntaxError::wrong(line, (&line.tokens[0]).into(), "nothing happens in this block")
                .with_help("put what happens on the lines below it, indented"))
        }
        _ => Ok(()),
    }
}

/// A step can be played where it stands.
fn check_step(line: &Line<'_>, step: &Step) -> Result<(), Box<SyntaxError>> {
    let wrong =
        |problem: &str, help: &str| Err(SyntaxError::wrong(line, (&line.tokens[1]).into(), problem).with_help(help));
    match step {
        Step::Expect(Expectation::ClauseReached { .. } | Expectation::InvariantsHold {}) => {
            wrong("this can be told at the end alone", "put it below the blocks, not indented")
        }
        Step::Do(Action::Start { process: Process::Store }) => {
            wrong("the store starts again by itself", "say how long it is down in the `world` line: downtime 5s")
        }
        Step::Do(Action::Pause { at, polls, lasting: None, .. }) if at.is_some() || polls.is_some() => {
            wrong("nobody knows when this pause begins, so none could end it", "say how long it lasts: for 5s")
        }
        Step::Do(Action::SlowDisk { least, most, .. }) if least > most => {
            wrong("the least is more than the most", "for example: slow-disk store from 1ms to 5ms for 10s")
        }
        Step::Do(Action::SlowLink { least, most, .. } | Action::LateEnds { least, most, .. }) if least > most => {
            wrong("the least is more than the most", "for example: slow-link w1 store by 1ms to 2s for 10s")
        }
        _ => Ok(()),
    }
}

/// The world can be played.
fn check_world(line: &Line<'_>, items: &[(usize, WorldItem)]) -> Result<(), Box<SyntaxError>> {
    let named = |pick: fn(&WorldItem) -> usize| items.iter().map(|(_, item)| pick(item)).sum::<usize>();
    let workers = named(|item| match item {
        WorldItem::Workers { names } | WorldItem::Spares { names } => names.len(),
        _ => 0,
    });
    let clients = named(|item| if let WorldItem::Clients { names } = item { names.len() } else { 0 });
    let improvised = items.iter().any(|(_, item)| matches!(item, WorldItem::Improvised { .. }));
    let has_store = items.iter().any(|(_, item)| matches!(item, WorldItem::Store {}));
    for (position, item) in items {
        let problem = match item {
            WorldItem::Program {} if has_store => "a program has the store in it: there is one of the two".into(),
            WorldItem::Spares { .. } if improvised => "nobody starts spares in an improvised world".into(),
            WorldItem::Concurrency { jobs } if ![1, workers].contains(&jobs.len()) => {
                format!("{} numbers are not one for all, or one for each of {workers} workers", jobs.len())
            }
            item if item.is_of_the_improvised() && !improvised => {
                let word = line.tokens[*position].text;
                format!("{word:?} is for those who improvise: add `improvised until 30s`, or take it out")
            }
            WorldItem::Workers { .. } if workers > WORKERS_MAX => {
                format!("{workers} workers are too many: {WORKERS_MAX} are the most")
            }
            WorldItem::Clients { .. } if clients > CLIENTS_MAX => {
                format!("{clients} clients are too many: {CLIENTS_MAX} are the most")
            }
            WorldItem::Page { bytes } if !bytes.get().cast_unsigned().is_power_of_two() => {
                format!("{} is no size of a page: a power of two is, such as 4096", bytes.get())
            }
            WorldItem::Lease { lease } if !(LEASE_MIN..=LEASE_MAX).contains(lease) => {
                "a lease is from 100ms to 24h".into()
            }
            WorldItem::Keep { kept, .. } if *kept < RETENTION_MIN => {
                "what has ended is kept for 1s at the least".into()
            }
            WorldItem::Timeout { longest: time, .. }
            | WorldItem::MaxAge { age: time, .. }
            | WorldItem::FixedBackoff { rest: time, .. }
            | WorldItem::KindBackoff { first: time, .. }
                if time.is_zero() =>
            {
                "this is no time at all: 1ms is the least".into()
            }
            WorldItem::KindBackoff { first, longest, .. } if longest < first => {
                "the longest rest is shorter than the first".into()
            }
            WorldItem::Rate { jobs, burst, .. } if burst.get() > jobs.get() => {
                format!("a burst of {} is more than the {} jobs of the rate", burst.get(), jobs.get())
            }
            WorldItem::Rate { period, .. } if !(Duration::from_millis(1)..=RATE_PERIOD_MAX).contains(period) => {
                "the time of a rate is from 1ms to 31d".into()
            }
            _ => continue,
        };
        return Err(SyntaxError::wrong(line, (&line.tokens[*position]).into(), problem));
    }
    Ok(())
}

/// What no handler begins has no work.
fn check_payload(line: &Line<'_>, options: &[(usize, JobOption)]) -> Result<(), Box<SyntaxError>> {
    let decodes = !options.iter().any(|(_, option)| matches!(option, JobOption::Payload { .. }));
    let of_a_handler = |(_, option): &&(usize, JobOption)| {
        matches!(option, JobOption::Work { .. } | JobOption::Steps { .. } | JobOption::Attempts { .. })
    };
    match options.iter().find(of_a_handler).filter(|_| !decodes) {
        Some((position, _)) => {
            let place = (&line.tokens[*position]).into();
            Err(SyntaxError::wrong(line, place, "this payload does not decode, so no handler begins")
                .with_help("leave out what its attempts would do, or its payload"))
        }
        None => Ok(()),
    }
}

/// No two of `pieces`, each with the position of its first token, say the same kind of thing.
fn check_kinds<T>(
    line: &Line<'_>,
    pieces: &[(usize, T)],
    says_the_same: fn(&T, &T) -> bool,
) -> Result<(), Box<SyntaxError>> {
    for (index, (position, piece)) in pieces.iter().enumerate() {
        if pieces[..index].iter().any(|(_, other)| says_the_same(other, piece)) {
            let token = &line.tokens[*position];
            return Err(SyntaxError::wrong(line, token.into(), format!("{:?} is there twice", token.text)));
        }
    }
    Ok(())
}

/// No two of the texts, the first of which is the token at `start`, are the same.
fn check_twice<'a>(
    line: &Line<'_>,
    start: usize,
    texts: impl Iterator<Item = &'a str>,
    what: &str,
) -> Result<(), Box<SyntaxError>> {
    let mut seen: Vec<&str> = Vec::new();
    for (text, token) in texts.zip(&line.tokens[start..]) {
        if seen.contains(&text) {
            return Err(SyntaxError::wrong(line, token.into(), format!("{text} is {what} twice")));
        }
        seen.push(text);
    }
    Ok(())
}
