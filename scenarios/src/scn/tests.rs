//! Files read and print as they should, mistakes are told well, and the page for people is complete.

use super::grammar::{Noun, canonical};
use super::keyword::Keyword;
use super::nouns::{Answer, Comparison, Count, DiskFile, Outcome, Payload, Rejection, RequestKind, WaitReason};
use super::parser::parse_knowing;
use super::phrases::{Action, Anchor, AttemptScript, Deed, Expectation, JobOption, Lapse, Message, Rest, WorldItem};
use super::sample::Sample;
use super::{Scenario, SyntaxError};
use outlive_sim::{OperationKind, Survivors};
use proptest::prelude::*;
use std::path::Path;
use std::{fs, io};

/// The example of the design, to the letter.
const DESIGN: &str = r#"scenario zombie-completes-late
guards   I2 I5
bites    accept-stale-token

world    1 store, workers w1 w2, lease 30s
job      A kind=charge key=inv-7 max_attempts=3

after    w1 claims A
  pause  w1
after    lease of A expires
  expect A waiting "lease lost"
after    w2 commits effect inv-7
  crash  store at next wal sync keep none
  resume w1

settle   10m
expect   effects inv-7 = 1
expect   w1 rejected stale-lease
expect   A done
expect   invariants hold
"#;

fn folder(path: &str) -> io::Result<Vec<(String, String)>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(path))? {
        let path = entry?.path();
        if path.is_file() {
            let stem = path.file_stem().unwrap().to_str().unwrap().to_owned();
            files.push((stem, fs::read_to_string(&path)?));
        }
    }
    files.sort();
    Ok(files)
}

/// Every planted bug has a file of its name.
fn planted_bugs() -> Vec<String> {
    let files = folder("src/planted/bugs").unwrap();
    files.into_iter().map(|(stem, _)| stem.replace('_', "-")).filter(|name| name != "mod").collect()
}

/// Reads a text in which any planted bug may be named.
fn parse(text: &str) -> Result<Scenario, Box<SyntaxError>> {
    parse_knowing(text, &[])
}

#[test]
fn the_example_of_the_design_reads_and_prints_in_the_queues_own_words() {
    let scenario = parse(DESIGN).unwrap_or_else(|error| panic!("{error}"));
    let expected = DESIGN
        .replace("\"lease lost\"", "lease-expired")
        .replace("  crash  store at", "  power-loss store at")
        .replace("A done", "A completed");
    assert_eq!(scenario.to_string(), expected);
}

#[test]
fn the_files_are_canonical_and_bite_bugs_that_there_are() {
    let bugs = planted_bugs();
    let bugs: Vec<&str> = bugs.iter().map(String::as_str).collect();
    let page = include_str!("../../../docs/TESTING.md");
    let files = folder("regressions").unwrap();
    assert!(files.len() >= 28);
    for (stem, text) in files {
        let scenario = parse_knowing(&text, &bugs).unwrap_or_else(|error| panic!("{stem}: {error}"));
        assert_eq!(scenario.to_string(), text, "{stem}");
        assert_eq!(scenario.name.as_str(), stem);
        assert!(scenario.bites.is_some(), "{stem}");
        assert!(scenario.why.len() >= 2, "{stem} says where it comes from, and what went wrong");
        let guards: Vec<&str> = scenario.guards.iter().map(|guard| guard.as_str()).collect();
        let row = format!("| `{stem}` | {} | `{}` |\n", guards.join(" "), scenario.bites.unwrap());
        assert!(page.contains(&row), "docs/TESTING.md lacks the row {row}");
    }
}

#[test]
fn spaces_comments_and_empty_lines_do_not_matter() {
    let text = DESIGN.replace(' ', "   ").replace("=", " = ").replace('\n', "  # a comment\n\n # another\n");
    // What is in quotes is taken as it is.
    let text = text.replace("lease   lost", "lease lost");
    assert_eq!(parse(&text), parse(DESIGN));
}

#[test]
fn a_job_that_a_block_enqueues_is_known_as_such() {
    let scenario = parse(&DESIGN.replace("  pause  w1", "  enqueue A")).unwrap();
    assert!(scenario.is_enqueued_by_a_block(&scenario.jobs[0].name));
    let scenario = parse(DESIGN).unwrap();
    assert!(!scenario.is_enqueued_by_a_block(&scenario.jobs[0].name));
    assert_eq!(scenario.world.workers().len(), 2);
    assert!(scenario.world.clients().is_empty());
}

