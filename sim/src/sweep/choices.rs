//! Which of the pending changes survive: every choice where few are pending, and where many are, so
//! many that every two of them meet in all four ways.

/// So many changes are tried in every subset.
pub(super) const ALL_SUBSETS_MAX: usize = 6;
/// Up to so many, every two also survive alone and are lost alone together.
pub(super) const PAIRS_MAX: usize = 12;
/// A write of so many sectors is torn after and before each of them; of a longer one only some.
const SECTORS_EACH_MAX: usize = 9;

/// Every choice among `count` changes: ordinals of those that survive, in order, each choice once.
///
/// Up to [`ALL_SUBSETS_MAX`] changes these are all subsets. Beyond, nothing, everything, every
/// prefix, every single loss and every single survivor: of any two changes, one of these has
/// neither, one both, and one each alone. Up to [`PAIRS_MAX`] every pair of losses and every pair of
/// survivors comes as well.
pub(super) fn survivors(count: usize) -> Vec<Vec<usize>> {
    let mut choices: Vec<Vec<usize>> = Vec::new();
    if count <= ALL_SUBSETS_MAX {
        for mask in 0u32..1 << count {
            choices.push((0..count).filter(|ordinal| mask >> ordinal & 1 == 1).collect());
        }
        return choices;
    }
    choices.extend((0..=count).map(|kept| (0..kept).collect()));
    for one in 0..count {
        choices.push(vec![one]);
        choices.push((0..count).filter(|it| *it != one).collect());
        for other in one + 1..count {
            if count <= PAIRS_MAX {
                choices.push(vec![one, other]);
                choices.push((0..count).filter(|it| *it != one && *it != other).collect());
            }
        }
    }
    choices.sort();
    choices.dedup();
    choices
}

/// What a torn write of `sectors` sectors may leave: proper, not empty, each once.
pub(super) fn tears(sectors: usize) -> Vec<Vec<u32>> {
    let all = 0..sectors as u32;
    let mut left: Vec<Vec<u32>> = Vec::new();
    let cuts: Vec<u32> = match sectors {
        0 | 1 => Vec::new(),
        _ if sectors <= SECTORS_EACH_MAX => (1..sectors as u32).collect(),
        _ => vec![1, sectors as u32 / 2, sectors as u32 - 1],
    };
    for cut in cuts {
        left.push(all.clone().filter(|sector| *sector < cut).collect());
        left.push(all.clone().filter(|sector| *sector >= cut).collect());
    }
    left.sort();
    left.dedup();
    left
}

/// Every way to keep a first part of each of some lists of these lengths.
pub(super) fn prefixes(lengths: &[usize]) -> Vec<Vec<usize>> {
    let mut all: Vec<Vec<usize>> = vec![Vec::new()];
    for length in lengths {
        let longer = |kept: &Vec<usize>| {
            let kept = kept.clone();
            (0..=*length).map(move |next| [kept.clone(), vec![next]].concat())
        };
        all = all.iter().flat_map(longer).collect();
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_changes_are_tried_in_every_subset() {
        for count in 0..=ALL_SUBSETS_MAX {
            let choices = survivors(count);
            assert_eq!(choices.len(), 1 << count);
            let mut distinct = choices.clone();
            distinct.sort();
            distinct.dedup();
            assert_eq!(distinct.len(), choices.len());
        }
    }

    #[test]
    fn of_many_changes_every_two_meet_in_all_four_ways() {
        for count in [7, PAIRS_MAX, PAIRS_MAX + 1, 40] {
            let choices = survivors(count);
            for (one, other) in (0..count).flat_map(|one| (one + 1..count).map(move |other| (one, other))) {
                for wanted in [(false, false), (false, true), (true, false), (true, true)] {
                    let meets = |choice: &Vec<usize>| (choice.contains(&one), choice.contains(&other)) == wanted;
                    assert!(choices.iter().any(meets), "{one} and {other} of {count}: {wanted:?}");
                }
            }
        }
    }

    #[test]
    fn of_many_changes_there_are_prefixes_single_losses_and_single_survivors() {
        let choices = survivors(20);
        // Nothing, everything, 19 more prefixes, 20 losses and 20 survivors; the first alone is a prefix,
        // and all but the last is one too.
        assert_eq!(choices.len(), 2 + 19 + 20 + 20 - 2);
        // With 7: nothing, everything, 6 prefixes, 6 other survivors, 6 other losses; of 21 pairs that
        // survive one is a prefix, and of 21 that are lost one is.
        assert_eq!(survivors(7).len(), 2 + 6 + 6 + 6 + 20 + 20);
    }

    #[test]
    fn a_torn_write_keeps_its_first_or_its_last_sectors() {
        assert_eq!(tears(1), Vec::<Vec<u32>>::new());
        assert_eq!(tears(3), [vec![0], vec![0, 1], vec![1, 2], vec![2]]);
        assert_eq!(tears(9).len(), 16);
        assert_eq!(tears(100).len(), 6);
    }

    #[test]
    fn names_are_undone_from_the_end_of_each_directory() {
        assert_eq!(prefixes(&[]), [Vec::<usize>::new()]);
        assert_eq!(prefixes(&[2]), [[0], [1], [2]]);
        assert_eq!(prefixes(&[1, 1]), [[0, 0], [0, 1], [1, 0], [1, 1]]);
    }
}
