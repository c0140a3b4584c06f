//! An order that is charged once, waits for an approval and for its parcels, and an import that goes on where it died.
#![allow(clippy::disallowed_types, reason = "a program brings its own runtime")]

use outlive::job::Unmet;
use outlive::{Context, Done, Error, Failure, Job, JobId, Outlive};
use serde::{Deserialize, Serialize};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

#[derive(Serialize, Deserialize)]
pub(crate) struct Order {
    pub(crate) number: u64,
    pub(crate) items: Vec<String>,
}

impl Job for Order {
    const KIND: &'static str = "order";
    type Output = Vec<String>;
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Parcel {
    pub(crate) order: u64,
    pub(crate) item: String,
}

impl Job for Parcel {
    const KIND: &'static str = "parcel";
    type Output = String;
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Invoice {
    pub(crate) order: u64,
}

impl Job for Invoice {
    const KIND: &'static str = "invoice";
    type Output = ();
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Import {
    pub(crate) pages: u64,
}

impl Job for Import {
    const KIND: &'static str = "import";
    type Output = u64;
}

/// What is outside of the queue: a bank that charges each key once, and a depot that is closed now and then.
pub(crate) struct Shop {
    pub(crate) outlive: Outlive,
    pub(crate) charged: Mutex<Vec<String>>,
    pub(crate) depot_is_open: AtomicBool,
}

impl Shop {
    pub(crate) fn new(outlive: Outlive) -> Self {
        Self { outlive, charged: Mutex::default(), depot_is_open: AtomicBool::new(false) }
    }

    pub(crate) fn charge(&self, key: &str) -> Result<String, Failure> {
        let mut charged = self.charged.lock().unwrap();
        if !charged.iter().any(|other| other == key) {
            charged.push(key.to_owned());
        }
        Ok(format!("receipt {}", charged.len()))
    }
}

const THREE_DAYS: Duration = Duration::from_secs(3 * 24 * 3600);

pub(crate) async fn fulfil(ctx: Context, job: Order) -> Result<Done<Vec<String>>, Failure> {
    let shop = ctx.state::<Shop>();
    let receipt = ctx.step("charge", async || shop.charge(&ctx.idempotency_key("charge"))).await?;

    let approved: Option<String> = ctx.signal(format!("approved-{}", job.number)).within(THREE_DAYS).await?;
    let Some(by) = approved else { return Err(Failure::discard("nobody has approved it within three days")) };
    ctx.progress(0.5, format!("{receipt}, approved by {by}")).await?;

    let pack = async || {
        let mut parcels = Vec::new();
        for item in &job.items {
            let parcel = Parcel { order: job.number, item: item.clone() };
            parcels.push(shop.outlive.enqueue(parcel).key(format!("{}-{item}", job.number)).await?.job);
        }
        Ok::<Vec<JobId>, Error>(parcels)
    };
    let parcels = ctx.step("pack", pack).await?;

    let mut sent = Vec::new();
    for parcel in ctx.jobs("parcels", parcels).await? {
        sent.push(ctx.result::<String>(parcel.job).await?);
    }
    Ok(Done::complete(sent))
}

pub(crate) async fn send(ctx: Context, job: Parcel) -> Result<Done<String>, Failure> {
    if !ctx.state::<Shop>().depot_is_open.load(Ordering::Relaxed) {
        return Ok(Done::look_again(Duration::from_secs(1), "the depot is closed"));
    }
    Ok(Done::complete(format!("{} of order {}", job.item, job.order)))
}

pub(crate) async fn bill(_: Context, job: Invoice) -> Result<Done<()>, Failure> {
    println!("order {} is billed", job.order);
    Ok(Done::complete(()))
}

pub(crate) async fn import(ctx: Context, job: Import) -> Result<Done<u64>, Failure> {
    let first: u64 = ctx.last_checkpoint().await?.unwrap_or(0);
    for page in first..job.pages {
        if page == 2 && ctx.attempt() == 1 {
            panic!("the program dies on page 2");
        }
        ctx.progress(page as f64 / job.pages as f64, format!("page {page} of {}", job.pages)).await?;
        ctx.checkpoint(&(page + 1)).await?;
    }
    Ok(Done::complete(job.pages - first))
}

pub(crate) async fn order(outlive: &Outlive, number: u64, items: &[&str]) -> Result<JobId, Error> {
    let items = items.iter().map(|item| (*item).to_owned()).collect();
    let day = Duration::from_secs(24 * 3600);
    let order = outlive.enqueue(Order { number, items }).key_for(day, format!("form-{number}")).await?.job;
    outlive.enqueue(Invoice { order: number }).after([order], Unmet::Cancel).key(format!("bill-{number}")).await?;
    Ok(order)
}

pub(crate) async fn approve(outlive: &Outlive, number: u64, by: &str) -> Result<bool, Error> {
    outlive.signal(format!("approved-{number}"), &by).key("desk").await
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let outlive = Outlive::open("orders.db").await?;
    let shop = Shop::new(outlive.clone());
    shop.depot_is_open.store(true, Ordering::Relaxed);
    let worker = outlive.worker().handle(fulfil).handle(send).handle(bill).handle(import).state(shop).start()?;
    let order = order(&outlive, 7, &["a lamp", "a chair"]).await?;
    approve(&outlive, 7, "Ada").await?;
    let sent: Vec<String> = outlive.result(order).await?;
    println!("sent: {}", sent.join(", "));
    drop(worker);
    Ok(())
}
