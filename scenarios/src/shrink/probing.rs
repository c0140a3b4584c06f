//! Short stories found by trial: a few jobs of a failing run, and a few of its faults at moments that come.
//!
//! Leaving out one thing after the other gets stuck where a bug counts (every eighth commit, every other process), and
//! where each fault is at its moment only because of the others. So before that, short stories are made from the parts of the
//! long one: a walk begins without faults, and adds one at a time, at a moment that came after those before it.
//! Each step is a candidate, and a run with a job or two takes milliseconds. What is drawn is mostly what the long one
//! had: a fault after the same kind of moment as there.

use super::anchoring::{after_that, with_nth};
use super::parts::{Line, lines, with_jobs, with_lines};
use super::stagehand::Stagehand;
use crate::replay::Replay;
use crate::scn::{Action, Anchor, Job, Name, Rest, Scenario, WorldItem, parse};
use outlive_sim::{Fork, Rng};
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// Most faults of a story: what a person takes in at once.
pub const FAULTS_MAX: usize = 3;
/// How many jobs a story has: one of these.
const FEW: [usize; 4] = [1, 1, 2, 2];
/// And in the last third of the time.
const MORE: [usize; 3] = [4, 8, 16];
/// Orders of tasks that are tried.
const TURNS: u64 = 10;
/// How often everything that the file leaves open is drawn anew too, from one of so many seeds.
const ANEW: (f64, u64) = (0.5, 20);
/// The last moments before a fault that count as what it came after.
const MOMENTS_LIKE: usize = 3;
/// How often a fault comes at any moment at all.
const ANYWHERE: f64 = 0.25;
/// Most walks: where none of these found a story, there is hardly one to find.
const WALKS_MAX: u64 = 3_000;

/// A moment that came, and when.
type Moments = Vec<(Duration, Anchor)>;

/// A fault of the long story.
#[derive(Debug)]
pub struct Struck {
    /// What it does, in the ways in which it can be said of a moment.
    ways: Vec<Action>,
    /// The kinds of the last moments before it.
    after: BTreeSet<String>,
}

/// Who looks for short stories.
pub struct Probing<'a> {
    stagehand: &'a Stagehand,
    scenario: &'a Scenario,
    /// The place of the job that the failure is about.
    subject: Option<usize>,
    struck: Vec<&'a Struck>,
    rng: Rng,
    /// What comes without any fault, by scenario and order of tasks.
    calm: BTreeMap<(String, u64), Moments>,
    plays: u64,
}

/// Where a walk came to.
enum Step {
    /// To a run that fails as it should.
    Found,
    /// To these moments.
    On(Moments),
}

impl<'a> Probing<'a> {
    /// Looks for what fails as `scenario` does, which is about the job called `subject`: with its jobs, in its world,
    /// by faults like these. The same fork looks in the same places.
    pub fn new(
        stagehand: &'a Stagehand,
        scenario: &'a Scenario,
        subject: Option<&Name>,
        struck: &'a [Struck],
        fork: Fork,
    ) -> Self {
        let subject = subject.and_then(|name| scenario.jobs.iter().position(|job| job.name == *name));
        // Some may be about a machine that the scenario has no more.
        let can_be_said = |struck: &&Struck| {
            let line = |action: &Action| Line { anchor: Anchor::At { time: Duration::ZERO }, action: action.clone() };
            struck.ways.iter().all(|way| parse(&with_lines(scenario, &[line(way)]).to_string()).is_ok())
        };
        let struck = struck.iter().filter(can_be_said).collect();
        Self { stagehand, scenario, subject, struck, rng: fork.rng(), calm: BTreeMap::new(), plays: 0 }
    }

    /// Candidates that were played.
    pub fn plays(&self) -> u64 {
        self.plays
    }

    /// A short story that fails, if one is found until then.
    pub fn search(&mut self, until: Instant) -> Option<Scenario> {
        let few = Instant::now() + until.saturating_duration_since(Instant::now()) * 2 / 3;
        for _ in 0..WALKS_MAX {
            let now = Instant::now();
            if now >= until || self.scenario.jobs.is_empty() {
                return None;
            }
            if let Some(found) = self.walk(if now < few { &FEW } else { &MORE }) {
                return Some(found);
            }
        }
        None
    }

