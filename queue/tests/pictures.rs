//! The guide's pictures, on the real machine: two versions of a program side by side, and back again.
#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "this test is about the real machine")]

use example::{Resize, ResizeAll, Upload, first_version, is_needed, second_version};
use outlive::job::State;
use outlive::{Job, JobId, Outlive};
use serde::{Deserialize, Serialize};
use std::time::Duration;

#[path = "../examples/pictures.rs"]
#[allow(dead_code, reason = "the example's own main is not run")]
mod example;

const PATIENCE: Duration = Duration::from_secs(30);

/// An upload as the first version wrote it.
#[derive(Serialize, Deserialize)]
struct UploadBefore {
    file: String,
}

impl Job for UploadBefore {
    const KIND: &'static str = Upload::KIND;
    type Output = String;
}

async fn open() -> (tempfile::TempDir, Outlive) {
    let directory = tempfile::tempdir().unwrap();
    let outlive = Outlive::open(directory.path().join("pictures.db")).await.unwrap();
    (directory, outlive)
}

async fn result(outlive: &Outlive, job: JobId) -> String {
    outlive.result::<String>(job).within(PATIENCE).await.unwrap()
}

/// Waits until a job says this of why it waits.
async fn says(outlive: &Outlive, job: JobId, wanted: &str) {
    for _ in 0..600 {
        if outlive.explain(job).await.unwrap().to_string().contains(wanted) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("it does not say {wanted:?}, but: {}", outlive.explain(job).await.unwrap());
}

#[tokio::test]
async fn a_new_kind_waits_for_the_version_that_knows_it_and_says_so() {
    let (_directory, outlive) = open().await;
    let old = first_version(&outlive).start().unwrap();
    let file = || "cat.png".to_owned();
    let new_kind = outlive.enqueue(ResizeAll { file: file(), widths: vec![64, 512] }).await.unwrap().job;
    let old_kind = outlive.enqueue(Resize { file: file(), width: 64 }).await.unwrap().job;
    assert_eq!(result(&outlive, old_kind).await, "cat.png to 64");
    says(&outlive, new_kind, "no worker has asked for its kind since the file was opened").await;
    assert_eq!(outlive.look(new_kind).await.unwrap().history.len(), 0, "no worker was given it to fail with");

    let new = second_version(&outlive).start().unwrap();
    assert_eq!(result(&outlive, new_kind).await, "cat.png to [64, 512]");
    old.stop(PATIENCE).await;
    let left = outlive.enqueue(Resize { file: file(), width: 32 }).await.unwrap().job;
    assert_eq!(result(&outlive, left).await, "cat.png to [32]", "the second version does what the first one left");

    // And back.
    new.stop(PATIENCE).await;
    let _old = first_version(&outlive).start().unwrap();
    let stranded = outlive.enqueue(ResizeAll { file: file(), widths: vec![16] }).await.unwrap().job;
    says(&outlive, stranded, "but no worker is asking for its kind at the moment; one did").await;
}

#[tokio::test]
async fn a_field_more_is_understood_by_both_versions() {
    let (_directory, outlive) = open().await;
    let _new = second_version(&outlive).start().unwrap();
    let before = outlive.enqueue(UploadBefore { file: "cat.png".into() }).await.unwrap().job;
    assert_eq!(result(&outlive, before).await, "cat.png into no album");
    let album = Some("cats".to_owned());
    let after = outlive.enqueue(Upload { file: "cat.png".into(), album }).await.unwrap().job;
    assert_eq!(result(&outlive, after).await, "cat.png into cats");

    let (_directory, outlive) = open().await;
    let album = Some("cats".to_owned());
    let after = outlive.enqueue(Upload { file: "cat.png".into(), album }).await.unwrap().job;
    let old =
        outlive.worker().handle(async |_: outlive::Context, job: UploadBefore| Ok(outlive::Done::complete(job.file)));
    let _old = old.start().unwrap();
    assert_eq!(result(&outlive, after).await, "cat.png", "the first version does what it knows");
}

#[tokio::test]
async fn an_old_handler_is_needed_as_long_as_jobs_of_its_kind_have_not_ended() {
    let (_directory, outlive) = open().await;
    assert!(!is_needed(&outlive, Resize::KIND).await.unwrap());
    let job = outlive.enqueue(Resize { file: "cat.png".into(), width: 64 }).await.unwrap().job;
    assert!(is_needed(&outlive, Resize::KIND).await.unwrap());
    assert!(!is_needed(&outlive, ResizeAll::KIND).await.unwrap());
    let _new = second_version(&outlive).start().unwrap();
    result(&outlive, job).await;
    assert!(!is_needed(&outlive, Resize::KIND).await.unwrap());
    assert_eq!(outlive.look(job).await.unwrap().state, State::Completed);
}
