//! A set of states, small enough to be sent with every answer of a child.

use super::state::State;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A set of states: a bit for each, up to the highest one that is in it.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct StateSet(Vec<u64>);

impl StateSet {
    /// Adds a state; whether it is new.
    pub fn insert(&mut self, state: State) -> bool {
        self.insert_number(state.number())
    }

    fn insert_number(&mut self, number: u32) -> bool {
        let (place, bit) = (number as usize / 64, 1 << (number % 64));
        self.0.resize(self.0.len().max(place + 1), 0);
        let word = &mut self.0[place];
        let is_new = *word & bit == 0;
        *word |= bit;
        is_new
    }

    /// Whether a state is in it.
    pub fn contains(&self, state: State) -> bool {
        let number = state.number() as usize;
        self.0.get(number / 64).is_some_and(|word| word & (1 << (number % 64)) != 0)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds all of another set; how many were new.
    pub fn add(&mut self, other: &Self) -> usize {
        let before = self.len();
        self.0.resize(self.0.len().max(other.0.len()), 0);
        self.0.iter_mut().zip(other.0.iter()).for_each(|(word, more)| *word |= more);
        self.len() - before
    }

    /// In order.
    pub fn iter(&self) -> impl Iterator<Item = State> {
        self.numbers().filter_map(State::of_number)
    }

    fn numbers(&self) -> impl Iterator<Item = u32> {
        (0u32..).zip(&self.0).filter(|(_, word)| **word != 0).flat_map(|(place, word)| {
            let mut rest = *word;
            std::iter::from_fn(move || {
                let bit = (rest != 0).then(|| rest.trailing_zeros())?;
                rest &= rest - 1;
                Some(place * 64 + bit)
            })
        })
    }
}

impl FromIterator<State> for StateSet {
    fn from_iter<I: IntoIterator<Item = State>>(states: I) -> Self {
        let mut set = Self::default();
        for state in states {
            set.insert(state);
        }
        set
    }
}

impl std::fmt::Debug for StateSet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} states", self.len())
    }
}

/// As the distances between the numbers of its states, each number from the one before it.
impl Serialize for StateSet {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut last = 0;
        serializer.collect_seq(self.numbers().map(|number| number - std::mem::replace(&mut last, number)))
    }
}

impl<'de> Deserialize<'de> for StateSet {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let distances = Vec::<u32>::deserialize(deserializer)?;
        let (mut set, mut number) = (Self::default(), 0u32);
        for distance in distances {
            number = number.saturating_add(distance);
            if number as usize >= State::COUNT {
                return Err(serde::de::Error::custom(format!(
                    "there is no state {number}: there are {}",
                    State::COUNT
                )));
            }
            set.insert_number(number);
        }
        Ok(set)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(numbers: &[u32]) -> StateSet {
        numbers.iter().filter_map(|number| State::of_number(*number)).collect()
    }

    #[test]
    fn a_set_reads_back_as_the_same() {
        let last = u32::try_from(State::COUNT - 1).unwrap();
        for numbers in [&[][..], &[0], &[last], &[0, 1, 63, 64, 4_711, last]] {
            let text = serde_json::to_string(&set(numbers)).unwrap();
            assert_eq!(serde_json::from_str::<StateSet>(&text).unwrap(), set(numbers), "{text}");
            assert_eq!(set(numbers).numbers().collect::<Vec<_>>(), numbers);
        }
        assert_eq!(serde_json::to_string(&set(&[5, 7])).unwrap(), "[5,2]");
        assert!(serde_json::from_str::<StateSet>("[60000,60000]").is_err());
    }

    #[test]
    fn what_is_added_is_new_once() {
        let mut all = set(&[1, 2]);
        assert_eq!(all.add(&set(&[2, 3, 4])), 2);
        assert_eq!(all.add(&set(&[2, 3, 4])), 0);
        assert_eq!(all.len(), 4);
        assert!(all.contains(State::of_number(3).unwrap()) && !all.contains(State::of_number(5).unwrap()));
    }
}
