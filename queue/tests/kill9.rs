//! Processes that are killed at any instant: whatever they had acknowledged is in the file, which
//! is whole for stock SQLite and for us.
#![cfg(unix)]
#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "these tests are about the real machine")]

use outlive::host::Os;
use outlive::job::{Holder, JobId, RequestId, State};
use outlive::protocol::{Call, Claim, Enqueue, Reply, Request, Service};
use outlive::store::turso::TursoStorage;
use outlive::{Local, Options, Outlive};
use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

const KILLS: u64 = 100;
/// So many kills follow each other on one file.
const KILLS_PER_FILE: u64 = 10;

/// Names the queue that [`a_child_works_until_it_is_killed`] works on; without it that test does
/// nothing.
const CHILD_WORKS: &str = "OUTLIVE_TEST_CHILD_WORKS";

/// Not a test by itself: the process that is killed. It says what was acknowledged, and nothing else.
#[tokio::test]
async fn a_child_works_until_it_is_killed() {
    let Some(path) = std::env::var_os(CHILD_WORKS) else { return };
    let os = Os::new().unwrap();
    // Checkpoints are frequent, so that kills meet them.
    let options = Options { checkpoint_frames: 50, ..Options::default() };
    let local = Local::open(os.clone(), TursoStorage::new(os, path), options).await.unwrap();
    say("opened");
    let run = u64::from(std::process::id());
    let names = AtomicU64::new(0);
    let request = async |request| {
        let name = names.fetch_add(1, Ordering::Relaxed);
        let id = RequestId(((u128::from(run) << 64) | u128::from(name)).to_be_bytes());
        local.call(Call { id, request }).await.unwrap()
    };
    let enqueueing = async || {
        loop {
            if let Reply::Enqueued { job, .. } = request(Request::Enqueue(job())).await {
                say(&format!("enqueued {job}"));
            }
        }
    };
    let completing = async || {
        loop {
            let Reply::Claimed { grants } = request(Request::Claim(claim())).await else { panic!("a claim") };
            for granted in grants {
                let lease = granted.lease;
                request(Request::Complete { lease, result: Some("1".into()) }).await;
                say(&format!("completed {}", lease.job));
            }
        }
    };
    tokio::join!(enqueueing(), enqueueing(), completing());
}

fn say(what: &str) {
    let mut output = std::io::stdout().lock();
    // The parent may be gone; then this is over too.
    writeln!(output, "child: {what}").and_then(|()| output.flush()).unwrap();
}

fn job() -> Enqueue {
    Enqueue { max_attempts: Some(3), ..Enqueue::new("a", format!("{:?}", "x".repeat(500))) }
}

fn claim() -> Claim {
    Claim {
        worker: "w".into(),
        holder: Holder::Here,
        queues: vec!["default".into()],
        kinds: vec!["a".into()],
        most: 3,
        lease_ms: 30_000,
        wait_ms: 60_000,
    }
}

/// What was acknowledged by all processes that had a file.
#[derive(Default)]
struct Acknowledged {
    enqueued: BTreeSet<i64>,
    completed: BTreeSet<i64>,
}

impl Acknowledged {
    fn hear(&mut self, said: &str) {
        match said.split_once(' ') {
            Some(("enqueued", job)) => assert!(self.enqueued.insert(job.parse().unwrap()), "{said} twice"),
            Some(("completed", job)) => assert!(self.completed.insert(job.parse().unwrap()), "{said} twice"),
            _ => assert_eq!(said, "opened"),
        }
    }
}

