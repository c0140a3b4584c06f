//! One simulation: a seed and a driver in, an outcome out.

use std::collections::BTreeMap;
use std::future::Future;
use std::task::Poll;
use std::time::{Duration, Instant};

use madsim::Config;
use madsim::runtime::Runtime;

use crate::clock::{sleep_true, true_time};
use crate::panics::{CatchPanics, Caught, Panic, Silence};
use crate::seed::Seed;
use crate::trace::{Recording, Trace};
use crate::world::World;

/// How a simulation is run. Nothing in here changes what happens in it, but for the time limit and the turn.
#[derive(Clone, Debug)]
pub struct Options {
    /// Simulated time after which the run has failed.
    pub time_limit: Duration,
    /// What becomes of the text of the trace.
    pub recording: Recording,
    /// The stack of the run's thread.
    pub stack_bytes: usize,
    /// Which of the orders in which tasks can take their turns: 0 is the seed's own. All choices that are drawn
    /// from the seed's forks are the same in each. A shrinker tries several, because what it takes out of a run
    /// changes that order in ways that no key can prevent.
    pub turn: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self { time_limit: Duration::from_secs(3600), recording: Recording::Off, stack_bytes: 8 << 20, turn: 0 }
    }
}

/// Why a run has no value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The driver, or another task of the world, panicked.
    Panicked {
        /// What it said.
        message: String,
        /// File, line and column.
        location: String,
    },
    /// The driver had not ended at the time limit.
    TimeLimit,
}

/// What came of a run.
#[derive(Clone, Debug)]
pub struct Outcome<T> {
    /// What ran.
    pub seed: Seed,
    /// What the driver returned.
    pub result: Result<T, Failure>,
    /// The hash over all events: the same for the same seed and program.
    pub hash: u64,
    /// How many events there were of each kind.
    pub events: BTreeMap<&'static str, u64>,
    /// True time at the end.
    pub simulated: Duration,
    /// How long it took by a real clock.
    pub wall: Duration,
    /// The panics of living processes.
    pub panics: Vec<Panic>,
    /// The lines of the trace, if they were recorded in memory.
    pub trace: Vec<String>,
}

/// Runs a simulation on a fresh thread of its own, until the future that `driver` returns ends.
///
/// The thread must be fresh: a second runtime on one thread has other hash maps.
///
/// # Panics
/// If the thread can't be started, if the file of a recording can't be written, or for a bug in here.
pub fn run<T, F, D>(seed: Seed, options: Options, driver: D) -> Outcome<T>
where
    T: Send,
    F: Future<Output = T>,
    D: FnOnce(World) -> F + Send,
{
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name(format!("seed {}", seed.0)).stack_size(options.stack_bytes);
        let handle = thread.spawn_scoped(scope, || simulate(seed, &options, driver)).expect("a thread can be started");
        handle.join().unwrap_or_else(|payload| std::panic::resume_unwind(payload))
    })
}

fn simulate<T, F, D>(seed: Seed, options: &Options, driver: D) -> Outcome<T>
where
    F: Future<Output = T>,
    D: FnOnce(World) -> F,
{
    // Outside of `block_on` the clock is the real one.
    let started = Instant::now();
    let trace = Trace::new(&options.recording).expect("the file of the recording can be made");
    let runtime = seed.fork("runtime");
    let runtime = if options.turn == 0 { runtime } else { runtime.key(options.turn) };
    let runtime = Runtime::with_seed_and_config(runtime.number(), Config::default());
    let silence = Silence::begin();
    let (result, panics, simulated) = runtime.block_on(async {
        let world = World::new(seed, trace.clone());
        let result = drive(&world, options.time_limit, driver).await;
        let (panics, simulated) = (world.panics(), true_time());
        world.event("run.end", &[u64::from(result.is_ok())], &[]);
        world.shut_down();
        // The runtime drops what was killed before it lets time pass.
        sleep_true(Duration::from_millis(1)).await;
        (result, panics, simulated)
    });
    drop(runtime);
    drop(silence);
    let (hash, events) = (trace.hash(), trace.counts());
    let lines = trace.lines().expect("the file of the recording can be written");
    Outcome { seed, result, hash, events, simulated, wall: started.elapsed(), panics, trace: lines }
}

async fn drive<T, F, D>(world: &World, limit: Duration, driver: D) -> Result<T, Failure>
where
    F: Future<Output = T>,
    D: FnOnce(World) -> F,
{
    let mut panicked = None;
    let own = world.clone();
    let mut work = CatchPanics::new(Box::pin(async move { driver(own).await }), |caught| panicked = Some(caught));
    let mut limit = sleep_true(limit);
    let ended = std::future::poll_fn(|context| {
        use std::pin::Pin;
        if let Some(caught) = world.fatal(context.waker()) {
            return Poll::Ready(Err(failure(caught)));
        }
        if let Poll::Ready(value) = Pin::new(&mut work).poll(context) {
            return Poll::Ready(Ok(value));
        }
        Pin::new(&mut limit).poll(context).map(|()| Err(Failure::TimeLimit))
    })
    .await;
    drop(work);
    match ended {
        Ok(Some(value)) => Ok(value),
        Ok(None) => Err(failure(panicked.expect("a driver without a value has panicked"))),
        Err(failure) => Err(failure),
    }
}

fn failure(caught: Caught) -> Failure {
    Failure::Panicked { message: caught.message, location: caught.location }
}

#[cfg(test)]
mod tests;
