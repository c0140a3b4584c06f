//! What the queue counts, on the real machine. One recorder, because a process has one: each test looks at queues and
//! kinds of its own.
#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "this test is about the real machine")]

use metrics_exporter_prometheus::PrometheusHandle;
use outlive::job::{Backoff, Limits, State};
use outlive::server::{ServeOptions, Server};
use outlive::{Context, Done, Error, Failure, Job, JobId, Options, Outlive};
use serde::{Deserialize, Serialize};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;
use tempfile::TempDir;

#[path = "../examples/dashboard.rs"]
#[allow(dead_code, reason = "the example's own main is not run")]
mod example;

const PATIENCE: Duration = Duration::from_secs(60);

/// What was counted in this process.
fn counted() -> &'static PrometheusHandle {
    static COUNTED: OnceLock<PrometheusHandle> = OnceLock::new();
    COUNTED.get_or_init(|| example::count().unwrap())
}

/// A figure by its name and labels, as they are written down; none if there is no such line.
fn figure(figure: &str) -> Option<f64> {
    let text = counted().render();
    let value = text.lines().find_map(|line| line.strip_prefix(figure)?.strip_prefix(' '));
    value.map(|value| value.parse().unwrap())
}

async fn queue() -> (TempDir, Outlive) {
    counted();
    let directory = tempfile::tempdir().unwrap();
    let millisecond = Duration::from_millis(1);
    let backoff = Backoff::Exponential { first: millisecond, longest: millisecond };
    let options = Options { limits: Limits { backoff, ..Limits::default() }, ..Options::default() };
    let outlive = Outlive::open_with(directory.path().join("queue.db"), options).await.unwrap();
    (directory, outlive)
}

macro_rules! kind {
    ($job:ident, $kind:literal) => {
        #[derive(Serialize, Deserialize)]
        struct $job {}

        impl Job for $job {
            const KIND: &'static str = $kind;
            type Output = ();
        }
    };
}

kind!(Good, "good");
kind!(Bad, "bad");
kind!(Sleepy, "sleepy");
kind!(Unwanted, "unwanted");
kind!(Undone, "undone");
kind!(Panicking, "panicking");

async fn ended(outlive: &Outlive, job: JobId) -> State {
    match outlive.result::<()>(job).within(PATIENCE).await {
        Ok(()) => State::Completed,
        Err(_) => outlive.look(job).await.unwrap().state,
    }
}

