//! Concurrency keys: how many jobs of each run, and which of those that are due may stand in line. If a queue lets two jobs
//! of a key run at once and one runs, one of each kind may: which kind the next claim asks for, nobody knows.

use super::Rank;
use crate::job::JobId;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A queue and a concurrency key.
type Name = (Arc<str>, Arc<str>);

/// All concurrency keys.
#[derive(Debug, Default)]
pub struct Keys {
    /// How many jobs of a key may run at once in each queue that says so.
    at_once: BTreeMap<Arc<str>, usize>,
    groups: BTreeMap<Name, Group>,
    /// Those of each queue that are due and must not stand in line.
    back: BTreeMap<Arc<str>, BTreeSet<Rank>>,
}

/// The jobs of one key.
#[derive(Debug, Default)]
struct Group {
    running: BTreeSet<JobId>,
    kinds: BTreeMap<Arc<str>, DueOfKind>,
}

/// The jobs of one key and kind that are due.
#[derive(Debug, Default)]
struct DueOfKind {
    in_line: BTreeSet<Rank>,
    back: BTreeSet<Rank>,
}

/// A job that comes into its line, or leaves it.
#[derive(Debug, PartialEq, Eq)]
pub struct Shift {
    pub kind: Arc<str>,
    pub rank: Rank,
    pub comes: bool,
}

impl Keys {
    /// Lets so many jobs of a key run at once in a queue.
    pub fn limit(&mut self, queue: &Arc<str>, at_once: Option<usize>) -> Vec<Shift> {
        let before = match at_once {
            Some(at_once) => self.at_once.insert(queue.clone(), at_once),
            None => self.at_once.remove(queue),
        };
        if before == at_once {
            return Vec::new();
        }
        let first: Name = (queue.clone(), "".into());
        let names = self.groups.range(first..).map(|(name, _)| name).take_while(|(of, _)| of == queue);
        let names: Vec<Name> = names.cloned().collect();
        names.iter().flat_map(|name| self.settle(name)).collect()
    }

    /// A job is due.
    pub fn enter(&mut self, name: &Name, kind: &Arc<str>, rank: Rank) -> Vec<Shift> {
        let group = self.groups.entry(name.clone()).or_default();
        group.kinds.entry(kind.clone()).or_default().back.insert(rank);
        self.back.entry(name.0.clone()).or_default().insert(rank);
        self.settle(name)
    }

    /// A job is not due any more.
    pub fn leave(&mut self, name: &Name, kind: &Arc<str>, rank: Rank) -> Vec<Shift> {
        let Some(due) = self.groups.get_mut(name).and_then(|group| group.kinds.get_mut(kind)) else {
            return Vec::new();
        };
        let was_in_line = due.in_line.remove(&rank);
        due.back.remove(&rank);
        self.not_back(&name.0, rank);
        let left = was_in_line.then(|| Shift { kind: kind.clone(), rank, comes: false });
        left.into_iter().chain(self.settle(name)).collect()
    }

    /// A job runs.
    pub fn run(&mut self, name: &Name, id: JobId) -> Vec<Shift> {
        self.groups.entry(name.clone()).or_default().running.insert(id);
        self.settle(name)
    }

    /// A job runs no more.
    pub fn stop(&mut self, name: &Name, id: JobId) -> Vec<Shift> {
        if let Some(group) = self.groups.get_mut(name) {
            group.running.remove(&id);
        }
        self.settle(name)
    }

    /// The jobs of a key that run.
    pub fn running(&self, queue: &Arc<str>, key: &Arc<str>) -> impl Iterator<Item = JobId> {
        let group = self.groups.get(&(queue.clone(), key.clone()));
        group.into_iter().flat_map(|group| group.running.iter().copied())
    }

    /// Those of a queue that are due and must not stand in line.
    pub fn back(&self, queue: &str) -> Option<&BTreeSet<Rank>> {
        self.back.get(queue)
    }

    /// Jobs of the same key that are due and go before this one, whether they stand in line or not.
    pub fn ahead(&self, queue: &Arc<str>, key: &Arc<str>, rank: Rank) -> impl Iterator<Item = JobId> {
        let kinds = self.groups.get(&(queue.clone(), key.clone())).into_iter().flat_map(|group| group.kinds.values());
        let due = kinds.flat_map(move |due| due.in_line.range(..rank).chain(due.back.range(..rank)));
        due.map(|&(_, id)| id)
    }

