//! The guide's transfer of funds, on the real machine: its first attempt dies in the middle, and nothing is lost or
//! made.
#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "this test is about the real machine")]

use outlive::job::State;
use outlive::{Context, Done, Error, Failure, Job, JobId, Outlive};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

#[path = "../examples/transfer.rs"]
#[allow(dead_code, reason = "the example's own main is not run")]
mod example;

async fn finished(outlive: &Outlive, job: JobId) -> State {
    for _ in 0..600 {
        let view = outlive.look(job).await;
        if let Ok(view) = view
            && view.state.is_terminal()
        {
            return view.state;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("job {job} does not come to its end: {:?}", outlive.look(job).await);
}

async fn cents(outlive: &Outlive) -> Vec<(String, i64)> {
    let rows: Result<_, Error> =
        outlive.read(async |tx| tx.query("SELECT name, cents FROM accounts ORDER BY name", ()).await).await;
    rows.unwrap().iter().map(|row| (row.get("name").unwrap(), row.get("cents").unwrap())).collect()
}

#[tokio::test]
async fn a_transfer_whose_first_attempt_dies_in_the_middle_happens_once() {
    let directory = tempfile::tempdir().unwrap();
    let outlive = Outlive::open(directory.path().join("bank.db")).await.unwrap();
    example::open_accounts(&outlive).await.unwrap();
    let worker = outlive.worker().handle(example::transfer).handle(example::receipt).start().unwrap();
    // The transfer, and the receipt that follows it.
    for job in [JobId(1), JobId(2)] {
        assert_eq!(finished(&outlive, job).await, State::Completed);
    }
    let transfer = outlive.look(JobId(1)).await.unwrap();
    assert_eq!((transfer.attempts, transfer.failures), (2, 1));
    assert_eq!(cents(&outlive).await, [("Ada".into(), 70), ("Grace".into(), 130)]);
    drop(worker);
}

#[derive(Serialize, Deserialize)]
struct Twice;

impl Job for Twice {
    const KIND: &'static str = "twice";
    type Output = ();
}

/// After it an earlier attempt's results are still found.
#[tokio::test]
async fn a_transaction_in_a_new_step_does_not_make_an_old_step_run_again() {
    let directory = tempfile::tempdir().unwrap();
    let outlive = Outlive::open(directory.path().join("steps.db")).await.unwrap();
    let runs = Arc::new(AtomicUsize::new(0));
    let counted = runs.clone();
    let handler = move |context: Context, _: Twice| {
        let runs = counted.clone();
        async move {
            if context.attempt() > 1 {
                context.step("new", async || context.transaction(async |_| Ok::<_, Failure>(1)).await).await?;
            }
            let ran = async || Ok::<_, Failure>(runs.fetch_add(1, Ordering::Relaxed));
            let first: usize = context.step("old", ran).await?;
            assert_eq!(first, 0);
            if context.attempt() == 1 {
                return Err(Failure::retry_after(Duration::from_millis(10), "once more"));
            }
            Ok(Done::complete(()))
        }
    };
    let worker = outlive.worker().handle(handler).start().unwrap();
    let job = outlive.enqueue(Twice).await.unwrap().job;
    assert_eq!(finished(&outlive, job).await, State::Completed);
    assert_eq!(runs.load(Ordering::Relaxed), 1);
    drop(worker);
}

#[tokio::test]
async fn whoever_has_too_little_keeps_it() {
    let directory = tempfile::tempdir().unwrap();
    let outlive = Outlive::open(directory.path().join("bank.db")).await.unwrap();
    example::open_accounts(&outlive).await.unwrap();
    let job = example::Transfer { from: "Grace".into(), to: "Ada".into(), cents: 101 };
    let job = outlive.enqueue(job).await.unwrap().job;
    let worker = outlive.worker().handle(example::transfer).start().unwrap();
    assert_eq!(finished(&outlive, job).await, State::Discarded);
    let failure = outlive.look(job).await.unwrap().history.remove(0).failure.unwrap();
    assert_eq!(failure.message, "Grace has less than 101 cents");
    drop(worker);
}
