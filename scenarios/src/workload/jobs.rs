//! The handlers of a run: they do what their job's script says.

use super::intent::{Act, Script};
use super::judge::judge;
use super::outside::Outside;
use super::transfers;
use super::waits::{Awaited, awaited};
use crate::event::{Event, Recorder};
use outlive::host::Host;
use outlive::job::Level;
use outlive::{Context, Done, Failure, Job, JobId, WorkerBuilder};
use outlive_sim::{Process, World};
use serde::{Deserialize, Serialize};
use std::time::Duration;

macro_rules! kinds {
    ($($name:ident = $kind:literal),+) => {$(
        #[derive(Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Script);

        impl Job for $name {
            const KIND: &'static str = $kind;
            type Output = Output;
        }
    )+};
}
kinds!(Alpha = "alpha", Beta = "beta", Gamma = "gamma");

/// The effect for which handlers ask an idempotency key.
pub const EFFECT: &str = "effect";

/// What a handler results in: enough to tell which attempt it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Output {
    /// The intent's number.
    pub number: u64,
    /// The attempt that came to it.
    pub attempt: u32,
}

/// What handlers share.
#[derive(Clone)]
pub struct Handlers {
    /// Where they run.
    pub process: Process,
    /// Who hears of it.
    pub recorder: Recorder,
    /// Who kills the process, if the script says so.
    pub world: World,
    /// Who knows of other jobs.
    pub outside: Outside,
}

/// Marks the end of a handler, however it comes.
struct Running<'a> {
    handlers: &'a Handlers,
    job: JobId,
    attempt: u32,
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        let event = Event::HandlerEnded { job: self.job, attempt: self.attempt };
        self.handlers.recorder.record(&self.handlers.process, event);
    }
}

/// Gives a worker the handlers of all kinds but an unknown one: one of them blocks. In some runs it decides by itself what
/// follows failures.
pub fn handle_known<H: Host>(
    mut worker: WorkerBuilder<H>,
    handlers: Handlers,
    judges: bool,
    unknown: Option<&str>,
) -> WorkerBuilder<H> {
    let (alpha, beta, gamma) = (handlers.clone(), handlers.clone(), handlers);
    let knows = |kind| unknown != Some(kind);
    if knows(Alpha::KIND) {
        worker = worker.handle(move |context, Alpha(script)| play(alpha.clone(), context, script));
    }
    if knows(Beta::KIND) {
        worker = worker.handle(move |context, Beta(script)| play(beta.clone(), context, script));
    }
    if knows(Gamma::KIND) {
        worker = worker.handle_blocking(move |context, Gamma(script)| {
            let _running = gamma.begin(&context);
            say(&context, "at once", script.lines);
            gamma.end(&context, &script)
        });
    }
    if judges {
        worker = worker.on_failure::<Alpha>(judge).on_failure::<Beta>(judge).on_failure::<Gamma>(judge);
    }
    worker
}

async fn play(handlers: Handlers, context: Context, script: Script) -> Result<Done<Output>, Failure> {
    let _running = handlers.begin(&context);
    say(&context, "at first", script.lines);
    context.sleep(Duration::from_millis(script.work_ms)).await;
    say(&context, "at work", script.lines);
    for _ in 0..script.reports {
        handlers.report(&context).await?;
    }
    for step in 0..script.steps {
        handlers.step(&context, step, script.does_in_tables(step)).await?;
    }
    for Awaited { name, step, limit_ms, .. } in awaited(&script) {
        let signal = context.signal::<u64>(name).step(step);
        match limit_ms {
            Some(ms) => drop(signal.within(Duration::from_millis(ms)).await?),
            None => drop(signal.await?),
        }
    }
    if script.others > 0 {
        handlers.wait_for_others(&context, script.others as usize).await;
    }
    match script.act(context.attempt()) {
        Act::Hang => std::future::pending().await,
        Act::Transfer => transfers::transfer(&context, &script).await,
        Act::TakeBack => transfers::take_back(&context, &script).await,
        _ => handlers.end(&context, &script),
    }
}

/// Says so many lines, no two of an attempt the same.
fn say(context: &Context, when: &str, lines: u32) {
    for line in 1..=lines {
        let level = Level::ALL[line as usize % Level::ALL.len()];
        // Some are longer than is kept of a line, and many of these are more than is kept of an attempt.
        let at_length = " and so on".repeat(if line % 5 == 0 { 300 } else { 0 });
        context.log(level, format!("attempt {} {when}: line {line}{at_length}", context.attempt()));
    }
}

impl Handlers {
    fn begin(&self, context: &Context) -> Running<'_> {
        let (job, attempt) = (context.job(), context.attempt());
        let key = context.idempotency_key(EFFECT);
        self.recorder.record(&self.process, Event::HandlerStarted { job, attempt, key });
        Running { handlers: self, job, attempt }
    }

    /// A report of progress: one more than there were, over all attempts.
    async fn report(&self, context: &Context) -> Result<(), Failure> {
        let done: u32 = context.last_checkpoint().await?.unwrap_or(0);
        context.checkpoint(&(done + 1)).await?;
        let parts = f64::from(done + 1);
        Ok(context.progress(parts / (parts + 1.0), format!("{} reports", done + 1)).await?)
    }

    /// Waits for some jobs that are known by now, unless one of them waits for this one.
    async fn wait_for_others(&self, context: &Context, most: usize) {
        let known = self.outside.known().into_iter().rev();
        let others: Vec<JobId> = known.filter(|job| *job != context.job()).take(most).collect();
        if !others.is_empty() {
            drop(context.jobs("others", others).await);
        }
    }

    /// A step, which says which attempt ran it.
    async fn step(&self, context: &Context, step: u32, in_tables: bool) -> Result<(), Failure> {
        let (job, attempt) = (context.job(), context.attempt());
        let name = if in_tables { transfers::DEED.to_owned() } else { format!("step-{step}") };
        let ran = context.step(&name, async || {
            self.recorder.record(&self.process, Event::StepRan { job, attempt, name: name.clone() });
            if in_tables { transfers::step(context, &name).await } else { Ok(attempt) }
        });
        ran.await.map(drop)
    }

    fn end(&self, context: &Context, script: &Script) -> Result<Done<Output>, Failure> {
        let attempt = context.attempt();
        match script.act(attempt) {
            Act::Complete => Ok(Done::complete(Output { number: script.number, attempt })),
            Act::Fail => Err("nope".parse::<u8>().unwrap_err().into()),
            Act::FailAfter(ms) => Err(Failure::retry_after(Duration::from_millis(ms), "come back later")),
            Act::Discard => Err(Failure::discard("it would not help")),
            Act::Panic => panic!("the script of job {} says so", script.number),
            Act::LookAgain(ms) => Ok(Done::look_again(Duration::from_millis(ms), "the file is not mounted")),
            Act::ServiceDown(ms) => Ok(Done::service_down(Duration::from_millis(ms), "nobody answers")),
            Act::Snooze(ms) => Ok(Done::snooze(Duration::from_millis(ms))),
            Act::Kill => {
                self.world.crash(self.process.id());
                Err(Failure::retry("nobody hears this"))
            }
            Act::Hang | Act::Transfer | Act::TakeBack => unreachable!("only what can be dropped waits for anything"),
        }
    }
}
