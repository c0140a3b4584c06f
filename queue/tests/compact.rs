//! Files that are made smaller, on the real machine.
#![cfg(unix)]
#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "these tests are about the real machine")]

mod notes;

use notes::{Note, measure, place, rot, settled};
use outlive::host::Os;
use outlive::job::State;
use outlive::store::memory::Memory;
use outlive::{Error, Filter, Options, Outlive};
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

fn bytes(path: &Path) -> u64 {
    fs::metadata(path).unwrap().len()
}

/// A queue of 200 jobs, in whose file most pages are free: something else was between them.
async fn worn(path: &Path, has_sums: bool) -> Outlive {
    let builder = Outlive::builder().checkpoint_frames(4);
    let builder = if has_sums { builder.page_checksums() } else { builder };
    let outlive = builder.open(path).await.unwrap();
    let run = async |sql: &str| {
        outlive.transaction(async |tx| tx.execute(sql, ()).await.map(drop)).await.unwrap();
    };
    run("CREATE TABLE heap (bytes BLOB)").await;
    for round in 0..10 {
        let row = format!("('{}')", "x".repeat(3_000));
        run(&format!("INSERT INTO heap VALUES {}", vec![row; 40].join(", "))).await;
        let note = |number| outlive.enqueue(Note { text: format!("{round} {number} {}", "x".repeat(500)) });
        outlive.enqueue_all((0..20).map(note)).await.unwrap();
    }
    run("DELETE FROM heap").await;
    outlive
}

#[tokio::test]
async fn a_file_becomes_smaller_and_the_queue_goes_on() {
    for has_sums in [false, true] {
        let (_directory, path) = place();
        let outlive = worn(&path, has_sums).await;
        let _worker = outlive.worker().handle(measure).start().unwrap();
        let compacted = outlive.compact().await.unwrap();
        assert!(compacted.before_bytes > 1_200_000 && compacted.after_bytes < 400_000, "{compacted:?}");
        let notes = || outlive.enqueue(Note { text: "more".into() });
        let later = outlive.enqueue_all((0..20).map(|_| notes())).await.unwrap();
        let last: usize = outlive.result(later[19].job).within(Duration::from_secs(60)).await.unwrap();
        assert_eq!(last, 4);
        let ended = outlive.list(Filter::state(State::Completed)).all().await.unwrap();
        assert_eq!(ended.len(), 220);
        // The second time there is little to do.
        let again = outlive.compact().await.unwrap();
        assert!(again.after_bytes <= again.before_bytes && again.before_bytes < 500_000, "{again:?}");
        assert_eq!(bytes(&path), again.after_bytes);
        drop((_worker, outlive));
        let stock = rusqlite::Connection::open(&path).unwrap();
        let found: String = stock.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
        let free: i64 = stock.query_row("PRAGMA freelist_count", [], |row| row.get(0)).unwrap();
        assert_eq!((found.as_str(), free), ("ok", 0));
    }
}

#[tokio::test]
async fn it_is_done_with_the_file_alone() {
    let (_directory, path) = place();
    let outlive = worn(&path, false).await;
    let inside = outlive.transaction(async |_| outlive.compact().await.map(drop)).await;
    assert!(matches!(inside, Err(Error::InTransaction { .. })), "{inside:?}");
    let memory = Outlive::open_on(Os::new().unwrap(), Memory::default(), Options::default()).await.unwrap();
    let error = memory.compact().await.unwrap_err();
    assert!(error.to_string().contains("kept in memory, and there is no file to make smaller"), "{error}");
}

#[tokio::test]
async fn a_page_that_has_rotted_is_not_moved() {
    let (_directory, path) = place();
    let outlive = worn(&path, true).await;
    let whole = settled(&outlive, &path).await;
    // A page of jobs: what it says may be anywhere in it.
    let at = whole.windows(60).position(|bytes| bytes == [b'x'; 60]).expect("a job has many of them");
    rot(&path, at, b'y');
    let error = outlive.compact().await.unwrap_err();
    assert!(error.to_string().contains("is not as it was written"), "{error}");
    let left = fs::read(&path).unwrap();
    assert!(left.len() == whole.len() && left[at] == b'y', "it is left as it is");
}

fn compact(path: &Path) -> (bool, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_outlive")).arg("compact").arg(path).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (output.status.success(), text(&output.stdout), text(&output.stderr))
}

#[tokio::test]
async fn the_program_does_it_to_a_file_that_nobody_uses() {
    let (directory, path) = place();
    let outlive = worn(&path, false).await;
    let (done, _, why) = compact(&path);
    assert!(!done && why.contains("queue.db"), "{why}");
    drop(outlive);
    let before = bytes(&path);
    // Its thread may take a moment to end.
    let mut tries = (0..500).map(|_| {
        std::thread::sleep(Duration::from_millis(10));
        compact(&path)
    });
    let (_, says, why) = tries.find(|(done, _, why)| *done || !why.contains("in use")).unwrap();
    assert_eq!(why, "");
    assert_eq!(says, format!("{} had {before} bytes, and has {}\n", path.display(), bytes(&path)));
    assert!(bytes(&path) < before / 3);
    let nowhere = directory.path().join("nowhere.db");
    let (done, _, why) = compact(&nowhere);
    assert!(!done && !nowhere.exists());
    assert!(why.contains("nowhere.db: open the file: No such file"), "{why}");
}
