//! The program as a child process: started, listened to, killed. Every wait has a bound.

use crate::Problem;
use crate::program::{PHOTOS, Start};
use crate::story::Story;
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

/// The argument that makes this executable the program.
pub const PROGRAM: &str = "--program-in";
/// The longest wait for anything that the program is to do.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often a process that can't be waited for with a bound is looked at.
const LOOK: Duration = Duration::from_millis(5);

/// A child process. It does not outlive this value.
pub struct Child {
    process: std::process::Child,
    lines: Receiver<String>,
}

impl Child {
    /// Starts the program in `folder`.
    pub fn start(folder: &Path, default_settings: bool) -> Result<Self, Problem> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg(PROGRAM).arg(folder).args(default_settings.then_some("--default-settings"));
        let mut process = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
        let output = BufReader::new(process.stdout.take().expect("its output is piped"));
        let (sender, lines) = channel();
        // Ends with the program, whose death closes its end of the pipe.
        thread::spawn(move || output.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        Ok(Self { process, lines })
    }

    /// Its number.
    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Tells what it says until this attempt of every job has started.
    pub fn wait_for_starts(&mut self, story: &Story, attempt: u32) -> Result<(), Problem> {
        let deadline = Instant::now() + PATIENCE;
        let mut started = BTreeSet::new();
        while started.len() < PHOTOS.len() {
            let Some(line) = self.next_line(deadline)? else {
                let status = self.wait(deadline)?;
                return Err(format!("the program ended by {status} before all of its jobs had started").into());
            };
            story.quote(self.pid(), &line);
            if let Some(start) = Start::parse(&line) {
                if start.attempt != attempt {
                    return Err(format!("attempt {attempt} was to start, but {start}").into());
                }
                started.insert(start.job);
            }
        }
        Ok(())
    }

    /// Tells what it says until it has ended by itself.
    pub fn wait_for_end(&mut self, story: &Story) -> Result<ExitStatus, Problem> {
        self.drain(story)?;
        self.wait(Instant::now() + PATIENCE)
    }

    /// Tells what it says until it can say nothing more.
    pub fn drain(&mut self, story: &Story) -> Result<(), Problem> {
        let deadline = Instant::now() + PATIENCE;
        while let Some(line) = self.next_line(deadline)? {
            story.quote(self.pid(), &line);
        }
        Ok(())
    }

    /// Kills it with SIGKILL and waits for its end.
    pub fn kill(&mut self) -> Result<ExitStatus, Problem> {
        // The standard library's `kill` is SIGKILL on every Unix.
        self.process.kill()?;
        self.wait(Instant::now() + PATIENCE)
    }

    /// The next line, or none if it can say nothing more.
    fn next_line(&mut self, deadline: Instant) -> Result<Option<String>, Problem> {
        match self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(line) => Ok(Some(line)),
            Err(RecvTimeoutError::Disconnected) => Ok(None),
            Err(RecvTimeoutError::Timeout) => {
                Err(format!("the program was not done after {} s", PATIENCE.as_secs()).into())
            }
        }
    }

    fn wait(&mut self, deadline: Instant) -> Result<ExitStatus, Problem> {
        loop {
            if let Some(status) = self.process.try_wait()? {
                return Ok(status);
            }
            if Instant::now() >= deadline {
                return Err(format!("the program had not ended after {} s", PATIENCE.as_secs()).into());
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
