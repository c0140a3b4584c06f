//! The guide's reports, on the real machine: slots of schedules have their jobs by the system's own clock.
#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "this test is about the real machine")]

use outlive::job::{JobId, Rhythm};
use outlive::protocol::SlotView;
use outlive::{Error, Outlive};
use std::time::Duration;

#[path = "../examples/reports.rs"]
#[allow(dead_code, reason = "the example's own main is not run")]
mod example;

const PATIENCE: Duration = Duration::from_secs(30);

/// The job of a slot of the schedule of this name, as soon as one has its job.
async fn a_slot(outlive: &Outlive, name: &str) -> JobId {
    loop {
        let schedules = outlive.schedules().await.unwrap();
        let view = schedules.iter().find(|view| view.schedule.name == name).expect("it is there");
        if let Some(SlotView::Job { job, .. }) = view.last.first() {
            return *job;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn slots_have_their_jobs_and_jobs_know_their_slots() {
    let directory = tempfile::tempdir().unwrap();
    let outlive = Outlive::open(directory.path().join("reports.db")).await.unwrap();
    example::set_up(&outlive).await.unwrap();
    let worker = outlive.worker().queues(["reports", "default"]).handle(example::report).handle(example::sweep);
    let _worker = worker.start().unwrap();
    let swept = a_slot(&outlive, "sweep").await;
    outlive.result::<()>(swept).within(PATIENCE).await.unwrap();
    // Mornings are rare: the same report every second.
    let often = Rhythm::every(Duration::from_secs(1));
    outlive.schedule("daily report", often, example::Report {}).queue("reports").await.unwrap();
    let job = a_slot(&outlive, "daily report").await;
    let report: String = outlive.result(job).within(PATIENCE).await.unwrap();
    let slot = outlive.look(job).await.unwrap().slot.unwrap();
    assert_eq!(report, format!("all that had happened until {}", slot.at));
    assert_eq!(slot.at.0 % 1_000, 0);
    assert!(outlive.unschedule("daily report").await.unwrap());
    assert!(!outlive.unschedule("daily report").await.unwrap());
    example::what_is_planned(&outlive).await.unwrap();
    let [sweep] = &outlive.schedules().await.unwrap()[..] else { panic!("one is left") };
    assert_eq!((sweep.schedule.name.as_str(), &sweep.stuck), ("sweep", &None));
}

#[tokio::test]
async fn a_night_has_its_copy() {
    let directory = tempfile::tempdir().unwrap();
    let outlive = Outlive::open(directory.path().join("reports.db")).await.unwrap();
    let bytes = example::copy(&outlive, directory.path(), 7).await.unwrap();
    let found = std::fs::metadata(directory.path().join("reports-7.db")).unwrap().len();
    assert_eq!(bytes, found);
}

#[tokio::test]
async fn a_report_that_is_for_no_morning_is_discarded() {
    let directory = tempfile::tempdir().unwrap();
    let outlive = Outlive::open(directory.path().join("reports.db")).await.unwrap();
    let _worker = outlive.worker().handle(example::report).start().unwrap();
    let job = outlive.enqueue(example::Report {}).await.unwrap().job;
    let error = outlive.result::<String>(job).within(PATIENCE).await.unwrap_err();
    assert!(matches!(error, Error::NotCompleted { .. }), "{error}");
}
