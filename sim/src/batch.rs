//! Many seeds over all cores, in child processes.
//!
//! Processes and not threads: statics of the system under test leak between runs in one process,
//! and a run that aborts takes its process down. Each child is asked one seed at a time, a line each
//! way, so that the load balances and a dead child names the seed it was on.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::seed::Seed;

/// Real time that a seed may take unless told otherwise: hundreds of times what one should.
const SEED_LIMIT: Duration = Duration::from_secs(20);

/// How to run many seeds.
#[derive(Clone, Debug)]
pub struct Batch {
    /// The program whose children answer seeds; it calls [`serve`].
    pub program: PathBuf,
    /// The arguments that make it do so.
    pub arguments: Vec<String>,
    /// How many children at a time.
    pub children: usize,
    /// Real time after which a child that has not answered a seed is ended: it hangs.
    pub seed_limit: Duration,
}

/// What came of one seed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer<R> {
    /// The child's result.
    Result(R),
    /// The child died on it, hung, or answered nonsense.
    Died(String),
}

impl Batch {
    /// A batch over all cores, with this very program and these arguments.
    ///
    /// # Errors
    /// If the program's own path can't be found.
    pub fn of_this_program(arguments: impl IntoIterator<Item = impl Into<String>>) -> io::Result<Self> {
        Ok(Self {
            program: std::env::current_exe()?,
            arguments: arguments.into_iter().map(Into::into).collect(),
            children: std::thread::available_parallelism().map_or(1, usize::from),
            seed_limit: SEED_LIMIT,
        })
    }

    /// Runs all seeds. `progress` sees each answer as it comes, in any order; the returned ones are
    /// in the order of seeds.
    ///
    /// # Errors
    /// If no child can be started.
    ///
    /// # Panics
    /// If [`children`](Batch::children) is 0.
    pub fn run<R: DeserializeOwned + Send>(
        &self,
        seeds: impl IntoIterator<Item = Seed, IntoIter: Send>,
        mut progress: impl FnMut(Seed, &Answer<R>),
    ) -> io::Result<BTreeMap<Seed, Answer<R>>> {
        assert!(self.children > 0, "a batch needs a child");
        let seeds = Mutex::new(seeds.into_iter());
        let next = || seeds.lock().unwrap().next();
        let (sender, receiver) = channel();
        std::thread::scope(|scope| {
            let feeders: Vec<_> = (0..self.children)
                .map(|_| {
                    let (sender, next) = (sender.clone(), &next);
                    scope.spawn(move || self.feed(next, &sender))
                })
                .collect();
            drop(sender);
            let mut answers = BTreeMap::new();
            for (seed, answer) in receiver {
                progress(seed, &answer);
                answers.insert(seed, answer);
            }
            for feeder in feeders {
                feeder.join().expect("a feeder has no reason to panic")?;
            }
            Ok(answers)
        })
    }

    /// Feeds one child after the other: a new one whenever the last one died.
    fn feed<R: DeserializeOwned>(
        &self,
        next: &impl Fn() -> Option<Seed>,
        answers: &Sender<(Seed, Answer<R>)>,
    ) -> io::Result<()> {
        let mut waiting = next();
        while waiting.is_some() {
            let mut child = self.start()?;
            let lines = lines_of(child.stdout.take().expect("its output is piped"));
            while let Some(seed) = waiting {
                let asked = self.ask(&mut child, &lines, seed);
                let trusted = matches!(asked, Some(Answer::Result(_)));
                let answer = asked.unwrap_or_else(|| Answer::Died(last_words(&mut child)));
                // The receiver lives as long as the feeders do.
                answers.send((seed, answer)).expect("answers are received");
                waiting = next();
                if !trusted {
                    // It may have died already, which is as well.
                    let _ = child.kill();
                    break;
                }
            }
            // The end of its input ends it.
            drop(child.stdin.take());
            child.wait()?;
        }
        Ok(())
    }

    /// Asks a child one seed; `None` if it died on it.
    fn ask<R: DeserializeOwned>(&self, child: &mut Child, lines: &Receiver<String>, seed: Seed) -> Option<Answer<R>> {
        let input = child.stdin.as_mut().expect("its input is open");
        writeln!(input, "{}", seed.0).and_then(|()| input.flush()).ok()?;
        Some(match lines.recv_timeout(self.seed_limit) {
            Ok(line) => serde_json::from_str(&line)
                .map_or_else(|error| Answer::Died(format!("answered {line:?}: {error}")), Answer::Result),
            Err(RecvTimeoutError::Timeout) => Answer::Died(format!("no answer in {:?}", self.seed_limit)),
            Err(RecvTimeoutError::Disconnected) => return None,
        })
    }

    fn start(&self) -> io::Result<Child> {
        Command::new(&self.program).args(&self.arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()
    }
}

/// The lines that a child prints, until it dies.
fn lines_of(output: ChildStdout) -> Receiver<String> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    receiver
}

fn last_words(child: &mut Child) -> String {
    drop(child.stdin.take());
    child.wait().map_or_else(|error| error.to_string(), |status| status.to_string())
}

/// The child's side: reads seeds from the standard input and prints one line of JSON for each.
/// Nothing else may be printed to the standard output.
///
/// # Errors
/// If the pipes break, or a line is no seed.
pub fn serve<R: Serialize>(mut answer: impl FnMut(Seed) -> R) -> io::Result<()> {
    for line in io::stdin().lines() {
        let seed = line?.trim().parse().map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        let mut text = serde_json::to_string(&answer(Seed(seed)))?;
        assert!(!text.contains('\n'), "an answer is one line");
        text.push('\n');
        let mut output = io::stdout().lock();
        output.write_all(text.as_bytes())?;
        output.flush()?;
    }
    Ok(())
}
