//! The demo does what it says, and its executable takes time and randomness from the system alone.
#![cfg(unix)]
#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "these tests are about a real program")]

use rustix::process::{Pid, Signal};
use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::channel;
use std::time::Duration;

/// The demo, which cargo builds beside the tests unless it is told to build this test alone.
fn demo() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let profile = test.parent().and_then(|deps| deps.parent()).expect("a test lies in a folder of its profile");
    let demo = profile.join("examples").join("demo");
    assert!(demo.exists(), "build it first: cargo build --release --workspace --example demo");
    demo
}

fn run(arguments: &[&str]) -> Output {
    Command::new(demo()).args(arguments).output().unwrap()
}

/// Runs the demo; what it says must have these settings, and then both acts in their order.
fn check(arguments: &[&str], settings: &str) {
    let Output { status, stdout, stderr } = run(arguments);
    let (said, complaints) = (String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap());
    assert!(status.success(), "{status}\n{said}\n{complaints}");
    assert_eq!(complaints, "");
    assert!(said.lines().all(|line| line.chars().count() <= 80 || line.starts_with("folder ")), "{said}");
    let (before, acts) = said.split_once("Act 1: ").expect("there is an act 1");
    let (one, two) = acts.split_once("Act 2: ").expect("there is an act 2");
    check_order(before, &[settings]);
    check_order(one, &ACT_ONE);
    check_order(two, &ACT_TWO);
    for (act, jobs, attempts) in [(one, 1..=3, 2), (two, 1..=3, 2), (two, 4..=6, 1)] {
        for job in jobs {
            for attempt in 1..=attempts {
                let start = format!("job {job} attempt {attempt} started");
                assert_eq!(act.matches(&start).count(), 2, "{start:?} is said once and logged once in\n{act}");
            }
            let photo = ["cat.jpg", "dog.jpg", "owl.jpg", "ant.jpg", "bee.jpg", "fox.jpg"][job - 1];
            let result = format!("\"{photo} resized by attempt {attempts}\"");
            assert_eq!(act.matches(&result).count(), 1, "{result} in\n{act}");
        }
    }
}

/// Checks that a text has these parts, in this order.
fn check_order(text: &str, parts: &[&str]) {
    let mut rest = text;
    for part in parts {
        let Some(at) = rest.find(part) else { panic!("{part:?} is missing, or out of order, in\n{text}") };
        rest = &rest[at + part.len()..];
    }
}

/// The story of act 1, whatever the settings.
const ACT_ONE: [&str; 15] = [
    "started the program: pid ",
    "opened the file",
    "job 3, resize owl.jpg, enqueued",
    "attempt 1 started",
    "sent SIGKILL to the program",
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

/// The story of act 2.
const ACT_TWO: [&str; 26] = [
    "started the server: pid ",
    "server │ serving jobs.db at http://127.0.0.1:",
    "started worker 1: pid ",
    "enqueued job 3, resize owl.jpg",
    "worker 1 │ job ",
    "attempt 1 started",
    "started worker 2: pid ",
    "sent SIGKILL to worker 1; it ended by signal: 9",
    "Job 1 (resize) is running on worker 1",
    "Nobody helps",
    "worker 2 │ job ",
    "attempt 2 started",
    "from the kill to the last second start",
    "attempt 2 finished its work",
    "job 3 completed, says the server",
    "enqueued job 6, resize fox.jpg",
    "attempt 1 started",
    "sent SIGKILL to the server; it ended by signal: 9",
    "attempt 1 finished its work",
    "worker 2 has three results, and no server to take them",
    "started the server again: pid ",
    "job 6 completed, says the server",
    "job 3 (resize) is completed; attempts: 2, crashes: 1",
    "job 6 (resize) is completed; attempts: 1, crashes: 0",
    "✓ Worker killed, three jobs at work: another worker finished all of them.",
    "✓ Server killed, three jobs at work: none lost, none run a second time.",
];

#[test]
fn what_is_killed_leaves_its_jobs_to_others() {
    check(&[], "crash backoff 0.4 s instead of 1 s,\n          lease 5 s instead of 30 s");
}

#[test]
fn the_default_settings_do_as_well() {
    check(&["--default-settings"], "the defaults of queue and worker: crash backoff 1 s, lease 30 s");
}

/// A demo in the middle of its second act, with worker 1 dead and worker 2 waiting.
struct Midway {
    demo: Child,
    worker: Pid,
    /// Where it has its files: it leaves them there if it does not come to its end.
    _folder: tempfile::TempDir,
}

impl Midway {
    fn reach() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new(demo());
        command.env("TMPDIR", folder.path()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut demo = command.spawn().unwrap();
        let said = BufReader::new(demo.stdout.as_mut().unwrap());
        let said: Vec<String> = said.lines().map(Result::unwrap).take_while(|line| !line.contains(MIDWAY)).collect();
        let pid =
            said.iter().find_map(|line| line.split_once("started worker 2: pid ")).expect("worker 2 has started").1;
        Self { demo, worker: Pid::from_raw(pid.parse().unwrap()).unwrap(), _folder: folder }
    }

    /// What it complains of, and how it ends. Its children have that end of the pipe too, so this
    /// also waits for theirs.
    fn end(mut self) -> (ExitStatus, String) {
        let mut stderr = self.demo.stderr.take().unwrap();
        let (sender, complaints) = channel();
        std::thread::spawn(move || sender.send(std::io::read_to_string(&mut stderr).unwrap()));
        let complaints = complaints.recv_timeout(Duration::from_secs(20)).expect("nobody is left to complain");
        (self.demo.wait().unwrap(), complaints)
    }
}

const MIDWAY: &str = "Nobody helps";

#[test]
fn what_should_not_happen_fails_the_demo_and_ends_its_children() {
    let midway = Midway::reach();
    rustix::process::kill_process(midway.worker, Signal::KILL).unwrap();
    let (status, complaints) = midway.end();
    assert_eq!(status.code(), Some(1));
    let sentence = "✗ This is not what should have happened: worker 2 ended too early, by signal: 9";
    assert!(complaints.contains(sentence), "{complaints}");
}

#[test]
fn no_child_outlives_a_demo_that_is_killed() {
    let mut midway = Midway::reach();
    midway.demo.kill().unwrap();
    let (status, complaints) = midway.end();
    assert_eq!((status.signal(), complaints.as_str()), (Some(9), ""));
}

#[test]
fn an_unknown_argument_is_bad_usage() {
    let Output { status, stdout, stderr } = run(&["--faster"]);
    assert_eq!(status.code(), Some(2));
    assert_eq!(stdout, b"");
    assert!(
        String::from_utf8(stderr)
            .unwrap()
            .starts_with("--faster is no argument of the demo\n\nWorks jobs in real processes")
    );
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
