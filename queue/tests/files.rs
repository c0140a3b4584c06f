//! What is done to files that are not ours, not whole, or in use: nothing.
#![cfg(unix)]
#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "these tests are about the real machine")]

use outlive::store::turso::{APPLICATION_ID, FORMAT};
use outlive::{Error, Job, Options, Outlive};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;

#[derive(Serialize, Deserialize)]
struct Note {
    text: String,
}

impl Job for Note {
    const KIND: &'static str = "note";
    type Output = ();
}

fn note(text: &str) -> Note {
    Note { text: text.into() }
}

/// A directory, and the path of a queue in it.
fn place() -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("queue.db");
    (directory, path)
}

/// Every file of a directory, byte for byte.
fn contents(directory: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(directory).unwrap().map(Result::unwrap);
    entries.map(|it| (it.file_name().into_string().unwrap(), fs::read(it.path()).unwrap())).collect()
}

fn names(directory: &Path) -> Vec<String> {
    contents(directory).into_keys().collect()
}

async fn refusal(path: &Path) -> String {
    match Outlive::open(path).await {
        Err(Error::Open(error)) => error.to_string().replace(&path.display().to_string(), "queue.db"),
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("it was opened"),
    }
}

/// Refuses to open the file at `path`, and leaves its directory as it is; what was said.
async fn refused_untouched(path: &Path) -> String {
    let directory = path.parent().unwrap();
    let before = contents(directory);
    let refusal = refusal(path).await;
    assert!(contents(directory) == before, "touched: {:?}, before: {:?}", names(directory), before.keys());
    refusal
}

/// A closed queue with a job in it, all of it in one file.
async fn closed_queue(path: &Path) {
    let outlive = Outlive::open(path).await.unwrap();
    for number in 0..50 {
        outlive.enqueue(note(&format!("{number} {}", "x".repeat(1_000)))).await.unwrap();
    }
    drop(outlive);
    until_closed(path).await;
    let stock = rusqlite::Connection::open(path).unwrap();
    stock.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
    drop(stock);
    fs::remove_file(path.with_extension("db.lock")).unwrap();
    assert_eq!(names(path.parent().unwrap()), ["queue.db"]);
}

/// Waits until the engine, which ends by itself once nobody calls it, has closed the file.
async fn until_closed(path: &Path) {
    use outlive::host::{Disk, DiskFile, Host, OpenMode, Os};
    let lock = Os::new().unwrap().disk().open(&path.with_extension("db.lock"), OpenMode::Existing).unwrap();
    while !lock.try_lock().unwrap() {
        tokio::task::yield_now().await;
    }
}

// Files that are not ours.

#[tokio::test]
async fn a_text_is_refused_and_untouched() {
    let (_directory, path) = place();
    fs::write(&path, "Dear diary,\ntoday I lost a job.\n").unwrap();
    insta::assert_snapshot!(refused_untouched(&path).await);
}

#[tokio::test]
async fn an_empty_file_is_refused_and_untouched() {
    let (_directory, path) = place();
    fs::write(&path, "").unwrap();
    insta::assert_snapshot!(refused_untouched(&path).await);
}

#[tokio::test]
async fn a_file_shorter_than_a_header_is_refused_and_untouched() {
    let (_directory, path) = place();
    fs::write(&path, "SQLite format 3\0 and little else").unwrap();
    insta::assert_snapshot!(refused_untouched(&path).await);
}

#[tokio::test]
async fn the_database_of_another_program_is_refused_and_untouched() {
    let (_directory, path) = place();
    let stock = rusqlite::Connection::open(&path).unwrap();
    stock.execute_batch("CREATE TABLE t (a); INSERT INTO t VALUES (1)").unwrap();
    drop(stock);
    insta::assert_snapshot!(refused_untouched(&path).await);
}

#[tokio::test]
async fn the_open_database_of_another_program_is_refused_and_untouched_with_its_log() {
    let (directory, path) = place();
    let stock = rusqlite::Connection::open(&path).unwrap();
    stock.execute_batch("PRAGMA journal_mode = WAL; PRAGMA application_id = 9; CREATE TABLE t (a)").unwrap();
    assert_eq!(names(directory.path()), ["queue.db", "queue.db-shm", "queue.db-wal"]);
    // Its first page is still in its log alone: the file is nearly empty.
    let refusal = refused_untouched(&path).await;
    assert!(refusal.contains("not an Outlive queue"), "{refusal}");
    stock.execute_batch("INSERT INTO t VALUES (1)").unwrap();
}

#[tokio::test]
async fn a_directory_is_refused_and_untouched() {
    let (directory, path) = place();
    fs::create_dir(&path).unwrap();
    let refusal = refusal(&path).await;
    assert!(refusal.starts_with("queue.db: open the file: "), "{refusal}");
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
}

