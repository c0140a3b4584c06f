//! The demo: a program works three jobs, gets SIGKILL, is started again, and all three finish.
//!
//! Real processes and a real file. This process tells what happens as it happens, and then judges
//! it from the file: its exit code is not zero if anything else happened. It must never end a
//! process that it did not start, and never wait without a bound.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "the demo is about real processes, a real file and real time"
)]

mod child;
mod judge;
mod program;
mod story;

use child::Child;
use std::error::Error;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;
use story::Story;

/// What can go wrong, as a sentence.
type Problem = Box<dyn Error + Send + Sync>;

const SIGKILL: i32 = 9;
const BAD_USAGE: u8 = 2;
const USAGE: &str = "\
Works three jobs at once, kills the program with SIGKILL, starts it again, and
shows that all three finish.

Usage: demo [--default-settings] [--keep]

  --default-settings  the queue and its worker as they come, nothing shortened
  --keep              leave the file there afterwards, to look at with sqlite3";

/// What was asked for on the command line.
#[derive(Default)]
struct Arguments {
    default_settings: bool,
    keep: bool,
    /// The folder to work in: then this process is the program that gets killed.
    program: Option<PathBuf>,
}

fn main() -> ExitCode {
    let arguments = match parse(std::env::args_os().skip(1)) {
        Ok(Some(arguments)) => arguments,
        Ok(None) => {
            println!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        Err(why) => {
            eprintln!("{why}\n\n{USAGE}");
            return ExitCode::from(BAD_USAGE);
        }
    };
    let outcome = match &arguments.program {
        Some(folder) => program::run(folder, arguments.default_settings),
        None => tell(&arguments),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) if arguments.program.is_some() => {
            eprintln!("the program can't go on: {problem}");
            ExitCode::FAILURE
        }
        Err(problem) => {
            eprintln!("\n✗ This is not what should have happened: {problem}.");
            ExitCode::FAILURE
        }
    }
}

fn parse(words: impl Iterator<Item = std::ffi::OsString>) -> Result<Option<Arguments>, String> {
    let mut arguments = Arguments::default();
    let mut words = words;
    while let Some(word) = words.next() {
        match word.to_str() {
            Some("--default-settings") => arguments.default_settings = true,
            Some("--keep") => arguments.keep = true,
            Some("--help" | "-h") => return Ok(None),
            // Not in the help: only this program says it, to itself.
            Some(child::PROGRAM) => arguments.program = Some(words.next().ok_or("a folder is missing")?.into()),
            _ => return Err(format!("{} is no argument of the demo", word.display())),
        }
    }
    Ok(Some(arguments))
}

/// Makes a folder and tells the story in it. After a problem the folder stays, to be looked at.
fn tell(arguments: &Arguments) -> Result<(), Problem> {
    let mut folder = tempfile::Builder::new().prefix("outlive-demo-").tempdir()?;
    folder.disable_cleanup(true);
    announce(arguments, folder.path());
    if let Err(problem) = act(arguments, folder.path()) {
        return Err(format!("{problem} (the file is left in {})", folder.path().display()).into());
    }
    println!();
    println!("✓ Killed with three jobs at work: none lost, none stuck, one result each.");
    if arguments.keep {
        println!("  sqlite3 {} 'select * from attempts'", folder.path().join(program::FILE).display());
    } else {
        folder.disable_cleanup(false);
    }
    Ok(())
}

fn announce(arguments: &Arguments, folder: &Path) {
    println!("A program works three jobs at once. Each takes 2 s. As soon as all three have");
    println!("started it gets SIGKILL: no destructor runs, nothing is flushed or given back.");
    println!("Then it is started again, and has to finish all three.");
    println!();
    println!("file      {}", folder.join(program::FILE).display());
    println!("settings  {}", program::settings_in_words(arguments.default_settings));
    println!();
}

fn act(arguments: &Arguments, folder: &Path) -> Result<(), Problem> {
    let story = Story::begin();
    let start = || Child::start(folder, arguments.default_settings);

    let mut first = start()?;
    story.say(&format!("started the program: pid {}", first.pid()));
    first.wait_for_starts(&story, 1)?;

    let killed = Instant::now();
    let status = first.kill()?;
    story.say(&format!("✗ sent SIGKILL to pid {}; it ended by {status}", first.pid()));
    if status.signal() != Some(SIGKILL) {
        return Err(format!("the program was to be ended by signal 9, but ended by {status}").into());
    }
    first.drain(&story)?;

    let mut second = start()?;
    story.say(&format!("started the program again: pid {}", second.pid()));
    second.wait_for_starts(&story, 2)?;
    let pause = killed.elapsed();
    story.say(&format!("{:.2} s from the kill to the last second start", pause.as_secs_f64()));
    let status = second.wait_for_end(&story)?;
    story.say(&format!("the program ended by itself: {status}"));
    if !status.success() {
        return Err(format!("the program was to finish all jobs and exit with 0, but ended by {status}").into());
    }
    judge::judge(&story, folder, [first.pid(), second.pid()])
}
