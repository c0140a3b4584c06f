//! Files of every earlier format, as the versions that had it wrote them: they open, with all that is in them.
//!
//! Each holds what `queue/examples/greet.rs` and its like would leave: a job in each state in which one ends, one with steps and
//! a result, keys of each scope, a job that waits for another one, a signal that nobody has taken, and a schedule. Those
//! of even numbers have checksums. All but the first were left by programs that were killed.
#![cfg(unix)]
#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "these tests are about the real machine")]

use outlive::job::State;
use outlive::store::OpenError;
use outlive::store::turso::FORMAT;
use outlive::{Context, Done, Error, Failure, Job, JobId, Options, Outlive, Retention};
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::TempDir;

#[derive(Serialize, Deserialize)]
struct Note {
    text: String,
}

impl Job for Note {
    const KIND: &'static str = "note";
    type Output = String;
}

fn note(text: &str) -> Note {
    Note { text: text.into() }
}

/// A copy of the file that a version of this format has left.
fn left_by(format: i64) -> (TempDir, PathBuf) {
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/formats");
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("queue.db");
    fs::copy(kept.join(format!("{format}.db")), &path).unwrap();
    let log = kept.join(format!("{format}.db-wal"));
    if log.exists() {
        fs::copy(log, directory.path().join("queue.db-wal")).unwrap();
    }
    (directory, path)
}

/// Those before this one, with checksums and without.
fn earlier() -> impl Iterator<Item = i64> {
    1..FORMAT
}

async fn states(outlive: &Outlive) -> Vec<State> {
    let mut states = Vec::new();
    for job in 1..=5 {
        states.push(outlive.look(JobId(job)).await.unwrap().state);
    }
    states
}

fn format_of(path: &Path) -> (i64, String) {
    let stock = rusqlite::Connection::open(path).unwrap();
    let format = stock.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
    (format, stock.pragma_query_value(None, "integrity_check", |row| row.get(0)).unwrap())
}

#[tokio::test]
async fn a_file_of_every_earlier_format_opens_with_all_that_is_in_it() {
    for format in earlier() {
        let (_directory, path) = left_by(format);
        for _ in 0..2 {
            let outlive = open(&path, Options::default()).await;
            let ended = [State::Completed, State::Discarded, State::Cancelled];
            assert_eq!(states(&outlive).await, [&ended[..], &[State::Waiting; 2]].concat(), "format {format}");
            let view = outlive.look(JobId(1)).await.unwrap();
            assert_eq!(view.result.as_deref(), Some(r#""charged for good""#));
            let again = outlive.enqueue(note("good")).key("one").await.unwrap();
            assert_eq!((again.job, again.fresh), (JobId(1), false));
            let again = outlive.enqueue(note("bad")).key_for(Duration::from_secs(3_600), "two").await;
            assert!(again.is_ok(), "its time may be over: {again:?}");
            assert!(!outlive.signal("paid", &7).key("bill").await.unwrap());
            let schedules = outlive.schedules().await.unwrap();
            assert_eq!(schedules.iter().map(|it| &*it.schedule.name).collect::<Vec<_>>(), ["nightly"]);
            let waits = outlive.explain(JobId(5)).await.unwrap().to_string();
            assert!(waits.contains("job 4"), "{waits}");
        }
        let current = if format % 2 == 0 { FORMAT + 1 } else { FORMAT };
        assert_eq!(format_of(&path), (current, "ok".to_owned()));
    }
}

/// What had ended before its end was written down in steady time is kept for its whole time from then on.
#[tokio::test]
async fn what_had_ended_in_an_earlier_format_is_forgotten_in_this_one() {
    for format in earlier() {
        let (_directory, path) = left_by(format);
        let retention = Retention { completed: Some(Duration::from_secs(1)), ..Retention::FOREVER };
        let outlive = open(&path, Options { retention, ..Options::default() }).await;
        assert_eq!(outlive.look(JobId(1)).await.unwrap().state, State::Completed);
        let mut looks = 0;
        let why = loop {
            match outlive.look(JobId(1)).await {
                Ok(_) => tokio::time::sleep(Duration::from_millis(100)).await,
                Err(Error::Refused(why)) => break why.to_string(),
                Err(error) => panic!("{error}"),
            }
            looks += 1;
            assert!(looks < 600, "format {format}: it is still there");
        };
        assert!(why.starts_with("job 1 has ended, and its record was removed since"), "{why}");
        assert_eq!(outlive.look(JobId(2)).await.unwrap().state, State::Discarded);
    }
}

#[tokio::test]
async fn a_job_of_an_earlier_format_runs() {
    async fn handle(ctx: Context, note: Note) -> Result<Done<String>, Failure> {
        Ok(Done::complete(ctx.step("charge", || async { Ok::<_, Failure>(note.text.clone()) }).await?))
    }
    for format in earlier() {
        let (_directory, path) = left_by(format);
        let outlive = open(&path, Options::default()).await;
        outlive.retry(JobId(2)).await.unwrap();
        let worker = outlive.worker().handle(handle).start().unwrap();
        let result: String = outlive.result(JobId(2)).await.unwrap();
        assert_eq!(result, "charged for bad", "the step of its first attempt stands");
        worker.stop(Duration::from_secs(5)).await;
    }
}

/// Opens a queue that this process may just have closed: its engine ends by itself once nobody calls it.
async fn open(path: &Path, options: Options) -> Outlive {
    for _ in 0..200 {
        match Outlive::open_with(path, options.clone()).await {
            Ok(outlive) => return outlive,
            Err(Error::Open(OpenError::Locked { .. })) => tokio::time::sleep(Duration::from_millis(50)).await,
            Err(error) => panic!("{error}"),
        }
    }
    panic!("{} is still in use", path.display());
}