/// Lets a child work on the queue, and kills it so long after its first acknowledgement.
fn work_and_kill(path: &Path, delay: Duration, acknowledged: &mut Acknowledged) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "a_child_works_until_it_is_killed", "--nocapture"])
        .env(CHILD_WORKS, path)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let output = BufReader::new(child.stdout.take().unwrap());
    let mut said = output
        .lines()
        .map(Result::unwrap)
        .filter_map(|line| line.split_once("child: ").map(|(_, said)| said.to_owned()));
    assert_eq!(said.next().as_deref(), Some("opened"), "every opening recovers");
    acknowledged.hear(&said.next().expect("the child works"));
    let killer = thread::spawn(move || {
        // Not to wait for anything: this is the fault.
        thread::sleep(delay);
        child.kill().unwrap(); // SIGKILL: no destructor runs.
        child.wait().unwrap();
    });
    said.for_each(|said| acknowledged.hear(&said));
    killer.join().unwrap();
}

/// Stock SQLite finds a copy of the files whole, and everything acknowledged in it.
fn check_with_stock_sqlite(path: &Path, acknowledged: &Acknowledged) {
    let directory = tempfile::tempdir().unwrap();
    let copy = directory.path().join("copy.db");
    fs::copy(path, &copy).unwrap();
    fs::copy(path.with_extension("db-wal"), copy.with_extension("db-wal")).unwrap();
    let stock = rusqlite::Connection::open(&copy).unwrap();
    let whole: String = stock.pragma_query_value(None, "integrity_check", |row| row.get(0)).unwrap();
    assert_eq!(whole, "ok");
    let jobs = |condition: &str| -> BTreeSet<i64> {
        let mut statement = stock.prepare(&format!("SELECT id FROM outlive_jobs WHERE {condition}")).unwrap();
        let ids = statement.query_map([], |row| row.get(0)).unwrap();
        ids.map(Result::unwrap).collect()
    };
    let missing = |wanted: &BTreeSet<i64>, found: &BTreeSet<i64>| wanted.difference(found).copied().collect::<Vec<_>>();
    assert_eq!(missing(&acknowledged.enqueued, &jobs("TRUE")), [0_i64; 0], "acknowledged, but not there");
    let completed = jobs("state = 'completed' AND result = '1'");
    assert_eq!(missing(&acknowledged.completed, &completed), [0_i64; 0], "acknowledged, but not completed");
}

/// Our own opening recovers a copy of the files, and answers from it.
async fn check_by_opening(path: &Path, acknowledged: &Acknowledged) {
    let directory = tempfile::tempdir().unwrap();
    let copy = directory.path().join("copy.db");
    fs::copy(path, &copy).unwrap();
    fs::copy(path.with_extension("db-wal"), copy.with_extension("db-wal")).unwrap();
    let outlive = Outlive::open(&copy).await.unwrap();
    for &job in acknowledged.enqueued.iter().rev().take(20) {
        let state = outlive.look(JobId(job)).await.unwrap().state;
        assert_ne!(state, State::Running, "its worker is dead");
        assert!(state == State::Completed || !acknowledged.completed.contains(&job));
    }
}

/// Draws the delays.
///
/// Source: S. Vigna, "splitmix64.c", 2015, in the public domain.
fn random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[tokio::test]
async fn nothing_acknowledged_is_lost_by_a_hundred_kills() {
    let (mut seed, mut enqueued, mut completed) = (1, 0, 0);
    for _ in 0..KILLS / KILLS_PER_FILE {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("queue.db");
        let mut acknowledged = Acknowledged::default();
        for _ in 0..KILLS_PER_FILE {
            let delay = Duration::from_micros(5_000 + random(&mut seed) % 55_000);
            work_and_kill(&path, delay, &mut acknowledged);
            check_with_stock_sqlite(&path, &acknowledged);
            check_by_opening(&path, &acknowledged).await;
        }
        enqueued += acknowledged.enqueued.len();
        completed += acknowledged.completed.len();
    }
    println!("{KILLS} kills, {enqueued} jobs, {completed} completions");
    // Each run has acknowledged something before its kill, or it showed nothing.
    assert!(enqueued >= usize::try_from(KILLS).unwrap());
    assert!(completed > 0);
}
