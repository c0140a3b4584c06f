//! The demo does what it says, and its executable takes time and randomness from the system alone.
#![cfg(unix)]
#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "these tests are about a real program")]

use std::path::PathBuf;
use std::process::{Command, Output};

/// The demo, which cargo builds beside the tests unless it is told to build this test alone.
fn demo() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let profile = test.parent().and_then(|deps| deps.parent()).expect("a test lies in a folder of its profile");
    let demo = profile.join("examples").join("demo");
    assert!(demo.exists(), "build it first: cargo build --release -p outlive --example demo");
    demo
}

fn run(arguments: &[&str]) -> Output {
    Command::new(demo()).args(arguments).output().unwrap()
}

/// Runs the demo; what it says must have these parts, in this order.
fn check(arguments: &[&str], parts: &[&str]) {
    let Output { status, stdout, stderr } = run(arguments);
    let (said, complaints) = (String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap());
    assert!(status.success(), "{status}\n{said}\n{complaints}");
    assert_eq!(complaints, "");
    let mut rest = said.as_str();
    for part in parts {
        let Some(at) = rest.find(part) else { panic!("{part:?} is missing, or out of order, in\n{said}") };
        rest = &rest[at + part.len()..];
    }
    for job in 1..=3 {
        for attempt in 1..=2 {
            let start = format!("job {job} attempt {attempt} started");
            assert_eq!(said.matches(&start).count(), 2, "{start:?} is said once and logged once in\n{said}");
        }
        let result = ["cat.jpg", "dog.jpg", "owl.jpg"][job - 1];
        assert_eq!(said.matches(&format!("\"{result} resized by attempt 2\"")).count(), 1, "{said}");
    }
    assert!(said.lines().all(|line| line.chars().count() <= 80 || line.starts_with("file ")), "{said}");
}

/// The story, whatever the settings.
const STORY: [&str; 15] = [
    "started the program: pid ",
    "opened the file",
    "job 3, resize owl.jpg, enqueued",
    "attempt 1 started",
    "sent SIGKILL to pid ",
    "it ended by signal: 9",
    "started the program again: pid ",
    "job 3, resize owl.jpg, is in the file already",
    "attempt 2 started",
    "from the kill to the last second start",
    "job 3 completed",
    "the program ended by itself: exit status: 0",
    "job 3 (resize) is completed; attempts: 2, crashes: 1",
    "What the handlers wrote to their log",
    "✓ Killed with three jobs at work: none lost, none stuck, one result each.",
];

#[test]
fn a_killed_program_finishes_its_jobs_when_it_is_started_again() {
    check(&[], &[&["shortened for the demo: crash backoff 0.4 s instead of 1 s"], &STORY[..]].concat());
}

#[test]
fn the_default_settings_do_as_well() {
    check(&["--default-settings"], &[&["the defaults of the queue and its worker"], &STORY[..]].concat());
}

#[test]
fn an_unknown_argument_is_bad_usage() {
    let Output { status, stdout, stderr } = run(&["--faster"]);
    assert_eq!(status.code(), Some(2));
    assert_eq!(stdout, b"");
    assert!(String::from_utf8(stderr).unwrap().starts_with("--faster is no argument of the demo\n\nWorks three jobs"));
}

/// Names of the symbols that an executable defines itself, and does not ask others for.
#[cfg(not(target_env = "musl"))]
fn defined_symbols(executable: &[u8]) -> std::collections::BTreeSet<String> {
    use object::{Object, ObjectSymbol};
    let file = object::File::parse(executable).unwrap();
    let symbols = file.symbols().chain(file.dynamic_symbols());
    let defined = symbols.filter(|symbol| !symbol.is_undefined());
    let names = defined.filter_map(|symbol| symbol.name().ok().map(str::to_owned));
    // Darwin puts an underscore in front, a linker may put a version behind.
    let plain = |name: String| {
        let name = if cfg!(target_vendor = "apple") { name.strip_prefix('_').unwrap_or(&name) } else { &name };
        name.split('@').next().unwrap_or_default().to_owned()
    };
    names.map(plain).collect()
}

/// A simulator's runtime that defines these takes them from the whole program it is linked into.
/// With musl the C library is part of every executable, and defines both.
#[test]
#[cfg(not(target_env = "musl"))]
fn the_demo_defines_no_clock_and_no_randomness_of_its_own() {
    let symbols = defined_symbols(&std::fs::read(demo()).unwrap());
    assert!(symbols.contains("main"), "the reader finds what is surely there");
    for name in ["clock_gettime", "getrandom"] {
        assert!(!symbols.contains(name), "the demo defines {name}");
    }
}
