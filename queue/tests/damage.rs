//! Files that are not as they were written: what is noticed, and what is said of it.
#![cfg(unix)]
#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "these tests are about the real machine")]

use outlive::job::{Holder, RequestId};
use outlive::protocol::{Call, Claim, Reply, Request};
use outlive::{Error, Job, JobId, Options, Outlive};
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tempfile::TempDir;

#[derive(Serialize, Deserialize)]
struct Note {
    text: String,
}

impl Job for Note {
    const KIND: &'static str = "note";
    type Output = ();
}

const JOBS: i64 = 100;

fn text(number: i64) -> String {
    format!("{number} {}", "x".repeat(number as usize * 20))
}

fn options(page_bytes: u32) -> Options {
    Options { page_bytes, page_checksums: true, ..Options::default() }
}

/// A directory, and the path of a queue in it.
fn place() -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("queue.db");
    (directory, path)
}

/// An open queue with jobs in it.
async fn filled(path: &Path, page_bytes: u32) -> Outlive {
    let outlive = Outlive::open_with(path, options(page_bytes)).await.unwrap();
    for number in 1..=JOBS {
        assert_eq!(outlive.enqueue(Note { text: text(number) }).await.unwrap().job, JobId(number));
    }
    outlive
}

/// Its bytes, with its whole log in it, or beside it.
async fn bytes(page_bytes: u32) -> (Vec<u8>, Vec<u8>) {
    let (directory, path) = place();
    let outlive = filled(&path, page_bytes).await;
    let log = fs::read(directory.path().join("queue.db-wal")).unwrap();
    let file = fs::read(&path).unwrap();
    drop(outlive);
    (file, log)
}

fn stock(path: &Path, sql: &str) {
    rusqlite::Connection::open(path).unwrap().execute_batch(sql).unwrap();
}

/// What came of reading every job: how many read as they were written; the error of the first that did not.
async fn read(path: &Path) -> (i64, Option<String>) {
    let outlive = match Outlive::open_with(path, options(4_096)).await {
        Ok(outlive) => outlive,
        Err(error) => return (0, Some(error.to_string())),
    };
    for number in 1..=JOBS {
        match outlive.look(JobId(number)).await {
            Ok(job) => {
                let note: Note = serde_json::from_str(&job.payload).unwrap();
                assert_eq!(note.text, text(number), "job {number} is invented");
            }
            Err(error) => return (number - 1, Some(error.to_string())),
        }
    }
    (JOBS, None)
}

#[tokio::test]
async fn a_file_with_checksums_is_a_file_like_any_other() {
    for page_bytes in [512, 1_024, 4_096, 65_536] {
        let (_directory, path) = place();
        let (file, log) = bytes(page_bytes).await;
        fs::write(&path, file).unwrap();
        fs::write(path.with_extension("db-wal"), log).unwrap();
        // Who moves the log into the file moves the checksums along.
        let connection = rusqlite::Connection::open(&path).unwrap();
        let verdict: String = connection.pragma_query_value(None, "integrity_check", |row| row.get(0)).unwrap();
        let count: i64 = connection.query_row("SELECT count(*) FROM outlive_jobs", [], |row| row.get(0)).unwrap();
        assert_eq!((verdict.as_str(), count), ("ok", JOBS), "{page_bytes}");
        connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
        drop(connection);
        assert_eq!(read(&path).await, (JOBS, None), "{page_bytes}");
    }
}

#[tokio::test]
async fn whatever_byte_of_a_file_rots_nothing_is_invented() {
    let (_directory, path) = place();
    let (file, log) = bytes(1_024).await;
    fs::write(&path, file).unwrap();
    fs::write(path.with_extension("db-wal"), log).unwrap();
    stock(&path, "PRAGMA wal_checkpoint(TRUNCATE)");
    let whole = fs::read(&path).unwrap();
    let (mut detected, mut unread) = (0, 0);
    for at in (0..whole.len()).step_by(389) {
        let (_directory, path) = place();
        let mut rotten = whole.clone();
        rotten[at] ^= 0x20;
        fs::write(&path, rotten).unwrap();
        match read(&path).await {
            (JOBS, None) => unread += 1,
            (_, Some(says)) => {
                let file = path.display().to_string();
                assert!(says.contains(&file), "byte {at}: {says}");
                let known = ["restore it from a backup", "not an Outlive queue", "use a newer Outlive"];
                assert!(known.iter().any(|words| says.contains(words)), "byte {at}: {says}");
                detected += 1;
            }
            (count, None) => unreachable!("{count} jobs, and no error"),
        }
    }
    assert!(detected > 3 * unread, "{detected} detected, {unread} on pages that nobody read");
}

#[tokio::test]
async fn a_page_at_the_place_of_another_is_refused() {
    let (_directory, path) = place();
    let (file, log) = bytes(1_024).await;
    fs::write(&path, file).unwrap();
    fs::write(path.with_extension("db-wal"), log).unwrap();
    stock(&path, "PRAGMA wal_checkpoint(TRUNCATE)");
    let mut bytes = fs::read(&path).unwrap();
    let leaf: u32 = {
        let connection = rusqlite::Connection::open(&path).unwrap();
        connection
            .query_row("SELECT rootpage FROM sqlite_schema WHERE name = 'outlive_jobs'", [], |row| row.get(0))
            .unwrap()
    };
    let at = (leaf as usize - 1) * 1_024;
    let other = bytes[1_024..2_048].to_vec();
    bytes[at..at + 1_024].copy_from_slice(&other);
    fs::write(&path, bytes).unwrap();
    let (_, says) = read(&path).await;
    let expected = format!("page {leaf} is not as it was written");
    assert!(says.as_ref().is_some_and(|says| says.contains(&expected)), "{says:?}");
}