#[tokio::test]
async fn a_queue_in_no_directory_is_refused() {
    let (_directory, path) = place();
    let refusal = refusal(&path.join("below")).await;
    assert!(refusal.contains("No such file"), "{refusal}");
}

// Files of ours that are not as they should be.

#[tokio::test]
async fn a_truncated_queue_is_refused_and_untouched() {
    let (_directory, path) = place();
    closed_queue(&path).await;
    let length = fs::metadata(&path).unwrap().len();
    let file = fs::File::options().write(true).open(&path).unwrap();
    for cut in [1, 4_096, length - 4_096, length - 4_000] {
        file.set_len(length - cut).unwrap();
        let refusal = refused_untouched(&path).await;
        assert!(refusal.starts_with("queue.db is damaged: it is truncated: "), "{refusal}");
        assert!(refusal.ends_with("It was left untouched; restore it from a backup"), "{refusal}");
    }
    file.set_len(99).unwrap();
    insta::assert_snapshot!(refused_untouched(&path).await);
}

#[tokio::test]
async fn a_queue_of_a_newer_version_is_refused_and_untouched() {
    let (_directory, path) = place();
    closed_queue(&path).await;
    let stock = rusqlite::Connection::open(&path).unwrap();
    let newer = format!("PRAGMA user_version = {}; PRAGMA wal_checkpoint(TRUNCATE)", FORMAT + 2);
    stock.execute_batch(&newer).unwrap();
    drop(stock);
    insta::assert_snapshot!(refused_untouched(&path).await);
}

#[tokio::test]
async fn what_an_unfinished_creation_left_is_cleaned_up() {
    let (directory, path) = place();
    for leftover in ["queue.db.new", "queue.db.new-wal"] {
        fs::write(directory.path().join(leftover), "half a header").unwrap();
    }
    let outlive = Outlive::open(&path).await.unwrap();
    let job = outlive.enqueue(note("a")).await.unwrap().job;
    assert_eq!(names(directory.path()), ["queue.db", "queue.db-wal", "queue.db.lock"]);
    assert_eq!(outlive.look(job).await.unwrap().payload, r#"{"text":"a"}"#);
}

// Files in use.

/// Names the queue that [`a_child_opens_a_queue`] is to open; without it that test does nothing.
const CHILD_OPENS: &str = "OUTLIVE_TEST_CHILD_OPENS";

/// Not a test by itself: the other process of the tests below, which run it as a child.
#[tokio::test]
async fn a_child_opens_a_queue() {
    let Some(path) = std::env::var_os(CHILD_OPENS) else { return };
    let outlive = Outlive::open(path).await;
    println!("child: {}", outlive.as_ref().err().map_or("opened".into(), ToString::to_string));
    // Until the parent kills it, or is gone itself.
    std::io::stdin().read_line(&mut String::new()).unwrap();
    drop(outlive);
}

/// Names the database that [`a_child_has_stock_sqlite`] is to write to; without it that test does
/// nothing.
const CHILD_WRITES: &str = "OUTLIVE_TEST_CHILD_WRITES";

/// Not a test by itself. A process of its own, because the locks of stock SQLite belong to the
/// process, which loses them when it closes the file anywhere.
#[test]
fn a_child_has_stock_sqlite() {
    let Some(path) = std::env::var_os(CHILD_WRITES) else { return };
    let stock = rusqlite::Connection::open(path).unwrap();
    stock.execute_batch("BEGIN IMMEDIATE; UPDATE outlive_jobs SET priority = 1").unwrap();
    println!("child: wrote");
    std::io::stdin().read_line(&mut String::new()).unwrap();
    stock.execute_batch("COMMIT").unwrap();
    drop(stock);
    // Nobody listens any more to what else a test would say.
    std::process::exit(0);
}

/// Another process that has tried to open the queue, and what it said.
fn child_opens(path: &Path) -> (Child, String) {
    child("a_child_opens_a_queue", CHILD_OPENS, path)
}

fn child(test: &str, variable: &str, path: &Path) -> (Child, String) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(variable, path)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let said = lines.into_iter().find_map(|line| line.split_once("child: ").map(|(_, said)| said.to_owned()));
    (child, said.expect("the child answers"))
}

fn kill(mut child: Child) {
    child.kill().unwrap(); // SIGKILL: no destructor runs.
    child.wait().unwrap();
}

#[tokio::test]
async fn a_second_process_is_refused_and_told_who_has_the_queue() {
    let (_directory, path) = place();
    let outlive = Outlive::open(&path).await.unwrap();
    outlive.enqueue(note("a")).await.unwrap();
    let (child, said) = child_opens(&path);
    kill(child);
    let (file, holder) = (path.display(), std::process::id());
    assert_eq!(said, format!("{file} is in use by pid {holder}; one process at a time may have it open"));
    outlive.enqueue(note("b")).await.unwrap();
}

