//! Copies of a file that is in use, on the real machine.
#![cfg(unix)]
#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "these tests are about the real machine")]

mod notes;

use notes::{Note, measure, place, rot, settled};
use outlive::host::Os;
use outlive::job::State;
use outlive::store::memory::Memory;
use outlive::{Error, Filter, Options, Outlive};
use std::fs;
use std::time::Duration;

async fn fill(outlive: &Outlive, jobs: usize) {
    let note = |number| outlive.enqueue(Note { text: format!("{number} {}", "x".repeat(2_000)) });
    outlive.enqueue_all((0..jobs).map(note)).await.unwrap();
}

#[tokio::test]
async fn a_copy_is_a_queue_with_all_that_was_committed_when_it_was_asked_for() {
    // The log has some of the pages, all of them, or none.
    for frames in [4, 300, 100_000] {
        let (directory, path) = place();
        let copy = directory.path().join("copy.db");
        let outlive = Outlive::builder().checkpoint_frames(frames).open(&path).await.unwrap();
        fill(&outlive, 100).await;
        fill(&outlive, 100).await;
        let backup = outlive.backup(&copy).await.unwrap();
        assert_eq!(backup.bytes, fs::metadata(&copy).unwrap().len());
        fill(&outlive, 1).await;
        let stock = rusqlite::Connection::open(&copy).unwrap();
        let found: String = stock.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
        assert_eq!(found, "ok");
        drop(stock);
        let copied = Outlive::open(&copy).await.unwrap();
        let waiting = copied.list(Filter::state(State::Waiting)).all().await.unwrap();
        assert_eq!(waiting.len(), 200, "with a checkpoint at {frames} frames");
        let _worker = copied.worker().handle(measure).start().unwrap();
        let last: usize = copied.result(waiting[199].id).within(Duration::from_secs(30)).await.unwrap();
        assert_eq!(last, 2_003);
    }
}

#[tokio::test]
async fn a_copy_that_is_made_while_jobs_run_is_whole() {
    let (directory, path) = place();
    let copy = directory.path().join("copy.db");
    let outlive = Outlive::builder().checkpoint_frames(20).page_checksums().open(&path).await.unwrap();
    let worker = outlive.worker().handle(measure).start().unwrap();
    for round in 0..20 {
        fill(&outlive, 20).await;
        let copy = copy.with_extension(format!("{round}.db"));
        outlive.backup(&copy).await.unwrap();
        let stock = rusqlite::Connection::open(&copy).unwrap();
        let found: String = stock.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
        let jobs: i64 = stock.query_row("SELECT COUNT(*) FROM outlive_jobs", [], |row| row.get(0)).unwrap();
        assert_eq!((found.as_str(), jobs), ("ok", 20 * (round + 1)));
    }
    drop(worker);
}

#[tokio::test]
async fn a_copy_takes_nobodys_place_and_clears_away_what_an_earlier_one_left() {
    let (directory, path) = place();
    let copy = directory.path().join("copy.db");
    let outlive = Outlive::open(&path).await.unwrap();
    fs::write(&copy, "mine").unwrap();
    let error = outlive.backup(&copy).await.unwrap_err();
    assert!(matches!(error, Error::Open(_)), "{error}");
    assert!(error.to_string().contains("there is a file, and a copy never takes its place"), "{error}");
    assert_eq!(fs::read_to_string(&copy).unwrap(), "mine");
    fs::remove_file(&copy).unwrap();
    let partial = directory.path().join("copy.db.partial");
    fs::write(&partial, "half of one").unwrap();
    outlive.backup(&copy).await.unwrap();
    assert!(!partial.exists());
    // Of a copy that was here once: the next opening would take it for its own.
    let other = directory.path().join("other.db");
    fs::write(directory.path().join("other.db-wal"), "an old log").unwrap();
    let error = outlive.backup(&other).await.unwrap_err();
    assert!(error.to_string().contains("other.db-wal"), "{error}");
    let inside = outlive.transaction(async |_| outlive.backup(directory.path().join("inside.db")).await).await;
    assert!(matches!(inside, Err(Error::InTransaction { .. })), "{inside:?}");
    let error = outlive.backup(directory.path().join("nowhere/copy.db")).await.unwrap_err();
    assert!(error.to_string().contains("nowhere/copy.db"), "{error}");
}

#[tokio::test]
async fn a_page_that_has_rotted_is_not_copied() {
    let (directory, path) = place();
    let copy = directory.path().join("copy.db");
    let outlive = Outlive::builder().checkpoint_frames(4).page_checksums().open(&path).await.unwrap();
    fill(&outlive, 50).await;
    // Of the last commit the log may have pages still: one in the middle is in the file alone.
    let bytes = settled(&outlive, &path).await;
    let middle = bytes.len() / 2;
    rot(&path, middle, bytes[middle] ^ 1);
    let error = outlive.backup(&copy).await.unwrap_err();
    assert!(error.to_string().contains("is not as it was written"), "{error}");
    assert!(!copy.exists() && !copy.with_extension("db.partial").exists(), "nothing is left of it");
}

#[tokio::test]
async fn a_copy_for_which_there_is_no_room_is_not_begun() {
    let (directory, path) = place();
    let copy = directory.path().join("copy.db");
    let outlive = Outlive::builder().reserve_bytes(u64::MAX).open(&path).await.unwrap();
    let error = outlive.backup(&copy).await.unwrap_err();
    assert!(matches!(error, Error::Refused(_)), "{error}");
    assert!(error.to_string().contains("free some space, or copy to another disk"), "{error}");
    assert!(!copy.with_extension("db.partial").exists());
}

#[tokio::test]
async fn what_is_in_no_file_has_no_copy() {
    let (directory, _) = place();
    let copy = directory.path().join("copy.db");
    let outlive = Outlive::open_on(Os::new().unwrap(), Memory::default(), Options::default()).await.unwrap();
    let error = outlive.backup(&copy).await.unwrap_err();
    assert!(matches!(&error, Error::Rejected { .. }), "{error}");
    assert!(error.to_string().contains("this queue is kept in memory, and there is no file to copy"), "{error}");
}
