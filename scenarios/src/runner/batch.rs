//! Many seeds over all cores.

use super::Verdict;
use super::case::Case;
use super::result::{Ending, SeedResult};
use crate::coverage::{DEMANDED, Met, StateSet, all_to_meet};
use crate::event::moments;
use crate::stopwatch::Work;
use crate::workload::{Profile, Workload};
use indicatif::{ProgressBar, ProgressStyle};
use outlive_sim::{Answer, Batch, FaultKind};
use std::collections::BTreeMap;
use std::io;
use std::time::{Duration, Instant};

/// What came of many seeds.
#[derive(Debug)]
pub struct Summary {
    /// By seed.
    pub results: BTreeMap<u64, SeedResult>,
    /// Seeds whose child died, and how.
    pub died: BTreeMap<u64, String>,
    /// How often each clause was put to the test.
    pub clauses: BTreeMap<String, u64>,
    /// Faults that took effect, and those that were scheduled.
    pub faults: BTreeMap<FaultKind, (u64, u64)>,
    /// How many faults came at each kind of moment.
    pub anchors: BTreeMap<String, u64>,
    /// The states that they reached.
    pub states: StateSet,
    /// How many seeds met each thing that can be met.
    pub met: BTreeMap<Met, usize>,
    /// Seeds that reached something new, and how many states, in order.
    pub newest: Vec<(u64, usize)>,
    /// How many seeds reached each of the states that must be.
    demanded: [usize; DEMANDED.len()],
    /// Which settings it is about.
    pub workload: Workload,
    /// Which faults its runs may have.
    pub profile: Profile,
    /// Real time for all.
    pub wall: Duration,
    /// Children that worked at a time.
    pub children: usize,
}

/// Every kind of fault that strikes whatever the setting is.
const KINDS: [FaultKind; 8] = [
    FaultKind::Crash,
    FaultKind::PowerLoss,
    FaultKind::Pause,
    FaultKind::SyncError,
    FaultKind::WriteError,
    FaultKind::FullDisk,
    FaultKind::SlowDisk,
    FaultKind::WallJump,
];
/// Every kind of fault that needs a network.
const NETWORK_KINDS: [FaultKind; 12] = [
    FaultKind::Partition,
    FaultKind::OneWayPartition,
    FaultKind::Clog,
    FaultKind::HangingConnects,
    FaultKind::DelayedFins,
    FaultKind::ConnectionResets,
    FaultKind::HalfOpen,
    FaultKind::LostMessage,
    FaultKind::LostAnswer,
    FaultKind::WithheldMessage,
    FaultKind::DuplicatedMessage,
    FaultKind::ReplayedMessage,
];
/// From this many seeds on, a batch must have reached everything.
const ALL_REACHED_FROM: usize = 200;
/// And each kind of fault must have taken effect once in so many seeds.
const SEEDS_FOR_EACH_FAULT: usize = 30;
/// From this many seeds of a cluster on, a fault must have come at every kind of moment, and states that matter
/// must have been reached.
const ALL_MOMENTS_FROM: usize = 1_000;

/// Runs all seeds in child processes, which are called with `arguments`.
///
/// # Errors
/// If no child can be started.
pub fn run_many(
    seeds: impl DoubleEndedIterator<Item = u64> + Clone + Send,
    workload: Workload,
    profile: Profile,
    children: Option<usize>,
    arguments: &[String],
    show_progress: bool,
) -> io::Result<Summary> {
    let children = children.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from));
    let bar = if show_progress { progress_bar(seeds.clone().count()) } else { ProgressBar::hidden() };
    let started = Instant::now();
    let mut bad = 0;
    let answers = run_cases(seeds.map(Case::of_seed), children, arguments, |answer| {
        let good = matches!(answer, Answer::Result(result) if result.ending == Ending::Good);
        if !good {
            bad += 1;
            bar.set_message(format!("{bad} failed"));
        }
        bar.inc(1);
    })?;
    let wall = started.elapsed();
    bar.finish_and_clear();
    let mut summary = Summary {
        results: BTreeMap::new(),
        died: BTreeMap::new(),
        clauses: BTreeMap::new(),
        faults: BTreeMap::new(),
        anchors: BTreeMap::new(),
        states: StateSet::default(),
        met: all_to_meet().map(|it| (it, 0)).collect(),
        newest: Vec::new(),
        demanded: [0; DEMANDED.len()],
        workload,
        profile,
        wall,
        children,
    };
    for (case, answer) in answers {
        match answer {
            Answer::Result(result) => summary.add(result),
            Answer::Died(how) => drop(summary.died.insert(case.seed, how)),
        }
    }
    Ok(summary)
}

/// Runs all cases in `children` processes, which are called with `arguments`. The answers are in the order of cases.
///
/// # Errors
/// If no child can be started.
pub fn run_cases(
    cases: impl IntoIterator<Item = Case, IntoIter: Send>,
    children: usize,
    arguments: &[String],
    mut progress: impl FnMut(&Answer<SeedResult>),
) -> io::Result<Vec<(Case, Answer<SeedResult>)>> {
    let batch = Batch { children, ..Batch::of_this_program(arguments.iter().cloned())? };
    batch.ask(cases, |_, answer| progress(answer))
}

fn progress_bar(seeds: usize) -> ProgressBar {
    let bar = ProgressBar::new(seeds as u64);
    let style = "{bar:40} {pos}/{len} seeds, {per_sec}, {eta} left {msg}";
    bar.with_style(ProgressStyle::with_template(style).expect("the template is right"))
}

