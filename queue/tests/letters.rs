//! The guide's letters, on the real machine: limits, a pause over a restart, and a service that is down.
#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "this test is about the real machine")]

use outlive::job::State;
use outlive::job::explain::{Doing, Reason};
use outlive::{Filter, JobId, Outlive};
use std::sync::atomic::Ordering;
use std::time::Duration;

#[path = "../examples/letters.rs"]
#[allow(dead_code, reason = "the example's own main is not run")]
mod example;

const PATIENCE: Duration = Duration::from_secs(30);

/// Waits until a job waits for this; what it says.
async fn waits(outlive: &Outlive, job: JobId, wanted: impl Fn(&Reason) -> bool) -> String {
    for _ in 0..600 {
        let explanation = outlive.explain(job).await.unwrap();
        if let Doing::Waiting { blockers } = &explanation.doing
            && blockers.iter().any(|blocker| wanted(&blocker.reason))
        {
            return explanation.to_string();
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("job {job} waits for something else: {}", outlive.explain(job).await.unwrap());
}

#[tokio::test]
async fn what_is_urgent_goes_first() {
    let directory = tempfile::tempdir().unwrap();
    let outlive = example::open(&directory.path().join("letters.db")).await.unwrap();
    let letter = example::post(&outlive, "Grace", "We have moved.").await.unwrap();
    let urgent = example::post_first(&outlive, "Mary", "Your house is on fire.").await.unwrap();
    let says = async |job| outlive.explain(job).await.unwrap().to_string();
    assert!(says(urgent).await.contains("is next in line in queue mail"), "{}", says(urgent).await);
    assert!(says(letter).await.contains("waits in line in queue mail behind"), "{}", says(letter).await);
    let office = example::PostOffice { is_open: true.into(), ..example::PostOffice::default() };
    let worker = outlive.worker().queues(["mail"]).concurrency(1).handle(example::deliver).state(office);
    let _worker = worker.start().unwrap();
    let number = async |job| outlive.result::<u64>(job).within(PATIENCE).await.unwrap();
    assert_eq!((number(letter).await, number(urgent).await), (2, 1));
}

#[tokio::test]
async fn letters_wait_while_the_post_office_is_closed_and_while_somebody_wants_them_to() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("letters.db");
    let outlive = Outlive::open(&path).await.unwrap();
    example::set_up(&outlive).await.unwrap();
    example::stop_the_press(&outlive).await.unwrap();
    let letter = example::post(&outlive, "Grace", "We have moved.").await.unwrap();
    drop(outlive);

    let mut outlive = Outlive::open(&path).await;
    for _ in 0..600 {
        // The file is closed some time after the last handle is dropped.
        if outlive.is_ok() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
        outlive = Outlive::open(&path).await;
    }
    let outlive = outlive.unwrap();
    let worker = outlive.worker().queues(["mail"]).handle(example::deliver);
    let worker = worker.state(example::PostOffice::default()).start().unwrap();
    let says = waits(&outlive, letter, |it| matches!(it, Reason::Paused { .. })).await;
    assert!(
        says.contains("may not start until somebody resumes queue \"mail\", which Ada has paused (since "),
        "{says}"
    );
    assert!(says.contains(": the letterhead has the old address."), "{says}");

    assert!(example::go_on(&outlive).await.unwrap());
    let says = waits(&outlive, letter, |it| matches!(it, Reason::ServiceDown { .. })).await;
    assert!(says.contains("the post office is closed"), "{says}");
    drop(worker);

    let office = example::PostOffice { is_open: true.into(), ..example::PostOffice::default() };
    let asked = office.asked.load(Ordering::Relaxed);
    let worker = outlive.worker().queues(["mail"]).handle(example::deliver).state(office).start().unwrap();
    assert_eq!((asked, outlive.result::<u64>(letter).within(PATIENCE).await.unwrap()), (0, 1));
    assert_eq!(outlive.gates().await.unwrap().pauses, [], "it is back");
    let view = outlive.look(letter).await.unwrap();
    assert!(view.attempts >= 2 && view.failures == 0, "a service that is down spends no attempt: {view:?}");
    drop(worker);
}

#[tokio::test]
async fn letters_to_many_are_posted_together() {
    let directory = tempfile::tempdir().unwrap();
    let outlive = Outlive::open(directory.path().join("letters.db")).await.unwrap();
    assert_eq!(example::post_all(&outlive, &["Ada", "Edith", "Grace"], "So have we.").await.unwrap(), 3);
    let letters = outlive.list(Filter::state(State::Waiting).queue("mail")).all().await.unwrap();
    assert_eq!(letters.iter().map(|letter| letter.id).collect::<Vec<_>>(), [JobId(1), JobId(2), JobId(3)]);
    assert_eq!(outlive.look(JobId(2)).await.unwrap().concurrency_key.as_deref(), Some("Edith"));
}