proptest! {
    #[test]
    fn what_is_printed_reads_back_as_the_same(scenario in Scenario::sample()) {
        let text = scenario.to_string();
        let read = parse(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
        prop_assert_eq!(&read, &scenario, "{}", text);
        prop_assert_eq!(read.to_string(), text);
    }

    #[test]
    fn a_damaged_file_is_refused_at_a_place_in_it(cut in 0..DESIGN.len(), put in "[ -~\n\té€]{0,3}") {
        let text = format!("{}{put}{}", &DESIGN[..cut], &DESIGN[(cut + put.len()).min(DESIGN.len())..]);
        if let Err(error) = parse(&text) {
            let line = text.lines().nth(error.line - 1).unwrap_or_default();
            prop_assert!((1..=line.chars().count() + 1).contains(&error.column), "{}", error);
            prop_assert!(error.to_string().contains('^'));
        }
    }
}

/// The example with one thing changed, and what is said about it.
fn complain(from: &str, to: &str) -> String {
    assert!(DESIGN.contains(from), "{from}");
    parse(&DESIGN.replacen(from, to, 1)).expect_err("there is a mistake").to_string()
}

macro_rules! complaints {
    ($($name:ident: $from:literal => $to:literal;)+) => {$(
        #[test]
        fn $name() {
            insta::assert_snapshot!(complain($from, $to));
        }
    )+};
}
complaints! {
    a_misspelt_verb_is_guessed: "w1 claims A" => "w1 clams A";
    a_misspelt_action_is_guessed: "  pause  w1" => "  puase  w1";
    a_misspelt_line_is_guessed: "settle   10m" => "setle    10m";
    a_worker_that_nobody_declared: "  resume w1" => "  resume w3";
    a_job_that_nobody_declared: "after    w1 claims A" => "after    w1 claims B";
    a_misspelt_word_where_a_name_could_stand: "expect   invariants hold" => "expect   invariant hold";
    an_effect_without_a_job: "effects inv-7" => "effects inv-8";
    a_duration_without_a_unit: "lease 30s" => "lease 30";
    a_unit_that_is_none: "settle   10m" => "settle   10min";
    a_number_out_of_bounds: "max_attempts=3" => "max_attempts=0";
    an_option_that_there_is_not: "max_attempts=3" => "max-attempts=3";
    work_of_what_does_not_decode: "max_attempts=3" => "payload=garbage work=2s";
    a_wait_reason_that_there_is_not: "\"lease lost\"" => "lease-expires";
    survivors_that_there_are_not: "keep none" => "keep nothing";
    a_line_that_ends_too_early: "store at next wal sync keep none" => "store at next wal";
    a_line_that_goes_on: "expect   invariants hold" => "expect   invariants hold for ever";
    a_file_without_a_name: "scenario zombie-completes-late\n" => "";
    an_empty_block: "  expect A waiting \"lease lost\"\n" => "";
    an_indented_line_without_a_block: "job      A" => "  job    A";
    a_worker_declared_twice: "workers w1 w2" => "workers w1 w1";
    a_name_that_is_a_word_of_the_language: "job      A" => "job      lease";
    lines_in_another_order: "settle   10m\n" => "settle   10m\nworld    1 store\n";
    a_second_settle: "settle   10m\n" => "settle   10m\nsettle   11m\n";
    a_quote_that_is_not_closed: "\"lease lost\"" => "\"lease lost";
    about_to_expire: "after    lease of A expires" => "before   lease of A expires";
    a_clause_that_there_is_not: "expect   invariants hold" => "expect   clause I2.z reached";
}

#[test]
fn a_planted_bug_that_there_is_not() {
    let text = DESIGN.replace("accept-stale-token", "stale-lease-acepted");
    let bugs = ["lease-never-expires", "stale-lease-accepted", "zombie-told-done"];
    insta::assert_snapshot!(parse_knowing(&text, &bugs).unwrap_err().to_string());
}

#[test]
fn a_file_with_nothing_in_it() {
    insta::assert_snapshot!(parse("# later\n").unwrap_err().to_string());
}

fn names<T: Noun>() -> Vec<String> {
    canonical::<T>().map(|(_, name)| name.to_owned()).collect()
}

#[test]
fn the_page_for_people_has_every_name_and_every_sentence() {
    let page = include_str!("../../../docs/SCENARIO_FILES.md");
    let expected = [
        names::<Keyword>(),
        names::<WaitReason>(),
        names::<Outcome>(),
        names::<Payload>(),
        names::<Rejection>(),
        names::<Answer>(),
        names::<RequestKind>(),
        names::<Count>(),
        names::<Comparison>(),
        names::<DiskFile>(),
        names::<Survivors>(),
        names::<OperationKind>(),
        WorldItem::shapes(),
        JobOption::shapes(),
        AttemptScript::shapes(),
        Rest::shapes(),
        Anchor::shapes().into_iter().map(|shape| shape.split(' ').next().unwrap().to_owned()).collect(),
        Deed::shapes(),
        Lapse::shapes(),
        Action::shapes(),
        Message::shapes(),
        Expectation::shapes(),
    ];
    let missing: Vec<String> =
        expected.concat().into_iter().filter(|text| !page.contains(&format!("`{text}`"))).collect();
    assert!(missing.is_empty(), "docs/SCENARIO_FILES.md lacks:\n{}", missing.join("\n"));
}

#[test]
fn the_example_of_the_page_reads() {
    let page = include_str!("../../../docs/SCENARIO_FILES.md");
    let example = page.split("\n```\n").nth(1).unwrap();
    let scenario = parse(example).unwrap_or_else(|error| panic!("{error}"));
    assert!(scenario.blocks.len() >= 3);
}
