//! The root of every choice of a run, and the named streams drawn from it.
//!
//! A [`Fork`] is a path of names and keys, hashed. Its stream depends on that path alone and never
//! on what was drawn elsewhere, so that one more choice in one place leaves all others as they
//! were: a shrinker can remove one fault and keep the rest of the run. Nothing in here has a
//! stream that two users share.

use std::ops::RangeInclusive;
use std::time::Duration;

use rand::{Rng as _, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::{xxh3_64_with_seed, xxh3_128_with_seed};

/// Bytes of a name that a fork's path takes in one hash.
const NAME_BYTES_MAX: usize = 64;

/// The root number of a run: the same seed and program give the same run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Seed(pub u64);

impl Seed {
    /// The fork called `name`.
    ///
    /// # Panics
    /// If `name` is longer than 64 bytes.
    pub fn fork(self, name: &str) -> Fork {
        Fork(u128::from(self.0)).fork(name)
    }
}

/// A named, independent source of choices. Copies of it are the same source, and draw the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fork(u128);

impl Fork {
    /// The fork called `name` below this one.
    ///
    /// # Panics
    /// If `name` is longer than 64 bytes.
    #[must_use]
    pub fn fork(self, name: &str) -> Fork {
        self.step(1, name.as_bytes())
    }

    /// The fork with the key `key` below this one: one for each thing of many of a name.
    #[must_use]
    pub fn key(self, key: u64) -> Fork {
        self.step(2, &key.to_le_bytes())
    }

    /// The tag keeps a name apart from a key of the same bytes.
    fn step(self, tag: u8, bytes: &[u8]) -> Fork {
        assert!(bytes.len() <= NAME_BYTES_MAX, "a fork's name has at most {NAME_BYTES_MAX} bytes");
        let mut path = [0; 17 + NAME_BYTES_MAX];
        path[..16].copy_from_slice(&self.0.to_le_bytes());
        path[16] = tag;
        path[17..17 + bytes.len()].copy_from_slice(bytes);
        Fork(xxh3_128_with_seed(&path[..17 + bytes.len()], 0))
    }

    /// A stream of random numbers, always the same one.
    pub fn rng(self) -> Rng {
        let mut seed = [0; 32];
        seed[..16].copy_from_slice(&self.0.to_le_bytes());
        seed[16..].copy_from_slice(&xxh3_128_with_seed(&self.0.to_le_bytes(), 1).to_le_bytes());
        Rng(ChaCha8Rng::from_seed(seed))
    }

    /// One number, always the same one: for the many places that want a single choice, where a
    /// stream of its own would cost more than what it decides.
    pub fn number(self) -> u64 {
        xxh3_64_with_seed(&self.0.to_le_bytes(), 2)
    }

    /// Whether something with this probability happens. Drawn from [`number`](Fork::number).
    ///
    /// # Panics
    /// If `probability` is not within 0 and 1.
    pub fn chance(self, probability: f64) -> bool {
        assert!((0.0..=1.0).contains(&probability), "{probability} is no probability");
        // 53 bits, as many as an f64 holds exactly: 0 never happens and 1 always does.
        ((self.number() >> 11) as f64) < probability * (1u64 << 53) as f64
    }

    /// A duration within `range`, in whole nanoseconds. Drawn from [`number`](Fork::number).
    ///
    /// # Panics
    /// If `range` is empty, or reaches beyond 584 years.
    pub fn duration(self, range: RangeInclusive<Duration>) -> Duration {
        let (low, high) = nanos(&range);
        // The product of two 64-bit numbers: its upper half is uniform enough, and costs no stream.
        let span = u128::from(high - low) + 1;
        Duration::from_nanos(low + ((u128::from(self.number()) * span) >> 64) as u64)
    }
}

/// A stream of random numbers of one [`Fork`].
#[derive(Clone, Debug)]
pub struct Rng(ChaCha8Rng);

impl Rng {
    /// Whether something with this probability happens.
    ///
    /// # Panics
    /// If `probability` is not within 0 and 1.
    pub fn chance(&mut self, probability: f64) -> bool {
        self.0.random_bool(probability)
    }

    /// A number within `range`.
    ///
    /// # Panics
    /// If `range` is empty.
    pub fn between(&mut self, range: RangeInclusive<u64>) -> u64 {
        self.0.random_range(range)
    }

    /// One of `choices`.
    ///
    /// # Panics
    /// If `choices` is empty.
    pub fn pick<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        &choices[self.0.random_range(0..choices.len())]
    }

    /// A duration within `range`, in whole nanoseconds.
    ///
    /// # Panics
    /// If `range` is empty, or reaches beyond 584 years.
    pub fn duration(&mut self, range: RangeInclusive<Duration>) -> Duration {
        let (low, high) = nanos(&range);
        Duration::from_nanos(self.between(low..=high))
    }

    /// Fills `bytes`.
    pub fn fill(&mut self, bytes: &mut [u8]) {
        self.0.fill_bytes(bytes);
    }

    /// The generator itself, for draws that have no method here.
    pub fn generator(&mut self) -> &mut ChaCha8Rng {
        &mut self.0
    }
}

/// The ends of a range of durations, in nanoseconds.
fn nanos(range: &RangeInclusive<Duration>) -> (u64, u64) {
    let of = |end: &Duration| u64::try_from(end.as_nanos()).expect("a duration below 584 years");
    let (low, high) = (of(range.start()), of(range.end()));
    assert!(low <= high, "the range is empty");
    (low, high)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fork_depends_on_its_path_alone() {
        let one = Seed(3).fork("disk").key(1).rng().between(0..=u64::MAX);
        let mut noise = Seed(3).fork("disk").rng();
        for _ in 0..100 {
            noise.chance(0.5);
        }
        assert_eq!(one, Seed(3).fork("disk").key(1).rng().between(0..=u64::MAX));
    }

    #[test]
    fn different_paths_draw_differently() {
        let root = Seed(3).fork("a");
        let paths = [root, root.fork("b"), root.key(1), root.key(2), root.fork("b").key(1), root.key(1).fork("b")];
        let mut drawn: Vec<u64> = paths.iter().map(|fork| fork.rng().between(0..=u64::MAX)).collect();
        drawn.extend(paths.iter().map(|fork| fork.number()));
        drawn.push(Seed(4).fork("a").number());
        let count = drawn.len();
        drawn.sort_unstable();
        drawn.dedup();
        assert_eq!(drawn.len(), count);
    }

    #[test]
    fn a_name_is_not_the_key_of_the_same_bytes() {
        let root = Seed(0).fork("root");
        assert_ne!(root.fork("\u{1}\0\0\0\0\0\0\0"), root.key(1));
    }

    #[test]
    fn certain_and_impossible_chances_are_just_that() {
        for key in 0..1_000 {
            let fork = Seed(1).fork("chance").key(key);
            assert!(fork.chance(1.0) && !fork.chance(0.0));
            assert!(fork.rng().chance(1.0) && !fork.rng().chance(0.0));
        }
        let even = (0..1_000).filter(|key| Seed(1).fork("even").key(*key).chance(0.5)).count();
        assert!((400..600).contains(&even));
    }

    #[test]
    fn durations_stay_within_their_range() {
        let range = Duration::from_micros(5)..=Duration::from_micros(7);
        for key in 0..1_000 {
            let fork = Seed(1).fork("duration").key(key);
            assert!(range.contains(&fork.duration(range.clone())));
            assert!(range.contains(&fork.rng().duration(range.clone())));
        }
    }
}
