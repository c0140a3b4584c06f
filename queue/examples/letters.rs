//! Letters: not too many at once, one for each customer at a time, and none while the post office is closed.
#![allow(clippy::disallowed_types, reason = "a program brings its own runtime")]

use outlive::job::Gate;
use outlive::{Context, Done, Error, Failure, Job, JobId, Outlive};
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

#[derive(Serialize, Deserialize)]
pub(crate) struct Letter {
    pub(crate) customer: String,
    pub(crate) text: String,
}

impl Job for Letter {
    const KIND: &'static str = "letter";
    type Output = u64;
}

/// What is outside of the queue: it takes letters while it is open.
#[derive(Default)]
pub(crate) struct PostOffice {
    pub(crate) is_open: AtomicBool,
    pub(crate) asked: AtomicU64,
    pub(crate) taken: AtomicU64,
}

impl PostOffice {
    pub(crate) fn take(&self, _: &Letter) -> Option<u64> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let is_open = self.is_open.load(Ordering::Relaxed);
        is_open.then(|| self.taken.fetch_add(1, Ordering::Relaxed) + 1)
    }
}

pub(crate) async fn open(path: &Path) -> Result<Outlive, Error> {
    Outlive::builder().ageing(Duration::from_secs(60)).open(path).await
}

pub(crate) async fn set_up(outlive: &Outlive) -> Result<(), Error> {
    outlive.limit("mail").at_once(4).at_once_per_key(1).rate(1_000, Duration::from_secs(60)).await
}

pub(crate) async fn post(outlive: &Outlive, customer: &str, text: &str) -> Result<JobId, Error> {
    let letter = Letter { customer: customer.into(), text: text.into() };
    Ok(outlive.enqueue(letter).queue("mail").concurrency_key(customer).await?.job)
}

pub(crate) async fn post_first(outlive: &Outlive, customer: &str, text: &str) -> Result<JobId, Error> {
    let letter = Letter { customer: customer.into(), text: text.into() };
    Ok(outlive.enqueue(letter).queue("mail").concurrency_key(customer).priority(10).await?.job)
}

pub(crate) async fn post_all(outlive: &Outlive, customers: &[&str], text: &str) -> Result<usize, Error> {
    let letter = |customer: &&str| Letter { customer: (*customer).to_owned(), text: text.to_owned() };
    let letters = customers.iter().map(|it| outlive.enqueue(letter(it)).queue("mail").concurrency_key(*it));
    Ok(outlive.enqueue_all(letters).await?.len())
}

pub(crate) async fn deliver(ctx: Context, letter: Letter) -> Result<Done<u64>, Failure> {
    match ctx.state::<PostOffice>().take(&letter) {
        Some(number) => Ok(Done::complete(number)),
        None => Ok(Done::service_down(Duration::from_millis(500), "the post office is closed")),
    }
}

pub(crate) async fn stop_the_press(outlive: &Outlive) -> Result<(), Error> {
    outlive.pause(Gate::queue("mail"), "Ada", "the letterhead has the old address").await
}

pub(crate) async fn go_on(outlive: &Outlive) -> Result<bool, Error> {
    outlive.resume(Gate::queue("mail")).await
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let outlive = open(Path::new("letters.db")).await?;
    set_up(&outlive).await?;
    let office = PostOffice { is_open: AtomicBool::new(true), ..PostOffice::default() };
    let worker = outlive.worker().queues(["mail"]).handle(deliver).state(office).start()?;
    stop_the_press(&outlive).await?;
    let letter = post(&outlive, "Grace", "We have moved.").await?;
    println!("{}", outlive.explain(letter).await?);
    println!("{} more", post_all(&outlive, &["Ada", "Edith"], "So have we.").await?);
    post_first(&outlive, "Mary", "Your house is on fire.").await?;
    go_on(&outlive).await?;
    println!("letter {} is on its way", outlive.result::<u64>(letter).await?);
    drop(worker);
    Ok(())
}
