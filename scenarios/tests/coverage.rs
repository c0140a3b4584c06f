//! Coverage of states: seeds reach what matters, what can't be is a violation, and a varied run can be run again.

use outlive::JobId;
use outlive_scenarios::checkers::Report;
use outlive_scenarios::coverage::{
    Attempts, CLAUSE, Coverage, Durability, JobState, Lease, State, StateSet, Worker, forbidden, possible, table,
};
use outlive_scenarios::drive::Watch;
use outlive_scenarios::replay::{replay, scenario_of};
use outlive_scenarios::runner::{Case, Variation, run_case, watch_case};
use outlive_scenarios::scn::{Invariant, Name};
use outlive_scenarios::workload::{Profile, Workload};
use outlive_sim::{FaultKind, Recording, Seed};
use std::time::Duration;

/// So many that the rarest of these states, one in sixty seeds, is reached by two of them.
const SEEDS: u64 = 210;

fn reached(seeds: std::ops::RangeInclusive<u64>) -> StateSet {
    let mut all = StateSet::default();
    for seed in seeds {
        all.add(&run_case(Case::of_seed(seed), Workload::Both, Profile::Legal, Recording::Off).states);
    }
    all
}

#[test]
fn some_seeds_reach_what_matters_and_nothing_that_can_not_be() {
    let states = reached(1..=SEEDS);
    let some = |what: &str, is: &dyn Fn(&State) -> bool| assert!(states.iter().any(|it| is(&it)), "{what}");
    some("a zombie whose expired lease is not taken back", &|it| {
        it.lease == Lease::Expired && it.worker == Worker::Zombie
    });
    some("a sleeper whose expired lease is not taken back", &|it| {
        it.lease == Lease::Expired && it.worker == Worker::Paused
    });
    some("a sleeper that still trusts its lease, under a partition", &|it| {
        let is_cut = matches!(it.fault, Some(FaultKind::Partition | FaultKind::OneWayPartition));
        it.lease == Lease::Valid && it.worker == Worker::Paused && is_cut
    });
    some("a zombie of a job that another attempt completed", &|it| {
        it.job == JobState::Completed && it.lease == Lease::TakenBack && it.worker == Worker::Zombie
    });
    some("a claim that nobody was told of", &|it| it.job == JobState::Claimed && it.worker == Worker::None);
    some("a live worker whose lease was taken back", &|it| {
        it.job == JobState::CrashBackoff && it.worker == Worker::Alive
    });
    some("a completion that nobody was told of when power was lost", &|it| {
        let is_open = it.durability == Durability::Open;
        it.job == JobState::Completed && is_open && it.fault == Some(FaultKind::PowerLoss)
    });
    some("a fourth attempt", &|it| it.attempts == Attempts::More);
    for &job in JobState::ALL {
        some(job.word(), &|it| it.job == job);
    }
    let impossible: Vec<String> = states.iter().filter(|it| forbidden(it).is_some()).map(|it| it.to_string()).collect();
    assert_eq!(impossible, [""; 0]);
}

#[test]
fn a_state_that_can_not_be_is_a_violation_once_for_each_rule() {
    let judged = watch_case(Case::of_seed(1), Workload::Both, Profile::Legal, Recording::Off, Watch::Off)
        .1
        .expect("it comes to its end");
    let state = State {
        job: JobState::Completed,
        lease: Lease::Valid,
        worker: Worker::Alive,
        durability: Durability::Open,
        attempts: Attempts::Two,
        fault: None,
    };
    let again = State { attempts: Attempts::Three, ..state };
    let at = |seconds| Duration::from_secs(seconds);
    let coverage =
        Coverage { impossible: vec![(state, at(3), JobId(7)), (again, at(4), JobId(8))], ..Coverage::default() };
    let mut report = Report::default();
    coverage.judge(&judged.evidence, &mut report);
    let [violation] = &report.violations[..] else { panic!("{:?}", report.violations) };
    assert_eq!((violation.clause.as_str(), violation.subject.job), (CLAUSE, Some(7)));
    assert_eq!(violation.transition, "a terminal job with a lease in force");
    let begins =
        "job 7 was completed, lease valid, worker alive, open, 2 attempts, no fault at 3.000s, which can't be: ";
    assert!(violation.sentence.starts_with(begins), "{}", violation.sentence);
}

#[test]
fn a_varied_run_is_another_one_and_its_file_plays_it() {
    let mut hashes = vec![run_case(Case::of_seed(5), Workload::Both, Profile::Legal, Recording::Off).hash];
    for (turn, faults_of) in [(2, None), (0, Some(9)), (1, Some(9))] {
        let case = Case { seed: 5, variation: Variation { turn, faults_of } };
        let hash = run_case(case, Workload::Both, Profile::Legal, Recording::Off).hash;
        assert_eq!(hash, run_case(case, Workload::Both, Profile::Legal, Recording::Off).hash, "{case}");
        let name = Name::new(&case.file_name()).expect("it is a name");
        let guards = Invariant::all().take(1).collect();
        let file = scenario_of(&case.plan(Workload::Both, Profile::Legal), Seed(5), turn, name, guards);
        assert_eq!(replay(&file, Recording::Off).hash, hash, "{case}");
        assert!(!hashes.contains(&hash), "{case}");
        hashes.push(hash);
    }
}

#[test]
fn the_table_shows_what_was_reached_and_says_what_was_missed() {
    let state = |worker, durability| State {
        job: JobState::Started,
        lease: Lease::Expired,
        worker,
        durability,
        attempts: Attempts::Two,
        fault: Some(FaultKind::Pause),
    };
    let states = [
        state(Worker::Paused, Durability::Open),
        state(Worker::Zombie, Durability::Open),
        state(Worker::Zombie, Durability::Durable),
    ];
    let text = table(&states.into_iter().collect());
    let rows = text.lines().skip_while(|line| !line.trim_start().starts_with("started"));
    let row = rows.into_iter().find(|line| line.contains("expired")).expect("it has a row");
    assert_eq!(row.split_whitespace().collect::<Vec<_>>(), ["expired", "....", ".o..", ".#..", "...."], "{text}");
    assert!(text.contains("never: quarantined, lease taken back, worker dead"), "{text}");
    assert!(!text.contains("never: started, lease expired, worker zombie"), "{text}");
    assert!(text.contains(&format!("3 of {} possible states reached", possible().count())), "{text}");
}
