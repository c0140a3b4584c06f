//! The simulator on the queue: runs repeat, checkers are content, and reports read as they should.

use outlive::JobId;
use outlive_scenarios::checkers::{ALL, Finding, Report};
use outlive_scenarios::coverage::StateSet;
use outlive_scenarios::drive::Watch;
use outlive_scenarios::runner::{Case, Ending, Judged, SeedResult, print_seed, run_case, run_seed, watch_seed};
use outlive_scenarios::stopwatch::Work;
use outlive_scenarios::why::why;
use outlive_scenarios::workload::{Profile, Workload};
use outlive_sim::timeline::{Kind, SpanKind, html};
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
    report.expect("I1.a", false, || Finding::new("enqueue lost", "job 7 is gone".into()).job(JobId(7)).call(3));
    assert_eq!(report.counts["I1.a"], 2);
    assert_eq!(report.violations.len(), 1);
    assert_eq!(report.violations[0].sentence, "job 7 is gone");
    assert_eq!(report.violations[0].transition, "enqueue lost");
    assert_eq!((report.violations[0].subject.job, &report.violations[0].subject.calls[..]), (Some(7), &[3][..]));
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
        states: StateSet::default(),
        met: BTreeSet::new(),
        damage: None,
        simulated: Duration::from_millis(34_182),
        wall: Duration::from_millis(41),
        work: Some(Work { simulated: Duration::from_millis(30_500), wall: Duration::from_millis(25) }),
        events: 8_200,
    }
}

#[test]
fn a_good_run_reports_what_it_reached() {
    insta::assert_snapshot!(print_seed(&result(Ending::Good), &[], "cargo xtask sim --seed 42"));
}

#[test]
fn a_bad_run_says_what_broke_and_how_to_see_it_again() {
    let mut report = Report::default();
    let says = "job 7 was acknowledged at 4.2s and is not in the file".to_owned();
    report.expect("I1.a", false, || Finding::new("enqueue lost", says));
    let ending = Ending::Violated(report.violations);
    insta::assert_snapshot!(print_seed(&result(ending), &[], "cargo xtask sim --seed 42"));
}

#[test]
fn a_run_without_an_end_says_why() {
    let ending = Ending::Broken("no end within 2000s of simulated time".into());
    let text = print_seed(&result(ending), &[], "cargo xtask sim --seed 42");
    assert!(text.contains("BROKEN: no end within 2000s of simulated time\nrun it again: cargo xtask sim --seed 42"));
}

#[test]
fn a_seed_of_the_illegal_profile_repeats_and_says_what_came_of_it() {
    let run = |seed| run_case(Case::of_seed(seed), Workload::Both, Profile::Illegal, Recording::Off);
    for seed in [2, 5] {
        let (once, again) = (run(seed), run(seed));
        assert_eq!((once.hash, &once.ending), (again.hash, &Ending::Good), "seed {seed}");
        assert!(
            once.damage.is_some() && once.clauses.keys().all(|clause| clause.starts_with('X')),
            "{:?}",
            once.damage
        );
        assert_ne!(once.hash, run_seed(Seed(seed), Workload::Both, Recording::Off).hash);
    }
}

fn watched(seed: u64, workload: Workload) -> (u64, Judged) {
    let (result, judged) = watch_seed(Seed(seed), workload, Recording::Off, Watch::On);
    (result.hash, judged.expect("the run has an end"))
}

#[test]
fn a_watched_run_is_the_same_run() {
    for workload in [Workload::Embedded, Workload::Cluster] {
        let unwatched = run_seed(Seed(5), workload, Recording::Off).hash;
        let (hash, judged) = watched(5, workload);
        assert_eq!(hash, unwatched);
        assert!(!judged.evidence.deeds.is_empty() && !judged.evidence.seen.disks.is_empty());
    }
}

#[test]
fn the_page_of_a_run_has_the_same_bytes_each_time_and_not_too_many() {
    let page = || {
        let judged = watched(5, Workload::Cluster).1;
        let timeline = judged.timeline("Seed 5".into(), "cargo xtask sim --seed 5".into(), &[]);
        let spans = |kind| timeline.spans.iter().filter(|span| span.kind == kind).count();
        assert!(spans(SpanKind::Lease) > 20 && spans(SpanKind::Lease) >= spans(SpanKind::Trust));
        assert!(timeline.tables.last().is_some_and(|table| !table.rows.is_empty()));
        assert!(timeline.happenings.iter().any(|it| it.kind == Kind::Sync && it.text.contains("commit 2")));
        html(&timeline)
    };
    let first = page();
    assert!(first == page(), "the same run has another page");
    assert!(first.len() < 2 << 20, "{} bytes", first.len());
}

/// Nothing is violated in a plain build, so a checker is made to complain of a job that is as it should be.
#[test]
fn why_goes_from_the_request_over_its_commit_and_its_sync_to_the_answer() {
    let judged = watched(5, Workload::Embedded).1;
    let made = |call: &&outlive_scenarios::checkers::CallFact| {
        matches!(call.reply(), Some((_, outlive::protocol::Reply::Enqueued { fresh: true, .. })))
    };
    let call = judged.facts.calls.iter().find(made).expect("a job was enqueued");
    let mut report = Report::default();
    let found = || Finding::new("enqueue lost", "it is gone".into()).call(call.number).at(judged.evidence.ended);
    report.expect("I1.a", false, found);
    let lines = why(&judged.evidence, &judged.facts, &report.violations[0]).lines();
    let told = |words: &str| lines.iter().position(|line| line.contains(words)).unwrap_or_else(|| panic!("{lines:#?}"));
    let order = [told("enqueue"), told("1 write to /queue.db-wal"), told("sync of /queue.db-wal"), told(": it is job")];
    assert!(order.is_sorted(), "{lines:#?}");
    assert!(lines.last().is_some_and(|line| line.ends_with("VIOLATION of I1.a: it is gone")), "{lines:#?}");
    assert!(lines.len() <= 16, "{lines:#?}");
}
