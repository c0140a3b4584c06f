//! Act 1: a program with a queue inside gets SIGKILL, and is started again.

use crate::Problem;
use crate::arguments::Role;
use crate::child::Child;
use crate::judge::{Expected, judge};
use crate::patience::wait_for;
use crate::program::PHOTOS;
use crate::settings::Settings;
use crate::story::{self, Story};
use crate::work::{FILE, What};
use outlive::job::AttemptEnd;
use outlive::{JobId, Outlive};
use std::path::Path;

const TEXT: &str = "\
A program works three jobs at once, 3 s each. As soon as all three have started
it gets SIGKILL. Then it is started again, and has to finish all three.";

/// Plays it in `folder`.
pub fn play(folder: &Path, settings: Settings) -> Result<(), Problem> {
    story::open("Act 1: a queue inside of a program", TEXT);
    let story = Story::begin();
    let role = Role::Program { folder: folder.to_owned() };
    let jobs = [1, 2, 3].map(JobId);

    let mut first = Child::start(&role, settings)?;
    story.say(&format!("started the program: pid {}", first.pid()));
    first.wait_for_steps(&story, What::Started, &jobs, 1)?;
    let killed = first.kill(&story)?;

    let mut second = Child::start(&role, settings)?;
    story.say(&format!("started the program again: pid {}", second.pid()));
    second.wait_for_steps(&story, What::Started, &jobs, 2)?;
    story.say(&format!("{:.2} s from the kill to the last second start", killed.elapsed().as_secs_f64()));
    let status = second.wait_for_end(&story)?;
    story.say(&format!("the program ended by itself: {status}"));
    if !status.success() {
        return Err(format!("the program was to finish all jobs and exit with 0, but ended by {status}").into());
    }

    let outlive = wait_for("opening the file", Outlive::open(folder.join(FILE)))?;
    story.say("opened the file to look at it");
    let attempts = [(first.name(), AttemptEnd::Crashed), (second.name(), AttemptEnd::Completed)];
    let expected = PHOTOS.map(|photo| Expected { photo, attempts: &attempts });
    judge(&story, "the file", &outlive, folder, &expected)?;
    println!();
    println!("✓ Killed with three jobs at work: none lost, none stuck, one result each.");
    Ok(())
}