    fn walk(&mut self, counts: &[usize]) -> Option<Scenario> {
        let count = *self.rng.pick(counts);
        let places = self.places(count);
        let jobs: Vec<Job> = places.iter().map(|place| self.scenario.jobs[*place].clone()).collect();
        let (rest, turn) = self.rest();
        let calm = Scenario { rest, ..with_lines(&with_jobs(self.scenario, &jobs), &[]) };
        let mut story: Vec<Line> = Vec::new();
        let key = (calm.to_string(), turn);
        let mut moments = match self.calm.get(&key) {
            Some(known) => known.clone(),
            None => match self.step(&calm, turn) {
                Step::Found => return Some(calm),
                Step::On(moments) => self.calm.entry(key).or_insert(moments).clone(),
            },
        };
        while story.len() < FAULTS_MAX {
            story.push(self.fault(&moments)?);
            let scenario = with_lines(&calm, &story);
            match self.step(&scenario, turn) {
                Step::Found => return Some(scenario),
                Step::On(then) => moments = then,
            }
        }
        None
    }

    /// The job that it is about, and some others.
    fn places(&mut self, count: usize) -> Vec<usize> {
        let all = self.scenario.jobs.len();
        let any = |rng: &mut Rng| rng.between(0..=all as u64 - 1) as usize;
        let mut places = vec![self.subject.unwrap_or_else(|| any(&mut self.rng))];
        while places.len() < count.min(all) {
            let place = any(&mut self.rng);
            if !places.contains(&place) {
                places.push(place);
            }
        }
        places.sort_unstable();
        places
    }

    /// What the file leaves open, and the order of tasks.
    fn rest(&mut self) -> (Rest, u64) {
        let (anew, seeds) = ANEW;
        match &self.scenario.rest {
            Rest::Seed { .. } if self.rng.chance(anew) => {
                (Rest::Seed { seed: self.rng.between(1..=seeds), turn: None }, 0)
            }
            rest => (rest.clone(), self.rng.between(0..=TURNS - 1)),
        }
    }

    /// Plays it: what came after its last fault.
    fn step(&mut self, scenario: &Scenario, turn: u64) -> Step {
        self.plays += 1;
        let (played, fails) = self.stagehand.play(scenario, turn);
        if fails { Step::Found } else { Step::On(after_the_last(&played)) }
    }

    /// A fault at one of these moments.
    fn fault(&mut self, moments: &Moments) -> Option<Line> {
        if moments.is_empty() || self.struck.is_empty() {
            return None;
        }
        let Struck { ways, after } = *self.rng.pick(&self.struck);
        let action = self.rng.pick(ways).clone();
        let like = |place: &usize| after.contains(&kind(&moments[*place].1, self.scenario));
        let mut places: Vec<usize> = (0..moments.len()).filter(like).collect();
        if places.is_empty() || self.rng.chance(ANYWHERE) {
            places = (0..moments.len()).collect();
        }
        let place = *self.rng.pick(&places);
        let anchor = &moments[place].1;
        let nth = moments[..=place].iter().filter(|(_, other)| other == anchor).count() as i64;
        Some(Line { anchor: with_nth(anchor, nth)?, action })
    }
}

/// The faults of a scenario that struck, when `seen` happened.
pub fn struck(scenario: &Scenario, seen: &Replay) -> Vec<Struck> {
    let all = lines(scenario).into_iter().zip(&seen.taken).filter_map(|(line, taken)| {
        let until = taken.fired?;
        let before = seen.moments.iter().rev().filter(|(at, _)| *at <= until);
        let after = before.take(MOMENTS_LIKE).map(|(_, anchor)| kind(anchor, scenario)).collect();
        Some(Struck { ways: after_that(&line.action), after })
    });
    all.collect()
}

/// What comes to pass at a moment, whoever does it to whichever job.
fn kind(anchor: &Anchor, scenario: &Scenario) -> String {
    let is_name = |word: &str| {
        let named = |item: &WorldItem| match item {
            WorldItem::Workers { names } | WorldItem::Clients { names } => names.iter().any(|it| it.as_str() == word),
            _ => false,
        };
        scenario.jobs.iter().any(|job| job.name.as_str() == word) || scenario.world.items.iter().any(named)
    };
    let text = anchor.to_string();
    text.split_whitespace().filter(|word| !is_name(word)).collect::<Vec<_>>().join(" ")
}

