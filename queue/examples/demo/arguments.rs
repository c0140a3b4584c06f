//! The command line: what a person may say, and what the demo says to the processes that it starts.

use crate::settings::Settings;
use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;

pub const USAGE: &str = "\
Works jobs in real processes, and sends SIGKILL to a program with a queue in it,
then to a worker, then to the server of a queue. Shows that every job finishes.

Usage: demo [--default-settings] [--keep]

  --default-settings  the queue and its workers as they come, nothing shortened
  --keep              leave the files there afterwards, to look at with sqlite3";

// Not in the help: only this program says these, to itself.
const PROGRAM: &str = "--program";
const SERVER: &str = "--server";
const WORKER: &str = "--worker";

/// What was asked for on the command line.
pub struct Arguments {
    pub role: Role,
    pub settings: Settings,
}

/// What this process is.
pub enum Role {
    /// It starts the others, and tells what happens.
    Demo {
        /// Leave the files there.
        keep: bool,
    },
    /// A program with a queue inside.
    Program {
        /// Where its files are.
        folder: PathBuf,
    },
    /// A queue behind a server.
    Server {
        /// Where its file is.
        folder: PathBuf,
        /// Where it listens.
        address: String,
    },
    /// A worker for the queue behind a server.
    Worker {
        /// Where its log is.
        folder: PathBuf,
        /// Where the server is.
        url: String,
        /// What it is called.
        name: String,
    },
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Demo { .. } => write!(f, "the demo"),
            Self::Program { .. } => write!(f, "the program"),
            Self::Server { .. } => write!(f, "the server"),
            Self::Worker { name, .. } => write!(f, "{name}"),
        }
    }
}

impl Role {
    /// The arguments that make this executable a child in that role; [`parse`] reads them back.
    pub fn words(&self) -> Vec<OsString> {
        match self {
            Self::Demo { .. } => Vec::new(),
            Self::Program { folder } => vec![PROGRAM.into(), folder.into()],
            Self::Server { folder, address } => vec![SERVER.into(), folder.into(), address.into()],
            Self::Worker { folder, url, name } => vec![WORKER.into(), folder.into(), url.into(), name.into()],
        }
    }
}

/// Reads the command line; none if it asks for help.
pub fn parse(mut words: impl Iterator<Item = OsString>) -> Result<Option<Arguments>, String> {
    let mut arguments = Arguments { role: Role::Demo { keep: false }, settings: Settings::Shortened };
    while let Some(word) = words.next() {
        let mut next = || words.next().ok_or_else(|| format!("{} lacks a word", word.display()));
        match word.to_str() {
            Some("--default-settings") => arguments.settings = Settings::Default,
            Some("--keep") => arguments.role = Role::Demo { keep: true },
            Some("--help" | "-h") => return Ok(None),
            Some(PROGRAM) => arguments.role = Role::Program { folder: next()?.into() },
            Some(SERVER) => arguments.role = Role::Server { folder: next()?.into(), address: text(next()?)? },
            Some(WORKER) => {
                arguments.role = Role::Worker { folder: next()?.into(), url: text(next()?)?, name: text(next()?)? };
            }
            _ => return Err(format!("{} is no argument of the demo", word.display())),
        }
    }
    Ok(Some(arguments))
}

fn text(word: OsString) -> Result<String, String> {
    word.into_string().map_err(|word| format!("{} is no text", word.display()))
}
