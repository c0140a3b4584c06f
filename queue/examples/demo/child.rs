//! Child processes: started, listened to, killed. Every wait has a bound.

use crate::Problem;
use crate::arguments::Role;
use crate::patience::PATIENCE;
use crate::settings::Settings;
use crate::story::Story;
use crate::work::{Step, What};
use outlive::JobId;
use std::collections::BTreeSet;
use std::io::{self, BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::process::{ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

const SIGKILL: i32 = 9;
/// How often a process that can't be waited for with a bound is looked at.
const LOOK: Duration = Duration::from_millis(5);

/// A child process. It does not outlive this value, nor this process.
pub struct Child {
    /// What it is, in a sentence.
    who: String,
    /// What stands before its lines, and what its worker is called.
    name: String,
    process: std::process::Child,
    lines: Receiver<String>,
    /// What it has said of its handlers.
    steps: BTreeSet<Step>,
    /// Its standard input, which ends with this process: see [`end_with_the_demo`].
    _tie: Option<ChildStdin>,
}

/// Ends this process, a child, as soon as the demo is gone, however that ended.
pub fn end_with_the_demo() {
    thread::spawn(|| {
        // Nothing is ever written to it.
        drop(io::copy(&mut io::stdin(), &mut io::sink()));
        std::process::exit(1);
    });
}

impl Child {
    /// Starts this executable in another role.
    pub fn start(role: &Role, settings: Settings) -> Result<Self, Problem> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(role.words()).args(settings.words()).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn()?;
        let output = BufReader::new(process.stdout.take().expect("its output is piped"));
        let (sender, lines) = channel();
        // Ends with the child, whose death closes its end of the pipe.
        thread::spawn(move || output.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        let name = match role {
            Role::Server { .. } => "server".into(),
            Role::Worker { name, .. } => name.clone(),
            // A worker is called so unless it says otherwise.
            Role::Demo { .. } | Role::Program { .. } => format!("pid {}", process.id()),
        };
        let tie = process.stdin.take();
        Ok(Self { who: role.to_string(), name, process, lines, steps: BTreeSet::new(), _tie: tie })
    }

    /// What its worker is called.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its number.
    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Tells what it says until a line begins like this. The rest of that line.
    pub fn wait_for_line(&mut self, story: &Story, beginning: &str) -> Result<String, Problem> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let line = self.expect_line(story, deadline)?;
            if let Some(rest) = line.strip_prefix(beginning) {
                return Ok(rest.to_owned());
            }
        }
    }

    /// Tells what it says until this attempt of every job has come this far, and no other attempt has.
    pub fn wait_for_steps(&mut self, story: &Story, what: What, jobs: &[JobId], attempt: u32) -> Result<(), Problem> {
        let deadline = Instant::now() + PATIENCE;
        while !jobs.iter().all(|&job| self.steps.contains(&Step { job, attempt, what })) {
            let line = self.expect_line(story, deadline)?;
            if let Some(step) = Step::parse(&line) {
                if step.attempt != attempt {
                    return Err(format!("attempt {attempt} was to come next, but {step}").into());
                }
                if !self.steps.insert(step) {
                    return Err(format!("{step} for the second time").into());
                }
            }
        }
        Ok(())
    }

    /// Tells what it says until it has ended by itself.
    pub fn wait_for_end(&mut self, story: &Story) -> Result<ExitStatus, Problem> {
        self.drain(story)?;
        self.wait(Instant::now() + PATIENCE)
    }

    /// Kills it with SIGKILL and tells of its end. When it was killed.
    pub fn kill(&mut self, story: &Story) -> Result<Instant, Problem> {
        let killed = Instant::now();
        // The standard library's `kill` is SIGKILL on every Unix.
        self.process.kill()?;
        let status = self.wait(Instant::now() + PATIENCE)?;
        story.say(&format!("✗ sent SIGKILL to {}; it ended by {status}", self.who));
        if status.signal() != Some(SIGKILL) {
            return Err(format!("{} was to be ended by signal 9, but ended by {status}", self.who).into());
        }
        self.drain(story)?;
        Ok(killed)
    }

    /// Tells what it says until it can say nothing more.
    fn drain(&mut self, story: &Story) -> Result<(), Problem> {
        let deadline = Instant::now() + PATIENCE;
        while self.next_line(story, deadline)?.is_some() {}
        Ok(())
    }

    /// The next line of a process that is not to end yet.
    fn expect_line(&mut self, story: &Story, deadline: Instant) -> Result<String, Problem> {
        match self.next_line(story, deadline)? {
            Some(line) => Ok(line),
            None => {
                let status = self.wait(deadline)?;
                Err(format!("{} ended too early, by {status}", self.who).into())
            }
        }
    }

    /// Tells the next line, or returns none if it can say nothing more.
    fn next_line(&mut self, story: &Story, deadline: Instant) -> Result<Option<String>, Problem> {
        match self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(line) => {
                story.quote(&self.name, &line);
                Ok(Some(line))
            }
            Err(RecvTimeoutError::Disconnected) => Ok(None),
            Err(RecvTimeoutError::Timeout) => {
                Err(format!("{} did not come so far within {} s", self.who, PATIENCE.as_secs()).into())
            }
        }
    }

    fn wait(&mut self, deadline: Instant) -> Result<ExitStatus, Problem> {
        loop {
            if let Some(status) = self.process.try_wait()? {
                return Ok(status);
            }
            if Instant::now() >= deadline {
                return Err(format!("{} had not ended after {} s", self.who, PATIENCE.as_secs()).into());
            }
            thread::sleep(LOOK);
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // Both are harmless after it was waited for: the number is not used again until then.
        drop(self.process.kill());
        drop(self.process.wait());
    }
}