#[tokio::test]
async fn what_another_program_wrote_is_refused_until_it_has_vacuumed() {
    let (_directory, path) = place();
    let (file, log) = bytes(1_024).await;
    fs::write(&path, file).unwrap();
    fs::write(path.with_extension("db-wal"), log).unwrap();
    stock(&path, "UPDATE outlive_jobs SET priority = 1; PRAGMA wal_checkpoint(TRUNCATE)");
    let (_, says) = read(&path).await;
    assert!(says.as_ref().is_some_and(|says| says.contains("is damaged: page")), "{says:?}");
    stock(&path, "VACUUM; PRAGMA wal_checkpoint(TRUNCATE)");
    assert_eq!(read(&path).await, (JOBS, None));
}

#[tokio::test]
async fn a_log_that_breaks_off_before_what_was_acknowledged_is_refused_and_the_remedy_works() {
    let (_directory, path) = place();
    let (file, mut log) = bytes(4_096).await;
    let middle = 32 + (log.len() / (24 + 4_096) / 2) * (24 + 4_096) + 2_000;
    log[middle] ^= 1;
    fs::write(&path, &file).unwrap();
    fs::write(path.with_extension("db-wal"), &log).unwrap();
    let Err(Error::Open(error)) = Outlive::open(&path).await else { panic!("it was opened") };
    let says = error.to_string();
    let remedy = format!("`sqlite3 {} 'PRAGMA wal_checkpoint(TRUNCATE)'`", path.display());
    assert!(says.contains("has lost changes that were acknowledged") && says.ends_with(&remedy), "{says}");
    assert_eq!((fs::read(&path).unwrap(), fs::read(path.with_extension("db-wal")).unwrap()), (file, log));
    stock(&path, "PRAGMA wal_checkpoint(TRUNCATE)");
    let outlive = Outlive::open(&path).await.unwrap();
    assert!(outlive.look(JobId(1)).await.is_ok());
    assert!(outlive.look(JobId(JOBS)).await.is_err(), "that is what was lost");
}

#[tokio::test]
async fn a_log_whose_last_commit_alone_is_torn_opens() {
    let (_directory, path) = place();
    let (file, mut log) = bytes(4_096).await;
    let last = log.len() - 100;
    log[last] ^= 1;
    fs::write(&path, &file).unwrap();
    fs::write(path.with_extension("db-wal"), &log).unwrap();
    let outlive = Outlive::open(&path).await.unwrap();
    assert!(outlive.look(JobId(JOBS - 1)).await.is_ok());
    assert!(outlive.look(JobId(JOBS)).await.is_err(), "nothing says that it was acknowledged");
}

/// The engine of a process outlives a file that is put back behind its back.
#[tokio::test]
async fn a_file_that_rots_under_an_open_queue_stops_it_for_good() {
    let (_directory, path) = place();
    let (file, log) = bytes(1_024).await;
    fs::write(&path, file).unwrap();
    fs::write(path.with_extension("db-wal"), log).unwrap();
    stock(&path, "PRAGMA wal_checkpoint(TRUNCATE)");
    let whole = fs::read(&path).unwrap();
    let outlive = Arc::new(Outlive::open(&path).await.unwrap());
    // Every page but those that the opening has read already: the rest of the jobs.
    use std::os::unix::fs::FileExt;
    let open = fs::File::options().write(true).open(&path).unwrap();
    for page in 1..whole.len() / 1_024 {
        open.write_all_at(&[whole[page * 1_024 + 700] ^ 1], page as u64 * 1_024 + 700).unwrap();
    }
    let mut stopped = None;
    for number in 1..=JOBS {
        match outlive.look(JobId(number)).await {
            Ok(job) => assert!(job.payload.contains(&text(number)), "job {number} is invented"),
            Err(error) => {
                stopped = Some(error.to_string());
                break;
            }
        }
    }
    let says = stopped.expect("a page was read");
    assert!(says.contains("restore it from a backup"), "{says}");
    let refused = outlive.enqueue(Note { text: "one more".into() }).await.unwrap_err().to_string();
    assert!(refused.contains("restore it from a backup"), "{refused}");
}

/// A job at work whose attempt has failed already, says a row that nobody wrote: what an opening would write of it
/// contradicts that.
#[tokio::test]
async fn rows_that_contradict_each_other_are_damage() {
    let ((_directory, path), (_other, copy)) = (place(), place());
    let outlive = Outlive::open(&path).await.unwrap();
    outlive.enqueue(Note { text: "a".into() }).await.unwrap();
    let claim = Claim {
        worker: "w".into(),
        holder: Holder::Here,
        queues: vec!["default".into()],
        kinds: vec![Note::KIND.into()],
        most: 1,
        lease_ms: 30_000,
        wait_ms: 0,
    };
    let claimed = outlive.service().call(Call { id: RequestId([1; 16]), request: Request::Claim(claim) }).await;
    assert!(matches!(claimed, Ok(Reply::Claimed { grants }) if grants.len() == 1));
    for (from, to) in [(&path, &copy), (&path.with_extension("db-wal"), &copy.with_extension("db-wal"))] {
        fs::copy(from, to).unwrap();
    }
    stock(&copy, "INSERT INTO outlive_failures VALUES (1, 1, 1, 0, 'error', 'it did', '[]', 1, 'discard', NULL, NULL)");
    let says = Outlive::open(&copy).await.err().map(|error| error.to_string()).expect("it is not opened");
    for part in [copy.to_str().unwrap(), "is damaged", "outlive_failures", "restore it from a backup"] {
        assert!(says.contains(part), "{part}: {says}");
    }
}