/// The moments since the last line took its turn; none if it never did.
fn after_the_last(played: &Replay) -> Moments {
    let since = match played.taken.last() {
        Some(taken) => taken.played.unwrap_or(Duration::MAX),
        None => Duration::ZERO,
    };
    played.moments.iter().filter(|(at, _)| *at >= since).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::replay::{replay, scenario_of};
    use crate::scn::Invariant;
    use crate::shrink::Failure;
    use crate::shrink::parts::with_choices;
    use crate::workload::{Plan, Workload};
    use outlive_sim::{Recording, Seed};

    fn whole(seed: u64) -> Scenario {
        let plan = Plan::of_seed(Seed(seed), Workload::Both);
        scenario_of(&plan, Seed(seed), 0, Name::new("whole").unwrap(), Invariant::all().take(1).collect())
    }

    fn nobody() -> Stagehand {
        Stagehand::of(Failure::Broken { how: "as nothing ever does".into() }, 0)
    }

    #[test]
    fn a_fault_comes_at_a_moment_that_came_and_mostly_after_what_it_came_after() {
        let (scenario, stagehand) = (whole(4), nobody());
        let seen = replay(&scenario, Recording::Off);
        let struck = struck(&scenario, &seen);
        let mut probing = Probing::new(&stagehand, &scenario, None, &struck, Seed(4).fork("probing"));
        let mut like = 0;
        for _ in 0..100 {
            let line = probing.fault(&seen.moments).unwrap();
            let kind_of_line = kind(&line.anchor, &scenario);
            assert!(seen.moments.iter().any(|(_, anchor)| kind_of_line.starts_with(&kind(anchor, &scenario))));
            like += usize::from(struck.iter().any(|struck| {
                struck.ways.contains(&line.action) && struck.after.iter().any(|it| kind_of_line.starts_with(it))
            }));
            let story = with_lines(&scenario, &[line]);
            assert_eq!(parse(&story.to_string()), Ok(story));
        }
        assert!(like > 60, "only {like} of 100");
    }

    #[test]
    fn a_fault_of_a_machine_that_was_left_out_is_not_tried() {
        let of_w2 = |struck: &Struck| struck.ways.iter().any(|way| way.to_string().contains(" w2"));
        let seen = |all: Scenario| (struck(&all, &replay(&all, Recording::Off)), all);
        let mut seeds = (1..60).map(whole).filter(|all| all.to_string().contains("workers w1 w2")).map(seen);
        let (struck, all) =
            seeds.find(|(struck, _)| struck.iter().any(of_w2)).expect("w2 is struck in one of these seeds");
        let stagehand = nobody();
        // Choices may count machines.
        let mut without = with_choices(&with_lines(&all, &[]), &[]);
        for item in &mut without.world.items {
            if let WorldItem::Workers { names } = item {
                names.retain(|name| name.as_str() != "w2");
            }
        }
        let probing = Probing::new(&stagehand, &without, None, &struck, Seed(1).fork("probing"));
        assert!(!probing.struck.is_empty() && !probing.struck.iter().any(|it| of_w2(it)));
    }

    #[test]
    fn the_same_fork_walks_the_same_ways_and_finds_nothing_where_nothing_fails() {
        let (scenario, stagehand) = (whole(1), nobody());
        let struck = struck(&scenario, &replay(&scenario, Recording::Off));
        let walked = |fork: Fork| {
            let mut probing = Probing::new(&stagehand, &scenario, None, &struck, fork);
            assert!((0..6).all(|_| probing.walk(&FEW).is_none()));
            (probing.plays(), probing.calm)
        };
        let (plays, calm) = walked(Seed(1).fork("probing"));
        assert!(plays > 6, "a walk adds faults: {plays} plays of 6 walks");
        assert_eq!((plays, calm), walked(Seed(1).fork("probing")));
        assert_ne!(walked(Seed(1).fork("probing")).1, walked(Seed(2).fork("probing")).1);
    }
}
