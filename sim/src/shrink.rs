//! From a failing case to a small one: delta debugging.
//!
//! A *case* is whatever a run is made from: a schedule of faults, operations, settings. A [`Shrinker`] knows how
//! to try one, and tries smaller ones as long as they still fail. It tries no case twice, counts its tries against a
//! [`Budget`], and knows nothing of simulations: what "still fails" means is the caller's. Demand the same
//! failure as before, not just any, or the smallest case will be about something else.
//!
//! Each method takes a part of the case and a function that makes a whole case of a smaller part. Go through
//! the parts in turn, the costliest to understand first, until a round changes nothing:
//!
//! ```
//! use outlive_sim::{Budget, Shrinker};
//!
//! // It fails where the 7 comes before the 9, in a volume of 3 or more.
//! let fails = |(notes, volume): &(Vec<u32>, u32)| {
//!     let place = |note| notes.iter().position(|own| *own == note);
//!     *volume >= 3 && place(7).is_some_and(|seven| place(9).is_some_and(|nine| seven < nine))
//! };
//! let (mut notes, mut volume) = ((1..=40).collect::<Vec<u32>>(), 100);
//! let mut shrinker = Shrinker::new(Budget::tries(500), |case| format!("{case:?}"), fails);
//! notes = shrinker.minimise(&notes, |notes| (notes.to_vec(), volume));
//! (_, volume) = shrinker.lessen((notes.clone(), volume), |(notes, volume)| {
//!     vec![(notes.clone(), volume / 2), (notes.clone(), volume.saturating_sub(1))]
//! });
//! assert_eq!((&notes[..], volume), (&[7, 9][..], 3));
//! assert_eq!(shrinker.necessary(&notes, |notes| (notes.to_vec(), volume)), [Some(true), Some(true)]);
//! assert!(shrinker.tries() < 60 && !shrinker.is_exhausted());
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::{Duration, Instant};

/// What shrinking may cost. When it is used up, the smallest case so far is the answer.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    /// Most cases that are tried.
    pub tries_max: u64,
    /// The moment, by a real clock, after which no try begins.
    pub deadline: Option<Instant>,
}

impl Budget {
    /// As many tries as it takes.
    pub const UNLIMITED: Budget = Budget { tries_max: u64::MAX, deadline: None };

    /// So many tries at most.
    pub const fn tries(tries_max: u64) -> Self {
        Self { tries_max, deadline: None }
    }

    /// The same, and no try that begins later than in `limit` from now, by a real clock.
    #[must_use]
    pub fn within(self, limit: Duration) -> Self {
        Self { deadline: Instant::now().checked_add(limit), ..self }
    }
}

/// A case that was tried just now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Try<'c, C> {
    /// Its number, from 1.
    pub number: u64,
    /// What was tried.
    pub case: &'c C,
    /// Whether it fails as the first one did.
    pub still_fails: bool,
}

/// Who is told of each try.
type Progress<'a, C> = Box<dyn FnMut(Try<'_, C>) + 'a>;

/// Tries cases of type `C`, told apart by keys of type `K`.
pub struct Shrinker<'a, C, K> {
    key: Box<dyn Fn(&C) -> K + 'a>,
    still_fails: Box<dyn FnMut(&C) -> bool + 'a>,
    progress: Progress<'a, C>,
    budget: Budget,
    tries: u64,
    exhausted: bool,
    /// Every case that was tried, and whether it failed.
    known: BTreeMap<K, bool>,
}

impl<'a, C, K: Ord + Clone> Shrinker<'a, C, K> {
    /// A shrinker that has tried nothing yet. Cases with the same `key` are the same case: a text of all that is
    /// in it will do. `still_fails` runs one; it should give the same answer each time.
    pub fn new(budget: Budget, key: impl Fn(&C) -> K + 'a, still_fails: impl FnMut(&C) -> bool + 'a) -> Self {
        Self {
            key: Box::new(key),
            still_fails: Box::new(still_fails),
            progress: Box::new(|_| ()),
            budget,
            tries: 0,
            exhausted: false,
            known: BTreeMap::new(),
        }
    }

