//! What holds for every predicate, monotone or not, and what a budget and a memory of tries cost.

use std::cell::RefCell;
use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

/// A shrinker of lists of numbers.
fn shrinker<'a>(budget: Budget, fails: impl FnMut(&Vec<u8>) -> bool + 'a) -> Shrinker<'a, Vec<u8>, Vec<u8>> {
    Shrinker::new(budget, Vec::clone, fails)
}

fn minimised(items: &[u8], fails: impl Fn(&[u8]) -> bool) -> Vec<u8> {
    shrinker(Budget::UNLIMITED, |case| fails(case)).minimise(items, <[u8]>::to_vec)
}

fn without(items: &[u8], place: usize) -> Vec<u8> {
    [&items[..place], &items[place + 1..]].concat()
}

/// A predicate of no pattern: what a hash says, but for the whole, which fails.
fn by_hash(items: &[u8], whole: &[u8], salt: u64) -> bool {
    items == whole || xxhash_rust::xxh3::xxh3_64_with_seed(items, salt).is_multiple_of(3)
}

/// Distinct items, in any order.
fn distinct() -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::btree_set(any::<u8>(), 0..24).prop_map(|items| items.into_iter().collect()).prop_shuffle()
}

proptest! {
    #[test]
    fn what_needs_some_items_keeps_just_these(items in distinct(), chosen in any::<u64>()) {
        let needed: Vec<u8> =
            items.iter().enumerate().filter(|(place, _)| chosen >> place & 1 == 1).map(|(_, item)| *item).collect();
        let found = minimised(&items, |items| needed.iter().all(|item| items.contains(item)));
        prop_assert_eq!(found, needed, "in their order");
    }

    #[test]
    fn what_is_left_still_fails_and_no_single_item_can_go(items in distinct(), salt in any::<u64>()) {
        let fails = |candidate: &[u8]| by_hash(candidate, &items, salt);
        let found = minimised(&items, fails);
        prop_assert!(fails(&found));
        for place in 0..found.len() {
            prop_assert!(!fails(&without(&found, place)), "{found:?} without its item {place}");
        }
        prop_assert!(found.iter().collect::<BTreeSet<_>>().is_subset(&items.iter().collect()));
    }

    #[test]
    fn no_case_is_tried_twice(items in distinct(), salt in any::<u64>()) {
        let tried = RefCell::new(BTreeSet::new());
        let mut shrinker = shrinker(Budget::UNLIMITED, |case| {
            assert!(tried.borrow_mut().insert(case.clone()), "{case:?} is tried again");
            by_hash(case, &items, salt)
        });
        let found = shrinker.minimise(&items, <[u8]>::to_vec);
        let tries = shrinker.tries();
        prop_assert!(shrinker.necessary(&found, <[u8]>::to_vec).iter().all(|necessary| *necessary == Some(true)));
        prop_assert_eq!(shrinker.tries(), tries, "each had been left out already");
        // Cut in other places it may have parts that are new, and even a smaller one that fails; those that were
        // tried are not tried again.
        let again = shrinker.minimise(&found, <[u8]>::to_vec);
        prop_assert!(again.len() <= found.len());
    }

    #[test]
    fn a_budget_is_never_exceeded_and_what_is_left_still_fails(
        items in distinct(), salt in any::<u64>(), tries_max in 0u64..20,
    ) {
        let fails = |candidate: &[u8]| by_hash(candidate, &items, salt);
        let mut shrinker = shrinker(Budget::tries(tries_max), |case| fails(case));
        let found = shrinker.minimise(&items, <[u8]>::to_vec);
        prop_assert!(shrinker.tries() <= tries_max && fails(&found));
        let minimal = !fails(&[]) || found.is_empty();
        let minimal = minimal && (0..found.len()).all(|place| !fails(&without(&found, place)));
        prop_assert!(minimal || shrinker.is_exhausted());
    }

    #[test]
    fn a_number_is_lessened_to_the_least_that_fails(least in 0u64..1_000, more in 0u64..1_000_000) {
        let mut shrinker = Shrinker::new(Budget::UNLIMITED, |case| *case, |case: &u64| *case >= least);
        let found = shrinker.lessen(least + more, |value| vec![0, value / 2, value.saturating_sub(1)]);
        prop_assert_eq!(found, least);
    }
}

#[test]
fn a_case_that_fails_without_any_item_loses_all_of_them_in_two_tries() {
    let mut shrinker = shrinker(Budget::UNLIMITED, |_| true);
    assert_eq!(shrinker.minimise(&[1, 2, 3], <[u8]>::to_vec), Vec::<u8>::new());
    assert_eq!(shrinker.tries(), 2);
}

#[test]
fn items_that_do_not_fail_stay_as_they_are() {
    assert_eq!(minimised(&[1, 2, 3], |_| false), [1, 2, 3]);
}

#[test]
fn one_item_of_a_thousand_takes_tens_of_tries() {
    let items: Vec<u32> = (0..1000).collect();
    let mut shrinker = Shrinker::new(Budget::UNLIMITED, Vec::clone, |case: &Vec<u32>| case.contains(&617));
    assert_eq!(shrinker.minimise(&items, <[u32]>::to_vec), [617]);
    assert!(shrinker.tries() < 30, "{} tries", shrinker.tries());
}

#[test]
fn equal_items_are_told_apart_by_their_number() {
    assert_eq!(minimised(&[5; 9], |items| items.len() >= 4), [5; 4]);
}

#[test]
fn an_item_that_another_can_stand_for_is_not_necessary() {
    let mut shrinker =
        shrinker(Budget::UNLIMITED, |items| items.contains(&1) && (items.contains(&2) || items.contains(&3)));
    assert_eq!(shrinker.necessary(&[1, 2, 3], <[u8]>::to_vec), [Some(true), Some(false), Some(false)]);
}

#[test]
fn what_the_budget_did_not_cover_is_not_known() {
    let mut shrinker = shrinker(Budget::tries(1), |items| items.contains(&1));
    assert_eq!(shrinker.necessary(&[1, 2], <[u8]>::to_vec), [Some(true), None]);
    assert!(shrinker.is_exhausted());
}

#[test]
fn a_deadline_that_has_passed_allows_no_try() {
    let mut shrinker = shrinker(Budget::UNLIMITED.within(Duration::ZERO), |_| panic!("it is tried"));
    assert_eq!(shrinker.minimise(&[1, 2], <[u8]>::to_vec), [1, 2]);
    assert!(shrinker.is_exhausted());
}

#[test]
fn candidates_that_lead_round_in_a_circle_come_to_an_end() {
    let mut shrinker = Shrinker::new(Budget::UNLIMITED, |case| *case, |_: &u8| true);
    assert_eq!(shrinker.lessen(0, |value| vec![(value + 1) % 5]), 4);
}

#[test]
fn progress_hears_of_each_try_once_and_in_order() {
    let heard = RefCell::new(Vec::new());
    let mut shrinker = shrinker(Budget::UNLIMITED, |items| items.contains(&2))
        .on_try(|told| heard.borrow_mut().push((told.number, told.case.clone(), told.still_fails)));
    assert_eq!(shrinker.minimise(&[1, 2], <[u8]>::to_vec), [2]);
    drop(shrinker);
    let expected = [(1, vec![1, 2], true), (2, vec![], false), (3, vec![1], false), (4, vec![2], true)];
    assert_eq!(heard.into_inner(), expected);
}