#[tokio::test]
async fn every_end_of_a_job_and_of_an_attempt_is_counted_once() {
    let (_directory, outlive) = queue().await;
    let good = [outlive.enqueue(Good {}).queue("ends").await, outlive.enqueue(Good {}).queue("ends").await];
    let bad = outlive.enqueue(Bad {}).queue("ends").max_attempts(3).await.unwrap().job;
    let sleepy = outlive.enqueue(Sleepy {}).queue("ends").await.unwrap().job;
    let panicking = outlive.enqueue(Panicking {}).queue("ends").max_attempts(1).await.unwrap().job;
    let unwanted = outlive.enqueue(Unwanted {}).queue("ends").await.unwrap().job;
    assert_eq!(figure(r#"outlive_jobs{queue="ends",state="waiting"}"#), Some(6.0));
    outlive.cancel(unwanted).await.unwrap();
    assert_eq!(figure(r#"outlive_jobs{queue="ends",state="waiting"}"#), Some(5.0));

    let worker = outlive
        .worker()
        .queues(["ends"])
        .handle(async |_: Context, _: Good| Ok(Done::complete(())))
        .handle(async |_: Context, _: Bad| Err(Failure::retry("no")))
        .handle(async |_: Context, _: Panicking| panic!("on purpose"))
        .handle(async |ctx: Context, _: Sleepy| match ctx.attempt() {
            1 => Ok(Done::snooze(Duration::from_millis(1))),
            _ => Ok(Done::complete(())),
        })
        .concurrency(7)
        .start()
        .unwrap();
    assert!(figure("outlive_worker_slots").unwrap() >= 7.0);
    for job in good {
        assert_eq!(ended(&outlive, job.unwrap().job).await, State::Completed);
    }
    assert_eq!(ended(&outlive, bad).await, State::Discarded);
    assert_eq!(ended(&outlive, panicking).await, State::Discarded);
    assert_eq!(ended(&outlive, sleepy).await, State::Completed);
    worker.stop(PATIENCE).await;

    let exactly = [
        (r#"outlive_jobs_enqueued_total{queue="ends",kind="good"}"#, 2.0),
        (r#"outlive_jobs_enqueued_total{queue="ends",kind="bad"}"#, 1.0),
        (r#"outlive_jobs_enqueued_total{queue="ends",kind="unwanted"}"#, 1.0),
        (r#"outlive_jobs_ended_total{queue="ends",kind="good",state="completed"}"#, 2.0),
        (r#"outlive_jobs_ended_total{queue="ends",kind="bad",state="discarded"}"#, 1.0),
        (r#"outlive_jobs_ended_total{queue="ends",kind="panicking",state="discarded"}"#, 1.0),
        (r#"outlive_jobs_ended_total{queue="ends",kind="sleepy",state="completed"}"#, 1.0),
        (r#"outlive_jobs_ended_total{queue="ends",kind="unwanted",state="cancelled"}"#, 1.0),
        (r#"outlive_attempts_total{kind="good",ended="completed"}"#, 2.0),
        (r#"outlive_attempts_total{kind="bad",ended="failed"}"#, 3.0),
        (r#"outlive_attempts_total{kind="panicking",ended="failed"}"#, 1.0),
        (r#"outlive_attempts_total{kind="sleepy",ended="snoozed"}"#, 1.0),
        (r#"outlive_attempts_total{kind="sleepy",ended="completed"}"#, 1.0),
        (r#"outlive_wait_seconds_count{queue="ends",kind="bad"}"#, 3.0),
        (r#"outlive_attempt_seconds_count{kind="bad"}"#, 3.0),
        (r#"outlive_attempt_seconds_count{kind="good"}"#, 2.0),
        (r#"outlive_jobs{queue="ends",state="waiting"}"#, 0.0),
        (r#"outlive_jobs{queue="ends",state="running"}"#, 0.0),
        (r#"outlive_worker_attempts{kind="good"}"#, 0.0),
    ];
    for (name, count) in exactly {
        assert_eq!(figure(name), Some(count), "{name}");
    }
    assert_eq!(figure(r#"outlive_attempts_total{kind="unwanted",ended="cancelled"}"#), None, "it had none");
    assert!(figure("outlive_commit_seconds_count").unwrap() >= 10.0);
}

#[tokio::test]
async fn what_is_not_in_the_file_is_not_counted() {
    let (_directory, outlive) = queue().await;
    let enqueued = r#"outlive_jobs_enqueued_total{queue="undone",kind="undone"}"#;
    let refused = outlive.enqueue(Undone {}).queue("undone").key("x".repeat(100_000)).await;
    assert!(matches!(refused, Err(Error::Refused(_))), "{refused:?}");
    assert_eq!(figure(enqueued), None);
    assert_eq!(figure(r#"outlive_refused_total{refusal="limit"}"#), Some(1.0));

    let undone = outlive.transaction(async |tx| {
        tx.enqueue(Undone {}).queue("undone").await?;
        Err::<(), Failure>(Failure::retry("on second thoughts"))
    });
    undone.await.unwrap_err();
    assert_eq!(figure(enqueued), None);

    let done = outlive.transaction(async |tx| {
        tx.enqueue(Undone {}).queue("undone").await?;
        Ok::<(), Failure>(())
    });
    done.await.unwrap();
    assert_eq!(figure(enqueued), Some(1.0));

    // A repeat under a key that stands is no other job.
    for _ in 0..2 {
        outlive.enqueue(Undone {}).queue("undone").key("once").await.unwrap();
    }
    assert_eq!(figure(enqueued), Some(2.0));
}

fn get(address: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    let request = format!("GET /metrics HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[tokio::test]
async fn a_server_answers_with_the_figures_if_it_was_given_some() {
    let (_directory, outlive) = queue().await;
    let server = example::serve(&outlive, "127.0.0.1:0", counted().clone()).await.unwrap();
    let worker = outlive.worker().handle(example::brew).start().unwrap();
    for cups in [0, 1, 12] {
        let job = outlive.enqueue(example::Brew { cups }).await.unwrap().job;
        ended(&outlive, job).await;
    }
    worker.stop(PATIENCE).await;
    let answer = get(server.address());
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(answer.contains("content-type: text/plain; version=0.0.4\r\n"), "{answer}");
    for line in [
        "# HELP outlive_jobs_ended_total Jobs that have ended, by the state in which they did",
        "# TYPE outlive_attempt_seconds histogram",
        r#"outlive_jobs_ended_total{queue="default",kind="brew",state="completed"} 2"#,
        r#"outlive_jobs_ended_total{queue="default",kind="brew",state="discarded"} 1"#,
        r#"outlive_attempts_total{kind="brew",ended="snoozed"} 1"#,
    ] {
        assert!(answer.lines().any(|shown| shown == line), "{line} is not in {answer}");
    }
    // Every name that the guide has.
    let guide = include_str!("../../docs/GUIDE.md");
    let names = guide.lines().filter_map(|line| line.strip_prefix("| `outlive_")?.split_once('`'));
    let names: Vec<String> = names.map(|(name, _)| format!("outlive_{name}")).collect();
    assert_eq!(names.len(), 14, "{names:?}");
    // Nothing may have been refused by now.
    for name in names.iter().filter(|name| *name != "outlive_refused_total") {
        assert!(answer.contains(&format!("# TYPE {name} ")), "{name} is not in {answer}");
    }

    let bare = Server::start(&outlive, "127.0.0.1:0", ServeOptions::default()).await.unwrap();
    let answer = get(bare.address());
    assert!(answer.starts_with("HTTP/1.1 404 Not Found\r\n"), "{answer}");
}

#[test]
fn the_program_has_figures_without_being_told() {
    let directory = tempfile::tempdir().unwrap();
    let mut serving = Command::new(env!("CARGO_BIN_EXE_outlive"));
    serving.args(["serve", "jobs.db", "--listen", "127.0.0.1:0"]).current_dir(directory.path());
    let mut serving = serving.stdout(Stdio::piped()).spawn().unwrap();
    let mut said = String::new();
    BufReader::new(serving.stdout.take().unwrap()).read_line(&mut said).unwrap();
    let answer = said.trim().strip_prefix("serving jobs.db at http://").map(get);
    serving.kill().unwrap();
    serving.wait().unwrap();
    let answer = answer.unwrap_or_else(|| panic!("it said {said:?}"));
    for begin in ["outlive_reopened_total 0", "outlive_commit_seconds_bucket{le=\"3600\"} "] {
        assert!(answer.lines().any(|line| line.starts_with(begin)), "{begin} is not in {answer}");
    }
}
