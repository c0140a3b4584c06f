//! Random pieces and whole scenarios, for the property tests. Sentences make their own, from the table.

use super::grammar::{Noun, canonical};
use super::nouns::{Clause, Invariant};
use super::phrases::{Action, Expectation, JobOption, WorldItem};
use super::pieces::{
    AnyOr, ClientName, Effect, JobName, Jump, MomentName, Name, Nth, Number, Process, Quote, WorkerName,
};
use super::scenario::{Block, Job, Scenario, Step, World};
use outlive::limits::{LEASE_MAX, LEASE_MIN, RATE_PERIOD_MAX, RETENTION_MIN};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use std::time::Duration;

/// What there are random values of.
pub(super) trait Sample: Sized + std::fmt::Debug {
    fn sample() -> BoxedStrategy<Self>;
}

/// Names that every random scenario declares.
const WORKERS: [&str; 3] = ["w1", "w2", "w3"];
const CLIENTS: [&str; 2] = ["c1", "c2"];
const JOBS: [&str; 3] = ["A", "B", "C"];
const KEYS: [&str; 3] = ["inv-7", "inv-8", "mail.2"];

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn names(texts: &[&str]) -> Vec<Name> {
    texts.iter().map(|text| name(text)).collect()
}

impl<T: Noun + std::fmt::Debug> Sample for T {
    fn sample() -> BoxedStrategy<Self> {
        select(canonical::<T>().map(|(noun, _)| noun).collect::<Vec<_>>()).boxed()
    }
}

impl<T: Sample + Clone + 'static> Sample for Option<T> {
    fn sample() -> BoxedStrategy<Self> {
        proptest::option::of(T::sample()).boxed()
    }
}

impl<T: Sample + Clone + 'static> Sample for Vec<T> {
    fn sample() -> BoxedStrategy<Self> {
        proptest::collection::vec(T::sample(), 1..4).boxed()
    }
}

impl<T: Sample + Clone + 'static> Sample for AnyOr<T> {
    fn sample() -> BoxedStrategy<Self> {
        prop_oneof![Just(Self::Any), T::sample().prop_map(Self::The)].boxed()
    }
}

impl Sample for Name {
    fn sample() -> BoxedStrategy<Self> {
        "[a-zA-Z][a-zA-Z0-9_.-]{0,12}".prop_map(|text| name(&text)).boxed()
    }
}

macro_rules! sample_names {
    ($($type:ident from $pool:ident),+) => {$(
        impl Sample for $type {
            fn sample() -> BoxedStrategy<Self> {
                select(&$pool[..]).prop_map(|text| Self(name(text))).boxed()
            }
        }
    )+};
}
sample_names!(WorkerName from WORKERS, ClientName from CLIENTS, JobName from JOBS, Effect from KEYS);

impl Sample for Process {
    fn sample() -> BoxedStrategy<Self> {
        let worker = WorkerName::sample().prop_map(Self::Worker);
        prop_oneof![Just(Self::Store), worker, ClientName::sample().prop_map(Self::Client)].boxed()
    }
}

impl<const MIN: i64, const MAX: i64> Sample for Number<MIN, MAX> {
    fn sample() -> BoxedStrategy<Self> {
        (MIN..=MAX).prop_map(|number| Self::new(number).unwrap()).boxed()
    }
}

impl Sample for u64 {
    fn sample() -> BoxedStrategy<Self> {
        any::<u64>().boxed()
    }
}

impl Sample for Nth {
    fn sample() -> BoxedStrategy<Self> {
        prop_oneof![Just(Self::NEXT), Number::sample().prop_map(Self)].boxed()
    }
}

impl Sample for MomentName {
    fn sample() -> BoxedStrategy<Self> {
        select(crate::event::moments()).prop_map(|name| Self::new(&name).unwrap()).boxed()
    }
}

impl Sample for Duration {
    fn sample() -> BoxedStrategy<Self> {
        let unit = select(vec![1, 1_000, 1_000_000, 60_000_000, 3_600_000_000, 86_400_000_000]);
        (0..2_000_u64, unit).prop_map(|(count, unit): (u64, u64)| Self::from_micros(count * unit)).boxed()
    }
}

impl Sample for Jump {
    fn sample() -> BoxedStrategy<Self> {
        (any::<bool>(), Duration::sample()).prop_map(|(back, by)| Self { back, by }).boxed()
    }
}

impl Sample for Quote {
    fn sample() -> BoxedStrategy<Self> {
        "[^\"\\r\\n]{0,40}".prop_map(|text| Self::new(&text).unwrap()).boxed()
    }
}

impl Sample for Invariant {
    fn sample() -> BoxedStrategy<Self> {
        select(Self::all().collect::<Vec<_>>()).boxed()
    }
}

impl Sample for Clause {
    fn sample() -> BoxedStrategy<Self> {
        select(Self::all().collect::<Vec<_>>()).boxed()
    }
}