    /// Tells `progress` of each try from now on.
    #[must_use]
    pub fn on_try(mut self, progress: impl FnMut(Try<'_, C>) + 'a) -> Self {
        self.progress = Box::new(progress);
        self
    }

    /// How many cases were tried.
    pub fn tries(&self) -> u64 {
        self.tries
    }

    /// Whether a try was left out because the budget, the latest one, was used up. Then nothing is known to be minimal.
    pub fn is_exhausted(&self) -> bool {
        self.exhausted
    }

    /// What it may cost from now on; tries made before still count against `tries_max`.
    pub fn set_budget(&mut self, budget: Budget) {
        self.budget = budget;
        self.exhausted = false;
    }

    /// Whether a case fails: as remembered, or else by a try. `None` if the budget is used up.
    pub fn fails(&mut self, case: &C) -> Option<bool> {
        let key = (self.key)(case);
        if let Some(known) = self.known.get(&key) {
            return Some(*known);
        }
        let Budget { tries_max, deadline } = self.budget;
        if self.tries >= tries_max || deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            self.exhausted = true;
            return None;
        }
        self.tries += 1;
        let still_fails = (self.still_fails)(case);
        (self.progress)(Try { number: self.tries, case, still_fails });
        self.known.insert(key, still_fails);
        Some(still_fails)
    }

    /// Leaves out items as long as the case that `with` makes of the others still fails: *ddmin* of Zeller and
    /// Hildebrandt, "Simplifying and isolating failure-inducing input" (2002), in their order.
    ///
    /// Unless the budget is used up, what is returned is 1-minimal: without any single one of the items the
    /// case does not fail. It need not be the smallest of all. If the case of all `items` does not fail, they are
    /// returned as they are.
    pub fn minimise<T: Clone>(&mut self, items: &[T], with: impl Fn(&[T]) -> C) -> Vec<T> {
        let mut kept = items.to_vec();
        if self.fails(&with(&kept)) != Some(true) {
            return kept;
        }
        // The paper takes for granted that nothing at all does not fail. A seed may fail without any fault.
        if self.fails(&with(&[])) == Some(true) {
            return Vec::new();
        }
        let mut parts = 2;
        while kept.len() >= 2 {
            match self.smaller(&kept, parts, &with) {
                Some((smaller, Half::Part)) => (kept, parts) = (smaller, 2),
                Some((smaller, Half::Rest)) => (kept, parts) = (smaller, (parts - 1).max(2)),
                None if parts < kept.len() => parts = (2 * parts).min(kept.len()),
                None => break,
            }
        }
        kept
    }

    /// The first that still fails of `parts` parts of `kept`, or else of what is left without each of them.
    fn smaller<T: Clone>(&mut self, kept: &[T], parts: usize, with: impl Fn(&[T]) -> C) -> Option<(Vec<T>, Half)> {
        let bounds = |part: usize| part * kept.len() / parts..(part + 1) * kept.len() / parts;
        let part = |part| kept[bounds(part)].to_vec();
        let rest = |part| [&kept[..bounds(part).start], &kept[bounds(part).end..]].concat();
        // Of two parts, each is what is left without the other.
        let rests = if parts == 2 { 0 } else { parts };
        let candidates = (0..parts).map(|place| (part(place), Half::Part));
        let mut candidates = candidates.chain((0..rests).map(|place| (rest(place), Half::Rest)));
        candidates.find(|(items, _)| self.fails(&with(items)) == Some(true))
    }

    /// Goes from a failing case to a simpler one that still fails, as long as there is one: the first of
    /// `candidates`, which are tried in their order. It ends even if these lead round in a circle.
    pub fn lessen(&mut self, case: C, candidates: impl Fn(&C) -> Vec<C>) -> C {
        let mut case = case;
        let mut seen = BTreeSet::from([(self.key)(&case)]);
        loop {
            let simpler = candidates(&case).into_iter().find(|candidate| {
                let key = (self.key)(candidate);
                !seen.contains(&key) && self.fails(candidate) == Some(true)
            });
            let Some(simpler) = simpler else { return case };
            seen.insert((self.key)(&simpler));
            case = simpler;
        }
    }

    /// For each item, whether the case that `with` makes of the others no longer fails; `None` where the budget
    /// was used up. After [`minimise`](Shrinker::minimise) every one is, and nothing is tried again; ask it of
    /// parts that were not minimised, such as the faults of a story somebody wrote.
    pub fn necessary<T: Clone>(&mut self, items: &[T], with: impl Fn(&[T]) -> C) -> Vec<Option<bool>> {
        let without = |place: usize| [&items[..place], &items[place + 1..]].concat();
        (0..items.len()).map(|place| self.fails(&with(&without(place))).map(|fails| !fails)).collect()
    }
}

/// What of the items a smaller case has.
enum Half {
    /// One of the parts.
    Part,
    /// All but one of the parts.
    Rest,
}

impl<C, K> fmt::Debug for Shrinker<'_, C, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { budget, tries, exhausted, .. } = self;
        let mut shown = f.debug_struct("Shrinker");
        shown.field("budget", budget).field("tries", tries).field("exhausted", exhausted).finish()
    }
}

#[cfg(test)]
mod tests;
