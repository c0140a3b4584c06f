//! The demo, in two acts: a program, then a worker and a server, get SIGKILL with jobs at work, and
//! every job finishes.
//!
//! Real processes and real files. This process tells what happens as it happens, and then judges
//! it from what the queue says: its exit code is not zero if anything else happened. It must never
//! end a process that it did not start, and never wait without a bound.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "the demo is about real processes, real files and real time"
)]

mod act_one;
mod act_two;
mod arguments;
mod child;
mod judge;
mod patience;
mod program;
mod server;
mod settings;
mod story;
mod work;
mod worker;

use arguments::{Arguments, Role, USAGE};
use settings::Settings;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// What can go wrong, as a sentence.
type Problem = Box<dyn Error + Send + Sync>;

const BAD_USAGE: u8 = 2;

fn main() -> ExitCode {
    let Arguments { role, settings } = match arguments::parse(std::env::args_os().skip(1)) {
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
    if !matches!(role, Role::Demo { .. }) {
        child::end_with_the_demo();
    }
    let outcome = match &role {
        Role::Demo { keep } => tell(settings, *keep),
        Role::Program { folder } => program::run(folder, settings),
        Role::Server { folder, address } => server::run(folder, address, settings),
        Role::Worker { folder, url, name } => worker::run(folder, url, name, settings),
    };
    match (outcome, &role) {
        (Ok(()), _) => ExitCode::SUCCESS,
        (Err(problem), Role::Demo { .. }) => {
            eprintln!("\n✗ This is not what should have happened: {problem}.");
            ExitCode::FAILURE
        }
        (Err(problem), child) => {
            eprintln!("{child} can't go on: {problem}");
            ExitCode::FAILURE
        }
    }
}

/// Makes a folder and plays both acts in it. After a problem the folder stays, to be looked at.
fn tell(settings: Settings, keep: bool) -> Result<(), Problem> {
    let mut folder = tempfile::Builder::new().prefix("outlive-demo-").tempdir()?;
    folder.disable_cleanup(true);
    announce(settings, folder.path());
    let acts = ["act-1", "act-2"].map(|act| folder.path().join(act));
    if let Err(problem) = play(&acts, settings) {
        return Err(format!("{problem} (the files are left in {})", folder.path().display()).into());
    }
    if keep {
        println!();
        for act in acts {
            println!("  sqlite3 {} 'select * from attempts'", act.join(work::FILE).display());
        }
    } else {
        folder.disable_cleanup(false);
    }
    Ok(())
}

fn announce(settings: Settings, folder: &Path) {
    println!("SIGKILL lets a process do nothing more: no destructor runs, nothing is flushed,");
    println!("and nothing is given back. Here a program, a worker and a server get it.");
    println!();
    println!("folder    {}", folder.display());
    println!("settings  {}", settings.in_words());
    println!("takes     {}", settings.time_in_words());
}

fn play([one, two]: &[PathBuf; 2], settings: Settings) -> Result<(), Problem> {
    fs::create_dir(one)?;
    act_one::play(one, settings)?;
    fs::create_dir(two)?;
    act_two::play(two, settings)
}
