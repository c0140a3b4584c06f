//! The guide's charges, on the real machine: failures that are tried again, given up, listed, and given another try.
#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "this test is about the real machine")]

use example::{Bank, Charge};
use outlive::job::{How, State};
use outlive::{Error, Outlive};
use std::sync::atomic::AtomicBool;
use std::time::Duration;

#[path = "../examples/charges.rs"]
#[allow(dead_code, reason = "the example's own main is not run")]
mod example;

const PATIENCE: Duration = Duration::from_secs(30);

fn of(card: &str, cents: u64) -> Charge {
    Charge { card: card.into(), cents }
}

#[tokio::test]
async fn charges_that_failed_are_listed_and_get_another_try() {
    let directory = tempfile::tempdir().unwrap();
    let outlive = Outlive::open(directory.path().join("charges.db")).await.unwrap();
    example::set_up(&outlive).await.unwrap();
    let worker = outlive.worker().handle(example::charge).on_failure::<Charge>(example::judge);
    let worker = worker.state(Bank::default()).start().unwrap();
    let ada = outlive.enqueue(of("Ada", 100)).await.unwrap().job;
    let grace = outlive.enqueue(of("Grace", 700)).await.unwrap().job;
    let nothing = outlive.enqueue(of("Ada", 0)).await.unwrap().job;
    assert_eq!(outlive.result::<u64>(ada).within(PATIENCE).await.unwrap(), 100);
    for job in [grace, nothing] {
        let error = outlive.result::<u64>(job).within(PATIENCE).await.unwrap_err();
        assert!(matches!(error, Error::NotCompleted { .. }), "{error}");
    }

    // Three attempts for what may be mended, one for what may not; each with what was said.
    let failed = example::what_has_failed(&outlive).await.unwrap();
    let shown: Vec<_> = failed.iter().map(|it| (it.id, it.attempts, it.failures)).collect();
    assert_eq!(shown, [(grace, 3, 3), (nothing, 1, 1)]);
    let last = failed[0].last_failure.as_ref().unwrap();
    assert_eq!((last.how, last.message.as_str()), (How::Error, "the bank does not know the card"));

    // Somebody mends it, and gives them another try.
    drop(worker);
    let bank = Bank { is_mended: AtomicBool::new(true) };
    let _worker = outlive.worker().handle(example::charge).state(bank).start().unwrap();
    assert_eq!(example::try_again(&outlive).await.unwrap(), 2);
    assert_eq!(outlive.result::<u64>(grace).within(PATIENCE).await.unwrap(), 700);
    drop(outlive.result::<u64>(nothing).within(PATIENCE).await.unwrap_err());
    assert_eq!(outlive.look(nothing).await.unwrap().state, State::Discarded);
}

#[tokio::test]
async fn a_charge_that_is_old_news_is_never_tried() {
    let directory = tempfile::tempdir().unwrap();
    let outlive = Outlive::open(directory.path().join("charges.db")).await.unwrap();
    let job = example::give_up_on_old_news(&outlive, of("Ada", 100)).await.unwrap();
    let says = outlive.explain(job).await.unwrap().to_string();
    assert!(says.contains("It is discarded if no attempt of it begins by "), "{says}");
    let late = outlive.enqueue(of("Ada", 100)).max_age(Duration::from_millis(1)).await.unwrap().job;
    let error = outlive.result::<u64>(late).within(PATIENCE).await.unwrap_err();
    assert!(matches!(error, Error::NotCompleted { .. }), "{error}");
    let says = outlive.explain(late).await.unwrap().to_string();
    assert!(says.contains("after 0 attempts, because no attempt of it could begin by "), "{says}");
}
