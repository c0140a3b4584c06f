//! Charges: how failures are tried again, how long an attempt may take, and what a person does about those that have ended.
#![allow(clippy::disallowed_types, reason = "a program brings its own runtime")]

use outlive::job::{Backoff, State};
use outlive::protocol::JobSummary;
use outlive::{Context, Done, Error, Failed, Failure, Filter, Job, JobId, Outlive};
use serde::{Deserialize, Serialize};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

#[derive(Serialize, Deserialize)]
pub(crate) struct Charge {
    pub(crate) card: String,
    pub(crate) cents: u64,
}

impl Job for Charge {
    const KIND: &'static str = "charge";
    type Output = u64;
}

/// What is outside of the queue: it takes no card of Grace's until somebody has mended that.
#[derive(Default)]
pub(crate) struct Bank {
    pub(crate) is_mended: AtomicBool,
}

pub(crate) async fn set_up(outlive: &Outlive) -> Result<(), Error> {
    let day = Duration::from_secs(24 * 3600);
    let backoff = Backoff::Exponential { first: Duration::from_millis(10), longest: Duration::from_secs(3600) };
    outlive.policy("charge").backoff(backoff).max_attempts(3).timeout(Duration::from_secs(30)).max_age(7 * day).await
}

pub(crate) async fn charge(ctx: Context, job: Charge) -> Result<Done<u64>, Failure> {
    if job.cents == 0 {
        return Err(Failure::discard("there is nothing to charge"));
    }
    if job.card == "Grace" && !ctx.state::<Bank>().is_mended.load(Ordering::Relaxed) {
        return Err(Failure::retry("the bank does not know the card"));
    }
    Ok(Done::complete(job.cents))
}

pub(crate) fn judge(failed: &Failed, failure: Failure) -> Failure {
    match failed.failures {
        1 => failure.after(Duration::from_millis(20)),
        _ => failure,
    }
}

pub(crate) async fn give_up_on_old_news(outlive: &Outlive, charge: Charge) -> Result<JobId, Error> {
    Ok(outlive.enqueue(charge).max_age(Duration::from_secs(600)).await?.job)
}

pub(crate) async fn what_has_failed(outlive: &Outlive) -> Result<Vec<JobSummary>, Error> {
    outlive.list(Filter::state(State::Discarded).kind("charge")).all().await
}

pub(crate) async fn try_again(outlive: &Outlive) -> Result<u64, Error> {
    outlive.retry_all(Filter::state(State::Discarded).kind("charge")).await
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let outlive = Outlive::open("charges.db").await?;
    set_up(&outlive).await?;
    let worker = outlive.worker().handle(charge).on_failure::<Charge>(judge).state(Bank::default()).start()?;
    let old_news = give_up_on_old_news(&outlive, Charge { card: "Ada".into(), cents: 100 }).await?;
    println!("{}", outlive.explain(old_news).await?);
    let job = outlive.enqueue(Charge { card: "Grace".into(), cents: 700 }).await?.job;
    if let Err(error) = outlive.result::<u64>(job).await {
        println!("{error}");
    }
    for failed in what_has_failed(&outlive).await? {
        println!("job {}: {}", failed.id, failed.last_failure.map_or_else(String::new, |failure| failure.message));
    }
    println!("{} jobs get another try", try_again(&outlive).await?);
    drop(worker);
    Ok(())
}