    /// Lets as many stand in line as there are free slots, the first of each kind.
    fn settle(&mut self, name: &Name) -> Vec<Shift> {
        let mut shifts = Vec::new();
        let Some(group) = self.groups.get_mut(name) else { return shifts };
        let free = self.at_once.get(&name.0).map_or(usize::MAX, |at_once| at_once.saturating_sub(group.running.len()));
        for (kind, due) in &mut group.kinds {
            let mut shift = |rank, comes| shifts.push(Shift { kind: kind.clone(), rank, comes });
            loop {
                let (last, first) = (due.in_line.last().copied(), due.back.first().copied());
                let is_full = due.in_line.len() >= free;
                match (last, first) {
                    (Some(last), first)
                        if due.in_line.len() > free || (is_full && first.is_some_and(|first| first < last)) =>
                    {
                        due.in_line.remove(&last);
                        due.back.insert(last);
                        shift(last, false);
                    }
                    (_, Some(first)) if !is_full => {
                        due.back.remove(&first);
                        due.in_line.insert(first);
                        shift(first, true);
                    }
                    _ => break,
                }
            }
        }
        group.kinds.retain(|_, due| !due.in_line.is_empty() || !due.back.is_empty());
        if group.kinds.is_empty() && group.running.is_empty() {
            self.groups.remove(name);
        }
        for Shift { rank, comes, .. } in &shifts {
            if *comes {
                self.not_back(&name.0, *rank);
            } else {
                self.back.entry(name.0.clone()).or_default().insert(*rank);
            }
        }
        shifts
    }

    fn not_back(&mut self, queue: &str, rank: Rank) {
        if let Some(back) = self.back.get_mut(queue) {
            back.remove(&rank);
            if back.is_empty() {
                self.back.remove(queue);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn name(key: usize) -> Name {
        ("q".into(), format!("key-{key}").into())
    }

    fn rank(id: i64, priority: i16) -> Rank {
        (-i64::from(priority), JobId(id))
    }

    #[derive(Clone, Debug)]
    enum Step {
        Enter { id: i64, key: usize, kind: usize, priority: i16 },
        Leave(usize),
        Run(usize),
        Stop(usize),
        Limit(Option<usize>),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            4 => (1..1_000_i64, 0..3_usize, 0..2_usize, -1..2_i16)
                .prop_map(|(id, key, kind, priority)| Step::Enter { id, key, kind, priority }),
            1 => any::<usize>().prop_map(Step::Leave),
            2 => any::<usize>().prop_map(Step::Run),
            2 => any::<usize>().prop_map(Step::Stop),
            1 => proptest::option::of(0..3_usize).prop_map(Step::Limit),
        ]
    }

    proptest! {
        /// However jobs come and go, exactly the first of each key and kind stand in line, as many as slots are free.
        #[test]
        fn the_first_of_each_kind_stand_in_line(steps in proptest::collection::vec(step(), 1..60)) {
            let kinds: [Arc<str>; 2] = ["a".into(), "b".into()];
            let mut keys = Keys::default();
            let mut line: BTreeSet<(Arc<str>, Rank)> = BTreeSet::new();
            let mut due: BTreeMap<i64, (usize, usize, i16)> = BTreeMap::new();
            let mut running: BTreeMap<i64, usize> = BTreeMap::new();
            let mut at_once = None;
            for step in steps {
                let shifts = match step {
                    Step::Enter { id, key, kind, priority } if !due.contains_key(&id) && !running.contains_key(&id) => {
                        due.insert(id, (key, kind, priority));
                        keys.enter(&name(key), &kinds[kind], rank(id, priority))
                    }
                    Step::Leave(which) | Step::Run(which) if !due.is_empty() => {
                        let (&id, &(key, kind, priority)) = due.iter().nth(which % due.len()).unwrap();
                        due.remove(&id);
                        let mut shifts = keys.leave(&name(key), &kinds[kind], rank(id, priority));
                        if matches!(step, Step::Run(_)) {
                            running.insert(id, key);
                            shifts.extend(keys.run(&name(key), JobId(id)));
                        }
                        shifts
                    }
                    Step::Stop(which) if !running.is_empty() => {
                        let (&id, &key) = running.iter().nth(which % running.len()).unwrap();
                        running.remove(&id);
                        keys.stop(&name(key), JobId(id))
                    }
                    Step::Limit(limit) => {
                        at_once = limit;
                        keys.limit(&"q".into(), limit)
                    }
                    _ => continue,
                };
                for Shift { kind, rank, comes } in shifts {
                    let changed = if comes { line.insert((kind, rank)) } else { line.remove(&(kind, rank)) };
                    prop_assert!(changed, "a shift changes the line");
                }
                let mut expected = BTreeSet::new();
                for key in 0..3 {
                    let runs = running.values().filter(|it| **it == key).count();
                    let free = at_once.map_or(usize::MAX, |at_once: usize| at_once.saturating_sub(runs));
                    for (which, kind) in kinds.iter().enumerate() {
                        let mut ranks: Vec<Rank> = due
                            .iter()
                            .filter(|(_, it)| (it.0, it.1) == (key, which))
                            .map(|(id, it)| rank(*id, it.2))
                            .collect();
                        ranks.sort();
                        expected.extend(ranks.into_iter().take(free).map(|rank| (kind.clone(), rank)));
                    }
                }
                prop_assert_eq!(&line, &expected);
                let back = keys.back("q").map_or(0, BTreeSet::len);
                prop_assert_eq!(back, due.len() - line.len());
            }
        }
    }
}
