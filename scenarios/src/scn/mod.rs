//! The language of scenario files: what a person writes, a shrinker prints and the runner replays.
//!
//! [`parse`] reads a text into a [`Scenario`], whose `Display` writes the canonical text. Here is only
//! the language: nothing in this module runs anything. The format for people is in docs/SCENARIO_FILES.md.
//!
//! Words stand in tables and nowhere else: names in `nouns`, sentences in `phrases`. The reader, the
//! printer, the error messages and the property tests are all made from those, so that a new action or
//! expectation is one line.

mod cursor;
mod declared;
mod error;
mod grammar;
mod keyword;
mod lexer;
mod nearest;
mod nouns;
mod parser;
mod phrases;
mod pieces;
mod printer;
#[cfg(test)]
mod sample;
mod scenario;
#[cfg(test)]
mod tests;

pub use error::{Expected, SyntaxError};
pub use nouns::{
    Answer, CatchUpWord, Clause, Comparison, Count, DiskFile, Invariant, Outcome, Payload, Rejection, RequestKind,
    RhythmWord, WaitReason,
};
pub use parser::{CLIENTS_MAX, WORKERS_MAX, parse};
pub use phrases::{
    Action, Anchor, AttemptScript, Deed, Expectation, For, Happening, JobOption, Keep, KeyFor, Lapse, Message, On,
    OnFile, OneWay, Polls, Rest, Sent, Times, Turn, Unmet, When, Within, WorldItem,
};
pub use pieces::{AnyOr, ClientName, Effect, JobName, Jump, MomentName, Name, Nth, Number, Process, Quote, WorkerName};
pub use scenario::{Block, Job, Scenario, Step, World};
