//! The simulator on the queue: runs repeat, checkers are content, and reports read as they should.

use outlive_scenarios::checkers::{ALL, Report};
use outlive_scenarios::runner::{Ending, SeedResult, print_seed, run_seed};
use outlive_scenarios::stopwatch::Work;
use outlive_scenarios::workload::Workload;
use outlive_sim::{Recording, Seed};
use std::collections::BTreeSet;
use std::time::Duration;

fn run(seed: u64) -> SeedResult {
    run_seed(Seed(seed), Workload::Both, Recording::Off)
}

#[test]
fn a_seed_comes_to_the_same_hash_whatever_ran_before_it() {
    let first: Vec<u64> = (1..=6).map(|seed| run(seed).hash).collect();
    let mut again: Vec<u64> = (1..=6).rev().map(|seed| run(seed).hash).collect();
    again.reverse();
    assert_eq!(first, again);
    assert_eq!(first.iter().collect::<BTreeSet<_>>().len(), 6, "different seeds are different runs");
}

#[test]
fn all_checkers_are_content_with_the_first_seeds() {
    for seed in 1..=25 {
        assert_eq!(run(seed).ending, Ending::Good, "seed {seed}");
    }
}

#[test]
fn clauses_have_ids_of_their_invariant_and_no_id_twice() {
    let mut seen = BTreeSet::new();
    for checker in ALL {
        for (clause, sentence) in checker.clauses {
            assert!(clause.starts_with(&format!("{}.", checker.invariant)), "{clause}");
            assert!(seen.insert(*clause), "{clause} is there twice");
            assert!(!sentence.is_empty());
        }
    }
}

#[test]
fn a_clause_that_does_not_hold_is_counted_and_reported() {
    let mut report = Report::default();
    report.expect("I1.a", true, || unreachable!("it holds"));
    report.expect("I1.a", false, || "job 7 is gone".into());
    assert_eq!(report.counts["I1.a"], 2);
    assert_eq!(report.violations.len(), 1);
    assert_eq!(report.violations[0].sentence, "job 7 is gone");
}

/// What does not depend on what a run does: the shape of the report.
fn result(ending: Ending) -> SeedResult {
    let clauses = [("I1.a".to_owned(), 50), ("I2.b".to_owned(), 3)].into();
    SeedResult {
        seed: 42,
        hash: 0x1234_5678_9abc_def0,
        ending,
        clauses,
        faults: [(outlive_sim::FaultKind::Crash, outlive_sim::Count { scheduled: 8, fired: 7, effective: 7 })].into(),
        anchors: [("after claim".to_owned(), outlive_sim::Count { scheduled: 4, fired: 3, effective: 0 })].into(),
        loss: outlive_sim::Loss::default(),
        chosen: vec![("features".into(), "keys, delays".into()), ("jobs wanted".into(), "53".into())],
        counts: [("call enqueue".to_owned(), 60), ("disk.sync".to_owned(), 310)].into(),
        terminal: 53,
        crashes_that_hurt: 6,
        zombies: 1,
        simulated: Duration::from_millis(34_182),
        wall: Duration::from_millis(41),
        work: Some(Work { simulated: Duration::from_millis(30_500), wall: Duration::from_millis(25) }),
        events: 8_200,
    }
}

#[test]
fn a_good_run_reports_what_it_reached() {
    insta::assert_snapshot!(print_seed(&result(Ending::Good), "cargo xtask sim --seed 42"));
}

#[test]
fn a_bad_run_says_what_broke_and_how_to_see_it_again() {
    let mut report = Report::default();
    report.expect("I1.a", false, || "job 7 was acknowledged at 4.2s and is not in the file".into());
    let ending = Ending::Violated(report.violations);
    insta::assert_snapshot!(print_seed(&result(ending), "cargo xtask sim --seed 42"));
}

#[test]
fn a_run_without_an_end_says_why() {
    let ending = Ending::Broken("no end within 2000s of simulated time".into());
    let text = print_seed(&result(ending), "cargo xtask sim --seed 42");
    assert!(text.contains("BROKEN: no end within 2000s of simulated time\nrun it again: cargo xtask sim --seed 42"));
}