impl Summary {
    fn add(&mut self, mut result: SeedResult) {
        // A set is large, and a batch has many seeds.
        let states = std::mem::take(&mut result.states);
        for it in std::mem::take(&mut result.met) {
            *self.met.entry(it).or_default() += 1;
        }
        let new = self.states.add(&states);
        self.newest.extend((new > 0).then_some((result.seed, new)));
        for (times, demanded) in self.demanded.iter_mut().zip(DEMANDED) {
            *times += usize::from(states.iter().any(|state| (demanded.is)(&state)));
        }
        for (clause, count) in &result.clauses {
            *self.clauses.entry(clause.clone()).or_default() += count;
        }
        for (kind, count) in &result.faults {
            let (effective, scheduled) = self.faults.entry(*kind).or_default();
            *effective += count.effective;
            *scheduled += count.scheduled;
        }
        for (anchor, count) in &result.anchors {
            *self.anchors.entry(anchor.clone()).or_default() += count.fired;
        }
        self.results.insert(result.seed, result);
    }

    /// Seeds run.
    pub fn seeds(&self) -> usize {
        self.results.len() + self.died.len()
    }

    /// Seeds that tested much.
    pub fn qualifying(&self) -> usize {
        self.results.values().filter(|result| result.qualifies()).count()
    }

    /// Attempts whose worker slept beyond its lease, and was heard of afterwards.
    pub fn zombies(&self) -> u64 {
        self.results.values().map(|result| result.zombies).sum()
    }

    /// The work of all seeds, added up.
    pub fn work(&self) -> Option<Work> {
        let works = self.results.values().filter_map(|result| result.work);
        works.reduce(|all, one| Work { simulated: all.simulated + one.simulated, wall: all.wall + one.wall })
    }

    /// Events of all traces.
    pub fn events(&self) -> u64 {
        self.results.values().map(|result| result.events).sum()
    }

    /// Real time of all seeds, added up: each child's own.
    pub fn busy(&self) -> Duration {
        self.results.values().map(|result| result.wall).sum()
    }

    /// What a batch of this size must have reached, and did not.
    pub fn not_reached(&self) -> Vec<String> {
        if self.seeds() < ALL_REACHED_FROM {
            return Vec::new();
        }
        let has_network = self.workload != Workload::Embedded;
        let clauses = self.clauses.iter().filter(|(_, count)| **count == 0).map(|(clause, _)| clause.clone());
        let least = (self.seeds() / SEEDS_FOR_EACH_FAULT) as u64;
        let effective = |kind: &FaultKind| self.faults.get(kind).map_or(0, |(effective, _)| *effective);
        let rare = |kind: &&FaultKind| effective(kind) < least;
        let says = |kind: &FaultKind| format!("{kind:?} ({} times, {least} are the least)", effective(kind));
        // The legal profile answers for all else: here a run ends early once damage is detected.
        if self.profile == Profile::Illegal {
            let clauses = clauses.filter(|clause| clause.starts_with('X'));
            return clauses.chain(FaultKind::ILLEGAL.iter().filter(rare).map(says)).collect();
        }
        let kinds = KINDS.iter().chain(NETWORK_KINDS.iter().filter(|_| has_network));
        let faults = kinds.filter(rare).map(says);
        let zombies = (self.zombies() < least).then(|| format!("zombies ({} of {least})", self.zombies()));
        let clusters = match self.workload {
            Workload::Embedded => 0,
            Workload::Cluster => self.seeds(),
            Workload::Both => self.seeds() / 2,
        };
        let all_moments = clusters >= ALL_MOMENTS_FROM;
        let unused = |name: &String| self.anchors.get(name).is_none_or(|count| *count == 0);
        let moments = moments().into_iter().filter(|name| all_moments && unused(name));
        let moments = moments.map(|name| format!("a fault at {name:?}"));
        clauses.chain(faults).chain(zombies).chain(moments).chain(self.states_not_reached()).collect()
    }

    /// States that a batch of this size must have reached, and did not.
    fn states_not_reached(&self) -> impl Iterator<Item = String> {
        let all_workloads = self.workload == Workload::Both && self.seeds() >= ALL_MOMENTS_FROM;
        let missed = DEMANDED.iter().zip(&self.demanded).filter(move |(_, times)| all_workloads && **times == 0);
        let unmet = self.met.iter().filter(move |(_, seeds)| all_workloads && **seeds == 0);
        let unmet = unmet.map(|((sort, name), _)| format!("{sort} {name:?}"));
        missed.map(|(demanded, _)| format!("{:?}", demanded.name)).chain(unmet)
    }

    /// States that a batch must reach, with how many seeds did.
    pub fn demanded(&self) -> impl Iterator<Item = (&'static str, usize)> {
        DEMANDED.iter().map(|demanded| demanded.name).zip(self.demanded)
    }

    /// The worst of it.
    pub fn verdict(&self) -> Verdict {
        let verdicts: Vec<Verdict> = self.results.values().map(SeedResult::verdict).collect();
        let has = |verdict| verdicts.contains(&verdict);
        if has(Verdict::Safety) {
            Verdict::Safety
        } else if has(Verdict::Broken) || !self.died.is_empty() {
            Verdict::Broken
        } else if has(Verdict::Liveness) {
            Verdict::Liveness
        } else if !self.not_reached().is_empty() {
            Verdict::NotReached
        } else {
            Verdict::Good
        }
    }
}