impl Sample for World {
    fn sample() -> BoxedStrategy<Self> {
        let declared = |item: &WorldItem| {
            matches!(
                item,
                WorldItem::Store {} | WorldItem::Workers { .. } | WorldItem::Spares { .. } | WorldItem::Clients { .. }
            )
        };
        let others = Vec::<WorldItem>::sample().prop_map(move |mut items| {
            items.retain(|item| !declared(item));
            // Improvised worlds are read and printed by the tests of what seeds are.
            items.retain(|item| !item.is_of_the_improvised());
            items.retain(|item| match item {
                WorldItem::Concurrency { jobs } => [1, WORKERS.len()].contains(&jobs.len()),
                WorldItem::Lease { lease } => (LEASE_MIN..=LEASE_MAX).contains(lease),
                WorldItem::Rate { jobs, burst, period, .. } => {
                    burst.get() <= jobs.get() && (Duration::from_millis(1)..=RATE_PERIOD_MAX).contains(period)
                }
                WorldItem::Keep { kept, .. } => *kept >= RETENTION_MIN,
                WorldItem::Timeout { longest: time, .. }
                | WorldItem::MaxAge { age: time, .. }
                | WorldItem::FixedBackoff { rest: time, .. } => !time.is_zero(),
                WorldItem::KindBackoff { first, longest, .. } => !first.is_zero() && first <= longest,
                WorldItem::Page { bytes } => bytes.get().cast_unsigned().is_power_of_two(),
                _ => true,
            });
            once_each(items, WorldItem::says_the_same)
        });
        let world = others.prop_map(|others| {
            let declared = [
                WorldItem::Store {},
                WorldItem::Workers { names: names(&WORKERS[..2]) },
                WorldItem::Spares { names: names(&WORKERS[2..]) },
                WorldItem::Clients { names: names(&CLIENTS) },
            ];
            declared.into_iter().chain(others).collect::<Vec<_>>()
        });
        world.prop_shuffle().prop_map(|items| Self { items }).boxed()
    }
}

/// Jobs of all names, and of all keys.
fn jobs() -> BoxedStrategy<Vec<Job>> {
    let job = |number: usize| {
        Vec::<JobOption>::sample().prop_map(move |mut options| {
            options.retain(|option| !matches!(option, JobOption::Key { .. }));
            // What does not decode does nothing.
            if options.iter().any(|option| matches!(option, JobOption::Payload { .. })) {
                let of_a_handler = |it: &JobOption| {
                    matches!(
                        it,
                        JobOption::Work { .. }
                            | JobOption::Steps { .. }
                            | JobOption::Reports { .. }
                            | JobOption::Attempts { .. }
                    )
                };
                options.retain(|option| !of_a_handler(option));
            }
            // These worlds are not improvised.
            options.retain(|option| !option.is_of_the_improvised());
            options.push(JobOption::Key { key: name(KEYS[number]) });
            Job { name: name(JOBS[number]), options: once_each(options, JobOption::says_the_same) }
        })
    };
    (job(0), job(1), job(2)).prop_map(|(a, b, c)| vec![a, b, c]).boxed()
}

fn once_each<T>(items: Vec<T>, says_the_same: fn(&T, &T) -> bool) -> Vec<T> {
    let mut kept: Vec<T> = Vec::new();
    for item in items {
        if kept.iter().all(|other| !says_the_same(other, &item)) {
            kept.push(item);
        }
    }
    kept
}

impl Sample for Step {
    fn sample() -> BoxedStrategy<Self> {
        let is_link = |action: &Action| match action {
            Action::Partition { from, to, .. }
            | Action::Clog { from, to, .. }
            | Action::SlowLink { from, to, .. }
            | Action::HangConnects { from, to, .. }
            | Action::LateEnds { from, to, .. }
            | Action::HalfOpen { from, to }
            | Action::Reset { from, to }
            | Action::HealLink { from, to } => from != to,
            _ => true,
        };
        let can_be_played = |action: &Action| match action {
            Action::Start { process } => *process != Process::Store,
            Action::Pause { at, polls, lasting: None, .. } => at.is_none() && polls.is_none(),
            Action::SlowDisk { least, most, .. }
            | Action::SlowLink { least, most, .. }
            | Action::LateEnds { least, most, .. } => least <= most,
            _ => true,
        };
        let at_any_time = |expectation: &Expectation| {
            !matches!(expectation, Expectation::ClauseReached { .. } | Expectation::InvariantsHold {})
        };
        let action = Action::sample().prop_filter("a link has two ends", is_link);
        let action = action.prop_filter("it can be played", can_be_played).prop_map(Self::Do);
        let expectation = Expectation::sample().prop_filter("it can be told", at_any_time).prop_map(Self::Expect);
        prop_oneof![3 => action, 1 => expectation].boxed()
    }
}

impl Sample for Block {
    fn sample() -> BoxedStrategy<Self> {
        (Sample::sample(), Sample::sample()).prop_map(|(anchor, steps)| Self { anchor, steps }).boxed()
    }
}

impl Sample for Scenario {
    fn sample() -> BoxedStrategy<Self> {
        let invariants = Invariant::all().collect::<Vec<_>>();
        let count = invariants.len();
        let header = (Name::sample(), subsequence(invariants, 1..=count), Option::<Name>::sample());
        let why = proptest::collection::vec(Quote::sample(), 0..3);
        let blocks = proptest::collection::vec(Block::sample(), 0..4);
        let end = (Option::<Duration>::sample(), Vec::sample());
        (header, why, World::sample(), jobs(), Sample::sample(), blocks, end)
            .prop_map(|((name, guards, bites), why, world, jobs, rest, blocks, (settle, expect))| Self {
                name,
                guards,
                bites,
                why,
                world,
                jobs,
                rest,
                blocks,
                settle,
                expect,
            })
            .boxed()
    }
}