#[tokio::test]
async fn a_second_opening_in_the_same_process_is_refused_too() {
    let (_directory, path) = place();
    let outlive = Outlive::open(&path).await.unwrap();
    let said = refusal(&path).await;
    assert_eq!(
        said,
        format!("queue.db is in use by pid {}; one process at a time may have it open", std::process::id())
    );
    outlive.enqueue(note("a")).await.unwrap();
}

#[tokio::test]
async fn a_queue_is_free_again_once_its_holder_is_killed() {
    let (_directory, path) = place();
    let (child, said) = child_opens(&path);
    assert_eq!(said, "opened");
    let refusal = refusal(&path).await;
    assert_eq!(refusal, format!("queue.db is in use by pid {}; one process at a time may have it open", child.id()));
    kill(child);
    Outlive::open(&path).await.unwrap();
}

#[tokio::test]
async fn stock_sqlite_is_kept_out_while_the_queue_is_open_and_welcome_afterwards() {
    let (directory, path) = place();
    let outlive = Outlive::open(&path).await.unwrap();
    outlive.enqueue(note("a")).await.unwrap();
    let before = contents(directory.path());
    let count = || -> rusqlite::Result<i64> {
        let stock = rusqlite::Connection::open(&path)?;
        stock.busy_timeout(Duration::ZERO)?;
        stock.query_row("SELECT count(*) FROM outlive_jobs", [], |row| row.get(0))
    };
    let busy = count().unwrap_err();
    assert_eq!(busy.sqlite_error_code(), Some(rusqlite::ErrorCode::DatabaseBusy), "{busy}");
    assert!(contents(directory.path()) == before, "{:?}", names(directory.path()));
    // Closing its connection has not dropped our lock either.
    assert_eq!(count().unwrap_err().sqlite_error_code(), Some(rusqlite::ErrorCode::DatabaseBusy));
    outlive.enqueue(note("b")).await.unwrap();
    drop(outlive);
    until_closed(&path).await;
    assert_eq!(count().unwrap(), 2);
}

#[tokio::test]
async fn a_queue_in_use_by_stock_sqlite_is_refused() {
    let (_directory, path) = place();
    closed_queue(&path).await;
    let (mut child, said) = child("a_child_has_stock_sqlite", CHILD_WRITES, &path);
    assert_eq!(said, "wrote");
    let refusal = refusal(&path).await;
    assert!(refusal.contains("in use by another program, perhaps sqlite3"), "{refusal}");
    // It may commit now.
    drop(child.stdin.take());
    assert!(child.wait().unwrap().success());
    let outlive = Outlive::open(&path).await.unwrap();
    assert_eq!(outlive.look(outlive::JobId(1)).await.unwrap().priority, 1);
}

#[tokio::test]
async fn a_queue_says_what_it_is_to_those_who_look() {
    let (_directory, path) = place();
    closed_queue(&path).await;
    let stock = rusqlite::Connection::open(&path).unwrap();
    let pragma = |name: &str| -> i64 { stock.pragma_query_value(None, name, |row| row.get(0)).unwrap() };
    assert_eq!((pragma("application_id"), pragma("user_version")), (APPLICATION_ID, FORMAT));
    let whole: String = stock.pragma_query_value(None, "integrity_check", |row| row.get(0)).unwrap();
    assert_eq!(whole, "ok");
}

/// Pages of any size that the format knows, and rows that overflow them; the size stays that of
/// the file, whatever a later opening chooses.
#[tokio::test]
async fn a_queue_has_pages_of_the_size_that_its_first_opening_chose() {
    for page_bytes in [512, 1_024, 65_536] {
        let (_directory, path) = place();
        let texts: Vec<String> = (0..40).map(|number| "x".repeat(number * 300)).collect();
        let mut ids = Vec::new();
        for texts in texts.chunks(20) {
            let options = Options { page_bytes: if ids.is_empty() { page_bytes } else { 4_096 }, ..Options::default() };
            let outlive = Outlive::open_with(&path, options).await.unwrap();
            for text in texts {
                ids.push(outlive.enqueue(note(text)).await.unwrap().job);
            }
            drop(outlive);
            until_closed(&path).await;
        }
        let stock = rusqlite::Connection::open(&path).unwrap();
        let found: u32 = stock.pragma_query_value(None, "page_size", |row| row.get(0)).unwrap();
        assert_eq!(found, page_bytes);
        let verdict: String = stock.pragma_query_value(None, "integrity_check", |row| row.get(0)).unwrap();
        assert_eq!(verdict, "ok");
        for (id, text) in ids.iter().zip(&texts) {
            let payload: String =
                stock.query_row("SELECT payload FROM outlive_jobs WHERE id = ?1", [id.0], |row| row.get(0)).unwrap();
            assert_eq!(payload, serde_json::to_string(&note(text)).unwrap());
        }
    }
}
