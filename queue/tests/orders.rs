//! The guide's order and import, on the real machine: over a restart in the middle, each thing happens once.
#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "this test is about the real machine")]

use outlive::job::State;
use outlive::job::explain::{Doing, Reason};
use outlive::{Error, JobId, Outlive, Worker};
use std::sync::atomic::Ordering;
use std::time::Duration;

#[path = "../examples/orders.rs"]
#[allow(dead_code, reason = "the example's own main is not run")]
mod example;

const PATIENCE: Duration = Duration::from_secs(30);

fn work(outlive: &Outlive, depot_is_open: bool) -> Worker {
    let shop = example::Shop::new(outlive.clone());
    shop.depot_is_open.store(depot_is_open, Ordering::Relaxed);
    let worker = outlive.worker().handle(example::fulfil).handle(example::send).handle(example::bill);
    worker.handle(example::import).state(shop).start().unwrap()
}

/// Waits until a job waits for this.
async fn waits(outlive: &Outlive, job: JobId, wanted: impl Fn(&Reason) -> bool) -> String {
    for _ in 0..600 {
        // It may be there a little later.
        if let Ok(explanation) = outlive.explain(job).await
            && let Doing::Waiting { blockers } = &explanation.doing
            && blockers.iter().any(|blocker| wanted(&blocker.reason))
        {
            return explanation.to_string();
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("job {job} waits for something else: {}", outlive.explain(job).await.unwrap());
}

#[tokio::test]
async fn an_order_waits_for_all_that_it_needs_and_is_charged_once() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("orders.db");
    let outlive = Outlive::open(&path).await.unwrap();
    let order = example::order(&outlive, 7, &["a lamp", "a chair"]).await.unwrap();
    assert_eq!(example::order(&outlive, 7, &["a lamp", "a chair"]).await.unwrap(), order, "the form was sent twice");
    let invoice = JobId(order.0 + 1);

    let worker = work(&outlive, false);
    let says = waits(&outlive, order, |it| matches!(it, Reason::Signal { .. })).await;
    assert!(says.contains("waits for a signal \"approved-7\", and none is there; it goes on without one in"), "{says}");
    let says = waits(&outlive, invoice, |it| matches!(it, Reason::Jobs { .. })).await;
    assert!(
        says.contains("waits for 1 job to end: job 1. If one of them ends without a result, it is cancelled."),
        "{says}"
    );
    drop(worker);
    drop(outlive);

    let outlive = open_again(&path).await;
    assert!(example::approve(&outlive, 7, "Ada").await.unwrap());
    assert!(!example::approve(&outlive, 7, "Ada").await.unwrap(), "she presses the button twice");
    let worker = work(&outlive, false);
    let parcel = JobId(invoice.0 + 1);
    let says = waits(&outlive, parcel, |it| matches!(it, Reason::Condition { .. })).await;
    assert!(says.contains("waits because of this: the depot is closed; its handler looks again for another"), "{says}");
    waits(&outlive, order, |it| matches!(it, Reason::Jobs { open: 2, .. })).await;
    let short = outlive.result::<Vec<String>>(order).within(Duration::from_millis(1)).await;
    assert!(matches!(short, Err(Error::NotEnded { .. })), "{short:?}");
    drop(worker);

    let _worker = work(&outlive, true);
    let sent: Vec<String> = outlive.result(order).within(PATIENCE).await.unwrap();
    assert_eq!(sent, ["a lamp of order 7", "a chair of order 7"]);
    outlive.result::<()>(invoice).within(PATIENCE).await.unwrap();
    let view = outlive.look(order).await.unwrap();
    let steps: Vec<&str> = view.steps.iter().map(|step| step.name.as_str()).collect();
    assert_eq!(steps, ["approved-7", "charge", "pack", "parcels"]);
    assert_eq!((view.attempts, view.failures, view.crashes), (3, 0, 0), "one for each wait, and the last");
    assert_eq!(view.progress.unwrap().message.as_deref(), Some("receipt 1, approved by Ada"));
}

/// The file is closed when its engine has seen that nobody asks any more.
async fn open_again(path: &std::path::Path) -> Outlive {
    for _ in 0..200 {
        match Outlive::open(path).await {
            Ok(outlive) => return outlive,
            Err(Error::Open(_)) => tokio::time::sleep(Duration::from_millis(50)).await,
            Err(error) => panic!("{error}"),
        }
    }
    panic!("the file stays closed");
}

#[tokio::test]
async fn an_import_goes_on_where_it_died() {
    let directory = tempfile::tempdir().unwrap();
    let outlive = Outlive::open(directory.path().join("orders.db")).await.unwrap();
    let _worker = work(&outlive, true);
    let job = outlive.enqueue(example::Import { pages: 5 }).await.unwrap().job;
    assert_eq!(outlive.result::<u64>(job).within(PATIENCE).await.unwrap(), 3, "pages of the last attempt");
    let view = outlive.look(job).await.unwrap();
    assert_eq!((view.state, view.attempts, view.failures), (State::Completed, 2, 1));
    let progress = view.progress.unwrap();
    assert_eq!((progress.message.as_deref(), progress.checkpoint.as_deref()), (Some("page 4 of 5"), Some("5")));
}
