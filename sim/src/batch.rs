//! Many seeds, or other questions, over all cores, in child processes.
//!
//! Processes and not threads: statics of the system under test leak between runs in one process,
//! and a run that aborts takes its process down. Each child is asked one question at a time, a line
//! of JSON each way, so that the load balances and a dead child names the question it was on.

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

/// How to ask many questions.
#[derive(Clone, Debug)]
pub struct Batch {
    /// The program whose children answer; it calls [`serve`] or [`serve_questions`].
    pub program: PathBuf,
    /// The arguments that make it do so.
    pub arguments: Vec<String>,
    /// How many children at a time.
    pub children: usize,
    /// Real time after which a child that has not answered one question is ended: it hangs.
    pub seed_limit: Duration,
}

/// What came of one question.
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
        let answers = self.ask(seeds, |seed, answer| progress(*seed, answer))?;
        Ok(answers.into_iter().collect())
    }

    /// Asks all questions, in their order, each of whichever child is idle. `progress` sees each answer as
    /// it comes; the returned ones are in the order of the questions.
    ///
    /// # Errors
    /// If no child can be started.
    pub fn ask<Q: Serialize + Send, R: DeserializeOwned + Send>(
        &self,
        questions: impl IntoIterator<Item = Q, IntoIter: Send>,
        mut progress: impl FnMut(&Q, &Answer<R>),
    ) -> io::Result<Vec<(Q, Answer<R>)>> {
        assert!(self.children > 0, "a batch needs a child");
        let questions = Mutex::new(questions.into_iter().enumerate());
        let next = || questions.lock().unwrap().next();
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
            for ((ordinal, question), answer) in receiver {
                progress(&question, &answer);
                answers.insert(ordinal, (question, answer));
            }
            for feeder in feeders {
                feeder.join().expect("a feeder has no reason to panic")?;
            }
            Ok(answers.into_values().collect())
        })
    }

    /// Feeds one child after the other: a new one whenever the last one died.
    fn feed<Q: Serialize, R: DeserializeOwned>(
        &self,
        next: &impl Fn() -> Option<(usize, Q)>,
        answers: &Sender<((usize, Q), Answer<R>)>,
    ) -> io::Result<()> {
        let mut waiting = next();
        while waiting.is_some() {
            let mut child = self.start()?;
            let lines = lines_of(child.stdout.take().expect("its output is piped"));
            while let Some(question) = waiting {
                let asked = self.ask_child(&mut child, &lines, &question.1);
                let trusted = matches!(asked, Some(Answer::Result(_)));
                let answer = asked.unwrap_or_else(|| Answer::Died(last_words(&mut child)));
                // The receiver lives as long as the feeders do.
                answers.send((question, answer)).expect("answers are received");
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

    /// Asks a child one question; `None` if it died on it.
    fn ask_child<Q: Serialize, R: DeserializeOwned>(
        &self,
        child: &mut Child,
        lines: &Receiver<String>,
        question: &Q,
    ) -> Option<Answer<R>> {
        let text = serde_json::to_string(question).expect("a question is JSON");
        let input = child.stdin.as_mut().expect("its input is open");
        writeln!(input, "{text}").and_then(|()| input.flush()).ok()?;
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

/// The child's side of [`Batch::run`]: reads seeds from the standard input and prints one line of JSON
/// for each. Nothing else may be printed to the standard output.
///
/// # Errors
/// If the pipes break, or a line is no seed.
pub fn serve<R: Serialize>(answer: impl FnMut(Seed) -> R) -> io::Result<()> {
    serve_questions(answer)
}

/// The child's side of [`Batch::ask`]: as [`serve`], for any question that is written as JSON.
///
/// # Errors
/// If the pipes break, or a line is no such question.
pub fn serve_questions<Q: DeserializeOwned, R: Serialize>(mut answer: impl FnMut(Q) -> R) -> io::Result<()> {
    for line in io::stdin().lines() {
        let question = serde_json::from_str(&line?)?;
        let mut text = serde_json::to_string(&answer(question))?;
        assert!(!text.contains('\n'), "an answer is one line");
        text.push('\n');
        let mut output = io::stdout().lock();
        output.write_all(text.as_bytes())?;
        output.flush()?;
    }
    Ok(())
}
